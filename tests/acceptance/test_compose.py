"""What docker-compose.yml starts: each service with its own command and environment, on servers of this machine."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import urllib.error
import urllib.request
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from urllib.parse import urlsplit

import pytest
import redis

from scripts.local import roles
from scripts.local.embedded import find_free_port
from scripts.local.processes import kill_session, spawn, wait_until
from scripts.local.roles import Role
from scripts.local.servers import LocalServers
from scripts.local.state import CHECKOUT
from tests.acceptance.compose_file import Service, VariableMissingError, read_services
from tests.acceptance.conftest import MakeHub
from tests.acceptance.customer import Customer
from tests.acceptance.hub import DEADLINE_SECONDS, SETTINGS, Hub
from tests.receivers.recording import RecordingReceiver

pytestmark = pytest.mark.acceptance

DOT_ENV = {name: value for name, value in SETTINGS.items() if name.startswith("WEBHOOKHUB_")} | {
    "POSTGRES_PASSWORD": "a-password"
}
SERVICES = read_services(DOT_ENV)
ROLES = (roles.WEB, roles.WORKER, roles.DELIVERIES, roles.BEAT)


@pytest.fixture
def hub(make_hub: MakeHub) -> Hub:
    """A hub without processes of its own: the services are its processes."""
    return make_hub()


@pytest.fixture
def customer(hub: Hub, recorder: RecordingReceiver) -> Customer:
    return Customer(hub, recorder)


class Container:
    """A service's process, started as its container would be, but on local servers."""

    def __init__(self, service: Service, hub: Hub, **changed: str) -> None:
        self.service = service
        self.log = hub.folder / f"{service.name}.log"
        self._environment = local_environment(service, hub) | changed
        self.process = spawn(
            as_local(service.command),
            death_signal=signal.SIGKILL,
            log=self.log,
            environment=self._environment,
            folder=CHECKOUT,
        )

    def is_healthy(self) -> bool:
        """Whether the service's own health check says so."""
        command = self.service.health_command.replace("python", sys.executable, 1)
        return subprocess.run(["sh", "-c", command], env=self._environment, cwd=CHECKOUT, check=False).returncode == 0

    def stop(self) -> int:
        """What `docker compose stop` does; returns the exit code."""
        self.process.terminate()
        return self.process.wait(self.service.stop_grace_seconds)


@contextmanager
def running(name: str, hub: Hub, **changed: str) -> Iterator[Container]:
    container = Container(SERVICES[name], hub, **changed)
    try:
        yield container
    finally:
        kill_session(container.process.pid)
        container.process.wait()


def as_local(command: tuple[str, ...]) -> list[str]:
    program, *arguments = command
    assert program == "python"
    return [sys.executable, *arguments]


def local_environment(service: Service, hub: Hub) -> dict[str, str]:
    """What the service is told and nothing else, but with the addresses of this machine."""
    # PYTHONPATH names the packages on a machine whose Python makes no virtual environments.
    machine = {name: os.environ[name] for name in ("PATH", "PYTHONPATH") if name in os.environ}
    machine["HOSTNAME"] = socket.gethostname()
    return machine | service.environment | {"DATABASE_URL": hub.database_url, "CELERY_BROKER_URL": hub.broker_url}


def get_status(url: str) -> int:
    """The status of the page; 0 while nobody listens."""
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    try:
        with opener.open(url, timeout=DEADLINE_SECONDS) as response:
            return int(response.status)
    except urllib.error.HTTPError as error:
        return error.code
    except OSError:
        return 0


@pytest.mark.parametrize("role", ROLES, ids=lambda role: role.name)
def test_a_service_runs_the_command_of_its_role(role: Role) -> None:
    assert SERVICES[role.name].command == ("python", "-m", *role.command)


def test_all_roles_have_a_service_and_migrations_run_before_them() -> None:
    of_the_hub = {service.name for service in SERVICES.values() if service.is_hub}
    assert of_the_hub == {role.name for role in ROLES} | {"migrate"}
    assert all("migrate" in SERVICES[role.name].waits_for for role in ROLES)


