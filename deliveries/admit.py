"""Which of the claimed deliveries may go out? The rest are given back, and no attempt is spent on them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence, Set
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import Enum
from functools import partial
from typing import Any
from uuid import UUID

from django.db import connection

from deliveries.claim import Claim
from deliveries.hold import HELD_LOOK_AGAIN_SECONDS
from deliveries.models import CIRCUIT_OPEN, TEST_TRIGGER
from deliveries.patience import patiently
from deliveries.tally import COUNT_FAILED
from subscriptions.endpoints import Endpoint, OpenCircuit
from webhookhub.ids import array_literal

# How long a delivery stays away that found its endpoint's share of this worker taken: a crowd that does not move costs a
# claim and this update per delivery and pause.
CROWDED_PAUSE = timedelta(seconds=10)
# Shown as the last outcome of such a delivery, and read by the sweep, which rings for it on the slow queue.
CROWDED = "crowded"
# A delivery whose access token is being fetched is rung when it is there. Where whoever fetches was lost, the sweep rings.
TOKEN_LOOK_AGAIN = timedelta(seconds=5)


Admitted = tuple[Claim, Endpoint]


class Refusal(Enum):
    """Why a claimed delivery does not go out, and what becomes of it."""

    DISABLED = "subscription disabled"  # or paused; held until it takes deliveries again, or expires
    DELETED = "subscription deleted"  # cancelled: there is nobody left to tell
    EXPUNGED = "payload expunged"  # failed: there is nothing left to tell
    CIRCUIT_OPEN = "circuit open"  # held until its endpoint answers again, or expires
    CROWDED = "endpoint crowded"  # pending again: its endpoint has all of its share on the wire
    TOKEN = "no access token yet"  # noqa: S105 - no password; pending again: its token is being fetched


@dataclass(frozen=True, kw_only=True, slots=True)
class Admission:
    """A batch of claims, sorted."""

    admitted: list[Admitted]
    refused: dict[Refusal, list[Claim]]


def admit(
    claims: Sequence[Claim], endpoints: Mapping[UUID, Endpoint], *, crowded: Set[UUID] = frozenset()
) -> Admission:
    """Sort the claims into those that may be sent and those that may not. Pure.

    `crowded` are the subscriptions whose share of this process is taken by requests that nothing answers.
    """
    admission = Admission(admitted=[], refused={})
    for claim in claims:
        endpoint = endpoints.get(claim.subscription_id)
        if claim.subscription_version is None or endpoint is None:
            admission.refused.setdefault(Refusal.DELETED, []).append(claim)
        elif not claim.fact.data:
            admission.refused.setdefault(Refusal.EXPUNGED, []).append(claim)
        elif not endpoint.enabled or not endpoint.live_secrets(claim.claimed_at):
            admission.refused.setdefault(Refusal.DISABLED, []).append(claim)
        elif endpoint.open_circuit is not None and not _may_pass(claim, endpoint.open_circuit):
            admission.refused.setdefault(Refusal.CIRCUIT_OPEN, []).append(claim)
        elif claim.subscription_id in crowded:
            admission.refused.setdefault(Refusal.CROWDED, []).append(claim)
        else:
            admission.admitted.append((claim, endpoint))
    return admission


def _may_pass(claim: Claim, circuit: OpenCircuit) -> bool:
    """Whether it is the probe, by its one attempt, or somebody's test, who waits for what the endpoint says now."""
    is_probe = (claim.delivery_id, claim.attempt_number) == (circuit.probe_id, circuit.probe_attempt)
    return is_probe or claim.trigger == TEST_TRIGGER


def give_back(claims: Sequence[Claim], refusal: Refusal) -> None:
    """Undo the claims: the attempt is not counted. One that was cancelled meanwhile stays cancelled."""
    patiently(partial(_give_back, claims, refusal))


def _give_back(claims: Sequence[Claim], refusal: Refusal) -> None:
    by_moment: dict[datetime, list[UUID]] = {}
    for claim in claims:
        by_moment.setdefault(claim.claimed_at, []).append(claim.delivery_id)
    with connection.cursor() as cursor:
        for claimed_at, identifiers in by_moment.items():
            parameters: dict[str, Any] = {
                "ids": array_literal(identifiers),
                "claimed_at": claimed_at,
                "crowded": CROWDED,
                "circuit_open": CIRCUIT_OPEN,
            }
            statement = _FAIL if refusal is Refusal.EXPUNGED else _GIVE_BACK
            cursor.execute(statement.format(changes=_CHANGES[refusal]), parameters)
            cursor.execute(_GIVE_BACK_CANCELLED, parameters)


_GIVE_BACK = """
    UPDATE webhookhub_delivery
       SET attempt_count = attempt_count - 1, claimed_at = NULL, {changes}
     WHERE id = ANY(%(ids)s::uuid[]) AND status = 'pending' AND claimed_at = %(claimed_at)s
"""
# The only one that ends without an attempt and without having been cancelled: it is counted.
_FAIL = f"""
    WITH failed AS ({_GIVE_BACK} RETURNING subscription_id, account_id)
    {COUNT_FAILED.format(failed="failed")}
"""
_GIVE_BACK_CANCELLED = """
    UPDATE webhookhub_delivery
       SET attempt_count = attempt_count - 1, claimed_at = NULL, wake_at = NULL
     WHERE id = ANY(%(ids)s::uuid[]) AND status = 'cancelled' AND claimed_at = %(claimed_at)s
"""
_HOLD = (
    f"status = 'held', due_at = now(), "
    f"wake_at = least(now() + interval '{HELD_LOOK_AGAIN_SECONDS} seconds', expires_at)"
)
_CHANGES = {
    Refusal.DISABLED: _HOLD,
    Refusal.CIRCUIT_OPEN: f"{_HOLD}, last_outcome = %(circuit_open)s",
    Refusal.DELETED: (
        "status = 'cancelled', failure_reason = 'subscription deleted', finished_at = now(), wake_at = NULL"
    ),
    Refusal.EXPUNGED: "status = 'failed', failure_reason = 'payload expunged', finished_at = now(), wake_at = NULL",
    Refusal.CROWDED: (
        f"due_at = now() + interval '{CROWDED_PAUSE.seconds} seconds', last_outcome = %(crowded)s, "
        f"wake_at = least(now() + interval '{CROWDED_PAUSE.seconds} seconds', expires_at)"
    ),
    Refusal.TOKEN: (
        f"due_at = now(), wake_at = least(now() + interval '{TOKEN_LOOK_AGAIN.seconds} seconds', expires_at)"
    ),
}
