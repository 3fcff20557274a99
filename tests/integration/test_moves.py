"""The table of allowed moves, walked in full: no public function makes a move that is not in it."""

from __future__ import annotations

import random
from collections.abc import Callable
from datetime import timedelta

import pytest

from deliveries.admit import Refusal, give_back
from deliveries.cancel import cancel
from deliveries.claim import Claim, claim
from deliveries.fan_out import fan_out
from deliveries.hold import release
from deliveries.models import ALLOWED_MOVES, Delivery, Status
from deliveries.record import record_landings
from deliveries.sweep import sweep
from deliveries.transport import Answer
from subscriptions.models import Subscription
from tests.integration.rows import answered, change, claim_one, database_now, land, make_pending, read_delivery
from webhookhub.models import Event

FINAL = (Status.DELIVERED, Status.FAILED, Status.CANCELLED)
Stage = Callable[[Claim], object]


def record(answer: Answer) -> Stage:
    return lambda one: record_landings([land(one, answer)], rng=random.Random())


def fan_out_again(one: Claim) -> None:
    Event.objects.update(wake_at=database_now())
    fan_out(list(Event.objects.values_list("id", flat=True)))


def claim_when_due(one: Claim) -> None:
    change([one.delivery_id], due_at=database_now())
    claim([one.delivery_id])


def sweep_when(**columns: timedelta | None) -> Stage:
    """Sweep with the row's moments set to so long from now; None: empty."""

    def run(one: Claim) -> None:
        now = database_now()
        moments = {name: None if shift is None else now + shift for name, shift in columns.items()}
        change([one.delivery_id], wake_at=now, **moments)
        sweep()

    return run


PAST, FUTURE = timedelta(seconds=-1), timedelta(hours=1)
STAGES: dict[str, Stage] = {
    "fan_out": fan_out_again,
    "claim": lambda one: claim([one.delivery_id]),
    "claim of what is due": claim_when_due,
    "record delivered": record(answered(200)),
    "record retry": record(answered(500)),
    "record failed": record(answered(410)),
    "give back disabled": lambda one: give_back([one], Refusal.DISABLED),
    "give back deleted": lambda one: give_back([one], Refusal.DELETED),
    "give back expunged": lambda one: give_back([one], Refusal.EXPUNGED),
    "give back crowded": lambda one: give_back([one], Refusal.CROWDED),
    "cancel": lambda one: cancel([one.delivery_id]),
    "release": lambda one: release(one.subscription_id),
    "sweep on the wire": sweep_when(due_at=FUTURE),
    "sweep lost": sweep_when(due_at=PAST),
    "sweep lost and expired": sweep_when(due_at=PAST, expires_at=PAST),
    "sweep due": sweep_when(due_at=PAST, claimed_at=None),
    "sweep later": sweep_when(due_at=FUTURE, claimed_at=None),
    "sweep expired": sweep_when(due_at=PAST, claimed_at=None, expires_at=PAST),
}


@pytest.mark.parametrize("is_claimed", [True, False], ids=["claimed", "unclaimed"])
@pytest.mark.parametrize("stage", STAGES)
@pytest.mark.parametrize("start", list(Status))
def test_no_stage_makes_a_move_that_is_not_allowed(
    start: Status, stage: str, is_claimed: bool, subscription: Subscription
) -> None:
    one = claim_one(make_pending(subscription)[0])
    change([one.delivery_id], status=start, **({} if is_claimed else {"claimed_at": None}))
    STAGES[stage](one)
    end = Status(read_delivery(one.delivery_id).status)
    assert end == start or end in ALLOWED_MOVES[start]


# By which stage each move is made; whatever stands in the table has one.
MOVES = [
    (Status.PENDING, Status.PENDING, "record retry"),
    (Status.PENDING, Status.HELD, "give back disabled"),
    (Status.PENDING, Status.DELIVERED, "record delivered"),
    (Status.PENDING, Status.FAILED, "record failed"),
    (Status.PENDING, Status.CANCELLED, "cancel"),
    (Status.HELD, Status.PENDING, "release"),
    (Status.HELD, Status.FAILED, "sweep expired"),
    (Status.HELD, Status.CANCELLED, "cancel"),
]


@pytest.mark.parametrize(("start", "end", "stage"), MOVES)
def test_every_move_that_is_allowed_is_made(start: Status, end: Status, stage: str, subscription: Subscription) -> None:
    one = claim_one(make_pending(subscription)[0])
    change([one.delivery_id], status=start)
    STAGES[stage](one)
    assert read_delivery(one.delivery_id).status == end


def test_every_move_of_the_table_is_proved_to_be_made() -> None:
    assert {(start, end) for start, ends in ALLOWED_MOVES.items() for end in ends} == {move[:2] for move in MOVES}


def test_what_is_final_is_never_left() -> None:
    assert [ALLOWED_MOVES[status] for status in FINAL] == [frozenset()] * 3


@pytest.mark.parametrize("final", FINAL)
@pytest.mark.parametrize("stage", STAGES)
def test_what_is_final_keeps_its_reason_and_its_moment(stage: str, final: Status, subscription: Subscription) -> None:
    one = claim_one(make_pending(subscription)[0])
    finished_at = database_now()
    change([one.delivery_id], status=final, finished_at=finished_at, failure_reason="as it was", claimed_at=None)
    STAGES[stage](one)
    row = Delivery.objects.get(id=one.delivery_id)
    assert (row.status, row.failure_reason, row.finished_at) == (final, "as it was", finished_at)
