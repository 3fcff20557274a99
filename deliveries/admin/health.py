"""How does a webhook do? Its last day in figures, its last deliveries, and a word for it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

from deliveries.figures.history import Stretch, Unit, read_history
from deliveries.filters import DeliveryFilter
from deliveries.log import LoggedDelivery, read_deliveries, read_last_attempts
from deliveries.models import DeliveryAttempt
from deliveries.search import find_deliveries
from subscriptions.models import Subscription

HOURS = 24
RECENT = 10
# Of the hour before this one and this one.
LATELY_HOURS = 2


class Recent(NamedTuple):
    """One of the last deliveries."""

    delivery: LoggedDelivery
    attempt: DeliveryAttempt | None


@dataclass(frozen=True, kw_only=True, slots=True)
class Health:
    """Of one webhook."""

    word: str
    hours: list[Stretch]
    attempts: int
    success_rate: float | None
    """Of the deliveries that ended within the day; None where none did."""
    mean_ms: float | None
    recent: list[Recent]


def read_health(subscription: Subscription) -> Health:
    """As it is now."""
    hours = read_history(Unit.HOUR, HOURS, subscription_id=subscription.id)
    delivered, failed = sum(hour.delivered for hour in hours), sum(hour.failed for hour in hours)
    timed, total_ms = sum(hour.timed for hour in hours), sum(hour.total_ms for hour in hours)
    return Health(
        word=judge(hours),
        hours=hours,
        attempts=sum(hour.attempts for hour in hours),
        success_rate=delivered / (delivered + failed) if delivered + failed else None,
        mean_ms=total_ms / timed if timed else None,
        recent=_read_recent(subscription),
    )


def judge(hours: Sequence[Stretch]) -> str:
    """A word for how its receiver answered. Pure."""
    lately = hours[-LATELY_HOURS:]
    attempts, accepted = sum(hour.attempts for hour in lately), sum(hour.accepted for hour in lately)
    if not any(hour.attempts for hour in hours):
        return "quiet"
    if attempts and not accepted:
        return "not responding"
    return "well" if attempts == accepted else "troubled"


def _read_recent(subscription: Subscription) -> list[Recent]:
    wanted = DeliveryFilter(webhook=subscription.shown_id)
    found = find_deliveries(wanted, account_id=subscription.account_id, limit=RECENT, ascending=False)
    deliveries = read_deliveries(found.ids)
    attempts = read_last_attempts(deliveries)
    return [Recent(one, attempts.get(one.id)) for one in deliveries]
