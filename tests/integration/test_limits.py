"""limits: what a webhook has left is granted once, whoever asks at the same time."""

from __future__ import annotations

import time
from collections.abc import Callable
from datetime import timedelta
from functools import partial
from threading import Event

import pytest
from django.db import connection, transaction
from django.test.utils import CaptureQueriesContext

from deliveries.limits import LATE_SECONDS, Allowance
from deliveries.line import join, leave_places
from deliveries.models import CONCURRENCY_LIMITED, RATE_LIMITED, Delivery, LimitState
from subscriptions.models import Subscription
from tests.integration.limited import admitted, ask, fly, in_batches, limit, set_state, state_of, under_new_limits
from tests.integration.rows import database_now, make_pending, run_at_once
from webhookhub.conf import hub_settings


def test_a_batch_without_limits_goes_at_once_and_asks_nothing(subscription: Subscription) -> None:
    batch = admitted(make_pending(subscription, 3))
    with CaptureQueriesContext(connection) as captured:
        allowance = ask(batch)
    assert (allowance.at_once, allowance.timed, allowance.waiting, len(captured)) == (batch, [], [], 0)


def test_the_limits_of_a_batch_cost_one_statement(
    subscription: Subscription, subscribed: Callable[..., Subscription]
) -> None:
    other = subscribed()
    limit(subscription, rate=10)
    limit(other, cap=1)
    make_pending(subscription, 2)
    first, second = in_batches(sorted(Delivery.objects.values_list("id", flat=True)), 2)
    ask(first)  # finds no rows, and makes them
    assert {one.subscription_id for one, _ in second} == {subscription.id, other.id}
    with CaptureQueriesContext(connection) as captured:
        ask(second)
    assert len(captured) == 1


def test_a_second_s_worth_of_moments_is_given_ahead_the_oldest_first_and_the_others_wait(
    subscription: Subscription,
) -> None:
    limit(subscription, rate=10)
    batch = admitted(make_pending(subscription, 30))
    allowance = ask(batch[::-1])
    # At 0, 0.1, … and 1.0 seconds.
    assert [timed.claim for timed in allowance.timed] == [one for one, _ in batch[:11]]
    assert {one.reason for one in allowance.waiting} == {RATE_LIMITED}
    assert [round(one.turn_seconds, 3) for one in allowance.waiting[:2]] == [1.1, 1.2]


def test_what_was_not_used_is_not_saved_up(subscription: Subscription) -> None:
    limit(subscription, rate=10)
    first, *later = make_pending(subscription, 31)
    ask(admitted([first]))
    set_state(subscription, next_free_at=database_now() - timedelta(hours=1))
    assert len(ask(admitted(later)).timed) == 11


