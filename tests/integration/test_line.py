"""line: those that a limit holds back wait in the order of their age, and as many are called as there is room for."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from functools import partial
from uuid import UUID

import pytest
from django.db import connection, transaction
from django.test.utils import CaptureQueriesContext

from deliveries.cancel import cancel
from deliveries.line import (
    LINE_EMPTY_SECONDS,
    LONGEST_TURN_SECONDS,
    call_everywhere,
    call_next,
    join,
    leave_places,
    rejoin,
)
from deliveries.models import CONCURRENCY_LIMITED, RATE_LIMITED, Delivery, LimitState, Status
from deliveries.partitions import maintain
from deliveries.sweep import sweep
from subscriptions.models import Subscription
from tests.integration.conftest import Listen
from tests.integration.limited import admitted, ask, fly, in_batches, limit, make_line, set_state, state_of
from tests.integration.rows import (
    change,
    database_now,
    let_pass,
    make_pending,
    read_attempts,
    read_delivery,
    run_at_once,
)


@pytest.fixture
def called(listen: Listen) -> Callable[[], list[UUID]]:
    """The deliveries that were rung for since it was asked last."""
    return lambda: [identifier for message in listen("deliveries") for identifier in message.ids]


def in_line() -> set[UUID]:
    found = Delivery.objects.filter(status=Status.PENDING, last_outcome__in=[RATE_LIMITED, CONCURRENCY_LIMITED])
    return set(found.values_list("id", flat=True))


def test_who_joins_the_line_has_spent_no_attempt_and_says_what_it_waits_for_and_until_when(
    subscription: Subscription,
) -> None:
    limit(subscription, rate=10)
    identifiers = make_line(subscription, 3)
    rows = [read_delivery(identifier) for identifier in identifiers]
    assert {(row.status, row.attempt_count, row.claimed_at) for row in rows} == {(Status.PENDING, 0, None)}
    assert {row.last_outcome for row in rows} == {RATE_LIMITED}
    assert [(rows[n + 1].due_at - rows[n].due_at) / timedelta(seconds=1) for n in (0, 1)] == pytest.approx([0.1, 0.1])
    assert read_attempts(identifiers[0]) == []


def test_turns_are_told_behind_those_of_the_whole_line(subscription: Subscription) -> None:
    limit(subscription, rate=1)
    *_, before = make_line(subscription, 50)
    (last,) = make_line(subscription, 1)
    assert read_delivery(before).due_at < read_delivery(last).due_at
    assert 40 < (read_delivery(last).due_at - database_now()).total_seconds() < 60


def test_what_waits_for_a_place_and_is_not_called_is_looked_at_in_the_end(
    subscription: Subscription, called: Callable[[], list[UUID]]
) -> None:
    limit(subscription, cap=1)
    identifiers = make_line(subscription, 1)
    set_state(subscription, waiting_at=None)
    called()
    let_pass(LONGEST_TURN_SECONDS + 30)
    sweep()
    assert called() == identifiers


def test_a_ring_that_comes_twice_takes_nobody_out_of_the_line(subscription: Subscription) -> None:
    limit(subscription, cap=1)
    assert admitted(make_line(subscription, 2)) == []


def test_one_that_was_cancelled_meanwhile_stays_cancelled(subscription: Subscription) -> None:
    limit(subscription, rate=10)
    identifiers = make_pending(subscription)
    waiting = ask(admitted(identifiers), most=0).waiting
    cancel(identifiers)
    join(waiting)
    row = read_delivery(identifiers[0])
    assert (row.status, row.attempt_count, row.claimed_at, row.wake_at) == (Status.CANCELLED, 0, None, None)


def test_a_claim_that_is_no_longer_ours_does_not_join(subscription: Subscription) -> None:
    limit(subscription, rate=10)
    identifiers = make_pending(subscription)
    waiting = ask(admitted(identifiers), most=0).waiting
    later = database_now()
    change(identifiers, claimed_at=later)
    join(waiting)
    assert (read_delivery(identifiers[0]).claimed_at, in_line()) == (later, set())


def test_the_oldest_are_called_as_many_as_a_second_has_room_for(
    subscription: Subscription, called: Callable[[], list[UUID]]
) -> None:
    limit(subscription, rate=10)
    identifiers = make_line(subscription, 30)
    called()
    call_next([subscription.id])
    assert called() == identifiers[:11]
    assert in_line() == set(identifiers[11:])
    assert [one.delivery_id for one, _ in admitted(identifiers)] == identifiers[:11]


def test_nobody_is_called_twice_for_the_same_moments(
    subscription: Subscription, called: Callable[[], list[UUID]], monkeypatch: pytest.MonkeyPatch
) -> None:
    limit(subscription, rate=1)
    make_line(subscription, 60)
    called()
    # Moments from ten to thirty seconds ahead, which no time passes for while they call.
    monkeypatch.setattr("deliveries.line.AHEAD_SECONDS", 30)
    start = database_now() + timedelta(seconds=10)
    set_state(subscription, next_free_at=start)
    calls: list[Callable[[], None]] = [partial(call_next, [subscription.id]) for _ in range(4)]
    run_at_once(calls)
    rung = called()
    assert 20 <= len(rung) == len(set(rung)) < 60
    assert state_of(subscription).called_until == start + timedelta(seconds=len(rung))


def test_those_that_were_called_are_given_the_moments_they_were_called_for(subscription: Subscription) -> None:
    limit(subscription, rate=10)
    identifiers = make_line(subscription, 30)
    call_next([subscription.id])
    allowance = ask(admitted(identifiers[:11]))
    assert (len(allowance.timed), allowance.waiting) == (11, [])


@pytest.mark.parametrize(("lot_seconds", "rung"), [(1.0, 21), (1.5, 0)])
def test_calls_come_in_lots_not_one_by_one(
    subscription: Subscription,
    called: Callable[[], list[UUID]],
    monkeypatch: pytest.MonkeyPatch,
    lot_seconds: float,
    rung: int,
) -> None:
    limit(subscription, rate=20)
    make_line(subscription, 60)
    called()
    # There is room for 21, at 0, 0.05, … and 1.0 seconds; a lot of 1.5 seconds would be 30.
    monkeypatch.setattr("deliveries.line.LOT_SECONDS", lot_seconds)
    call_next([subscription.id])
    assert len(called()) == rung


def test_as_many_are_called_as_places_are_free(subscription: Subscription, called: Callable[[], list[UUID]]) -> None:
    limit(subscription, cap=3)
    went = ask(admitted(make_pending(subscription))).at_once
    others = make_line(subscription, 9)
    called()
    call_next([subscription.id])
    assert called() == others[:2]
    call_next([subscription.id])
    assert called() == [], "places are kept for those that were called"
    leave_places(fly(went))
    assert called() == [others[2]]


def test_a_place_that_got_free_before_somebody_stood_in_line_is_theirs(
    subscription: Subscription, called: Callable[[], list[UUID]]
) -> None:
    limit(subscription, cap=1)
    identifiers = make_pending(subscription, 2)
    first, second = in_batches(identifiers, 1)
    ask(first)
    waiting = ask(second).waiting
    called()
    leave_places(fly(first))
    assert called() == []
    join(waiting)
    assert called() == identifiers[1:]


def test_one_that_was_called_takes_the_place_that_was_kept_for_it(subscription: Subscription) -> None:
    limit(subscription, cap=2)
    identifiers = make_line(subscription, 5)
    call_next([subscription.id])
    assert len(ask(admitted(identifiers[:2])).at_once) == 2
    assert len(state_of(subscription).places) == 2


def test_a_place_that_was_kept_for_nobody_is_free_again_soon(
    subscription: Subscription, called: Callable[[], list[UUID]]
) -> None:
    limit(subscription, cap=1)
    identifiers = make_line(subscription, 3)
    call_next([subscription.id])
    called()
    ((kept, until),) = state_of(subscription).places.items()
    assert (kept, until - database_now().timestamp() <= 5) == (str(identifiers[0]), True)
    set_state(subscription, places={kept: until - 5})
    call_next([subscription.id])
    assert called() == [identifiers[1]]


def test_the_sweep_calls_in_every_line(
    subscription: Subscription, subscribed: Callable[..., Subscription], called: Callable[[], list[UUID]]
) -> None:
    other = subscribed()
    limit(subscription, rate=1)
    limit(other, cap=1)
    identifiers = [*make_line(subscription, 5)[:2], make_line(other, 5)[0]]
    change(Delivery.objects.exclude(id__in=in_line()).values_list("id", flat=True), status=Status.CANCELLED)
    called()
    assert sweep()["called"] == 3
    assert sorted(called()) == sorted(identifiers)


def test_lines_that_have_no_room_do_not_keep_the_sweep_from_the_others(
    subscription: Subscription,
    subscribed: Callable[..., Subscription],
    called: Callable[[], list[UUID]],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("deliveries.line.LINES_A_SWEEP", 1)
    limit(subscription, cap=1)
    make_line(subscription, 1)
    long_ago, a_moment_ago = (database_now() - timedelta(seconds=seconds) for seconds in (100, 50))
    on_the_wire = {str(UUID(int=1)): database_now().timestamp() + 60}
    set_state(subscription, called_until=long_ago, places=on_the_wire)
    other = subscribed()
    limit(other, cap=1)
    identifiers = make_line(other, 1)
    set_state(other, called_until=a_moment_ago)
    called()
    call_everywhere()
    assert called() == []
    call_everywhere()
    assert called() == identifiers


def test_a_call_that_was_lost_is_found_by_the_sweep(
    subscription: Subscription, called: Callable[[], list[UUID]]
) -> None:
    limit(subscription, rate=1)
    identifiers = make_line(subscription, 2)
    call_next([subscription.id])
    called()
    let_pass(30)
    sweep()
    assert called() == identifiers


def test_where_the_limits_were_taken_away_the_whole_line_is_called(
    subscription: Subscription, called: Callable[[], list[UUID]]
) -> None:
    limit(subscription, rate=1)
    identifiers = make_line(subscription, 50)
    limit(subscription)
    called()
    call_everywhere()
    assert called() == identifiers


def test_where_the_subscription_was_deleted_the_whole_line_is_called(
    subscription: Subscription, called: Callable[[], list[UUID]]
) -> None:
    limit(subscription, cap=1)
    identifiers = make_line(subscription, 50)
    subscription.delete()
    called()
    call_everywhere()
    assert called() == identifiers


def test_those_that_missed_their_moments_are_the_next_to_be_called(
    subscription: Subscription, called: Callable[[], list[UUID]]
) -> None:
    limit(subscription, rate=10)
    identifiers = make_pending(subscription, 11)
    batch = admitted(identifiers)
    assert len(ask(batch).timed) == 11
    called()
    set_state(subscription, next_free_at=database_now(), called_until=database_now())
    rejoin(fly(batch))
    assert called() == identifiers
    assert {row.attempt_count for row in Delivery.objects.all()} == {0}


def test_a_line_in_which_nobody_is_found_is_asked_for_no_longer(subscription: Subscription) -> None:
    limit(subscription, rate=10)
    cancel(make_line(subscription, 3))
    call_everywhere()
    assert state_of(subscription).waiting_at is not None, "somebody may be about to join it"
    set_state(subscription, waiting_at=database_now() - timedelta(seconds=LINE_EMPTY_SECONDS + 1))
    call_everywhere()
    assert state_of(subscription).waiting_at is None


def test_a_call_costs_one_statement_however_long_the_line_is(subscription: Subscription) -> None:
    limit(subscription, rate=10)
    make_line(subscription, 300)
    with CaptureQueriesContext(connection) as captured:
        call_next([subscription.id])
    assert len(captured) == 1


def test_a_call_is_not_compiled(subscription: Subscription) -> None:
    limit(subscription, rate=10)
    make_line(subscription, 1)
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute("SET LOCAL jit = on")
        call_next([subscription.id])
        cursor.execute("SHOW jit")
        assert cursor.fetchone() == ("off",)


def test_states_that_say_nothing_any_more_are_forgotten(subscription: Subscription) -> None:
    limit(subscription, rate=10)
    ask(admitted(make_pending(subscription)))
    maintain()
    assert LimitState.objects.count() == 1
    set_state(subscription, next_free_at=database_now() - timedelta(days=2))
    maintain()
    assert LimitState.objects.count() == 0
