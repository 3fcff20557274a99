"""When is an endpoint spared, when is it asked again, and how fast does it get what was held meanwhile? Pure: values in, a
change out; None: it stays as it is.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import Enum
from typing import NamedTuple, assert_never

# An endpoint that has just come back is sent so many of what it missed, then twice as many, as long as it accepts them.
FIRST_STEP = 8
# In a step of two seconds that is more than most endpoints take; it bounds the ids that are kept of a step.
LARGEST_STEP = 1000


@dataclass(frozen=True, kw_only=True, slots=True)
class Rules:
    """When a circuit opens, and when it is probed. `webhookhub.conf` explains the numbers."""

    window: timedelta
    failure_percent: int
    least_attempts: int
    """Fewer say nothing about a rate."""
    least_unaccepted: int
    """So many without one success say it all."""
    probe_wait: timedelta
    longest_probe_wait: timedelta
    slow_after: timedelta
    """What an attempt takes on average where an endpoint is slow."""


class Counted(NamedTuple):
    """What was recorded of an endpoint within the window."""

    attempts: int
    accepted: int


class Timed(NamedTuple):
    """How long an endpoint's attempts within the window took."""

    attempts: int
    total_ms: float


class Fate(Enum):
    """What became of a probe."""

    UNKNOWN = "unknown"  # it waits for a worker, or is on the wire
    ACCEPTED = "accepted"
    REFUSED = "refused"  # whatever came back, or nothing: it was no success
    VOID = "void"  # it was never attempted and will not be, or nobody knows whether it was: it says nothing


class Step(NamedTuple):
    """What became of the deliveries that were released last."""

    size: int
    """How many were to be released."""
    outstanding: int
    accepted: int
    refused: int


@dataclass(frozen=True, kw_only=True, slots=True)
class Open:
    """Nothing more is sent until a probe at that moment, or later where nothing is held by then."""

    reason: str
    openings: int
    """How often in a row, this one included."""
    probe_at: datetime


@dataclass(frozen=True, kw_only=True, slots=True)
class Recover:
    """What comes is sent again, and what was held in steps, beginning with this size."""

    step_size: int


Change = Open | Recover


def judge_traffic(counted: Counted, *, openings: int, now: datetime, rules: Rules) -> Open | None:
    """Whether what was recorded opens a circuit that is closed. `openings`: how often it opened lately."""
    reason = _objection(counted, rules)
    return None if reason is None else _open(reason, openings, now, rules)


def judge_speed(timed: Timed, *, was_slow: bool, rules: Rules) -> bool:
    """Whether an endpoint is slow. One that was has to be twice as fast to be so no more: none goes back and forth."""
    if not timed.attempts:
        return False
    mean = timedelta(milliseconds=timed.total_ms / timed.attempts)
    if was_slow:
        return mean >= rules.slow_after / 2
    return timed.attempts >= rules.least_unaccepted and mean >= rules.slow_after


def judge_probe(fate: Fate, *, reason: str, openings: int, now: datetime, rules: Rules) -> Change | None:
    """What follows from the probe of a circuit that opened for that reason."""
    match fate:
        case Fate.UNKNOWN:
            return None
        case Fate.ACCEPTED:
            return Recover(step_size=FIRST_STEP)
        case Fate.REFUSED:
            return _open(reason, openings, now, rules)
        case Fate.VOID:
            # The endpoint is not to blame: the next one goes at once.
            return Open(reason=reason, openings=openings, probe_at=now)
        case _:
            assert_never(fate)


def judge_step(step: Step, *, openings: int, now: datetime, rules: Rules) -> Change | None:
    """Whether the next step of a recovery follows, of which size, or the circuit opens again."""
    if step.refused and 100 * step.refused >= rules.failure_percent * (step.accepted + step.refused + step.outstanding):
        attempted = step.accepted + step.refused
        return _open(f"{step.refused} of {attempted} released deliveries were not accepted", openings, now, rules)
    if step.outstanding:
        return None
    # Where some were refused, it has as much as it can bear.
    return Recover(step_size=step.size if step.refused else min(2 * step.size, LARGEST_STEP))


def probe_wait(openings: int, rules: Rules) -> timedelta:
    """For how long an endpoint is left alone that was found failing so often in a row: twice as long each time, to a limit."""
    # A year's worth of doublings; more would only overflow.
    doublings = min(openings - 1, 25)
    return min(rules.probe_wait * (1 << doublings), max(rules.longest_probe_wait, rules.probe_wait))


def _objection(counted: Counted, rules: Rules) -> str | None:
    failed = counted.attempts - counted.accepted
    if counted.attempts >= rules.least_unaccepted and not counted.accepted:
        return f"none of {counted.attempts} attempts was accepted"
    if counted.attempts >= rules.least_attempts and 100 * failed >= rules.failure_percent * counted.attempts:
        return f"{failed} of {counted.attempts} attempts were not accepted"
    return None


def _open(reason: str, openings: int, now: datetime, rules: Rules) -> Open:
    return Open(reason=reason, openings=openings + 1, probe_at=now + probe_wait(openings + 1, rules))
