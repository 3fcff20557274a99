"""fan_out: one delivery for each subscription that wants an event, however often and by however many it is run."""

from __future__ import annotations

import time
from collections.abc import Callable
from datetime import timedelta
from threading import Barrier

import pytest
from django.db import connection

from deliveries.fan_out import FannedOut, fan_out
from deliveries.models import Delivery, Status
from deliveries.sweep import sweep
from subscriptions.builtin_profiles import STANDARD
from subscriptions.models import Profile, Subscription
from subscriptions.subscribe import set_enabled, subscribe
from tests.integration.conftest import Listen
from tests.integration.rows import database_now, run_at_once
from webhookhub.events import NewEvent, emit, emit_many
from webhookhub.ids import delivery_id, new_id
from webhookhub.models import Account, Event

Subscribed = Callable[..., Subscription]


def told() -> set[object]:
    return set(Delivery.objects.values_list("subscription_id", flat=True))


def test_everybody_who_wants_an_event_gets_one_delivery_and_nobody_else(
    account: Account, subscribed: Subscribed
) -> None:
    wanting = [
        subscribed(),
        subscribed(event_types=["order.shipped"]),
        subscribed(event_types=["order.*", "order.shipped", "*"]),
        subscribed(entity_type="order", action="UPDATE"),
    ]
    subscribed(event_types=["order.paid", "order"])
    subscribed(entity_type="order", action="DELETE")
    subscribe(Account.objects.create(name="Bob's shop"), "http://127.0.0.1:9/")
    event_id = emit("order.shipped", {}, account=account, entity_type="order", action="UPDATE")
    assert fan_out([event_id]) == FannedOut(events=1, deliveries=4)
    assert told() == {subscription.id for subscription in wanting}


def test_a_delivery_begins_pending_due_at_once_and_expires_by_its_profile(subscription: Subscription) -> None:
    event_id = emit("order.shipped", {}, account=subscription.account)
    fan_out([event_id])
    delivery = Delivery.objects.get()
    assert delivery.id == delivery_id(event_id, subscription.id, "event")
    assert (delivery.event_id, delivery.account_id) == (event_id, subscription.account_id)
    assert (delivery.status, delivery.attempt_count, delivery.claimed_at) == (Status.PENDING, 0, None)
    assert delivery.expires_at - delivery.due_at == timedelta(seconds=STANDARD.expires_after_seconds)
    assert delivery.wake_at is not None
    assert delivery.due_at < delivery.wake_at < delivery.expires_at


def test_a_delivery_that_expires_soon_is_looked_at_when_it_does(subscribed: Subscribed, account: Account) -> None:
    standard = Profile.objects.get(name="standard")
    standard.name, standard.expires_after_seconds = "brief", 10
    standard.save(force_insert=True)
    subscribed(profile="brief")
    fan_out([emit("order.shipped", {}, account=account)])
    delivery = Delivery.objects.get()
    assert delivery.wake_at == delivery.expires_at


def test_an_event_that_was_fanned_out_waits_for_nothing(subscription: Subscription) -> None:
    fan_out([emit("order.shipped", {}, account=subscription.account)])
    assert Event.objects.get().wake_at is None


def test_an_event_that_nobody_wants_is_done_and_nobody_is_rung(account: Account, listen: Listen) -> None:
    assert fan_out([emit("order.shipped", {}, account=account)]) == FannedOut(events=1, deliveries=0)
    assert Event.objects.get().wake_at is None
    assert listen("deliveries") == []


def test_a_disabled_subscription_is_not_told(subscription: Subscription) -> None:
    set_enabled(subscription, False)
    fan_out([emit("order.shipped", {}, account=subscription.account)])
    assert told() == set()


def test_an_event_of_an_account_that_is_gone_is_done(account: Account) -> None:
    event_id = emit("order.shipped", {}, account=account)
    account.delete()
    assert fan_out([event_id]) == FannedOut(events=1, deliveries=0)
    assert Event.objects.get().wake_at is None


