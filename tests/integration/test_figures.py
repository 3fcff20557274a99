"""figures: what is outstanding, what was recorded lately, and who is worst."""

from __future__ import annotations

import random
from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import pytest
from django.db import connection

from deliveries.claim import claim
from deliveries.fan_out import fan_out
from deliveries.figure_models import Tally
from deliveries.figures import backlog
from deliveries.figures.backlog import read_backlog
from deliveries.figures.endpoints import Ranking, Window, find_worst
from deliveries.figures.history import Stretch, Unit, find_quantile_ms, read_history
from deliveries.models import Delivery, Status
from deliveries.record import record_landings
from deliveries.tally import fold
from deliveries.transport import Result
from subscriptions.models import Subscription
from tests.integration.rows import answered, change, claim_one, database_now, land, make_pending
from webhookhub.events import NewEvent, emit_many
from webhookhub.models import Account, Event

NOON = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)


def record(subscription: Subscription, *results: Result, at: datetime = NOON) -> None:
    """One attempt each, recorded and added up at this moment."""
    claims = claim(make_pending(subscription, len(results)))
    record_landings([land(*pair) for pair in zip(claims, results, strict=True)], rng=random.Random(1))
    Tally.objects.update(recorded_at=at)
    fold()


@pytest.mark.usefixtures("db")
def test_of_a_hub_without_deliveries_nothing_is_outstanding() -> None:
    nothing = read_backlog()
    assert (nothing.pending, nothing.held, nothing.due, nothing.is_exact) == (0, 0, 0, True)
    assert (nothing.oldest_due_seconds, nothing.overdue_seconds) == (0, 0)


def test_what_is_outstanding_is_counted_by_state(subscription: Subscription) -> None:
    due, later, held, done, cancelled = make_pending(subscription, 5)
    change([due], due_at=database_now() - timedelta(seconds=40))
    change([later], due_at=database_now() + timedelta(hours=1), wake_at=database_now() + timedelta(hours=1))
    change([held], status=Status.HELD)
    change([done, cancelled], status=Status.DELIVERED, wake_at=None)
    found = read_backlog()
    assert (found.pending, found.held, found.due, found.is_exact) == (2, 1, 1, True)
    assert 40 <= found.oldest_due_seconds < 60


def test_what_is_on_the_wire_or_held_does_not_wait_for_a_worker(subscription: Subscription) -> None:
    on_the_wire, held = make_pending(subscription, 2)
    claim_one(on_the_wire)
    change([held], status=Status.HELD, due_at=database_now() - timedelta(hours=1))
    assert (read_backlog().pending, read_backlog().due, read_backlog().oldest_due_seconds) == (1, 0, 0)


def test_the_sweep_lags_by_as_much_as_its_first_row_has_been_waiting(subscription: Subscription) -> None:
    late, _ = make_pending(subscription, 2)
    assert read_backlog().overdue_seconds == 0
    change([late], wake_at=database_now() - timedelta(seconds=20))
    assert 20 <= read_backlog().overdue_seconds < 40


def test_events_wait_until_somebody_has_looked_who_wants_them(account: Account) -> None:
    event_ids = emit_many([NewEvent(type="order.shipped", data={}) for _ in range(2)], account=account)
    Event.objects.filter(id=event_ids[0]).update(created_at=database_now() - timedelta(seconds=30))
    found = read_backlog()
    assert found.events == 2
    assert 30 <= found.oldest_event_seconds < 50
    fan_out(event_ids)
    assert (read_backlog().events, read_backlog().oldest_event_seconds) == (0, 0)


