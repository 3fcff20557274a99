"""The README's way into somebody's own Django project, taken as it stands: a new project, its blocks pasted, its workers started."""

from __future__ import annotations

import os
import secrets
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import psycopg2
import pytest
from cryptography.fernet import Fernet
from standardwebhooks import Webhook

from scripts.local.processes import kill_session, read_tail, spawn, wait_until
from scripts.local.servers import LocalServers
from scripts.local.state import CHECKOUT
from subscriptions.signing_secrets import generate_secret
from tests.acceptance.hub import DEADLINE_SECONDS
from tests.receivers.recording import RecordingReceiver
from tests.repo.documents import README, read_blocks, read_commands

pytestmark = pytest.mark.acceptance

DATABASE = "own_project"
# Read by the project's own settings, as a project of somebody's would have it.
SETTINGS_FOR_THE_TEST = """
import dj_database_url

DATABASES = {"default": dj_database_url.parse(os.environ["DATABASE_URL"])}
WEBHOOKHUB["allow_cidrs"] = "127.0.0.0/8"
"""
ORDER = """
from django.db import transaction
from subscriptions.subscribe import subscribe
from webhookhub.events import emit
from webhookhub.models import Account

with transaction.atomic():
    account = Account.objects.create(name="Alice's shop")
    subscribe(account, {url!r}, event_types=["order.*"], secret={secret!r})
    emit("order.shipped", {{"orderId": "ord_123"}}, account=account)
"""


class Project:
    """A Django project as `django-admin startproject` makes it, with the README's blocks in it."""

    def __init__(self, folder: Path, *, servers: LocalServers) -> None:
        self.folder = folder
        self._environment = {
            "PATH": os.environ["PATH"],
            # The last part is where packages are on a machine whose Python makes no virtual environments.
            "PYTHONPATH": os.pathsep.join([str(folder), str(CHECKOUT), os.environ.get("PYTHONPATH", "")]),
            "DATABASE_URL": servers.postgresql.create_database(DATABASE),
            "CELERY_BROKER_URL": servers.broker_url.removesuffix("/0") + "/1",
            "SHOP_ENCRYPTION_KEYS": Fernet.generate_key().decode(),
        }
        self.database_url = self._environment["DATABASE_URL"]
        self._workers: list[subprocess.Popen[bytes]] = []
        subprocess.run([sys.executable, "-m", "django", "startproject", "shop", str(folder)], check=True)
        for block in read_blocks(README, language="python"):
            if block.title.startswith("shop/"):
                with (folder / block.title).open("a") as file:
                    file.write(block.text)
        with (folder / "shop" / "settings.py").open("a") as settings:
            settings.write(SETTINGS_FOR_THE_TEST)

    def manage(self, *arguments: str) -> str:
        """Run the project's manage.py to its end; returns what it printed."""
        done = subprocess.run(
            [sys.executable, "manage.py", *arguments],
            cwd=self.folder,
            env=self._environment,
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, done.stderr
        return done.stdout

    def start(self, command: str) -> None:
        """Start what the README says to start."""
        program, *arguments = command.split()
        assert program == "python"
        worker = spawn(
            [sys.executable, *arguments],
            death_signal=signal.SIGKILL,
            log=self.log,
            environment=self._environment,
            folder=self.folder,
        )
        self._workers.append(worker)

    @property
    def log(self) -> Path:
        return self.folder / "workers.log"

    def kill(self) -> None:
        for worker in self._workers:
            kill_session(worker.pid)
            worker.wait()


@pytest.fixture(scope="module")
def project(servers: LocalServers, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Project]:
    project = Project(tmp_path_factory.mktemp("project"), servers=servers)
    project.manage("migrate", "--no-input", "--verbosity", "0")
    yield project
    project.kill()
    servers.postgresql.drop_database(DATABASE)


def test_the_project_passes_djangos_checks_and_needs_no_migration(project: Project) -> None:
    assert "no issues" in project.manage("check")
    assert "No changes detected" in project.manage("makemigrations", "--check", "--dry-run")


def test_an_event_of_the_project_reaches_its_subscriber(project: Project, recorder: RecordingReceiver) -> None:
    endpoint, secret = recorder.endpoint(), generate_secret(secrets.token_bytes)
    commands = [command for command in read_commands(README) if " -A shop " in command]
    assert len(commands) == 3
    for command in commands:
        project.start(command)

    project.manage("shell", "-c", ORDER.format(url=endpoint.url, secret=secret))

    assert wait_until(lambda: len(endpoint.requests) == 1, timeout_seconds=DEADLINE_SECONDS), read_tail(project.log)
    (request,) = endpoint.requests
    Webhook(secret).verify(request.body, request.header)
    assert wait_until(lambda: delivery_statuses(project) == ["delivered"], timeout_seconds=DEADLINE_SECONDS)


def delivery_statuses(project: Project) -> list[str]:
    connection = psycopg2.connect(project.database_url)
    try:
        with connection, connection.cursor() as cursor:
            cursor.execute("SELECT status FROM webhookhub_delivery")
            return [status for (status,) in cursor.fetchall()]
    finally:
        connection.close()
