"""Deliveries that are cancelled, held, crowded out or cut short, on each broker: what is still sent, and what is recorded?"""

from __future__ import annotations

import pytest

from scripts.local.roles import DELIVERIES
from tests.acceptance.customer import Customer
from tests.acceptance.hub import Hub
from tests.receivers.recording import ACCEPTED, HELD, Answer

pytestmark = pytest.mark.acceptance


@pytest.fixture(scope="module")
def hub(whole_hub: Hub) -> Hub:
    return whole_hub


def test_a_cancelled_delivery_that_waits_for_a_retry_is_never_sent_again(hub: Hub, customer: Customer) -> None:
    subscriber = customer.subscribe(Answer(status=500), intervals_seconds=[1])
    customer.emit()
    customer.wait_until_recorded(1)

    identifier = customer.delivery().id
    assert hub.application("cancel", deliveries=[identifier]) == [identifier]
    hub.wait_until(
        lambda: hub.query("SELECT 1 FROM webhookhub_delivery WHERE id = %s AND due_at < now()", identifier),
        "the retry's moment",
    )
    hub.application("ring", task="deliveries.deliver", identifiers=[identifier], queue="deliveries", times=3)
    hub.application("sweep")
    # Whatever was rung before this event has been looked at when it arrives.
    later = Customer(hub, customer.receiver)
    later.subscribe()
    later.emit()
    later.wait_until_settled()

    assert len(subscriber.requests) == 1
    assert customer.delivery().status == "cancelled"
    customer.check_story()


def test_a_result_of_a_delivery_that_was_cancelled_on_the_wire_is_recorded_and_undoes_nothing(
    hub: Hub, customer: Customer
) -> None:
    held = customer.subscribe(HELD)
    customer.emit()
    hub.wait_until(lambda: held.endpoint.waiting == 1, "the request on the wire")

    hub.application("cancel", deliveries=[customer.delivery().id])
    held.endpoint.release()
    customer.wait_until_settled()

    delivery = customer.delivery()
    assert delivery.status == "cancelled"
    assert [attempt.outcome for attempt in delivery.attempts] == ["delivered"]
    assert not delivery.is_claimed
    customer.check_story()


def test_deliveries_that_are_cancelled_while_they_wait_for_a_place_on_the_wire_are_not_sent(
    hub: Hub, customer: Customer
) -> None:
    held = customer.subscribe(HELD)
    customer.emit(60)
    hub.wait_until(lambda: held.endpoint.waiting >= 32, "an endpoint's share on the wire")

    hub.application("cancel", deliveries=[delivery.id for delivery in customer.deliveries()])
    on_wire = len(held.requests)
    held.endpoint.release()
    customer.wait_until_settled()

    assert {delivery.status for delivery in customer.deliveries()} == {"cancelled"}
    # A place that became free before the cancellation was seen may have been taken.
    assert on_wire <= len(held.requests) == customer.recorded()
    customer.check_story()


def test_a_disabled_subscription_holds_its_deliveries_until_it_is_enabled(hub: Hub, customer: Customer) -> None:
    subscriber = customer.subscribe(Answer(status=500), ACCEPTED, intervals_seconds=[1])
    customer.emit(5)
    customer.wait_until_recorded(5)

    hub.application("enable", subscription=subscriber.id, enabled=False)
    hub.wait_until(lambda: [one.status for one in customer.deliveries()] == ["held"] * 5, "all five held")
    assert len(subscriber.requests) == 5

    hub.application("enable", subscription=subscriber.id, enabled=True)
    customer.wait_until_settled()
    assert {delivery.attempt_count for delivery in customer.deliveries()} == {2}
    assert {delivery.status for delivery in customer.deliveries()} == {"delivered"}
    customer.check_story()


def test_what_happens_while_a_subscription_is_paused_is_sent_when_it_is_resumed(hub: Hub, customer: Customer) -> None:
    subscriber = customer.subscribe()
    hub.application("set_paused", subscription=subscriber.id, paused=True)
    customer.emit(20)
    hub.wait_until(lambda: [one.status for one in customer.deliveries()] == ["held"] * 20, "all twenty held")
    assert subscriber.requests == []

    hub.application("set_paused", subscription=subscriber.id, paused=False)
    customer.wait_until_settled()
    assert {(one.status, one.attempt_count) for one in customer.deliveries()} == {("delivered", 1)}
    customer.check_story()


def test_an_endpoint_that_hangs_stops_nobody_else(hub: Hub, customer: Customer) -> None:
    # What a slow machine leaves hanging until its deadline is not asked again before the end.
    hanging, prompt = customer.subscribe(HELD, intervals_seconds=[60]), customer.subscribe()
    customer.emit(100)

    hub.wait_until(lambda: len(prompt.requests) == 100 and hanging.endpoint.waiting >= 32, "everybody else's share")
    assert not any(
        delivery.status == "delivered" for delivery in customer.deliveries() if delivery.subscriber == hanging.id
    )

    hub.application("cancel", deliveries=[one.id for one in customer.deliveries() if one.subscriber == hanging.id])
    hanging.endpoint.release()
    customer.wait_until_settled()
    customer.check_story()


def test_nothing_is_sent_of_a_transaction_that_was_rolled_back(hub: Hub, customer: Customer) -> None:
    subscriber = customer.subscribe()

    hub.application("emit_and_roll_back", account=customer.id)
    customer.emit()
    customer.wait_until_settled()

    assert len(subscriber.requests) == 1
    assert hub.query("SELECT count(*) FROM webhookhub_event WHERE account_id = %s", customer.id) == [(1,)]
    customer.check_story()


def test_kill_9_of_the_workers_in_the_middle_of_a_batch_is_made_good(hub: Hub, customer: Customer) -> None:
    held = customer.subscribe(HELD, ACCEPTED)
    customer.subscribe()
    customer.emit(20)
    hub.wait_until(lambda: held.endpoint.waiting == 20 and customer.recorded() == 20, "half of the batch on the wire")

    for worker in hub.running(DELIVERIES):
        worker.kill()
    hub.start(DELIVERIES)
    customer.wait_until_settled()

    assert len(held.requests) == 40
    customer.check_story(on_wire_at_fault=20)