def test_much_is_estimated_and_the_oldest_is_found_at_either_end(
    subscription: Subscription, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(backlog, "MOST_COUNTED", 10)
    monkeypatch.setattr(backlog, "ROWS_AT_AN_END", 10)
    identifiers = make_pending(subscription, 200)
    with connection.cursor() as cursor:
        cursor.execute("ANALYZE webhookhub_delivery")
    # One that the sweep has pushed on again and again: it comes behind all others.
    change(identifiers[:1], due_at=database_now() - timedelta(seconds=600))
    Delivery.objects.exclude(id=identifiers[0]).update(wake_at=database_now() - timedelta(seconds=1))
    found = read_backlog()
    assert not found.is_exact
    assert 150 <= found.pending <= 300
    assert found.due == 11
    assert 600 <= found.oldest_due_seconds < 620


def test_each_minute_of_the_history_is_there_even_if_nothing_happened(subscription: Subscription) -> None:
    record(subscription, answered(200, total_ms=10), answered(410, total_ms=30), at=NOON)
    record(subscription, answered(200), at=NOON + timedelta(minutes=2, seconds=59))
    history = read_history(Unit.MINUTE, 4, until=NOON + timedelta(minutes=2, seconds=59, milliseconds=1))
    assert [row.starts_at for row in history] == [NOON + timedelta(minutes=number) for number in (-1, 0, 1, 2)]
    assert [(row.attempts, row.delivered, row.failed) for row in history] == [
        (0, 0, 0),
        (2, 1, 1),
        (0, 0, 0),
        (1, 1, 0),
    ]
    assert [row.success_rate for row in history] == [None, 0.5, None, 1.0]
    assert [row.mean_ms for row in history] == [None, 20, None, 0]


def test_hours_are_told_of_a_webhook_of_one_s_own(
    subscription: Subscription, subscribed: Callable[..., Subscription]
) -> None:
    other = subscribed("http://127.0.0.1:9/other", event_types=["other"])
    record(subscription, answered(200), at=NOON + timedelta(minutes=59))
    record(subscription, answered(200), at=NOON + timedelta(minutes=60))
    history = read_history(Unit.HOUR, 3, until=NOON + timedelta(minutes=61), subscription_id=subscription.id)
    assert [row.delivered for row in history] == [0, 1, 1]
    assert read_history(Unit.HOUR, 1, until=NOON, subscription_id=other.id) == [Stretch(starts_at=NOON)]


def test_the_worst_webhooks_come_first_and_those_that_do_well_not_at_all(
    subscription: Subscription, subscribed: Callable[..., Subscription]
) -> None:
    slow, bad = (subscribed(f"http://127.0.0.1:9/{name}", event_types=["order.*"]) for name in ("slow", "bad"))
    record(subscription, answered(200, total_ms=5))
    record(slow, answered(200, total_ms=900), answered(200, total_ms=900))
    record(bad, answered(500, total_ms=20), answered(500, total_ms=20))
    for window in Window:
        slowest = find_worst(Ranking.SLOWEST, window, until=NOON)
        assert [(row.url, row.attempts, row.mean_ms) for row in slowest] == [
            (slow.url, 2, 900),
            (bad.url, 2, 20),
            (subscription.url, 1, 5),
        ]
        (failing,) = find_worst(Ranking.MOST_FAILING, window, until=NOON)
        assert (failing.url, failing.attempts, failing.failed_attempts) == (bad.url, 2, 2)
    assert len(find_worst(Ranking.SLOWEST, Window.HOUR, most=1, until=NOON)) == 1
    assert find_worst(Ranking.SLOWEST, Window.HOUR, until=NOON + timedelta(hours=1)) == []
    assert len(find_worst(Ranking.SLOWEST, Window.DAY, until=NOON + timedelta(hours=23))) == 3


@pytest.mark.parametrize(
    ("durations", "share", "expected"),
    [
        ([0] * 15, 0.95, None),
        ([1] + [0] * 14, 0.5, 5),
        ([94, 6] + [0] * 13, 0.95, 10),
        ([95, 5] + [0] * 13, 0.95, 5),
        ([0] * 14 + [1], 0.5, None),  # longer than the last bound
    ],
)
def test_a_quantile_is_the_bound_that_so_many_do_not_exceed(
    durations: list[int], share: float, expected: float | None
) -> None:
    assert find_quantile_ms(durations, share) == expected
