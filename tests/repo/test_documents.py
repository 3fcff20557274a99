"""The documents tell the truth about what can be typed, followed and looked up."""

from __future__ import annotations

import os
import shlex
import shutil
import subprocess
from importlib.util import find_spec
from pathlib import Path

import pytest
import yaml
from cryptography.fernet import Fernet
from django.core.management import get_commands

from scripts.local.roles import BEAT, DELIVERIES, WEB, WORKER, Role
from scripts.local.state import CHECKOUT
from tests.repo.documents import (
    DOCUMENTS,
    README,
    read_anchors,
    read_blocks,
    read_commands,
    read_links,
    read_table_rows,
)

NEWCOMERS_COMMANDS = ["scripts/run", "scripts/test", "scripts/check", "scripts/bench"]
COMMANDS = sorted({command for document in DOCUMENTS for command in read_commands(document)})


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: path.name)
def test_every_link_leads_somewhere(document: Path) -> None:
    for link in read_links(document):
        path, _, anchor = link.partition("#")
        if "://" in path:
            continue
        target = (document.parent / path).resolve() if path else document
        assert target.exists(), link
        assert not anchor or anchor in read_anchors(target), link


@pytest.mark.parametrize("command", COMMANDS)
def test_every_documented_command_exists(command: str) -> None:
    match shlex.split(command):
        case ["scripts/manage", name, *_] | ["python", "manage.py", name, *_]:
            assert name in get_commands()
        case [script] if script.startswith("scripts/"):
            assert os.access(CHECKOUT / script, os.X_OK)
        case [script, *_] if script.startswith("scripts/"):
            assert os.access(CHECKOUT / script, os.X_OK)
        case ["python", "-m", module, *_]:
            assert find_spec(module) is not None
        case ["docker", "compose", *words]:
            services = yaml.safe_load((CHECKOUT / "docker-compose.yml").read_text())["services"]
            # Behind `exec` and `--scale` comes the name of a service.
            named = [
                words[index + 1].partition("=")[0] for index, word in enumerate(words) if word in ("exec", "--scale")
            ]
            assert set(named) <= set(services)
        case _:
            pytest.fail("a kind of command that this test does not know")


def test_the_first_screen_has_the_newcomers_commands_and_ci_runs_the_same() -> None:
    assert read_commands(README)[:4] == NEWCOMERS_COMMANDS
    ci = (CHECKOUT / ".ci" / "run").read_text()
    assert all(command in ci for command in ("scripts/check", "scripts/test", "scripts/run"))


@pytest.mark.parametrize("role", [WEB, WORKER, DELIVERIES, BEAT], ids=lambda role: role.name)
def test_the_table_of_roles_has_the_commands_that_are_started(role: Role) -> None:
    (command,) = [row[1].strip("`") for row in read_table_rows(README) if row[0] == f"`{role.name}`" and "-m" in row[1]]
    started = ["python", "-m", *role.command]
    documented = command.split()
    assert started[: len(documented)] == documented


def test_the_documented_secrets_can_be_used(tmp_path: Path) -> None:
    if shutil.which("openssl") is None:
        pytest.skip("the command needs openssl, which this machine does not have")
    (command,) = [block.text for block in read_blocks(README, language="sh") if "> .env" in block.text]
    subprocess.run(["sh", "-c", command], cwd=tmp_path, check=True)
    written = dict(line.split("=", 1) for line in (tmp_path / ".env").read_text().splitlines())
    Fernet(written["WEBHOOKHUB_ENCRYPTION_KEYS"])
    assert len(written["WEBHOOKHUB_SECRET_KEY"]) >= 50
    assert {"POSTGRES_PASSWORD", "RABBITMQ_PASSWORD"} <= written.keys()
