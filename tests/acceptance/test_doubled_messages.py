"""Every message comes twice: does anybody hear of an event twice for it?"""

from __future__ import annotations

import pytest

from scripts.local.roles import BEAT, DELIVERIES, WORKER
from tests.acceptance.conftest import MakeHub
from tests.acceptance.customer import Customer
from tests.acceptance.hub import Hub
from tests.receivers.recording import ACCEPTED, Answer

pytestmark = pytest.mark.acceptance


@pytest.fixture(scope="module")
def hub(make_hub: MakeHub, each_broker: str | None) -> Hub:
    """A hub that publishes every message twice, with two delivery workers."""
    hub = make_hub(broker_url=each_broker, app="tests.acceptance.published_twice")
    for role in (WORKER, DELIVERIES, DELIVERIES, BEAT):
        hub.start(role)
    return hub


def test_every_message_published_twice_changes_nothing(hub: Hub, customer: Customer) -> None:
    customer.subscribe(Answer(status=503), Answer(status=500), ACCEPTED)
    customer.subscribe(Answer(delay_seconds=0.02))

    customer.emit(300)
    customer.wait_until_settled()

    found_nothing = ['"claimed": 0' in worker.log.read_text() for worker in hub.running(DELIVERIES)]
    assert any(found_nothing), "the second messages have come"
    assert {delivery.attempt_count for delivery in customer.deliveries()} == {1, 3}
    customer.check_story()
