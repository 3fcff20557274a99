"""A webhook is changed while it is being told: every process does as it now says, from the next attempt on."""

from __future__ import annotations

import pytest

from scripts.local.roles import DELIVERIES
from tests.acceptance.customer import Customer
from tests.acceptance.hub import Hub
from tests.receivers.recording import ACCEPTED, Answer, RecordingReceiver

pytestmark = pytest.mark.acceptance

# Far more than there are processes.
EVENTS = 40
# Long enough that the change comes before the first retry.
WAIT_SECONDS = 5


@pytest.fixture(scope="module")
def hub(hub: Hub) -> Hub:
    """With two delivery workers of several processes each."""
    hub.start(DELIVERIES)
    hub.start(DELIVERIES)
    return hub


def emit_one_by_one(customer: Customer) -> None:
    """So that the processes share them, and each has sent something to the webhook before it is changed."""
    for _ in range(EVENTS):
        customer.emit()
    customer.wait_until_recorded(EVENTS)


def test_a_url_and_headers_count_in_every_process_from_the_next_attempt_on(
    hub: Hub, customer: Customer, recorder: RecordingReceiver
) -> None:
    subscriber = customer.subscribe(Answer(status=503), intervals_seconds=[WAIT_SECONDS])
    moved = recorder.endpoint(ACCEPTED)
    emit_one_by_one(customer)

    hub.application("change", subscription=subscriber.id, headers={"X-New": "1"}, terms={"url": moved.url})
    customer.wait_until_settled()

    assert len(subscriber.requests) == len(moved.requests) == EVENTS
    assert [request.header.get("x-new") for request in subscriber.requests] == [None] * EVENTS
    assert [request.header.get("x-new") for request in moved.requests] == ["1"] * EVENTS


def test_after_a_webhook_is_disabled_no_process_sends_it_anything(hub: Hub, customer: Customer) -> None:
    subscriber = customer.subscribe(Answer(status=503), intervals_seconds=[WAIT_SECONDS])
    emit_one_by_one(customer)

    hub.application("change", subscription=subscriber.id, headers={}, terms={"enabled": False})
    hub.wait_until(
        lambda: {delivery.status for delivery in customer.deliveries()} == {"held"}, f"{EVENTS} deliveries held"
    )

    assert len(subscriber.requests) == EVENTS
    assert {delivery.attempt_count for delivery in customer.deliveries()} == {1}