def test_the_servers_that_a_service_is_told_of_are_services_it_waits_for() -> None:
    for name in (role.name for role in ROLES):
        service = SERVICES[name]
        broker_host = urlsplit(service.environment["CELERY_BROKER_URL"]).hostname
        database_host = urlsplit(service.environment["DATABASE_URL"]).hostname
        assert broker_host in service.waits_for
        assert database_host in SERVICES["migrate"].waits_for


def test_rabbitmq_is_started_only_where_its_profile_is_chosen() -> None:
    assert [service.name for service in SERVICES.values() if service.profiles] == ["rabbitmq"]
    chosen = read_services(DOT_ENV | {"CELERY_BROKER_URL": "amqp://webhookhub:secret@rabbitmq:5672//"})
    assert urlsplit(chosen["web"].environment["CELERY_BROKER_URL"]).hostname == "rabbitmq"


@pytest.mark.parametrize("name", ["POSTGRES_PASSWORD", "WEBHOOKHUB_SECRET_KEY", "WEBHOOKHUB_ENCRYPTION_KEYS"])
def test_nothing_starts_without_its_secrets(name: str) -> None:
    with pytest.raises(VariableMissingError, match=f"{name}: set it in .env"):
        read_services({other: value for other, value in DOT_ENV.items() if other != name})


def test_migrate_makes_the_tables_and_ends(servers: LocalServers, hub: Hub) -> None:
    empty = servers.postgresql.create_database("compose_migrate")
    with running("migrate", hub, DATABASE_URL=empty) as container:
        assert container.process.wait(DEADLINE_SECONDS) == 0, container.log.read_text()
        again = Container(SERVICES["migrate"], hub, DATABASE_URL=empty)
        assert again.process.wait(DEADLINE_SECONDS) == 0
        assert "No migrations to apply" in again.log.read_text()
    servers.postgresql.drop_database("compose_migrate")


def test_web_answers_its_health_routes_and_stops_when_told(hub: Hub) -> None:
    port = find_free_port()
    with running("web", hub, GRANIAN_HOST="127.0.0.1", GRANIAN_PORT=str(port)) as web:
        assert wait_until(
            lambda: get_status(f"http://127.0.0.1:{port}/healthz") == 200, timeout_seconds=DEADLINE_SECONDS
        )
        assert get_status(f"http://127.0.0.1:{port}/readyz") == 200
        assert web.is_healthy()
        assert web.stop() == 0
        assert not web.is_healthy()


def test_worker_fans_events_out_and_stops_when_told(hub: Hub, customer: Customer) -> None:
    customer.subscribe()
    with running("worker", hub) as worker:
        customer.emit(3)
        hub.wait_until(lambda: len(customer.deliveries()) == 3, "three deliveries")
        assert worker.is_healthy()
        assert worker.stop() == 0
        assert not worker.is_healthy()


def test_deliveries_delivers_and_stops_when_told(hub: Hub, customer: Customer) -> None:
    subscriber = customer.subscribe()
    with running("worker", hub), running("deliveries", hub) as deliveries:
        customer.emit(3)
        hub.wait_until(lambda: all_delivered(customer, 3), "three requests, recorded")
        assert deliveries.is_healthy()
        assert deliveries.stop() == 0
        assert not deliveries.is_healthy()
    assert len(subscriber.requests) == 3


def all_delivered(customer: Customer, count: int) -> bool:
    return [delivery.status for delivery in customer.deliveries()] == ["delivered"] * count


def test_beat_sends_sweeps_and_stops_when_told(hub: Hub) -> None:
    with running("beat", hub) as beat, redis.Redis.from_url(hub.broker_url) as broker:

        def tasks_sent() -> set[str]:
            messages: list[Mapping[str, dict[str, str]]] = [
                json.loads(text) for text in broker.lrange("webhookhub:maintenance", 0, -1)
            ]
            return {message["headers"]["task"] for message in messages}

        hub.wait_until(lambda: "deliveries.sweep" in tasks_sent(), "a sweep")
        assert beat.stop() == 0
