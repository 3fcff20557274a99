"""RabbitMQ's queues are emptied, or it drops every connection: what becomes of what it had?"""

from __future__ import annotations

from urllib.parse import urlsplit

import pytest
from kombu import Connection, Queue

from scripts.local.roles import BEAT, WORKER
from tests.acceptance.conftest import MakeHub, control_rabbitmq
from tests.acceptance.customer import Customer
from tests.acceptance.hub import Hub
from tests.receivers.recording import ACCEPTED, Answer

pytestmark = pytest.mark.acceptance


@pytest.fixture(scope="module")
def hub(make_hub: MakeHub, rabbitmq_url: str) -> Hub:
    """A hub on RabbitMQ with everything but a delivery worker."""
    hub = make_hub(broker_url=rabbitmq_url)
    hub.start(WORKER)
    hub.start(BEAT)
    return hub


def test_deliveries_whose_messages_were_purged_are_delivered(hub: Hub, customer: Customer, rabbitmq_url: str) -> None:
    customer.subscribe(Answer(status=503), ACCEPTED)
    customer.emit(150)
    hub.wait_until(lambda: len(customer.deliveries()) == 150, "the fan-out")
    hub.wait_until(lambda: hub.application("waiting", queue="deliveries") > 0, "their messages")

    with Connection(rabbitmq_url) as connection, connection.channel() as channel:
        Queue("deliveries", channel=channel).purge()

    with hub.deliverers():
        customer.wait_until_settled()
    customer.check_story()


def test_a_broker_that_drops_every_connection_under_load_costs_nothing(
    hub: Hub, customer: Customer, rabbitmq_url: str
) -> None:
    for _ in range(2):
        customer.subscribe(Answer(status=503, delay_seconds=0.02), Answer(delay_seconds=0.02))
    with hub.deliverers():
        customer.emit(500)
        customer.wait_until_recorded(200)

        vhost = urlsplit(rabbitmq_url).path.removeprefix("/")
        if not control_rabbitmq("close_all_connections", "--vhost", vhost, "a test"):
            pytest.skip("only root on the broker's machine may close its connections")

        customer.emit(50)
        customer.wait_until_settled()
    customer.check_story()
