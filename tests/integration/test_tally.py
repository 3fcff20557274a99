"""tally: every attempt counts once, in its minute and its hour, whatever happens twice."""

from __future__ import annotations

import random
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from django.db import connection, transaction

from deliveries.admit import Refusal, give_back
from deliveries.cancel import cancel
from deliveries.claim import Claim, claim
from deliveries.figure_models import BOUNDS_SECONDS, WHOLE_HUB, Counter, HourFigures, MinuteFigures, Tally
from deliveries.record import record_landings
from deliveries.sweep import sweep
from deliveries.tally import fold, forget_old_figures
from deliveries.transport import FailureKind, NoAnswer, Result, Timings
from subscriptions.models import Subscription
from tests.integration.rows import (
    answered,
    change,
    claim_one,
    database_now,
    land,
    let_pass,
    make_pending,
    run_at_once,
)
from webhookhub.conf import hub_settings

LEASE_SECONDS = hub_settings().lease_seconds
SILENT = NoAnswer(kind=FailureKind.TIMEOUT, message="timed out", timings=Timings(total_ms=1_500))


def settle(one: Claim, result: Result, **profile: Any) -> None:
    record_landings([land(one, result, **profile)], rng=random.Random(1))


def claimed(subscription: Subscription) -> Claim:
    return claim_one(make_pending(subscription)[0])


def figures(subscription: Subscription | None = None) -> dict[str, Any]:
    """All minutes of a subscription, or of the whole hub, together; they are what its hours are."""
    identifier = WHOLE_HUB if subscription is None else subscription.id
    minutes, hours = (
        add_up(list(model.objects.filter(subscription_id=identifier).values()))
        for model in (MinuteFigures, HourFigures)
    )
    assert minutes == hours
    return minutes


def add_up(rows: list[dict[str, Any]]) -> dict[str, Any]:
    """Without what is zero."""
    names = ("attempts", "accepted", "declined", "unanswered", "lost", "delivered", "failed", "reused", "timed")
    sums = {name: sum(row[name] for row in rows) for name in (*names, "total_ms")}
    return {name: value for name, value in sums.items() if value}


def counters(name: str) -> dict[str, float]:
    return dict(Counter.objects.filter(name=name).values_list("label", "value"))


def test_an_attempt_counts_for_its_subscription_and_for_the_whole_hub(
    subscription: Subscription, subscribed: Callable[..., Subscription]
) -> None:
    other = subscribed("http://127.0.0.1:9/other")
    settle(claimed(subscription), answered(200, total_ms=20)._replace(connection_reused=True))
    settle(claim_one(make_pending(other)[0]), SILENT)
    fold()
    assert figures(subscription) == {
        "attempts": 1,
        "accepted": 1,
        "delivered": 1,
        "reused": 1,
        "timed": 1,
        "total_ms": 20,
    }
    assert figures(other) == {"attempts": 1, "unanswered": 1, "timed": 1, "total_ms": 1_500}
    assert figures() == {
        "attempts": 2,
        "accepted": 1,
        "unanswered": 1,
        "delivered": 1,
        "reused": 1,
        "timed": 2,
        "total_ms": 1_520,
    }
    assert MinuteFigures.objects.get(subscription_id=other.id).account_id == other.account_id


def test_figures_grow_with_every_folding(subscription: Subscription) -> None:
    for number in range(3):
        settle(claimed(subscription), answered(503, total_ms=number))
        fold()
    assert figures(subscription) == {"attempts": 3, "declined": 3, "timed": 3, "total_ms": 3}
    assert counters("attempts") == {"status": 3}


def test_what_was_added_up_is_not_added_again(subscription: Subscription) -> None:
    settle(claimed(subscription), answered())
    assert [fold(), fold()] == [1, 0]
    assert figures()["attempts"] == 1


def test_two_who_add_up_at_once_count_everything_once(subscription: Subscription) -> None:
    for one in claim(make_pending(subscription, 40)):
        settle(one, answered())
    run_at_once([fold] * 4)
    fold()
    assert figures(subscription)["attempts"] == figures()["attempts"] == 40
    assert not Tally.objects.exists()


def test_whoever_comes_while_another_adds_up_leaves_it_to_that_one(subscription: Subscription) -> None:
    settle(claimed(subscription), answered())
    with transaction.atomic():
        fold()
        assert run_at_once([fold_without_waiting]) == [0]
    assert figures()["attempts"] == 1


def fold_without_waiting() -> int:
    with connection.cursor() as cursor:
        cursor.execute("SET lock_timeout = '1s'")
    return fold()


def test_a_result_that_is_recorded_twice_counts_once(subscription: Subscription) -> None:
    one = claimed(subscription)
    settle(one, answered())
    settle(one, answered())
    fold()
    assert figures() == {"attempts": 1, "accepted": 1, "delivered": 1, "timed": 1}


def test_an_attempt_whose_worker_was_lost_counts_as_that_once_even_if_its_result_comes_late(
    subscription: Subscription,
) -> None:
    one = claimed(subscription)
    let_pass(LEASE_SECONDS)
    sweep()
    settle(one, answered())
    fold()
    assert figures() == {"attempts": 1, "lost": 1}
    assert counters("attempts") == {"worker_lost": 1}


def test_what_was_cancelled_on_the_wire_is_an_attempt_and_no_delivery_that_arrived(subscription: Subscription) -> None:
    one = claimed(subscription)
    cancel([one.delivery_id])
    settle(one, answered())
    fold()
    assert figures() == {"attempts": 1, "accepted": 1, "timed": 1}