def test_run_twice_it_adds_nothing_and_rings_for_nothing(subscription: Subscription, listen: Listen) -> None:
    event_ids = emit_many([NewEvent(type="a", data=n) for n in range(3)], account=subscription.account)
    fan_out(event_ids)
    listen("deliveries")
    assert fan_out(event_ids) == FannedOut(events=0, deliveries=0)
    assert Delivery.objects.count() == 3
    assert listen("deliveries") == []


def test_one_message_takes_along_what_waits_besides_its_own_so_that_the_others_find_it_done(
    subscription: Subscription, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("deliveries.fan_out.EVENTS_A_BATCH", 2)
    oldest, older, newer, rung = emit_many([NewEvent(type="a", data=n) for n in range(4)], account=subscription.account)
    for event_id, seconds in ((oldest, 1), (older, 2), (newer, 3)):
        Event.objects.filter(id=event_id).update(wake_at=database_now() + timedelta(seconds=seconds))

    assert fan_out([oldest]) == FannedOut(events=2, deliveries=2)
    assert fan_out([older]) == FannedOut(events=2, deliveries=2)
    assert fan_out([rung]) == FannedOut(events=0, deliveries=0)


def test_of_events_that_pile_up_the_longest_waiting_go_first_and_as_many_as_were_rung_for(
    subscription: Subscription, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("deliveries.fan_out.EVENTS_A_BATCH", 1)
    lost, *rung = emit_many([NewEvent(type="a", data=n) for n in range(4)], account=subscription.account)
    Event.objects.filter(id=lost).update(wake_at=database_now())
    assert fan_out(rung) == FannedOut(events=3, deliveries=3)
    (left,) = Event.objects.exclude(wake_at=None).values_list("id", flat=True)
    assert left in rung


def test_an_event_given_twice_in_one_message_is_fanned_out_once(subscription: Subscription) -> None:
    event_id = emit("order.shipped", {}, account=subscription.account)
    assert fan_out([event_id, event_id]) == FannedOut(events=1, deliveries=1)


def test_a_fan_out_that_is_run_again_after_it_was_lost_does_not_touch_what_was_delivered(
    subscription: Subscription,
) -> None:
    event_id = emit("order.shipped", {}, account=subscription.account)
    fan_out([event_id])
    Delivery.objects.update(status=Status.DELIVERED, wake_at=None)
    Event.objects.update(wake_at=database_now())
    assert fan_out([event_id]).events == 1
    assert Delivery.objects.get().status == Status.DELIVERED


def test_what_has_waited_since_before_those_that_are_rung_for_is_left_to_the_sweep(subscription: Subscription) -> None:
    lost, rung = (emit("order.shipped", {}, account=subscription.account) for _ in range(2))
    Event.objects.filter(id=lost).update(wake_at="2026-01-01T00:00:00Z")
    assert fan_out([rung]).events == 1
    sweep()
    assert fan_out([lost]).events == 1


def test_an_event_of_a_clock_that_is_ahead_is_found(subscription: Subscription) -> None:
    emit("order.shipped", {}, account=subscription.account)
    in_an_hour = new_id(time.time_ns() + 3_600 * 10**9)
    assert fan_out([in_an_hour]).events == 1


def test_of_several_at_once_on_the_same_events_each_event_is_taken_by_one(subscription: Subscription) -> None:
    event_ids = emit_many([NewEvent(type="a", data=n) for n in range(200)], account=subscription.account)
    barrier = Barrier(4)

    def run() -> FannedOut:
        barrier.wait()
        return fan_out(event_ids)

    results = run_at_once([run] * 4)
    assert sum(result.events for result in results) == sum(result.deliveries for result in results) == 200
    assert Delivery.objects.count() == 200
    assert not Event.objects.exclude(wake_at=None).exists()


def test_messages_carry_a_hundred_deliveries_at_most_and_all_alike(
    subscribed: Subscribed, account: Account, listen: Listen
) -> None:
    for _ in range(2):
        subscribed()
    event_ids = emit_many([NewEvent(type="a", data=n) for n in range(105)], account=account)
    fan_out(event_ids)
    rung = listen("deliveries")
    assert [(message.task, len(message.ids)) for message in rung] == [
        ("deliveries.deliver", 70),
        ("deliveries.deliver", 70),
        ("deliveries.deliver", 70),
    ]
    assert {identifier for message in rung for identifier in message.ids} == set(
        Delivery.objects.values_list("id", flat=True)
    )


def test_more_deliveries_than_one_statement_takes_are_all_stored(subscribed: Subscribed, account: Account) -> None:
    for _ in range(3):
        subscribed()
    event_ids = emit_many([NewEvent(type="a", data=n) for n in range(401)], account=account)
    assert fan_out(event_ids).deliveries == Delivery.objects.count() == 1_203


def add(subscription: Subscription) -> None:
    subscribe(subscription.account, "http://127.0.0.1:9/", event_types=["order.shipped"])


def remove(subscription: Subscription) -> None:
    subscription.delete()


def want_less(subscription: Subscription) -> None:
    subscription.event_types = ["order.paid"]
    subscription.save()


def want_less_in_sql(_: Subscription) -> None:
    with connection.cursor() as cursor:
        cursor.execute("UPDATE webhookhub_subscription SET event_types = '{order.paid}'")


def remove_in_sql(_: Subscription) -> None:
    with connection.cursor() as cursor:
        cursor.execute("DELETE FROM webhookhub_secret")
        cursor.execute("DELETE FROM webhookhub_subscription")


def disable(subscription: Subscription) -> None:
    set_enabled(subscription, False)


@pytest.mark.parametrize(
    ("change", "count_afterwards"),
    [(add, 2), (remove, 0), (want_less, 0), (want_less_in_sql, 0), (remove_in_sql, 0), (disable, 0)],
)
def test_the_next_fan_out_in_the_same_process_sees_a_change_of_the_subscriptions(
    subscription: Subscription, change: Callable[[Subscription], None], count_afterwards: int
) -> None:
    account = subscription.account
    assert fan_out([emit("order.shipped", {}, account=account)]).deliveries == 1
    change(subscription)
    assert fan_out([emit("order.shipped", {}, account=account)]).deliveries == count_afterwards


def test_an_account_hears_of_events_only_while_its_plan_has_webhooks(subscription: Subscription) -> None:
    counts = []
    for has_webhooks in (True, False, True):
        Account.objects.update(has_webhooks=has_webhooks)
        counts.append(fan_out([emit("order.shipped", {}, account=subscription.account)]).deliveries)
    assert counts == [1, 0, 1]


def test_the_next_fan_out_sees_a_subscription_that_moved_to_another_account(subscription: Subscription) -> None:
    alice, bob = subscription.account, Account.objects.create(name="Bob's shop")
    for account in (alice, bob):
        fan_out([emit("order.shipped", {}, account=account)])
    Subscription.objects.update(account=bob)
    counts = [fan_out([emit("order.shipped", {}, account=account)]).deliveries for account in (alice, bob)]
    assert counts == [0, 1]


def test_the_next_fan_out_sees_that_a_profile_expires_earlier(subscription: Subscription) -> None:
    fan_out([emit("order.shipped", {}, account=subscription.account)])
    try:
        Profile.objects.filter(name="standard").update(expires_after_seconds=60)
        second = emit("order.shipped", {}, account=subscription.account)
        fan_out([second])
        delivery = Delivery.objects.get(event_id=second)
        assert delivery.expires_at - delivery.due_at == timedelta(seconds=60)
    finally:
        Profile.objects.filter(name="standard").update(expires_after_seconds=STANDARD.expires_after_seconds)
