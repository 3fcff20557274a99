"""Where do published events go? To the app above, which knows who wants them: `deliveries.inline_fan_out`, set when Django starts."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple, Protocol
from uuid import UUID

from webhookhub.event_rows import EventRow


@dataclass(frozen=True, kw_only=True, slots=True)
class Inserted:
    """What one statement inserted."""

    events: int
    """How many of the events have an account; the others were not inserted."""
    deliveries: Mapping[UUID, Sequence[UUID]]
    """The ids of the deliveries of each event that was fanned out with it. The other events wait for `fan_out`."""


class Unrung(NamedTuple):
    """What is committed, and nobody was rung for."""

    events: Sequence[UUID] = ()
    """Those that wait for `fan_out`."""
    deliveries: Sequence[UUID] = ()

    @classmethod
    def join(cls, parts: Sequence[Unrung]) -> Unrung:
        """All of them in one."""
        return cls([one for part in parts for one in part.events], [one for part in parts for one in part.deliveries])


class Sink(Protocol):
    """Records events, and wakes whoever goes on with them."""

    def insert(self, rows: Sequence[tuple[UUID, EventRow]]) -> Inserted:
        """Insert these events, each beside its account's id, in the caller's transaction; run twice, nothing twice."""

    def ring(self, unrung: Unrung) -> None:
        """Called once they are committed."""


_sinks: list[Sink] = []


def use_sink(sink: Sink) -> None:
    """Have this process's published events go there."""
    _sinks[:] = [sink]


def current_sink() -> Sink:
    """Where this process's published events go."""
    return _sinks[0]
