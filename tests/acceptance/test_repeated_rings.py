"""Doorbells ring a hundred times, from two beats at once: does anybody hear of an event twice for it?"""

from __future__ import annotations

import pytest

from scripts.local.roles import BEAT
from tests.acceptance.customer import Customer
from tests.acceptance.hub import Hub
from tests.receivers.recording import ACCEPTED, HELD, Answer

pytestmark = pytest.mark.acceptance


@pytest.fixture(scope="module")
def hub(each_hub: Hub) -> Hub:
    return each_hub


def test_a_doorbell_rung_a_hundred_times_for_one_delivery_makes_one_attempt(hub: Hub, customer: Customer) -> None:
    held = customer.subscribe(HELD)
    with hub.deliverers(2):
        customer.emit()
        hub.wait_until(lambda: held.endpoint.waiting == 1, "the request on the wire")
        ring_a_hundred_times(hub, customer)
        held.endpoint.release()
        customer.wait_until_settled()
        ring_a_hundred_times(hub, customer)

    assert len(held.requests) == 1
    customer.check_story()


def test_a_doorbell_rung_a_hundred_times_brings_no_retry_forward(hub: Hub, customer: Customer) -> None:
    subscriber = customer.subscribe(Answer(status=500), ACCEPTED, intervals_seconds=[3])
    with hub.deliverers(2):
        customer.emit()
        customer.wait_until_recorded(1)
        ring_a_hundred_times(hub, customer)
        customer.wait_until_settled()

    first, second = subscriber.requests
    assert second.arrived_at - first.arrived_at >= 3
    customer.check_story()


def ring_a_hundred_times(hub: Hub, customer: Customer) -> None:
    """Until every ring was answered."""
    identifier = customer.delivery().id
    hub.application("ring", task="deliveries.deliver", identifiers=[identifier], queue="deliveries", times=100)
    hub.wait_until(lambda: hub.application("waiting", queue="deliveries") == 0, "no ring left in the queue")


def test_three_beats_and_overlapping_sweeps_make_no_attempt_twice(hub: Hub, customer: Customer) -> None:
    customer.subscribe(Answer(status=503), Answer(status=500), ACCEPTED)
    customer.subscribe(Answer(delay_seconds=0.1))
    beats = [hub.start(BEAT) for _ in range(2)]
    with hub.deliverers(2):
        customer.emit(200)
        hub.application("sweep", threads=10)
        # No message of these events is left to come: all that follows is found by sweeps.
        hub.query(
            "UPDATE webhookhub_delivery SET wake_at = now() WHERE account_id = %s AND wake_at IS NOT NULL RETURNING 1",
            customer.id,
        )
        for _ in range(5):
            hub.application("sweep", threads=10)
        customer.wait_until_settled()
    for beat in beats:
        beat.kill()

    assert {delivery.attempt_count for delivery in customer.deliveries()} == {1, 3}
    customer.check_story()