def test_the_next_batch_begins_where_the_last_one_ended(
    subscription: Subscription, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("deliveries.limits.AHEAD_SECONDS", 60)
    limit(subscription, rate=1)
    first, second = in_batches(make_pending(subscription, 8), 4)
    ask(first)
    end = state_of(subscription).next_free_at
    assert len(ask(second).timed) == 4
    assert state_of(subscription).next_free_at == end + timedelta(seconds=4)


def test_moments_are_given_once_however_many_ask_at_the_same_time(
    subscription: Subscription, monkeypatch: pytest.MonkeyPatch
) -> None:
    limit(subscription, rate=1)
    identifiers = make_pending(subscription, 81)
    ask(admitted(identifiers[:1]))
    # Moments from ten to thirty seconds ahead, which no time passes for while they ask.
    monkeypatch.setattr("deliveries.limits.AHEAD_SECONDS", 30)
    start = database_now() + timedelta(seconds=10)
    set_state(subscription, next_free_at=start)
    batches = in_batches(identifiers[1:], 10)
    given = sum(len(allowance.timed) for allowance in run_at_once([partial(ask, batch) for batch in batches]))
    assert 20 <= given < 80
    assert state_of(subscription).next_free_at == start + timedelta(seconds=given)


@pytest.mark.parametrize("held", [0, 1])
def test_whoever_waited_for_another_batch_can_use_the_moments_that_it_was_given(
    subscription: Subscription, subscribed: Callable[..., Subscription], held: int
) -> None:
    subscriptions = sorted([subscription, subscribed()], key=lambda one: one.id)
    for one in subscriptions:
        limit(one, rate=10)
    make_pending(subscription, 2)
    first, second = in_batches(sorted(Delivery.objects.values_list("id", flat=True)), 2)
    ask(first)
    is_locked = Event()

    def keep_locked() -> None:
        with transaction.atomic():
            LimitState.objects.select_for_update().get(holder_id=subscriptions[held].id)
            is_locked.set()
            time.sleep(2 * LATE_SECONDS)

    def ask_meanwhile() -> Allowance:
        is_locked.wait()
        return ask(second)

    _, allowance = run_at_once([keep_locked, ask_meanwhile])
    assert allowance is not None
    moments = [timed.moment for timed in allowance.timed]
    assert len(moments) == 2
    assert all(0 < end - begin <= LATE_SECONDS for begin, end in moments)


def test_places_are_given_once_however_many_ask_at_the_same_time(subscription: Subscription) -> None:
    limit(subscription, cap=3)
    batches = in_batches(make_pending(subscription, 80), 10)
    allowances = run_at_once([partial(ask, batch) for batch in batches])
    assert sum(len(allowance.at_once) for allowance in allowances) == 3
    assert {one.reason for allowance in allowances for one in allowance.waiting} == {CONCURRENCY_LIMITED}
    assert len(state_of(subscription).places) == 3


def test_with_both_limits_the_narrower_one_counts_and_is_named(subscription: Subscription) -> None:
    limit(subscription, rate=10, cap=4)
    first, second = in_batches(make_pending(subscription, 30), 15)
    allowance = ask(first)
    assert (len(allowance.timed), {one.reason for one in allowance.waiting}) == (4, {CONCURRENCY_LIMITED})
    limit(subscription, rate=1, cap=20)
    allowance = ask(under_new_limits(second))
    assert (len(allowance.timed), {one.reason for one in allowance.waiting}) == (1, {RATE_LIMITED})


def test_a_place_is_free_again_when_its_request_has_ended(subscription: Subscription) -> None:
    limit(subscription, cap=2)
    first, second = in_batches(make_pending(subscription, 4), 2)
    went = ask(first).at_once
    assert ask(second).at_once == []
    leave_places(fly(went[:1]))
    assert ask(second).at_once == second[:1]


def test_a_place_that_nobody_gave_back_is_free_when_the_lease_has_ended(subscription: Subscription) -> None:
    limit(subscription, cap=1)
    first, second = in_batches(make_pending(subscription, 2), 1)
    ask(first)
    lease_end = state_of(subscription).places[str(first[0][0].delivery_id)]
    assert lease_end == pytest.approx(first[0][0].claimed_at.timestamp() + hub_settings().lease_seconds)
    assert ask(second).at_once == []
    set_state(subscription, places={str(first[0][0].delivery_id): database_now().timestamp() - 1})
    assert ask(second).at_once == second


def test_a_worker_that_lost_its_lease_cannot_free_the_place_of_the_next_one(subscription: Subscription) -> None:
    limit(subscription, cap=1)
    identifiers = make_pending(subscription, 2)
    lost = admitted(identifiers[:1])
    ask(lost)
    claimed_again = [(lost[0][0]._replace(claimed_at=database_now()), lost[0][1])]
    assert ask(claimed_again).at_once == claimed_again
    leave_places(fly(lost))
    assert ask(admitted(identifiers[1:])).at_once == []


def test_newer_ones_do_not_overtake_those_in_line(subscription: Subscription) -> None:
    limit(subscription, rate=10)
    older = admitted(make_pending(subscription, 30))
    newer = admitted(make_pending(subscription, 5))
    allowance = ask(older[5:])
    join(allowance.waiting)
    set_state(subscription, next_free_at=database_now())
    assert ask(newer).timed == []
    # Older than all in line, these go.
    assert len(ask(older[:5]).timed) == 5


def test_a_process_is_given_no_more_moments_than_it_can_keep(subscription: Subscription) -> None:
    limit(subscription, rate=100)
    allowance = ask(admitted(make_pending(subscription, 10)), most=3)
    assert (len(allowance.timed), len(allowance.waiting)) == (3, 7)


def test_a_changed_limit_counts_from_the_next_batch_on(subscription: Subscription) -> None:
    limit(subscription, rate=1)
    first, second, third = in_batches(make_pending(subscription, 60), 20)
    assert len(ask(first).timed) == 2
    limit(subscription, rate=10)
    set_state(subscription, next_free_at=database_now())
    assert len(ask(under_new_limits(second)).timed) == 11
    limit(subscription)
    assert len(ask(under_new_limits(third)).at_once) == 20


def test_a_limit_of_nothing_lets_nothing_go(subscription: Subscription) -> None:
    limit(subscription, rate=0)
    ((_, endpoint),) = admitted(make_pending(subscription))
    assert not endpoint.enabled
