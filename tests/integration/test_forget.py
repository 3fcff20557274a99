"""What a deleted account recorded is removed, all of it and nothing else, however long that takes."""

from __future__ import annotations

import random

import pytest

from deliveries import partitions
from deliveries.forget import forget
from deliveries.models import Delivery, DeliveryAttempt
from deliveries.record import record_landings
from deliveries.replay import replay
from subscriptions.models import Subscription
from subscriptions.subscribe import subscribe
from tests.integration.conftest import Listen, Rung
from tests.integration.rows import answered, claim_one, land, let_pass, make_pending
from webhookhub import doorbell
from webhookhub.accounts import FORGET_TASK, delete_account
from webhookhub.conf import hub_settings
from webhookhub.events import emit
from webhookhub.models import Account, Event


@pytest.fixture
def neighbour(db: None) -> Subscription:
    """A subscription of another account."""
    return subscribe(Account.objects.create(name="Bob's shop"), "http://127.0.0.1:9/")


def record_something(subscription: Subscription) -> None:
    """An attempt, a delivery that was replayed, one that waits, and an event that was never fanned out."""
    delivered, _ = make_pending(subscription, 2)
    record_landings([land(claim_one(delivered), answered(200))], rng=random.Random())
    replay([delivered], request="again")
    emit("order.shipped", {}, account=subscription.account)


def counts() -> tuple[int, int, int]:
    return Event.objects.count(), Delivery.objects.count(), DeliveryAttempt.objects.count()


def test_all_that_a_deleted_account_recorded_is_removed_and_nothing_else(
    subscription: Subscription, neighbour: Subscription
) -> None:
    record_something(neighbour)
    record_something(subscription)
    account_id = subscription.account_id
    kept = [set(model.objects.exclude(account_id=account_id).values_list("id")) for model in (Event, Delivery)]
    delete_account(subscription.account)
    assert forget(account_id) == 3
    assert [set(model.objects.values_list("id")) for model in (Event, Delivery)] == kept
    assert len(kept[0]) == 3
    (attempt,) = DeliveryAttempt.objects.all()
    assert Delivery.objects.filter(id=attempt.delivery_id).exists()


def test_nothing_is_removed_of_an_account_that_is_there(subscription: Subscription) -> None:
    record_something(subscription)
    assert forget(subscription.account_id) == 0
    assert counts() == (3, 3, 1)


def test_whoever_deletes_an_account_rings_for_it(subscription: Subscription, listen: Listen) -> None:
    account_id = subscription.account_id
    delete_account(subscription.account)
    assert listen(doorbell.MAINTENANCE) == [Rung(FORGET_TASK, [account_id], False)]


def test_where_the_ring_was_lost_maintenance_rings_again_until_nothing_is_left(
    subscription: Subscription, neighbour: Subscription, listen: Listen
) -> None:
    record_something(neighbour)
    record_something(subscription)
    account_id = subscription.account_id
    delete_account(subscription.account)
    listen(doorbell.MAINTENANCE)
    partitions.maintain()
    assert listen(doorbell.MAINTENANCE) == [Rung(FORGET_TASK, [account_id], False)]
    forget(account_id)
    partitions.maintain()
    assert listen(doorbell.MAINTENANCE) == []


def test_it_goes_step_by_step_and_rings_for_what_it_had_no_time_for(
    subscription: Subscription, listen: Listen, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("deliveries.forget.EVENTS_A_STATEMENT", 2)
    monkeypatch.setattr("deliveries.forget.BUDGET_SECONDS", 0)
    make_pending(subscription, 5)
    account_id = subscription.account_id
    delete_account(subscription.account)
    listen(doorbell.MAINTENANCE)
    for left in (3, 1):
        forget(account_id)
        assert counts() == (left, left, 0)
        assert [rung.ids for rung in listen(doorbell.MAINTENANCE)] == [[account_id]]


def test_what_is_on_the_wire_stays_until_its_lease_is_over(subscription: Subscription) -> None:
    on_the_wire, _ = make_pending(subscription, 2)
    claim_one(on_the_wire)
    account_id = subscription.account_id
    delete_account(subscription.account)
    assert forget(account_id) == 1
    assert [delivery.id for delivery in Delivery.objects.all()] == [on_the_wire]
    let_pass(hub_settings().lease_seconds)
    assert forget(account_id) == 1
    assert counts() == (0, 0, 0)
