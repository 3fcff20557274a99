"""retry_now: what waits is attempted at once, whoever asks, and whatever cannot be is refused with the reason."""

from __future__ import annotations

import random
from threading import Barrier
from uuid import UUID

import pytest
from pytest_django import DjangoAssertNumQueries

from deliveries.cancel import cancel
from deliveries.claim import claim
from deliveries.models import Status
from deliveries.objections import Objection
from deliveries.record import record_landings
from deliveries.retry_now import retry_now
from subscriptions.models import Subscription
from subscriptions.subscribe import pause, set_enabled
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
from webhookhub.ids import new_id


@pytest.fixture
def waiting(pending: list[UUID], listen: Listen) -> list[UUID]:
    """One delivery that failed once and waits an hour for its retry."""
    settle(pending, 500)
    listen("deliveries")
    return pending


def settle(identifiers: list[UUID], status_code: int) -> None:
    landings = [land(one, answered(status_code), intervals_seconds=(3_600, 3_600)) for one in claim(identifiers)]
    record_landings(landings, rng=random.Random())


def test_what_waits_for_its_retry_is_due_now_and_rung_for(waiting: list[UUID], listen: Listen) -> None:
    assert claim(waiting) == []
    retried = retry_now(waiting)
    assert (retried.due, retried.refused) == (waiting, {})
    assert [message.ids for message in listen("deliveries")] == [waiting]
    assert claim_one(waiting[0]).attempt_number == 2


def test_if_its_ring_is_lost_the_sweep_looks_soon(waiting: list[UUID]) -> None:
    retry_now(waiting)
    wake_at = read_delivery(waiting[0]).wake_at
    assert wake_at is not None
    assert (wake_at - database_now()).total_seconds() <= hub_settings().look_again_seconds


def test_the_schedule_goes_on_from_there(waiting: list[UUID]) -> None:
    retry_now(waiting)
    settle(waiting, 500)
    row = read_delivery(waiting[0])
    assert (row.status, row.attempt_count) == (Status.PENDING, 2)
    assert (row.due_at - database_now()).total_seconds() > 3_000


def test_two_who_ask_at_once_make_one_attempt(waiting: list[UUID], listen: Listen) -> None:
    barrier = Barrier(2)

    def ask() -> None:
        barrier.wait()
        assert retry_now(waiting).due == waiting

    run_at_once([ask] * 2)
    messages = listen("deliveries")
    assert len(messages) == 2
    for message in messages:
        settle(message.ids, 500)
    assert len(read_attempts(waiting[0])) == 2


def test_what_is_due_already_is_rung_for_once_more(pending: list[UUID], listen: Listen) -> None:
    due_at = read_delivery(pending[0]).due_at
    assert retry_now(pending).due == pending
    assert [message.ids for message in listen("deliveries")] == [pending]
    assert read_delivery(pending[0]).due_at == due_at


def test_what_is_on_the_wire_is_left_alone(pending: list[UUID], listen: Listen) -> None:
    one = claim_one(pending[0])
    before = read_delivery(pending[0])
    assert retry_now(pending).refused == {pending[0]: Objection.ON_THE_WIRE}
    assert read_delivery(pending[0]).due_at == before.due_at
    assert listen("deliveries") == []
    record_landings([land(one, answered())], rng=random.Random())
    assert read_delivery(pending[0]).status == Status.DELIVERED


@pytest.mark.parametrize("status_code", [200, 410])
def test_what_is_over_is_refused(pending: list[UUID], listen: Listen, status_code: int) -> None:
    settle(pending, status_code)
    listen("deliveries")
    assert retry_now(pending).refused == {pending[0]: Objection.FINAL}
    assert (claim(pending), listen("deliveries")) == ([], [])


def test_what_was_cancelled_is_refused(waiting: list[UUID]) -> None:
    cancel(waiting)
    assert retry_now(waiting).refused == {waiting[0]: Objection.FINAL}


def test_a_paused_webhook_is_sent_nothing(waiting: list[UUID], subscription: Subscription) -> None:
    pause(subscription)
    assert retry_now(waiting).refused == {waiting[0]: Objection.WEBHOOK_PAUSED}
    change(waiting, status=Status.HELD)
    assert retry_now(waiting).refused == {waiting[0]: Objection.WEBHOOK_PAUSED}


def test_a_disabled_webhook_is_sent_nothing(waiting: list[UUID], subscription: Subscription, listen: Listen) -> None:
    set_enabled(subscription, False)
    assert retry_now(waiting).refused == {waiting[0]: Objection.WEBHOOK_DISABLED}
    change(waiting, status=Status.HELD)
    assert retry_now(waiting).refused == {waiting[0]: Objection.WEBHOOK_DISABLED}
    assert listen("deliveries") == []


def test_what_is_held_goes_when_its_webhook_takes_it(waiting: list[UUID]) -> None:
    change(waiting, status=Status.HELD)
    assert retry_now(waiting).refused == {waiting[0]: Objection.HELD}
    assert read_delivery(waiting[0]).status == Status.HELD


def test_a_deleted_webhook_is_nobody_to_tell(waiting: list[UUID], subscription: Subscription) -> None:
    subscription.delete()
    assert retry_now(waiting).refused == {waiting[0]: Objection.WEBHOOK_DELETED}


def test_what_has_expired_is_refused_though_no_sweep_found_it_yet(waiting: list[UUID]) -> None:
    let_pass(8 * 86_400)
    assert retry_now(waiting).refused == {waiting[0]: Objection.EXPIRED}


def test_each_of_several_stands_in_the_answer(subscription: Subscription, listen: Listen) -> None:
    waits, is_over = make_pending(subscription, 2)
    settle([waits], 500)
    settle([is_over], 200)
    unknown = new_id()
    retried = retry_now([unknown, is_over, waits])
    assert retried.due == [waits]
    assert retried.refused == {unknown: Objection.NOT_FOUND, is_over: Objection.FINAL}


@pytest.mark.usefixtures("db")
def test_nothing_is_asked_of_the_database_where_nothing_is_asked_for(
    django_assert_num_queries: DjangoAssertNumQueries,
) -> None:
    with django_assert_num_queries(0):
        retried = retry_now([])
    assert (retried.due, retried.refused) == ([], {})
