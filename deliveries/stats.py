"""How does a webhook do? Its deliveries counted, and how its receiver answered, for the events of a window of time."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import chain, islice
from uuid import UUID

from deliveries.filters import STATUS_CODE_CLASSES
from deliveries.models import DeliveryAttempt, Status
from webhookhub.bounded_search import fetch, span_of
from webhookhub.ids import attempt_ids

# Attempts are looked up one by one: so many deliveries, and so many attempts of them, cost some 20 ms.
NEWEST_DELIVERIES = 1_000
MOST_ATTEMPTS = 5_000

_CLASSES = {hundreds: name for name, hundreds in STATUS_CODE_CLASSES.items()}


@dataclass(frozen=True, kw_only=True, slots=True)
class AttemptStats:
    """How a receiver answered."""

    total: int
    by_outcome: dict[str, int]
    """Those that there were."""
    by_status_code_class: dict[str, int]
    median_ms: float | None
    """Of attempts that have a duration; None where there is none."""
    p95_ms: float | None


@dataclass(frozen=True, kw_only=True, slots=True)
class WebhookStats:
    """What became of the deliveries of a webhook."""

    by_status: dict[Status, int]
    attempts: AttemptStats
    """Of the newest deliveries."""

    @property
    def success_rate(self) -> float | None:
        """The share that arrived, of the deliveries that did or failed; None before there is one."""
        delivered, failed = self.by_status[Status.DELIVERED], self.by_status[Status.FAILED]
        return delivered / (delivered + failed) if delivered + failed else None


def count_deliveries(subscription_id: UUID, *, since: datetime, until: datetime) -> WebhookStats:
    """Count the deliveries of the events that were recorded from `since` on and before `until`, and the newest attempts."""
    low, high = span_of(since, until, after=None, ascending=True)
    bounds = (subscription_id, low, high)
    ((counts, newest),) = fetch(_COUNT, [*bounds, *bounds, NEWEST_DELIVERIES])
    identifiers = islice(
        chain.from_iterable(attempt_ids(UUID(identifier), count) for identifier, count in newest), MOST_ATTEMPTS
    )
    return WebhookStats(
        by_status={status: counts.get(status.value, 0) for status in Status},
        attempts=summarise(_read_attempts(list(identifiers))),
    )


_Attempt = tuple[str, int | None, float | None]


def summarise(attempts: Sequence[_Attempt]) -> AttemptStats:
    """Count attempts: outcome, status code and duration (milliseconds) of each. Pure."""
    by_class = Counter(_CLASSES.get(code and code // 100) for _, code, _ in attempts)
    durations = sorted(duration for _, _, duration in attempts if duration is not None)
    return AttemptStats(
        total=len(attempts),
        by_outcome=dict(Counter(outcome for outcome, _, _ in attempts)),
        by_status_code_class={name: by_class[name] for name in STATUS_CODE_CLASSES},
        median_ms=_nearest_rank(durations, 0.5),
        p95_ms=_nearest_rank(durations, 0.95),
    )


def _nearest_rank(ordered: Sequence[float], share: float) -> float | None:
    """The lowest value that so large a share does not exceed."""
    return ordered[math.ceil(share * len(ordered)) - 1] if ordered else None


def _read_attempts(identifiers: Sequence[UUID]) -> list[_Attempt]:
    if not identifiers:
        return []
    found = DeliveryAttempt.objects.filter(id__in=identifiers, id__range=(min(identifiers), max(identifiers)))
    return list(found.values_list("outcome", "status_code", "total_ms"))


# The array hides from PostgreSQL that the primary key has the same order: it might read that one, past other webhooks' rows.
_COUNT = """
    SELECT (SELECT coalesce(json_object_agg(status, number), '{}')
              FROM (SELECT status, count(*) AS number
                      FROM webhookhub_delivery
                     WHERE subscription_id = %s AND id BETWEEN %s AND %s
                     GROUP BY status) AS counted),
           (SELECT coalesce(json_agg(json_build_array(id, attempt_count)), '[]')
              FROM (SELECT id, attempt_count
                      FROM webhookhub_delivery
                     WHERE subscription_id = ANY(ARRAY[%s]) AND id BETWEEN %s AND %s
                     ORDER BY subscription_id DESC, id DESC
                     LIMIT %s) AS newest)
"""
