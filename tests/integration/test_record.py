"""record: attempts and what follows from them, in one statement, and only where the claim still holds."""

from __future__ import annotations

import random
from datetime import timedelta
from typing import Any
from uuid import UUID

import pytest
from pytest_django import DjangoAssertNumQueries

from deliveries.cancel import cancel
from deliveries.claim import Claim, claim
from deliveries.models import Delivery, DeliveryAttempt, Status
from deliveries.record import NearRetry, record_landings
from deliveries.sweep import sweep
from deliveries.transport import FailureKind, NoAnswer, Result, Timings
from subscriptions.models import Subscription
from tests.integration.rows import (
    answered,
    change,
    claim_one,
    end_connection,
    land,
    let_pass,
    lose_worker,
    make_pending,
    read_attempts,
    read_delivery,
)
from webhookhub.conf import hub_settings
from webhookhub.ids import attempt_id

LEASE_SECONDS = hub_settings().lease_seconds
LOOK_AGAIN = timedelta(seconds=hub_settings().look_again_seconds)
BROKEN = NoAnswer(kind=FailureKind.RESET, message="closed", timings=Timings(total_ms=0))


def settle(one: Claim, result: Result, **profile: Any) -> list[NearRetry]:
    """Record one result of one claim; the profile waits without jitter, unless said."""
    return record_landings([land(one, result, **{"jitter_ratio": 0} | profile)], rng=random.Random(1))


def claimed(subscription: Subscription) -> Claim:
    return claim_one(make_pending(subscription)[0])


def test_a_success_is_recorded_and_ends_the_delivery(subscription: Subscription) -> None:
    one = claimed(subscription)
    assert settle(one, answered(204)) == []
    row = read_delivery(one.delivery_id)
    assert (row.status, row.claimed_at, row.wake_at) == (Status.DELIVERED, None, None)
    assert (row.last_outcome, row.last_status_code, row.failure_reason) == ("delivered", 204, "")
    assert row.finished_at == one.claimed_at


@pytest.mark.parametrize(
    ("result", "outcome", "reason"),
    [(answered(410), "gone", "gone"), (BROKEN._replace(kind=FailureKind.BLOCKED), "blocked", "rejected")],
)
def test_an_end_without_success_says_why(subscription: Subscription, result: Result, outcome: str, reason: str) -> None:
    one = claimed(subscription)
    settle(one, result)
    row = read_delivery(one.delivery_id)
    assert (row.status, row.failure_reason, row.last_outcome) == (Status.FAILED, reason, outcome)
    assert (row.finished_at, row.wake_at, row.claimed_at) == (one.claimed_at, None, None)


def test_an_attempt_keeps_all_that_is_known_of_the_answer(subscription: Subscription) -> None:
    one = claimed(subscription)
    timings = Timings(dns_ms=1.5, connect_ms=2.5, tls_ms=3.5, first_byte_ms=4.5, total_ms=5.5)
    answer = answered(503, ("Retry-After", "7"), ("x-ü", "€"))._replace(
        timings=timings, body="no: ü".encode(), truncated=True
    )
    settle(one, answer._replace(connection_reused=True))
    (attempt,) = read_attempts(one.delivery_id)
    assert (attempt.id, attempt.number) == (attempt_id(one.delivery_id, 1), 1)
    assert (attempt.outcome, attempt.status_code, attempt.error) == ("status", 503, "")
    assert (attempt.dns_ms, attempt.connect_ms, attempt.tls_ms) == (1.5, 2.5, 3.5)
    assert (attempt.first_byte_ms, attempt.total_ms) == (4.5, 5.5)
    assert (attempt.peer_address, attempt.connection_reused) == ("127.0.0.1", True)
    assert attempt.response_headers == "Retry-After: 7\nx-ü: €"
    assert (attempt.response_body, attempt.response_truncated) == ("no: ü", True)
    assert attempt.started_at == one.claimed_at


def test_an_attempt_without_an_answer_says_what_went_wrong(subscription: Subscription) -> None:
    one = claimed(subscription)
    settle(one, BROKEN._replace(status_code=200, message="closed in the middle"))
    (attempt,) = read_attempts(one.delivery_id)
    assert (attempt.outcome, attempt.status_code, attempt.error) == ("reset", 200, "closed in the middle")
    assert (attempt.response_headers, attempt.response_body, attempt.peer_address) == ("", "", "")


