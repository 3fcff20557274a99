"""move_expiry: how long what is outstanding is worth sending, as somebody says who was asked."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta
from uuid import UUID

import pytest

from deliveries.models import Status
from deliveries.move_expiry import move_expiry
from deliveries.sweep import sweep
from tests.integration.rows import change, claim_one, database_now, let_pass, read_delivery

HOUR = timedelta(hours=1)


def test_a_delivery_expires_when_it_was_said_to(pending: Sequence[UUID]) -> None:
    expires_at = database_now() + HOUR
    assert move_expiry(pending, expires_at=expires_at) == set(pending)
    assert read_delivery(pending[0]).expires_at == expires_at
    let_pass(HOUR.total_seconds() + 1)
    sweep()
    row = read_delivery(pending[0])
    assert (row.status, row.failure_reason) == (Status.FAILED, "expired")


def test_the_sweep_never_looks_at_it_later_than_that(pending: Sequence[UUID]) -> None:
    change(pending, wake_at=database_now() + 2 * HOUR)
    expires_at = database_now() + HOUR
    move_expiry(pending, expires_at=expires_at)
    assert read_delivery(pending[0]).wake_at == expires_at


def test_one_that_was_about_to_expire_lives_on(pending: Sequence[UUID]) -> None:
    change(pending, expires_at=database_now() + timedelta(minutes=1), due_at=database_now() + HOUR)
    move_expiry(pending, expires_at=database_now() + 2 * HOUR)
    let_pass(120)
    sweep()
    assert read_delivery(pending[0]).status == Status.PENDING


@pytest.mark.parametrize("status", [Status.DELIVERED, Status.FAILED, Status.CANCELLED])
def test_what_is_over_stays_as_it_is(pending: Sequence[UUID], status: Status) -> None:
    change(pending, status=status)
    before = read_delivery(pending[0]).expires_at
    assert move_expiry(pending, expires_at=database_now() + HOUR) == set()
    assert read_delivery(pending[0]).expires_at == before


def test_what_is_on_the_wire_is_not_lost_over_it(pending: Sequence[UUID]) -> None:
    one = claim_one(pending[0])
    move_expiry(pending, expires_at=database_now())
    sweep()
    row = read_delivery(pending[0])
    assert (row.status, row.claimed_at) == (Status.PENDING, one.claimed_at)
