"""The source keeps its own rules: layers, sizes, pins, migrations, and the names that others import."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path
from pkgutil import resolve_name

import pytest
from django.core.management import call_command

from scripts.local.check import LINT_IMPORTS
from scripts.local.state import CHECKOUT

SOURCE_FOLDERS = ("config", "deliveries", "subscriptions", "webhookhub", "scripts")
LONGEST_MODULE_LINES = 300
REQUIREMENTS = ("requirements.txt", "requirements-otel.txt", "requirements-local.txt", "requirements-dev.txt")
CHOSEN = {"celery", "redis", "kombu", "django", "django-celery-beat", "psycopg2-binary", "requests"}
PUBLIC = (
    "webhookhub.client:Client",
    "webhookhub.client:verify",
    "webhookhub.conf:hub_settings",
    "webhookhub.doorbell:queues",
    "webhookhub.doorbell:transport_options",
    "webhookhub.errors:BadEventError",
    "webhookhub.events:NewEvent",
    "webhookhub.events:emit",
    "webhookhub.events:emit_many",
    "webhookhub.health:healthz",
    "webhookhub.health:readyz",
    "subscriptions.rotation:rotate_secret",
    "subscriptions.signing:sign",
    "subscriptions.signing_secrets:generate_secret",
    "subscriptions.subscribe:set_enabled",
    "subscriptions.subscribe:subscribe",
    "deliveries.cancel:cancel",
    "deliveries.tasks:maintain_partitions_task",
    "deliveries.tasks:sweep_task",
)


@pytest.mark.django_db
def test_no_migration_is_missing() -> None:
    call_command("makemigrations", check_changes=True, dry_run=True, verbosity=0)


def test_imports_run_one_way() -> None:
    done = subprocess.run(
        [sys.executable, "-c", LINT_IMPORTS], cwd=CHECKOUT, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout


def test_no_module_is_longer_than_300_lines() -> None:
    modules = [path for folder in SOURCE_FOLDERS for path in (CHECKOUT / folder).rglob("*.py")]
    lengths = {str(path.relative_to(CHECKOUT)): len(path.read_text().splitlines()) for path in modules}
    assert len(lengths) > 100
    assert {name: length for name, length in lengths.items() if length > LONGEST_MODULE_LINES} == {}


@pytest.mark.parametrize("name", REQUIREMENTS)
def test_every_requirement_is_pinned(name: str) -> None:
    for line in requirement_lines(CHECKOUT / name):
        assert re.fullmatch(r"[A-Za-z0-9._-]+==[A-Za-z0-9.]+", line), line


def test_the_chosen_packages_are_required() -> None:
    assert required_names("requirements.txt") >= CHOSEN
    assert "pytest-django" in required_names("requirements-dev.txt")


def required_names(name: str) -> set[str]:
    return {line.partition("==")[0].lower() for line in requirement_lines(CHECKOUT / name)}


def requirement_lines(file: Path) -> list[str]:
    """The lines that name a package, without comments."""
    lines = (line.partition("#")[0].strip() for line in file.read_text().splitlines())
    return [line for line in lines if line and not line.startswith("-r ")]


@pytest.mark.parametrize("name", PUBLIC)
def test_a_public_name_stays_where_it_is(name: str) -> None:
    assert callable(resolve_name(name))