@pytest.mark.parametrize(
    ("body", "stored"),
    [
        (b"a\x00b", "a\ufffdb"),
        (b"\xff\xfe", "\ufffd\ufffd"),
        ("grün".encode("latin-1"), "gr\ufffdn"),
        (b"\xed\xa0\x80", "\ufffd\ufffd\ufffd"),  # a surrogate, as CESU-8 writes it
        (b'\\u0000"\\', '\\u0000"\\'),
        ("😀".encode(), "😀"),
    ],
)
def test_whatever_bytes_a_body_has_they_are_recorded_as_text(
    subscription: Subscription, body: bytes, stored: str
) -> None:
    one = claimed(subscription)
    settle(one, answered(200, body=body))
    (attempt,) = read_attempts(one.delivery_id)
    assert attempt.response_body == stored


def test_headers_and_errors_may_hold_anything_too(subscription: Subscription) -> None:
    first, second = (claim_one(identifier) for identifier in make_pending(subscription, 2))
    settle(first, answered(200, ("a\x00", "\x00b\r\nc")))
    settle(second, BROKEN._replace(message="\x00" * 600))
    assert read_attempts(first.delivery_id)[0].response_headers == "a\ufffd: \ufffdb\r\nc"
    assert read_attempts(second.delivery_id)[0].error == "\ufffd" * 500


def test_a_long_error_is_cut_where_the_column_ends(subscription: Subscription) -> None:
    one = claimed(subscription)
    settle(one, BROKEN._replace(message="é" * 600))
    assert read_attempts(one.delivery_id)[0].error == "é" * 500


def test_what_the_database_refuses_does_not_cost_its_neighbours_their_record(
    subscription: Subscription, log: pytest.LogCaptureFixture
) -> None:
    claims = claim(make_pending(subscription, 7))
    # No smallint holds this status: stands for whatever the database may refuse.
    results = [answered(99_999 if number == 3 else 200) for number in range(7)]
    record_landings([land(*pair) for pair in zip(claims, results, strict=True)], rng=random.Random())
    statuses = [read_delivery(one.delivery_id).status for one in claims]
    assert statuses == [Status.DELIVERED] * 3 + [Status.PENDING] + [Status.DELIVERED] * 3
    assert [record.message for record in log.records if record.levelname == "ERROR"] == ["not recordable"]


def test_all_that_landed_together_is_recorded_by_one_statement(
    subscription: Subscription, django_assert_num_queries: DjangoAssertNumQueries
) -> None:
    claims = claim(make_pending(subscription, 100))
    landings = [land(one, answered(200 if number % 2 else 500)) for number, one in enumerate(claims)]
    with django_assert_num_queries(1):
        retries = record_landings(landings, rng=random.Random())
    assert DeliveryAttempt.objects.count() == 100
    assert Delivery.objects.filter(status=Status.DELIVERED).count() == len(retries) == 50


def test_recording_twice_adds_nothing_and_rings_for_nothing(subscription: Subscription) -> None:
    one = claimed(subscription)
    assert len(settle(one, answered(500))) == 1
    before = read_delivery(one.delivery_id).__dict__ | {"_state": None}
    assert settle(one, answered(200)) == []
    assert read_delivery(one.delivery_id).__dict__ | {"_state": None} == before
    assert [attempt.status_code for attempt in read_attempts(one.delivery_id)] == [500]


@pytest.mark.parametrize(
    ("wait_seconds", "wakes_after"),
    [
        (0, LOOK_AGAIN),  # rung at once; the sweep looks whether that was heard
        (5, LOOK_AGAIN),
        (60, LOOK_AGAIN),
        (60.001, timedelta(0)),  # too far for a countdown: the sweep rings when it is due
        (3_600, timedelta(0)),
    ],
)
def test_a_near_retry_is_rung_for_and_a_far_one_left_to_the_sweep(
    subscription: Subscription, wait_seconds: float, wakes_after: timedelta
) -> None:
    one = claimed(subscription)
    retries = settle(one, answered(500), intervals_seconds=(wait_seconds,))
    row = read_delivery(one.delivery_id)
    assert (row.status, row.claimed_at, row.finished_at) == (Status.PENDING, None, None)
    assert row.due_at == one.claimed_at + timedelta(seconds=wait_seconds)
    assert row.wake_at == row.due_at + wakes_after
    is_near = wakes_after > timedelta(0)
    assert retries == ([NearRetry(one.delivery_id, wait_seconds)] if is_near else [])


