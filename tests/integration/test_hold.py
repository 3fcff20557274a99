"""give_back and release: claims undone without a spent attempt, deliveries held and let go."""

from __future__ import annotations

from datetime import timedelta
from uuid import UUID

import pytest

from deliveries.admit import CROWDED, CROWDED_PAUSE, Refusal, give_back
from deliveries.cancel import cancel
from deliveries.claim import claim
from deliveries.hold import release
from deliveries.models import Status
from deliveries.sweep import sweep
from subscriptions.models import Subscription
from subscriptions.subscribe import delete_subscription, pause, resume, set_enabled
from tests.integration.conftest import Listen
from tests.integration.rows import (
    change,
    claim_one,
    database_now,
    let_pass,
    lose_worker,
    make_pending,
    read_attempts,
    read_delivery,
)


def disable_and_hold(subscription: Subscription, count: int = 1) -> list[UUID]:
    """Deliveries that were on their way when the subscription was disabled."""
    identifiers = make_pending(subscription, count)
    set_enabled(subscription, False)
    give_back(claim(identifiers), Refusal.DISABLED)
    return identifiers


@pytest.mark.parametrize("refusal", list(Refusal))
def test_what_is_given_back_has_spent_no_attempt(subscription: Subscription, refusal: Refusal) -> None:
    one = claim_one(make_pending(subscription)[0])
    give_back([one], refusal)
    row = read_delivery(one.delivery_id)
    assert (row.attempt_count, row.claimed_at, read_attempts(row.id)) == (0, None, [])


def test_what_a_disabled_subscription_was_to_get_is_held_until_it_expires(subscription: Subscription) -> None:
    (delivery_id,) = disable_and_hold(subscription)
    row = read_delivery(delivery_id)
    assert (row.status, row.finished_at, row.failure_reason) == (Status.HELD, None, "")
    assert row.wake_at is not None
    assert row.wake_at <= row.expires_at
    assert claim([row.id]) == []


def test_a_resumed_subscription_gets_what_has_not_expired_the_oldest_first(
    subscription: Subscription, listen: Listen
) -> None:
    identifiers = make_pending(subscription, 4)
    pause(subscription)
    give_back(claim(identifiers), Refusal.DISABLED)
    change(identifiers[:1], expires_at=database_now() - timedelta(seconds=1))
    assert release(subscription.id) == 0
    resume(subscription)
    for queue in ("deliveries", "maintenance"):
        listen(queue)
    assert release(subscription.id) == 3
    assert [rung.ids for rung in listen("deliveries")] == [identifiers[1:]]


def test_one_that_is_disabled_as_well_is_released_only_by_both(subscription: Subscription, listen: Listen) -> None:
    pause(subscription)
    set_enabled(subscription, False)
    resume(subscription)
    assert listen("maintenance") == []
    pause(subscription)
    set_enabled(subscription, True)
    assert listen("maintenance") == []
    resume(subscription)
    assert [rung.ids for rung in listen("maintenance")] == [[subscription.id]]


def test_what_a_deleted_subscription_was_to_get_is_cancelled_with_the_reason(subscription: Subscription) -> None:
    one = claim_one(make_pending(subscription)[0])
    give_back([one], Refusal.DELETED)
    row = read_delivery(one.delivery_id)
    assert (row.status, row.failure_reason, row.wake_at) == (Status.CANCELLED, "subscription deleted", None)
    assert row.finished_at is not None


def test_what_found_its_endpoint_crowded_is_due_again_after_a_pause(subscription: Subscription) -> None:
    one = claim_one(make_pending(subscription)[0])
    give_back([one], Refusal.CROWDED)
    row = read_delivery(one.delivery_id)
    assert (row.status, row.last_outcome, row.wake_at) == (Status.PENDING, CROWDED, row.due_at)
    assert timedelta(0) < row.due_at - one.claimed_at - CROWDED_PAUSE < timedelta(seconds=5)
    let_pass(CROWDED_PAUSE.total_seconds())
    assert claim_one(row.id).attempt_number == 1


def test_a_crowded_delivery_is_looked_at_when_it_expires_if_that_is_sooner(subscription: Subscription) -> None:
    one = claim_one(make_pending(subscription)[0])
    change([one.delivery_id], expires_at=database_now() + timedelta(seconds=2))
    give_back([one], Refusal.CROWDED)
    row = read_delivery(one.delivery_id)
    assert row.wake_at == row.expires_at


