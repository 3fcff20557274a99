"""What do `status` and `top` show? The hub as it is now, and how its last hour went."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from deliveries.figures.endpoints import EndpointFigures, Ranking, Window, find_worst
from deliveries.figures.history import Stretch, Unit, read_history
from deliveries.figures.overview import Overview, read_overview

MINUTES = 60
WORST = 5


@dataclass(frozen=True, kw_only=True, slots=True)
class Hour:
    """The last hour, of which the last minute is not over yet."""

    minutes: Sequence[Stretch]
    """The oldest first."""
    slowest: Sequence[EndpointFigures]
    most_failing: Sequence[EndpointFigures]

    @property
    def attempts(self) -> int:
        """How many there were."""
        return sum(minute.attempts for minute in self.minutes)

    @property
    def accepted(self) -> int:
        """Attempts whose answer was a success."""
        return sum(minute.accepted for minute in self.minutes)

    @property
    def delivered(self) -> int:
        """Deliveries that arrived."""
        return sum(minute.delivered for minute in self.minutes)

    @property
    def failed(self) -> int:
        """Deliveries that were given up, or expired."""
        return sum(minute.failed for minute in self.minutes)

    @property
    def mean_ms(self) -> float | None:
        """Of attempts that have a duration; None where there is none."""
        timed = sum(minute.timed for minute in self.minutes)
        return sum(minute.total_ms for minute in self.minutes) / timed if timed else None


@dataclass(frozen=True, kw_only=True, slots=True)
class Look:
    """All of it."""

    overview: Overview
    hour: Hour


def look() -> Look:
    """Some hundredths of a second of PostgreSQL and the broker. Raises DatabaseError where PostgreSQL is away."""
    return Look(
        overview=read_overview(),
        hour=Hour(
            minutes=read_history(Unit.MINUTE, MINUTES),
            slowest=find_worst(Ranking.SLOWEST, Window.HOUR, most=WORST),
            most_failing=find_worst(Ranking.MOST_FAILING, Window.HOUR, most=WORST),
        ),
    )