def test_a_delivery_that_was_given_up_has_failed_with_its_last_attempt(subscription: Subscription) -> None:
    settle(claimed(subscription), answered(410))
    fold()
    assert figures() == {"attempts": 1, "declined": 1, "failed": 1, "timed": 1}


def test_a_delivery_that_expired_has_failed_without_an_attempt(subscription: Subscription) -> None:
    (expired,) = make_pending(subscription)
    change([expired], expires_at=database_now(), wake_at=database_now())
    sweep()
    fold()
    assert figures(subscription) == {"failed": 1}
    assert (counters("attempts"), counters("deliveries")) == ({}, {"failed": 1})


def test_a_delivery_whose_data_were_expunged_has_failed_without_an_attempt(subscription: Subscription) -> None:
    give_back([claimed(subscription)], Refusal.EXPUNGED)
    fold()
    assert figures(subscription) == {"failed": 1}


@pytest.mark.parametrize("refusal", [refusal for refusal in Refusal if refusal is not Refusal.EXPUNGED])
def test_what_is_given_back_unspent_is_not_counted(subscription: Subscription, refusal: Refusal) -> None:
    give_back([claimed(subscription)], refusal)
    assert fold() == 0


@pytest.mark.parametrize(
    ("total_ms", "bucket"),
    [
        (0, 0),
        (5, 0),  # a bound belongs to its bucket
        (5.001, 1),
        (10, 1),
        (1_000, BOUNDS_SECONDS.index(1.0)),
        (300_000, len(BOUNDS_SECONDS) - 1),
        (300_001, len(BOUNDS_SECONDS)),
    ],
)
def test_a_duration_falls_into_the_bucket_that_it_does_not_exceed(
    subscription: Subscription, total_ms: float, bucket: int
) -> None:
    settle(claimed(subscription), answered(200, total_ms=total_ms))
    settle(claimed(subscription), answered(200, total_ms=total_ms))
    fold()
    expected = [2 if number == bucket else 0 for number in range(len(BOUNDS_SECONDS) + 1)]
    assert MinuteFigures.objects.filter(subscription_id=subscription.id).last().durations == expected  # type: ignore[union-attr]  # there is one
    assert counters("duration") == {str(bucket): 2}


def test_latency_is_counted_for_first_attempts_alone(subscription: Subscription) -> None:
    first = claimed(subscription)
    late = first._replace(fact=first.fact._replace(created_at=first.claimed_at - timedelta(seconds=4)))
    settle(late, answered(500), intervals_seconds=(0,), jitter_ratio=0)
    settle(claim_one(first.delivery_id), answered())
    fold()
    assert counters("latency") == {str(BOUNDS_SECONDS.index(5.0)): 1}
    assert counters("latency sum") == {"": 4}


def test_a_publisher_whose_clock_is_ahead_makes_no_latency_below_zero(subscription: Subscription) -> None:
    first = claimed(subscription)
    ahead = first._replace(fact=first.fact._replace(created_at=first.claimed_at + timedelta(seconds=4)))
    settle(ahead, answered())
    fold()
    assert (counters("latency"), counters("latency sum")) == ({"0": 1}, {"": 0})


def test_each_minute_and_hour_has_figures_of_its_own(subscription: Subscription) -> None:
    moments = [datetime(2026, 3, 1, 9, 59, 59, 900_000, UTC), datetime(2026, 3, 1, 10, 0, 0, 0, UTC)]
    for moment in moments:
        settle(claimed(subscription), answered())
        Tally.objects.order_by("-id").filter(recorded_at__year__gt=2026 - 1).exclude(recorded_at__in=moments).update(
            recorded_at=moment
        )
    fold()
    hub = {
        model: list(model.objects.filter(subscription_id=WHOLE_HUB).order_by("starts_at"))
        for model in (MinuteFigures, HourFigures)
    }
    assert [row.starts_at.isoformat()[11:16] for row in hub[MinuteFigures]] == ["09:59", "10:00"]
    assert [row.starts_at.isoformat()[11:16] for row in hub[HourFigures]] == ["09:00", "10:00"]


def test_minutes_are_forgotten_after_two_days_hours_with_their_deliveries_and_counters_never(
    subscription: Subscription,
) -> None:
    settle(claimed(subscription), answered())
    fold()
    now = datetime.now(UTC)
    forget_old_figures(now + timedelta(hours=49))
    assert (MinuteFigures.objects.count(), HourFigures.objects.count()) == (0, 2)
    forget_old_figures(now + timedelta(days=hub_settings().retention_days, hours=1))
    assert (HourFigures.objects.count(), counters("attempts")) == (0, {"delivered": 1})


def test_what_cannot_be_added_up_stays_for_the_next_time(subscription: Subscription) -> None:
    settle(claimed(subscription), answered())
    with connection.cursor() as cursor:
        cursor.execute("ALTER TABLE webhookhub_counter ADD CONSTRAINT refuse CHECK (false) NOT VALID")
    try:
        with pytest.raises(Exception, match="refuse"):
            fold()
    finally:
        with connection.cursor() as cursor:
            cursor.execute("ALTER TABLE webhookhub_counter DROP CONSTRAINT refuse")
    assert (Tally.objects.count(), MinuteFigures.objects.count()) == (1, 0)
    fold()
    assert figures()["attempts"] == 1
