"""deliver: a batch from ids to recorded attempts, with a transport that answers when the test says so."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from uuid import UUID

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from pytest_django import Settings

from deliveries.admit import CROWDED
from deliveries.cancel import cancel
from deliveries.claim import Claim, claim
from deliveries.deliver import deliver
from deliveries.models import Delivery, DeliveryAttempt, Status
from deliveries.record import NearRetry
from deliveries.wire import Wire
from subscriptions.models import Subscription
from subscriptions.subscribe import set_enabled
from tests.integration.conftest import Listen
from tests.integration.receiver import CONCURRENCY, WAITING, Receiver, deliver_and_close, wait_until
from tests.integration.rows import end_connection, make_pending, read_attempts, read_delivery
from webhookhub.conf import hub_settings


@pytest.mark.usefixtures("wire")
def test_a_batch_is_sent_and_recorded(subscription: Subscription) -> None:
    identifiers = make_pending(subscription, CONCURRENCY + WAITING)
    assert deliver(identifiers) == []
    assert set(Delivery.objects.values_list("status", "attempt_count")) == {(Status.DELIVERED, 1)}
    assert DeliveryAttempt.objects.count() == len(identifiers)


@pytest.mark.usefixtures("wire")
def test_the_near_retries_of_a_batch_are_handed_back(subscription: Subscription, receiver: Receiver) -> None:
    receiver.status_code = 500
    (delivery_id,) = make_pending(subscription)
    (retry,) = deliver([delivery_id])
    assert isinstance(retry, NearRetry)
    # The standard profile waits 5 s after the first attempt, with a jitter of 10 %.
    assert (retry.delivery_id, 4.5 <= retry.countdown_seconds <= 5.5) == (delivery_id, True)


@pytest.mark.usefixtures("wire")
def test_what_nobody_can_claim_is_not_sent(subscription: Subscription, receiver: Receiver) -> None:
    identifiers = make_pending(subscription)
    cancel(identifiers)
    assert deliver(identifiers) == []
    assert receiver.started == []


@pytest.mark.usefixtures("wire")
def test_a_disabled_subscription_is_sent_nothing_and_keeps_its_deliveries(
    subscription: Subscription, receiver: Receiver
) -> None:
    identifiers = make_pending(subscription, 2)
    set_enabled(subscription, False)
    deliver(identifiers)
    assert receiver.started == []
    assert set(Delivery.objects.values_list("status", "attempt_count")) == {(Status.HELD, 0)}


@pytest.mark.usefixtures("wire")
def test_a_change_of_the_url_counts_from_the_next_attempt_on(subscription: Subscription, receiver: Receiver) -> None:
    first, second = make_pending(subscription, 2)
    deliver([first])
    Subscription.objects.update(url="http://127.0.0.1:9/moved")
    deliver([second])
    assert [request.url for request in receiver.started] == ["http://127.0.0.1:9/", "http://127.0.0.1:9/moved"]


@pytest.mark.usefixtures("wire")
def test_a_database_that_goes_away_after_the_claim_costs_no_attempt(
    subscription: Subscription, monkeypatch: pytest.MonkeyPatch, log: pytest.LogCaptureFixture
) -> None:
    def claim_and_lose_connection(delivery_ids: Sequence[UUID]) -> list[Claim]:
        claims = claim(delivery_ids)
        end_connection()
        return claims

    monkeypatch.setattr("deliveries.patience.RECONNECT_PAUSE_SECONDS", 0)
    monkeypatch.setattr("deliveries.deliver.claim", claim_and_lose_connection)
    deliver(make_pending(subscription))
    assert "database away, will try again" in log.messages
    assert Delivery.objects.get().status == Status.DELIVERED


def test_a_straggler_is_left_to_the_recorder_and_recorded_when_it_ends(
    subscription: Subscription, receiver: Receiver, wire: Wire, log: pytest.LogCaptureFixture
) -> None:
    receiver.is_silent = True
    (delivery_id,) = make_pending(subscription)
    deliver([delivery_id])
    row = read_delivery(delivery_id)
    assert (row.status, row.claimed_at is None, read_attempts(delivery_id)) == (Status.PENDING, False, [])
    receiver.is_silent = False
    wait_until(lambda: read_delivery(delivery_id).status == Status.DELIVERED)
    assert [attempt.outcome for attempt in read_attempts(delivery_id)] == ["delivered"]


def test_a_straggler_s_retry_is_rung_by_the_recorder(
    subscription: Subscription, receiver: Receiver, wire: Wire, listen: Listen
) -> None:
    receiver.is_silent, receiver.status_code = True, 500
    identifiers = make_pending(subscription)
    listen("deliveries")
    deliver(identifiers)
    receiver.is_silent = False
    wait_until(lambda: bool(read_attempts(identifiers[0])))
    wire.recorder.close(5)
    assert [(message.ids, message.is_for_later) for message in listen("deliveries")] == [(identifiers, True)]


@pytest.mark.usefixtures("wire")
def test_a_crowd_beyond_the_endpoint_s_share_is_given_back_unspent(
    subscription: Subscription, receiver: Receiver
) -> None:
    receiver.is_silent = True
    identifiers = make_pending(subscription, 10)
    deliver(identifiers)
    assert len(receiver.started) == CONCURRENCY
    crowded = Delivery.objects.filter(last_outcome=CROWDED)
    # Also those that waited for their turn until the task went on.
    assert crowded.count() == 10 - CONCURRENCY
    assert set(crowded.values_list("status", "attempt_count", "claimed_at")) == {(Status.PENDING, 0, None)}


@pytest.mark.usefixtures("wire")
def test_an_endpoint_that_hangs_does_not_keep_the_others_of_its_batch_from_being_recorded(
    subscription: Subscription, subscribed: Callable[..., Subscription], receiver: Receiver
) -> None:
    other = subscribed(url="http://127.0.0.1:9/other")
    hanging = make_pending(subscription)
    (well,) = Delivery.objects.filter(subscription=other).values_list("id", flat=True)
    receiver.is_silent = True
    task = threading.Thread(target=deliver_and_close, args=([*hanging, well],))
    task.start()
    receiver.has_request.wait(5)
    wait_until(lambda: len(receiver.on_wire) == 2)
    receiver.answer_next(index=[request.url for request, _ in receiver.on_wire].index("http://127.0.0.1:9/other"))
    task.join()
    assert (read_delivery(well).status, read_delivery(hanging[0]).status) == (Status.DELIVERED, Status.PENDING)


def test_what_waits_for_its_turn_and_is_cancelled_meanwhile_is_never_sent(
    subscription: Subscription, receiver: Receiver, wire: Wire, settings: Settings
) -> None:
    settings.WEBHOOKHUB = hub_settings().model_copy(update={"batch_wait_seconds": 10})
    receiver.is_silent = True
    identifiers = make_pending(subscription, CONCURRENCY + 1)
    task = threading.Thread(target=deliver_and_close, args=(identifiers,))
    task.start()
    wait_until(lambda: len(receiver.on_wire) == CONCURRENCY)
    waiting = cancel(identifiers[CONCURRENCY:])
    wait_until(lambda: not wire.engine.waiting(waiting))
    receiver.is_silent = False
    task.join()
    assert len(receiver.started) == CONCURRENCY
    assert [read_delivery(identifier).status for identifier in waiting] == [Status.CANCELLED]
    assert Delivery.objects.filter(status=Status.DELIVERED).count() == CONCURRENCY


def test_a_task_does_not_wait_for_endpoints_that_answer_nothing(
    subscription: Subscription,
    receiver: Receiver,
    wire: Wire,
    settings: Settings,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("deliveries.engine.SILENCE_SECONDS", 0.05)
    settings.WEBHOOKHUB = hub_settings().model_copy(update={"batch_wait_seconds": 60})
    receiver.is_silent = True
    identifiers = make_pending(subscription, CONCURRENCY + 1)
    deliver(identifiers)
    assert len(receiver.on_wire) == CONCURRENCY
    assert Delivery.objects.get(last_outcome=CROWDED).attempt_count == 0
    # The next ones are turned away before anything is built for them.
    later = make_pending(subscription)
    deliver(later)
    assert (read_delivery(later[0]).last_outcome, len(receiver.started)) == (CROWDED, CONCURRENCY)


@pytest.mark.usefixtures("wire")
def test_a_result_that_comes_in_after_the_cancellation_is_recorded_without_undoing_it(
    subscription: Subscription, receiver: Receiver
) -> None:
    receiver.is_silent = True
    (delivery_id,) = make_pending(subscription)
    deliver([delivery_id])
    cancel([delivery_id])
    receiver.is_silent = False
    wait_until(lambda: bool(read_attempts(delivery_id)))
    assert read_delivery(delivery_id).status == Status.CANCELLED


@pytest.mark.usefixtures("wire")
def test_a_hundred_deliveries_cost_three_statements_each_at_most(
    subscription: Subscription, subscribed: Callable[..., Subscription]
) -> None:
    for _ in range(99):
        subscribed()
    make_pending(subscription)
    identifiers = list(Delivery.objects.values_list("id", flat=True))
    assert len(identifiers) == 100
    deliver(identifiers[:1])
    with CaptureQueriesContext(connection) as captured:
        deliver(identifiers[1:])
    assert Delivery.objects.filter(status=Status.DELIVERED).count() == 100
    # One claim, two or three to load what was not known, and a record a flush: a few dozen where 300 are allowed.
    assert len(captured) < 30


@pytest.mark.usefixtures("wire")
def test_a_warm_batch_is_one_claim_and_its_records(subscription: Subscription) -> None:
    warm, *identifiers = make_pending(subscription, 1 + CONCURRENCY + WAITING)
    deliver([warm])
    with CaptureQueriesContext(connection) as captured:
        deliver(identifiers)
    kinds = [query["sql"].split()[1] for query in captured.captured_queries]
    assert kinds[0] == "claimed"
    assert set(kinds[1:]) == {"landed"}
