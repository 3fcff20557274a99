"""docs/configuration.md has every setting as it is in the code."""

from __future__ import annotations

import re

from scripts.local.configuration_page import PAGE, render
from scripts.local.state import CHECKOUT

# What scripts/run tells its own children: nobody sets these.
INTERNAL = re.compile(r"WEBHOOKHUB_(DEMO_\w+|PYTHON|NAIVE\w*|BENCHMARK\w*)")


def test_the_page_is_up_to_date() -> None:
    assert PAGE.read_text() == render(), "python -m scripts.local.configuration_page writes it"


def test_every_variable_that_is_read_outside_of_the_settings_is_on_the_page() -> None:
    files = [
        *(CHECKOUT / "scripts").rglob("*.py"),
        *(CHECKOUT / "tests").rglob("*.py"),
        CHECKOUT / "docker-compose.yml",
    ]
    named = {name for file in files for name in re.findall(r"\bWEBHOOKHUB_[A-Z_]*[A-Z]\b", file.read_text())}
    assert "WEBHOOKHUB_STATE" in named
    missing = {name for name in named if name not in PAGE.read_text() and not INTERNAL.fullmatch(name)}
    assert missing == set()
