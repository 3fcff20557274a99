"""The broker is emptied, restarted, or away, or drops its connections: what becomes of what it had, and of what is emitted meanwhile?"""

from __future__ import annotations

import contextlib
import json
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import urlsplit

import pytest
import redis

from scripts.local.roles import BEAT, WORKER
from scripts.local.servers import LocalServers, ValkeyServer
from tests.acceptance.conftest import MakeHub, empty_broker
from tests.acceptance.customer import Customer
from tests.acceptance.hub import Application, CallFailed, Hub
from tests.acceptance.rabbitmq_node import RabbitMQNode
from tests.receivers.recording import ACCEPTED, Answer

pytestmark = pytest.mark.acceptance

# Longer than any call to a broker that refuses may take, start of Python and Django included.
EMIT_SECONDS = 10.0

Broker = ValkeyServer | RabbitMQNode


@pytest.fixture(scope="module", params=["redis", "rabbitmq"])
def broker(request: pytest.FixtureRequest, servers: LocalServers) -> Broker:
    """Each broker in turn, one that may be killed."""
    return request.getfixturevalue("rabbitmq_node") if request.param == "rabbitmq" else servers.valkey


@pytest.fixture(scope="module")
def hub(broker: Broker, make_hub: MakeHub) -> Hub:
    """A hub without any worker, on each broker."""
    hub = make_hub(broker_url=broker.url)
    hub.start(BEAT)
    return hub


@contextmanager
def workers(hub: Hub) -> Iterator[None]:
    """A worker of each kind, killed at the end of the block."""
    fan_out = hub.start(WORKER)
    with hub.deliverers():
        yield
    fan_out.kill()


def test_events_whose_fan_out_was_flushed_from_the_broker_are_delivered(
    hub: Hub, customer: Customer, broker: Broker
) -> None:
    customer.subscribe()
    customer.emit(150)
    assert hub.application("waiting", queue="fanout") > 0

    empty_broker(broker.url)

    with workers(hub):
        customer.wait_until_settled()
    customer.check_story()


def test_deliveries_whose_messages_were_flushed_from_the_broker_are_delivered(
    hub: Hub, customer: Customer, broker: Broker
) -> None:
    customer.subscribe(Answer(status=503), ACCEPTED)
    fan_out = hub.start(WORKER)
    customer.emit(150)
    hub.wait_until(lambda: len(customer.deliveries()) == 150, "the fan-out")
    hub.wait_until(lambda: hub.application("waiting", queue="deliveries") > 0, "their messages")

    empty_broker(broker.url)

    with hub.deliverers():
        customer.wait_until_settled()
    fan_out.kill()
    customer.check_story()


def test_a_flush_under_load_loses_and_doubles_nothing(hub: Hub, customer: Customer, broker: Broker) -> None:
    for _ in range(2):
        customer.subscribe(Answer(status=503, delay_seconds=0.02), Answer(delay_seconds=0.02))
    with workers(hub):
        customer.emit(500)
        customer.wait_until_recorded(200)

        empty_broker(broker.url)

        customer.emit(50)
        customer.wait_until_settled()
    customer.check_story()


def test_a_broker_that_drops_every_connection_under_load_costs_nothing(
    hub: Hub, customer: Customer, broker: Broker
) -> None:
    # Slow enough that there is still something to do when the connections are gone: `rabbitmqctl` takes a second.
    for _ in range(2):
        customer.subscribe(Answer(status=503, delay_seconds=0.2), Answer(delay_seconds=0.2))
    with workers(hub):
        customer.emit(500)
        customer.wait_until_recorded(200)

        drop_connections(broker)

        customer.emit(50)
        customer.wait_until_settled()
    customer.check_story()


def drop_connections(broker: Broker) -> None:
    """Close every connection, from the broker's side."""
    if isinstance(broker, RabbitMQNode):
        broker.drop_connections()
        return
    with redis.Redis.from_url(broker.url) as client:
        assert client.client_kill_filter(_type="normal") > 0


def test_an_event_whose_application_died_before_it_could_ring_is_delivered(hub: Hub, customer: Customer) -> None:
    customer.subscribe()
    dying = Application(environment=hub.environment, log=hub.folder / "dying.log")
    with contextlib.closing(dying), pytest.raises(CallFailed, match="the application ended, code 1"):
        dying("emit_and_die", account=customer.id)
    customer.find_events()

    with workers(hub):
        customer.wait_until_settled()
    assert len(customer.events) == 1
    customer.check_story()


@pytest.mark.parametrize("end", ["stop", "kill"])
def test_a_broker_that_ends_with_messages_in_it_and_returns_costs_nothing(
    hub: Hub, customer: Customer, broker: Broker, end: str
) -> None:
    for _ in range(2):
        customer.subscribe(Answer(status=503, delay_seconds=0.02), Answer(delay_seconds=0.02))
    with workers(hub):
        customer.emit(500)
        customer.wait_until_recorded(200)

        getattr(broker, end)()
        customer.emit(50)
        hub.wait_until(lambda: customer.claimed() == 0, "what the workers had in hand on record")
        broker.start()

        customer.emit(50)
        customer.wait_until_settled()
    customer.check_story()


def test_with_the_broker_down_emit_succeeds_at_once_and_says_so_in_the_log(
    hub: Hub, customer: Customer, broker: Broker, tmp_path: Path
) -> None:
    customer.subscribe()
    file = tmp_path / "events.ndjson"
    file.write_text("".join(json.dumps({"type": "order.shipped", "data": {"number": n}}) + "\n" for n in range(1200)))
    broker.stop()
    try:
        begin = time.monotonic()
        done = hub.manage("emit", "--account", f"acc_{customer.id.replace('-', '')}", "--file", str(file))
        took_seconds = time.monotonic() - begin
    finally:
        broker.start()

    assert (done.returncode, done.stdout) == (0, "1200 events recorded\n"), done.stderr
    assert took_seconds < EMIT_SECONDS
    (warning,) = [json.loads(line) for line in done.stderr.splitlines() if "ring dropped" in line]
    assert (warning["level"], warning["count"]) == ("warning", 1200)
    customer.find_events()
    with workers(hub):
        customer.wait_until_settled()
    customer.check_story()


def test_a_broker_that_refuses_the_password_keeps_no_event_from_being_recorded(
    hub: Hub, customer: Customer, broker: Broker
) -> None:
    password = urlsplit(broker.url).password
    assert password
    environment = hub.environment | {"CELERY_BROKER_URL": broker.url.replace(f":{password}@", ":wrong@")}
    log = hub.folder / "refused.log"
    with contextlib.closing(Application(environment=environment, log=log)) as refused:
        recorded = refused("emit", account=customer.id, count=3)

    customer.find_events()
    assert sorted(recorded) == sorted(customer.events)
    assert "ring dropped" in log.read_text()
