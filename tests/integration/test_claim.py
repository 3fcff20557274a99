"""claim: who may attempt a delivery now, and that it is one alone."""

from __future__ import annotations

import re
import time
from datetime import timedelta
from threading import Barrier
from typing import Any

import pytest
from django.db import connection, transaction

from deliveries.claim import Claim, claim
from deliveries.models import Status
from subscriptions.models import Subscription
from tests.integration.plans import Explain
from tests.integration.rows import (
    change,
    claim_one,
    database_now,
    let_pass,
    lose_worker,
    make_pending,
    read_delivery,
    run_at_once,
)
from webhookhub.conf import hub_settings
from webhookhub.ids import new_id
from webhookhub.models import Event

LEASE = timedelta(seconds=hub_settings().lease_seconds)


def test_a_claim_counts_the_attempt_and_holds_the_delivery_until_the_lease_ends(subscription: Subscription) -> None:
    (delivery_id,) = make_pending(subscription)
    before = database_now()
    one = claim_one(delivery_id)
    row = read_delivery(delivery_id)
    assert (one.attempt_number, row.attempt_count, row.status) == (1, 1, Status.PENDING)
    assert before <= one.claimed_at <= database_now()
    assert (row.claimed_at, row.due_at) == (one.claimed_at, one.claimed_at + LEASE)


def test_a_claim_brings_the_event_and_the_version_of_the_subscription(subscription: Subscription) -> None:
    (delivery_id,) = make_pending(subscription)
    one = claim_one(delivery_id)
    event = Event.objects.get()
    subscription.refresh_from_db()
    assert (one.subscription_id, one.subscription_version) == (subscription.id, subscription.version)
    assert (one.fact.shown_id, one.fact.type, one.fact.data) == (event.shown_id, "order.shipped", '{"n":0}')
    assert one.fact.created_at == event.created_at


def test_a_claim_of_a_deleted_subscription_has_no_version(subscription: Subscription) -> None:
    (delivery_id,) = make_pending(subscription)
    subscription.delete()
    assert claim_one(delivery_id).subscription_version is None


@pytest.mark.parametrize(
    "columns",
    [
        {"status": Status.HELD},
        {"status": Status.DELIVERED},
        {"status": Status.FAILED},
        {"status": Status.CANCELLED},
    ],
)
def test_what_is_not_pending_is_not_claimed(subscription: Subscription, columns: dict[str, Any]) -> None:
    identifiers = make_pending(subscription)
    change(identifiers, **columns)
    assert claim(identifiers) == []
    assert read_delivery(identifiers[0]).attempt_count == 0


def test_what_is_not_due_is_not_claimed_until_it_is(subscription: Subscription) -> None:
    identifiers = make_pending(subscription)
    change(identifiers, due_at=database_now() + timedelta(seconds=60))
    assert claim(identifiers) == []
    let_pass(60)
    assert len(claim(identifiers)) == 1


def test_what_has_expired_is_not_claimed(subscription: Subscription) -> None:
    identifiers = make_pending(subscription)
    change(identifiers, expires_at=database_now())
    assert claim(identifiers) == []


def test_what_was_claimed_is_not_claimed_again_until_the_sweep_found_its_worker_lost(
    subscription: Subscription,
) -> None:
    identifiers = make_pending(subscription)
    (first,) = claim(identifiers)
    assert claim(identifiers) == []
    let_pass(LEASE.total_seconds())
    assert claim(identifiers) == []
    second = lose_worker(first)
    assert (second.attempt_number, second.claimed_at > first.claimed_at) == (2, True)


@pytest.mark.usefixtures("db")
def test_ids_that_nobody_has_are_passed_over() -> None:
    assert claim([]) == []
    assert claim([new_id()]) == []


def test_the_claimable_among_many_are_claimed_whatever_their_order(subscription: Subscription) -> None:
    identifiers = make_pending(subscription, 100)
    change(identifiers[:50], status=Status.DELIVERED)
    claimed = claim([*reversed(identifiers), identifiers[99], new_id()])
    assert {one.delivery_id for one in claimed} == set(identifiers[50:])


