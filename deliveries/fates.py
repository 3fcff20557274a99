"""What became of the deliveries by which endpoints are tried: of probes, and of those that were released?"""

from __future__ import annotations

from collections.abc import Iterable
from uuid import UUID

from deliveries.admit import CROWDED
from deliveries.circuit import Fate
from deliveries.models import CONCURRENCY_LIMITED, RATE_LIMITED, Delivery, DeliveryAttempt, Status
from deliveries.outcome import OutcomeCode
from webhookhub.ids import attempt_id

# What a released delivery shows as its last outcome until it is attempted.
_UNATTEMPTED = ("", CROWDED, RATE_LIMITED, CONCURRENCY_LIMITED)


def read_fates(probes: Iterable[tuple[UUID, int]]) -> dict[UUID | None, Fate]:
    """What became of each of these attempts of deliveries. An attempt that is on record says it, whatever happened since."""
    attempts = {attempt_id(*probe): probe[0] for probe in probes}
    fates: dict[UUID | None, Fate] = {}
    if not attempts:
        return fates
    rows = Delivery.objects.filter(id__in=attempts.values()).values_list("id", "status", "claimed_at")
    for identifier, status, claimed_at in rows:
        is_outstanding = claimed_at is not None or status == Status.PENDING
        fates[identifier] = Fate.UNKNOWN if is_outstanding else Fate.VOID
    for identifier, outcome in DeliveryAttempt.objects.filter(id__in=attempts).values_list("id", "outcome"):
        fates[attempts[identifier]] = _FATES.get(outcome, Fate.REFUSED)
    return fates


_FATES = {OutcomeCode.DELIVERED.value: Fate.ACCEPTED, OutcomeCode.WORKER_LOST.value: Fate.VOID}


def read_step_fates(delivery_ids: Iterable[UUID]) -> dict[UUID, Fate]:
    """What became of these deliveries since they were released; those that are gone are left out."""
    rows = Delivery.objects.filter(id__in=list(delivery_ids))
    return {
        identifier: _step_fate(status, last_outcome, is_claimed=claimed_at is not None)
        for identifier, status, last_outcome, claimed_at in rows.values_list(
            "id", "status", "last_outcome", "claimed_at"
        )
    }


def _step_fate(status: str, last_outcome: str, *, is_claimed: bool) -> Fate:
    if status == Status.DELIVERED:
        return Fate.ACCEPTED
    if is_claimed:
        return Fate.UNKNOWN
    if last_outcome in _UNATTEMPTED:
        return Fate.UNKNOWN if status == Status.PENDING else Fate.VOID
    is_refused = status in (Status.PENDING, Status.FAILED) and last_outcome != OutcomeCode.WORKER_LOST
    return Fate.REFUSED if is_refused else Fate.VOID