@pytest.mark.parametrize("refusal", list(Refusal))
def test_what_was_cancelled_meanwhile_stays_cancelled_and_has_spent_no_attempt(
    subscription: Subscription, refusal: Refusal
) -> None:
    one = claim_one(make_pending(subscription)[0])
    cancel([one.delivery_id], reason="by Alice")
    give_back([one], refusal)
    row = read_delivery(one.delivery_id)
    assert (row.status, row.failure_reason) == (Status.CANCELLED, "by Alice")
    assert (row.attempt_count, row.claimed_at, row.wake_at) == (0, None, None)


@pytest.mark.parametrize("refusal", list(Refusal))
def test_a_claim_that_was_lost_gives_back_nothing_of_the_next_one(subscription: Subscription, refusal: Refusal) -> None:
    lost = claim_one(make_pending(subscription)[0])
    present = lose_worker(lost)
    give_back([lost], refusal)
    row = read_delivery(lost.delivery_id)
    assert (row.status, row.attempt_count, row.claimed_at) == (Status.PENDING, 2, present.claimed_at)


def test_claims_of_different_moments_are_given_back_together(subscription: Subscription) -> None:
    claims = [claim_one(identifier) for identifier in make_pending(subscription, 3)]
    assert len({one.claimed_at for one in claims}) == 3
    give_back(claims, Refusal.DISABLED)
    assert {read_delivery(one.delivery_id).status for one in claims} == {Status.HELD}


def test_enabling_a_subscription_rings_for_its_release(subscription: Subscription, listen: Listen) -> None:
    set_enabled(subscription, False)
    assert listen("maintenance") == []
    set_enabled(subscription, True)
    assert [(rung.task, rung.ids) for rung in listen("maintenance")] == [("deliveries.release", [subscription.id])]


def test_what_was_held_is_due_and_rung_when_it_is_released(subscription: Subscription, listen: Listen) -> None:
    identifiers = disable_and_hold(subscription, 3)
    listen("deliveries")
    set_enabled(subscription, True)
    assert release(subscription.id) == 3
    assert [rung.ids for rung in listen("deliveries")] == [identifiers]
    assert len(claim(identifiers)) == 3


def test_releasing_twice_releases_once(subscription: Subscription, listen: Listen) -> None:
    disable_and_hold(subscription)
    set_enabled(subscription, True)
    release(subscription.id)
    listen("deliveries")
    assert release(subscription.id) == 0
    assert listen("deliveries") == []


def test_of_a_deleted_subscription_more_than_one_statement_takes_are_all_released(
    subscription: Subscription, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("deliveries.hold.ROWS_A_STATEMENT", 2)
    identifiers = disable_and_hold(subscription, 5)
    deleted = subscription.id
    delete_subscription(subscription)
    assert release(deleted) == 5
    assert {read_delivery(identifier).status for identifier in identifiers} == {Status.PENDING}


def test_a_subscription_that_is_still_disabled_releases_nothing(subscription: Subscription) -> None:
    disable_and_hold(subscription)
    assert release(subscription.id) == 0


def test_releasing_one_subscription_leaves_another_s_deliveries_held(
    subscription: Subscription, account: object
) -> None:
    (held,) = disable_and_hold(subscription)
    other = Subscription.objects.create(account=subscription.account, url="http://127.0.0.1:9/other")
    assert release(other.id) == 0
    assert read_delivery(held).status == Status.HELD


def test_what_expired_while_it_was_held_is_not_released_and_the_sweep_says_so(subscription: Subscription) -> None:
    (delivery_id,) = disable_and_hold(subscription)
    let_pass(8 * 86_400)
    set_enabled(subscription, True)
    assert release(subscription.id) == 0
    sweep()
    row = read_delivery(delivery_id)
    assert (row.status, row.failure_reason, row.wake_at) == (Status.FAILED, "expired", None)


def test_a_release_whose_message_was_lost_happens_all_the_same(subscription: Subscription, listen: Listen) -> None:
    (delivery_id,) = disable_and_hold(subscription)
    set_enabled(subscription, True)
    listen("maintenance")  # taken, and never run
    let_pass(3_600)
    sweep()
    assert read_delivery(delivery_id).status == Status.PENDING


def test_what_is_held_just_after_its_subscription_was_enabled_is_not_forgotten(subscription: Subscription) -> None:
    (delivery_id,) = make_pending(subscription)
    set_enabled(subscription, False)
    claims = claim([delivery_id])  # a worker finds it disabled ...
    set_enabled(subscription, True)
    release(subscription.id)  # ... it is enabled, and what is held is let go ...
    give_back(claims, Refusal.DISABLED)  # ... before the worker gave it back
    let_pass(3_600)
    sweep()
    assert read_delivery(delivery_id).status == Status.PENDING
