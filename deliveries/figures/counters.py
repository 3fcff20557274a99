"""How much has there been since the hub began? Counters that never fall, whatever of it is still stored."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from deliveries.figure_models import BOUNDS_SECONDS, Counter
from deliveries.models import Status
from deliveries.outcome import OutcomeCode


@dataclass(frozen=True, kw_only=True, slots=True)
class Histogram:
    """How many values fell into each bucket, of `figure_models.BOUNDS_SECONDS` and above, and all of them together."""

    counts: Sequence[int]
    sum_seconds: float


@dataclass(frozen=True, kw_only=True, slots=True)
class Counters:
    """Everything that `tally` has added up."""

    attempts: Mapping[OutcomeCode, int]
    ended: Mapping[Status, int]
    """Deliveries that arrived, and those that failed."""
    connections_reused: int
    durations: Histogram
    """Of attempts."""
    latencies: Histogram
    """From an event's record to its first attempts."""


def read_counters() -> Counters:
    """As they are now; what was counted in the last seconds is yet to come."""
    values: dict[tuple[str, str], float] = {
        (name, label): value for name, label, value in Counter.objects.values_list("name", "label", "value")
    }
    return Counters(
        attempts={code: int(values.get(("attempts", code.value), 0)) for code in OutcomeCode},
        ended={
            status: int(values.get(("deliveries", status.value), 0)) for status in (Status.DELIVERED, Status.FAILED)
        },
        connections_reused=int(values.get(("reused", ""), 0)),
        durations=_histogram(values, "duration"),
        latencies=_histogram(values, "latency"),
    )


def _histogram(values: Mapping[tuple[str, str], float], name: str) -> Histogram:
    return Histogram(
        counts=[int(values.get((name, str(bucket)), 0)) for bucket in range(len(BOUNDS_SECONDS) + 1)],
        sum_seconds=values.get((f"{name} sum", ""), 0.0),
    )
