"""Which runs of the tests open pages, and so have a browser installed for them?"""

from __future__ import annotations

import pytest

from scripts.local.chromium import open_pages
from scripts.local.state import CHECKOUT


@pytest.mark.parametrize(
    "arguments",
    [
        [],
        ["-q"],
        ["."],
        ["tests"],
        ["tests/acceptance"],
        ["tests/acceptance/admin/test_pages.py::test_a_page"],
        ["tests/unit", "tests/acceptance/local"],
    ],
)
def test_a_run_with_the_tests_of_pages_among_it_opens_pages(arguments: list[str]) -> None:
    assert open_pages(arguments, folder=CHECKOUT)


@pytest.mark.parametrize("arguments", [["tests/unit"], ["-q", "tests/acceptance/test_limits.py"], ["tests/repo"]])
def test_another_run_opens_none(arguments: list[str]) -> None:
    assert not open_pages(arguments, folder=CHECKOUT)


def test_paths_are_those_of_where_the_command_stands() -> None:
    assert open_pages(["acceptance"], folder=CHECKOUT / "tests")
    assert not open_pages(["unit"], folder=CHECKOUT / "tests")