@pytest.mark.parametrize("wait_seconds", [0, 5, 50, 61])
def test_a_retry_is_looked_at_no_later_than_the_delivery_expires(
    subscription: Subscription, wait_seconds: float
) -> None:
    one = claimed(subscription)
    change([one.delivery_id], expires_at=one.claimed_at + timedelta(seconds=62))
    one = one._replace(expires_at=one.claimed_at + timedelta(seconds=62))
    settle(one, answered(500), intervals_seconds=(wait_seconds,))
    row = read_delivery(one.delivery_id)
    assert row.wake_at is not None
    assert row.due_at <= row.wake_at <= row.expires_at


def test_where_countdowns_are_not_safe_only_a_retry_at_once_is_rung_for(
    subscription: Subscription, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("webhookhub.doorbell.countdown_is_safe", lambda: False)
    at_once, soon = (claim_one(identifier) for identifier in make_pending(subscription, 2))
    assert settle(at_once, answered(500), intervals_seconds=(0,)) == [NearRetry(at_once.delivery_id, 0)]
    assert settle(soon, answered(500), intervals_seconds=(5,)) == []
    row = read_delivery(soon.delivery_id)
    assert row.wake_at == row.due_at


def test_a_late_result_of_a_cancelled_delivery_is_recorded_without_undoing_the_cancellation(
    subscription: Subscription,
) -> None:
    one = claimed(subscription)
    cancel([one.delivery_id], reason="by Alice")
    assert settle(one, answered(200)) == []
    row = read_delivery(one.delivery_id)
    assert (row.status, row.failure_reason) == (Status.CANCELLED, "by Alice")
    assert [attempt.outcome for attempt in read_attempts(one.delivery_id)] == ["delivered"]


@pytest.mark.parametrize("result", [answered(200), answered(500), answered(410), BROKEN])
def test_a_worker_that_lost_its_lease_leaves_its_attempt_and_does_not_touch_the_next_one(
    subscription: Subscription, result: Result
) -> None:
    lost = claimed(subscription)
    present = lose_worker(lost)
    before = read_delivery(lost.delivery_id).__dict__ | {"_state": None}
    assert settle(lost, result) == []
    assert read_delivery(lost.delivery_id).__dict__ | {"_state": None} == before
    settle(present, answered(200))
    assert [attempt.number for attempt in read_attempts(lost.delivery_id)] == [1, 2]
    assert read_delivery(lost.delivery_id).status == Status.DELIVERED


def test_a_late_result_says_more_than_that_its_worker_was_lost(subscription: Subscription) -> None:
    one = claimed(subscription)
    let_pass(LEASE_SECONDS)
    sweep()
    assert [attempt.outcome for attempt in read_attempts(one.delivery_id)] == ["worker_lost"]
    settle(one, answered(503, ("Server", "nginx"), body=b"late"))
    (attempt,) = read_attempts(one.delivery_id)
    assert (attempt.outcome, attempt.status_code, attempt.error) == ("status", 503, "")
    assert (attempt.response_headers, attempt.response_body) == ("Server: nginx", "late")
    assert attempt.started_at == one.claimed_at


def test_a_retry_counts_on(subscription: Subscription) -> None:
    first = claimed(subscription)
    settle(first, answered(500), intervals_seconds=(0,))
    second = claim_one(first.delivery_id)
    settle(second, answered(200))
    assert [(attempt.number, attempt.outcome) for attempt in read_attempts(first.delivery_id)] == [
        (1, "status"),
        (2, "delivered"),
    ]


def test_results_of_several_weeks_are_recorded_together(subscription: Subscription) -> None:
    claims = claim(make_pending(subscription, 2))
    eight_days = 8 * 86_400_000 << 80
    later = claims[1]._replace(delivery_id=UUID(int=claims[1].delivery_id.int + eight_days))
    Delivery.objects.filter(id=claims[1].delivery_id).update(id=later.delivery_id)
    record_landings([land(one, answered()) for one in (claims[0], later)], rng=random.Random())
    assert set(Delivery.objects.values_list("status", flat=True)) == {Status.DELIVERED}


def test_what_landed_while_the_database_was_away_is_recorded_when_it_is_back(
    subscription: Subscription, monkeypatch: pytest.MonkeyPatch, log: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr("deliveries.patience.RECONNECT_PAUSE_SECONDS", 0)
    one = claimed(subscription)
    landing = land(one, answered())
    end_connection()
    record_landings([landing], rng=random.Random())
    assert read_delivery(one.delivery_id).status == Status.DELIVERED
    assert "database away, will try again" in log.messages
