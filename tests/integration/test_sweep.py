"""sweep: whatever time has caught up with, each kind in its way, run as often and by as many as one likes."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Callable
from datetime import timedelta
from threading import Barrier
from uuid import UUID

import pytest

from deliveries.admit import Refusal, give_back
from deliveries.cancel import cancel
from deliveries.claim import claim
from deliveries.deliver import deliver
from deliveries.models import Delivery, Status
from deliveries.record import record_landings
from deliveries.sweep import sweep
from subscriptions.models import Subscription
from tests.integration.conftest import Listen
from tests.integration.rows import (
    answered,
    change,
    claim_one,
    database_now,
    land,
    let_pass,
    make_pending,
    read_attempts,
    read_delivery,
    run_at_once,
)
from webhookhub.conf import hub_settings
from webhookhub.events import NewEvent, emit, emit_many

LEASE_SECONDS = hub_settings().lease_seconds
LOOK_AGAIN_SECONDS = hub_settings().look_again_seconds
WEEK_SECONDS = 7 * 86_400


def swept() -> dict[str, int]:
    return {kind: count for kind, count in sweep().items() if count}


def rung(listen: Listen, queue: str = "deliveries") -> list[UUID]:
    return [identifier for message in listen(queue) for identifier in message.ids]


@pytest.mark.usefixtures("db")
def test_where_nothing_is_overdue_nothing_happens(listen: Listen) -> None:
    assert swept() == {}
    assert rung(listen) == rung(listen, "fanout") == []


def test_what_is_not_overdue_is_left_alone(pending: list[UUID], listen: Listen) -> None:
    let_pass(LOOK_AGAIN_SECONDS - 5)
    assert swept() == {}
    assert rung(listen) == []


def test_a_delivery_whose_doorbell_was_lost_is_rung_again(pending: list[UUID], listen: Listen) -> None:
    let_pass(LOOK_AGAIN_SECONDS)
    assert swept() == {"due": 1}
    assert rung(listen) == pending
    assert len(claim(pending)) == 1


def test_an_event_whose_fan_out_was_lost_is_rung_again(subscription: Subscription, listen: Listen) -> None:
    event_id = emit("order.shipped", {}, account=subscription.account)
    listen("fanout")
    let_pass(10)
    assert swept() == {"events": 1}
    assert rung(listen, "fanout") == [event_id]


def test_a_retry_that_was_left_to_the_sweep_is_rung_when_it_is_due(pending: list[UUID], listen: Listen) -> None:
    record_landings(
        [land(claim_one(pending[0]), answered(500), intervals_seconds=(3_600,), jitter_ratio=0)], rng=random.Random()
    )
    let_pass(3_590)
    assert swept() == {}
    let_pass(10)
    assert swept() == {"due": 1}
    assert rung(listen) == pending
    assert claim_one(pending[0]).attempt_number == 2


@pytest.mark.parametrize("status", [Status.PENDING, Status.HELD])
def test_a_delivery_that_expired_is_marked_failed(pending: list[UUID], listen: Listen, status: Status) -> None:
    change(pending, status=status)
    let_pass(WEEK_SECONDS)
    assert swept() == {"expired": 1}
    row = read_delivery(pending[0])
    assert (row.status, row.failure_reason, row.wake_at) == (Status.FAILED, "expired", None)
    assert row.finished_at is not None
    assert rung(listen) == []


@pytest.mark.parametrize("status", [Status.DELIVERED, Status.FAILED, Status.CANCELLED])
def test_what_is_done_stays_as_it_is_though_it_was_left_to_be_woken(pending: list[UUID], status: Status) -> None:
    finished_at = database_now()
    change(pending, status=status, finished_at=finished_at, failure_reason="")
    let_pass(WEEK_SECONDS)
    sweep()
    row = read_delivery(pending[0])
    assert (row.status, row.failure_reason, row.finished_at) == (status, "", finished_at)


def test_a_delivery_on_the_wire_is_looked_at_again_when_its_lease_ends(pending: list[UUID], listen: Listen) -> None:
    one = claim_one(pending[0])
    change(pending, wake_at=database_now())
    assert swept() == {"on the wire": 1}
    row = read_delivery(pending[0])
    assert (row.wake_at, row.claimed_at, row.attempt_count) == (row.due_at, one.claimed_at, 1)
    assert rung(listen) == []


def test_a_lost_worker_leaves_an_attempt_that_says_so_and_a_retry_by_the_schedule(
    pending: list[UUID], listen: Listen
) -> None:
    one = claim_one(pending[0])
    let_pass(LEASE_SECONDS)
    before = database_now()
    assert swept() == {"lost": 1}
    (attempt,) = read_attempts(pending[0])
    assert (attempt.number, attempt.outcome, attempt.status_code) == (1, "worker_lost", None)
    assert (attempt.started_at, "lost" in attempt.error) == (one.claimed_at, True)
    row = read_delivery(pending[0])
    assert (row.status, row.claimed_at, row.attempt_count, row.last_outcome) == (Status.PENDING, None, 1, "worker_lost")
    # The standard profile waits 5 s after the first attempt, with a jitter of 10 %.
    assert timedelta(seconds=4.5) <= row.due_at - before <= timedelta(seconds=5.5) + (database_now() - before)
    assert [(message.ids, message.is_for_later) for message in listen("deliveries")] == [(pending, True)]


def test_a_worker_lost_at_the_last_attempt_does_not_use_it_up(pending: list[UUID]) -> None:
    change(pending, attempt_count=9)  # of ten
    assert claim_one(pending[0]).attempt_number == 10
    let_pass(LEASE_SECONDS)
    sweep()
    assert read_delivery(pending[0]).status == Status.PENDING


def test_a_worker_lost_until_after_the_expiry_ends_the_delivery_with_its_attempt(pending: list[UUID]) -> None:
    claim_one(pending[0])
    let_pass(WEEK_SECONDS)
    assert swept() == {"lost": 1}
    row = read_delivery(pending[0])
    assert (row.status, row.failure_reason, row.wake_at) == (Status.FAILED, "expired", None)
    assert [attempt.outcome for attempt in read_attempts(pending[0])] == ["worker_lost"]


def test_a_lost_worker_s_delivery_to_nobody_is_no_longer_claimed_and_comes_to_its_end(
    pending: list[UUID], subscription: Subscription
) -> None:
    claim_one(pending[0])
    subscription.delete()
    let_pass(LEASE_SECONDS)
    sweep()
    assert read_delivery(pending[0]).claimed_at is None
    let_pass(60)
    sweep()
    deliver(pending)
    row = read_delivery(pending[0])
    assert (row.status, row.failure_reason, row.wake_at) == (Status.CANCELLED, "subscription deleted", None)


def test_a_cancelled_delivery_whose_worker_was_lost_has_its_attempt_on_record_too(pending: list[UUID]) -> None:
    claim_one(pending[0])
    cancel(pending, reason="by Alice")
    finished_at = read_delivery(pending[0]).finished_at
    let_pass(LEASE_SECONDS)
    assert swept() == {"lost": 1}
    row = read_delivery(pending[0])
    assert (row.status, row.failure_reason, row.finished_at) == (Status.CANCELLED, "by Alice", finished_at)
    assert (row.claimed_at, row.wake_at) == (None, None)
    assert [attempt.outcome for attempt in read_attempts(pending[0])] == ["worker_lost"]


def test_a_delivery_that_was_cancelled_and_lost_its_worker_and_its_subscription_is_left_in_peace(
    pending: list[UUID], subscription: Subscription
) -> None:
    claim_one(pending[0])
    cancel(pending)
    subscription.delete()
    let_pass(LEASE_SECONDS)
    sweep()
    let_pass(LOOK_AGAIN_SECONDS)
    assert swept() == {}


def test_what_is_due_later_is_looked_at_then(pending: list[UUID], listen: Listen) -> None:
    change(pending, wake_at=database_now(), due_at=database_now() + timedelta(hours=1))
    assert swept() == {"later": 1}
    row = read_delivery(pending[0])
    assert row.wake_at == row.due_at
    assert rung(listen) == []


def test_what_was_held_because_its_endpoint_was_crowded_is_rung_on_the_slow_queue(
    subscription: Subscription, listen: Listen
) -> None:
    crowded, other = make_pending(subscription, 2)
    give_back([claim_one(crowded)], Refusal.CROWDED)
    listen("deliveries")
    let_pass(60)
    assert swept() == {"due": 2}
    assert (rung(listen, "deliveries.slow"), rung(listen)) == ([crowded], [other])


def test_a_sweep_right_after_another_finds_nothing(
    pending: list[UUID], subscription: Subscription, listen: Listen
) -> None:
    claim_one(make_pending(subscription)[0])
    emit("order.shipped", {}, account=subscription.account)
    let_pass(LEASE_SECONDS)
    assert swept() == {"events": 1, "due": 1, "lost": 1}
    listen("deliveries")
    listen("fanout")
    assert swept() == {}
    assert rung(listen) == rung(listen, "fanout") == []


def test_sweeps_that_overlap_share_the_rows_and_each_is_rung_once(subscription: Subscription, listen: Listen) -> None:
    identifiers = make_pending(subscription, 300)
    emit_many([NewEvent(type="a", data=n) for n in range(100)], account=subscription.account)
    lost = claim(identifiers[:100])
    listen("deliveries")
    listen("fanout")
    let_pass(LEASE_SECONDS)
    barrier = Barrier(3)

    def run() -> Counter[str]:
        barrier.wait()
        return sweep()

    found = sum(run_at_once([run] * 3), Counter[str]())
    assert found == Counter(events=100, due=200, lost=100)
    assert sorted(rung(listen)) == identifiers
    assert len(rung(listen, "fanout")) == 100
    assert all(len(read_attempts(one.delivery_id)) == 1 for one in lost)


def test_more_rows_than_one_page_are_swept_at_once_the_oldest_first(
    subscription: Subscription, listen: Listen, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("deliveries.sweep.ROWS_A_STATEMENT", 2)
    identifiers = make_pending(subscription, 5)
    listen("deliveries")
    for age, identifier in enumerate(identifiers):
        change([identifier], wake_at=database_now() - timedelta(seconds=1 + age))
    assert swept() == {"due": 5}
    pages = [message.ids for message in listen("deliveries")]
    assert [set(page) for page in pages] == [set(identifiers[3:]), set(identifiers[1:3]), {identifiers[0]}]


def test_a_sweep_that_takes_too_long_leaves_the_rest_to_the_next_one(
    subscription: Subscription, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("deliveries.sweep.ROWS_A_STATEMENT", 2)
    monkeypatch.setattr("deliveries.sweep.BUDGET_SECONDS", -1)
    make_pending(subscription, 5)
    let_pass(LOOK_AGAIN_SECONDS)
    assert [swept(), swept(), swept(), swept()] == [{"due": 2}, {"due": 2}, {"due": 1}, {}]


def test_one_subscription_whose_secret_cannot_be_read_does_not_stop_the_sweep(
    subscription: Subscription, subscribed: Callable[..., Subscription], listen: Listen
) -> None:
    broken = subscribed(event_types=["never"])
    (good,) = make_pending(subscription)
    (bad,) = make_pending(subscription)
    change([bad], subscription_id=broken.id)
    assert len(claim([good, bad])) == 2
    broken.secrets.update(encrypted_text="sealed under a key that is gone")
    let_pass(LEASE_SECONDS)
    sweep()
    assert [attempt.outcome for attempt in read_attempts(good)] == ["worker_lost"]
    assert Delivery.objects.get(id=good).claimed_at is None