def test_deliveries_of_different_weeks_are_claimed_together(subscription: Subscription) -> None:
    identifiers = make_pending(subscription, 2)
    eight_days_ns = 8 * 86_400 * 10**9
    later = new_id(time.time_ns() + eight_days_ns)
    with connection.cursor() as cursor:
        cursor.execute(
            "UPDATE webhookhub_event SET id = %s WHERE id = (SELECT event_id FROM webhookhub_delivery WHERE id = %s)",
            [later, identifiers[1]],
        )
        cursor.execute(
            "UPDATE webhookhub_delivery SET event_id = %s, id = %s WHERE id = %s", [later, later, identifiers[1]]
        )
    assert {one.delivery_id for one in claim([identifiers[0], later])} == {identifiers[0], later}


def test_of_several_who_claim_at_once_each_delivery_goes_to_one(subscription: Subscription) -> None:
    identifiers = make_pending(subscription, 100)
    barrier = Barrier(4)

    def run() -> list[Claim]:
        barrier.wait()
        return claim(identifiers)

    claims = [one for claimed in run_at_once([run] * 4) for one in claimed]
    assert sorted(one.delivery_id for one in claims) == identifiers
    assert {one.attempt_number for one in claims} == {1}


def test_who_waited_for_another_s_claim_finds_it_taken(subscription: Subscription) -> None:
    identifiers = make_pending(subscription)
    barrier = Barrier(2)

    def claim_and_commit_late() -> list[Claim]:
        with transaction.atomic():
            claimed = claim(identifiers)
            barrier.wait()
            wait_until_somebody_waits_for_a_lock()
        return claimed

    def claim_meanwhile() -> list[Claim]:
        barrier.wait()
        return claim(identifiers)

    first, second = run_at_once([claim_and_commit_late, claim_meanwhile])
    assert (len(first), second) == (1, [])


def wait_until_somebody_waits_for_a_lock() -> None:
    with connection.cursor() as cursor:
        while True:
            cursor.execute("SELECT 1 FROM pg_locks WHERE NOT granted LIMIT 1")
            if cursor.fetchone() is not None:
                return
            cursor.execute("SELECT pg_sleep(0.005)")


def test_a_claim_tells_later_moments_on_the_database_s_clock(subscription: Subscription) -> None:
    one = claim_one(make_pending(subscription)[0])
    # Whatever this machine's clock says: half a second later is half a second later there.
    moment = one.moment(one.claimed_monotonic + 0.5)
    assert abs(moment - one.claimed_at - timedelta(seconds=0.5)) <= timedelta(microseconds=1)


def test_a_clock_of_this_process_that_is_wrong_claims_nothing_early(
    subscription: Subscription, monkeypatch: pytest.MonkeyPatch
) -> None:
    identifiers = make_pending(subscription)
    change(identifiers, due_at=database_now() + timedelta(seconds=60))
    monkeypatch.setattr("time.time", lambda: 4e9)
    monkeypatch.setattr("time.time_ns", lambda: 4 * 10**18)
    assert claim(identifiers) == []


def test_among_many_deliveries_a_claim_finds_its_own_by_their_ids(subscription: Subscription) -> None:
    identifiers = make_pending(subscription, 100)
    with connection.cursor() as cursor:
        # A table and statistics as they are where nearly everything was delivered.
        cursor.execute(
            """INSERT INTO webhookhub_delivery
                      (id, event_id, subscription_id, account_id, trigger, status, attempt_count, due_at, expires_at,
                       failure_reason, last_outcome)
               SELECT overlay(id::text PLACING to_char(number, 'FM000000000000') FROM 25)::uuid, event_id, subscription_id,
                      account_id, 'event', 'delivered', 1, due_at, expires_at, '', 'delivered'
                 FROM webhookhub_delivery, generate_series(1, 500) AS number"""
        )
        cursor.execute("ANALYZE webhookhub_delivery")
    with connection.execute_wrapper(explain := Explain()):
        assert len(claim(identifiers)) == 100
    (plan,) = explain.plans
    assert not re.search(r"Seq Scan on webhookhub_(delivery|event)_", plan)
    assert re.search(r"Index Cond: .*\bid = ANY \(", plan), "each delivery by its id"
    assert re.search(r"Index Cond: .*\bid = claimed.event_id\)", plan), "each event by its id"


def test_a_claim_is_one_statement_on_the_partitions_of_its_time(subscription: Subscription) -> None:
    identifiers = make_pending(subscription, 3)
    with connection.execute_wrapper(explain := Explain()):
        claim(identifiers)
    assert len(explain.plans) == 1
    for table in ("webhookhub_delivery", "webhookhub_event"):
        assert len(explain.partitions_of(table)) == 1
