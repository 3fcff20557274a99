"""What reaches a subscriber, on each broker, and what the record says of it."""

from __future__ import annotations

import pytest

from scripts.local.roles import BEAT
from tests.acceptance.customer import Customer
from tests.acceptance.hub import Hub
from tests.receivers.recording import ACCEPTED, Answer, RecordingReceiver, refusing_url

pytestmark = pytest.mark.acceptance


@pytest.fixture(scope="module")
def hub(whole_hub: Hub) -> Hub:
    return whole_hub


def test_an_event_reaches_its_subscriber_signed_and_recorded(customer: Customer) -> None:
    subscriber = customer.subscribe()

    (event,) = customer.emit()
    customer.wait_until_settled()

    (request,) = subscriber.requests
    subscriber.verify(request)
    assert request.webhook_id == event
    customer.check_story()


def test_the_id_stays_the_same_over_retries_and_the_timestamp_is_the_attempts(customer: Customer) -> None:
    subscriber = customer.subscribe(Answer(status=500), Answer(status=500), ACCEPTED, intervals_seconds=[1, 1])

    events = customer.emit(2)
    customer.wait_until_settled()

    for request in subscriber.requests:
        subscriber.verify(request)
    for event in events:
        requests = [request for request in subscriber.requests if request.webhook_id == event]
        timestamps = [int(request.header["webhook-timestamp"]) for request in requests]
        assert len(requests) == 3
        assert timestamps == sorted(set(timestamps)), "attempts a second apart have timestamps of their own"
        assert len({request.body for request in requests}) == 1
    assert {len(delivery.attempts) for delivery in customer.deliveries()} == {3}
    customer.check_story()


def test_of_three_subscribers_only_the_failing_one_is_tried_again_with_the_same_body(customer: Customer) -> None:
    failing = customer.subscribe(Answer(status=500), ACCEPTED)
    others = [customer.subscribe(), customer.subscribe()]

    customer.emit()
    customer.wait_until_settled()

    first, second = failing.requests
    assert first.body == second.body
    assert [len(other.requests) for other in others] == [1, 1]
    assert {other.requests[0].body for other in others} == {first.body}
    assert {delivery.status for delivery in customer.deliveries()} == {"delivered"}
    customer.check_story()


@pytest.mark.parametrize("status", [403, 500])
def test_a_subscriber_that_always_fails_is_tried_once_and_for_each_wait_of_its_schedule(
    customer: Customer, status: int
) -> None:
    customer.subscribe(Answer(status=status, body=b"no"), intervals_seconds=[0.5, 0.25])

    customer.emit()
    customer.wait_until_settled()

    delivery = customer.delivery()
    assert (delivery.status, delivery.failure_reason) == ("failed", "exhausted")
    assert [(one.outcome, one.status_code) for one in delivery.attempts] == [("status", status)] * 3
    customer.check_story()


def test_a_refused_connection_is_tried_as_often_and_recorded_without_a_status(customer: Customer) -> None:
    with refusing_url() as url:
        customer.subscribe_url(url, intervals_seconds=[0.5, 0.25])

        customer.emit()
        customer.wait_until_settled()

    delivery = customer.delivery()
    assert (delivery.status, delivery.failure_reason) == ("failed", "exhausted")
    assert [(one.outcome, one.status_code) for one in delivery.attempts] == [("refused", None)] * 3
    assert all(attempt.error for attempt in delivery.attempts)
    customer.check_story()


def test_an_empty_schedule_means_one_attempt(customer: Customer) -> None:
    customer.subscribe(Answer(status=500), intervals_seconds=[])

    customer.emit()
    customer.wait_until_settled()

    assert (customer.delivery().status, customer.delivery().attempt_count) == ("failed", 1)
    customer.check_story()


def test_a_delivery_waits_with_a_time_while_a_retry_is_due_and_is_delivered_after_it(
    hub: Hub, customer: Customer
) -> None:
    customer.subscribe(Answer(status=500), ACCEPTED, intervals_seconds=[1.5])

    customer.emit()
    customer.wait_until_recorded(1)
    assert customer.delivery().status == "pending"
    assert hub.query("SELECT due_at > now() FROM webhookhub_delivery WHERE account_id = %s", customer.id) == [(True,)]

    customer.wait_until_settled()
    assert customer.delivery().status == "delivered"
    assert hub.query("SELECT wake_at FROM webhookhub_delivery WHERE account_id = %s", customer.id) == [(None,)]
    customer.check_story()


def test_a_redirect_is_recorded_and_not_followed(customer: Customer, recorder: RecordingReceiver) -> None:
    target = recorder.endpoint()
    customer.subscribe(Answer(status=302, headers=(("Location", target.url),)), intervals_seconds=[])

    customer.emit()
    customer.wait_until_settled()

    (attempt,) = customer.delivery().attempts
    assert attempt.status_code == 302
    assert f"Location: {target.url}" in attempt.response_headers
    assert not target.requests
    customer.check_story()


@pytest.mark.parametrize("status", [429, 503])
def test_retry_after_is_heard_and_capped(customer: Customer, status: int) -> None:
    asking = Answer(status=status, headers=(("Retry-After", "3600"),))
    subscriber = customer.subscribe(asking, ACCEPTED, intervals_seconds=[0.25], retry_after_cap_seconds=2)

    customer.emit()
    customer.wait_until_settled()

    first, second = subscriber.requests
    assert second.arrived_at - first.arrived_at >= 2
    customer.check_story()


@pytest.mark.parametrize(
    ("status", "value"), [(500, "3600"), (404, "3600"), (503, "Sun, 06 Nov 1994 08:49:37 GMT"), (503, "soon")]
)
def test_retry_after_with_another_status_in_the_past_or_unreadable_changes_nothing(
    customer: Customer, status: int, value: str
) -> None:
    # Heard, it would be an hour.
    asking = Answer(status=status, headers=(("Retry-After", value),))
    customer.subscribe(asking, ACCEPTED, intervals_seconds=[0.25], retry_after_cap_seconds=3600)

    customer.emit()
    customer.wait_until_settled()

    assert customer.delivery().attempt_count == 2
    customer.check_story()


def test_a_near_retry_comes_by_countdown_on_redis_and_by_the_sweep_on_rabbitmq(hub: Hub, customer: Customer) -> None:
    subscriber = customer.subscribe(Answer(status=500), ACCEPTED, intervals_seconds=[2])
    with hub.without(BEAT):
        customer.emit()
        hub.wait_until(
            lambda: (
                hub.query(
                    "SELECT 1 FROM webhookhub_delivery WHERE account_id = %s AND attempt_count = 1 AND due_at < now()"
                    " AND claimed_at IS NULL",
                    customer.id,
                )
                or len(subscriber.requests) == 2
            ),
            "the retry's moment",
        )
        if not hub.on_redis:
            assert len(subscriber.requests) == 1
            hub.application("sweep")
        customer.wait_until_settled()

    assert len(subscriber.requests) == 2
    customer.check_story()
