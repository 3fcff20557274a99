"""Twenty producers and twenty consumers at once: is anything lost, doubled or left behind?"""

from __future__ import annotations

import pytest

from scripts.local.roles import BEAT, WORKER
from tests.acceptance.conftest import MakeHub
from tests.acceptance.customer import Customer
from tests.acceptance.hub import Hub
from tests.receivers.recording import ACCEPTED, Answer

pytestmark = pytest.mark.acceptance

# Every message is a transaction, a fan-out and a delivery of its own here, on a machine that may have two processors.
MANY_SECONDS = 150.0
TEN_CHILDREN = ("--concurrency", "10")


@pytest.fixture(scope="module")
def hub(make_hub: MakeHub, each_broker: str | None) -> Hub:
    """A hub with the lease that it has by default: here nobody is lost, only slow."""
    hub = make_hub(broker_url=each_broker, WEBHOOKHUB_LEASE_SECONDS="90")
    hub.start(WORKER)
    hub.start(BEAT)
    return hub


def test_twenty_producers_and_twenty_consumers_lose_and_double_none_of_4000_messages(
    hub: Hub, customer: Customer
) -> None:
    subscriber = customer.subscribe(timeout_seconds=30)
    with hub.deliverers(2, *TEN_CHILDREN):
        customer.emit_from_producers(20, 200)
        customer.wait_until_settled(within_seconds=MANY_SECONDS)

    assert len({request.webhook_id for request in subscriber.requests}) == len(subscriber.requests) == 4000
    customer.check_story()


def test_twenty_producers_and_twenty_consumers_lose_and_double_none_of_400_retries(
    hub: Hub, customer: Customer
) -> None:
    subscriber = customer.subscribe(Answer(status=503), ACCEPTED, timeout_seconds=30)
    with hub.deliverers(2, *TEN_CHILDREN):
        customer.emit_from_producers(20, 20)
        customer.wait_until_settled(within_seconds=MANY_SECONDS)

    assert len(subscriber.requests) == 800
    customer.check_story()
