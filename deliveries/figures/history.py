"""What was recorded lately, of the whole hub or of one webhook? Minute by minute for two days, hour by hour for longer."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from enum import Enum
from uuid import UUID

from deliveries.figure_models import BOUNDS_SECONDS, WHOLE_HUB, HourFigures, MinuteFigures

_COUNTS = (
    *("attempts", "accepted", "declined", "unanswered", "lost", "delivered", "failed", "reused", "timed"),
    *("total_ms", "durations"),
)


class Unit(Enum):
    """How long a stretch of time is."""

    MINUTE = timedelta(minutes=1)
    HOUR = timedelta(hours=1)

    def start_of(self, moment: datetime) -> datetime:
        """When the stretch began that `moment` lies in."""
        seconds = self.value.total_seconds()
        return datetime.fromtimestamp(moment.timestamp() // seconds * seconds, tz=UTC)


MODELS: dict[Unit, type[MinuteFigures | HourFigures]] = {Unit.MINUTE: MinuteFigures, Unit.HOUR: HourFigures}


@dataclass(frozen=True, kw_only=True, slots=True)
class Stretch:
    """What was recorded in one minute or hour; the fields are those of `figure_models.Figures`."""

    starts_at: datetime
    attempts: int = 0
    accepted: int = 0
    declined: int = 0
    unanswered: int = 0
    lost: int = 0
    delivered: int = 0
    failed: int = 0
    reused: int = 0
    timed: int = 0
    total_ms: float = 0.0
    durations: Sequence[int] = ()

    @property
    def success_rate(self) -> float | None:
        """The share that arrived, of the deliveries that did or failed; None before there is one."""
        return self.delivered / (self.delivered + self.failed) if self.delivered + self.failed else None

    @property
    def mean_ms(self) -> float | None:
        """Of attempts that have a duration; None where there is none."""
        return self.total_ms / self.timed if self.timed else None


def read_history(
    unit: Unit, stretches: int, *, until: datetime | None = None, subscription_id: UUID = WHOLE_HUB
) -> list[Stretch]:
    """So many stretches in a row, the oldest first; the last one is that of `until` (now), and not over yet."""
    last = unit.start_of(until or datetime.now(UTC))
    first = last - (stretches - 1) * unit.value
    found = MODELS[unit].objects.filter(subscription_id=subscription_id, starts_at__range=(first, last))
    by_start = {row["starts_at"]: Stretch(**row) for row in found.values("starts_at", *_COUNTS)}
    starts = (first + number * unit.value for number in range(stretches))
    return [by_start.get(start, Stretch(starts_at=start)) for start in starts]


def find_quantile_ms(durations: Sequence[int], share: float) -> float | None:
    """The bound, in milliseconds, that so large a share of durations does not exceed; None where no bound is that high."""
    wanted = share * sum(durations)
    reached = 0
    for bound_seconds, count in zip(BOUNDS_SECONDS, durations, strict=False):
        reached += count
        if reached and reached >= wanted:
            return bound_seconds * 1000
    return None
