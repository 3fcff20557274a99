"""How are moments kept to a rate, and many durations told by few?"""

from __future__ import annotations

import time
from collections.abc import Sequence
from statistics import quantiles


class Metronome:
    """Called before each of many things, it holds them to a rate; what is late is not waited for."""

    def __init__(self, per_second: float) -> None:
        self._interval_seconds = 1 / per_second
        self._next_at: float | None = None

    def __call__(self) -> None:
        now = time.monotonic()
        next_at = now if self._next_at is None else self._next_at
        time.sleep(max(0.0, next_at - now))
        self._next_at = next_at + self._interval_seconds


def percentile(values: Sequence[float], percent: int) -> float:
    """The value that `percent` of the values do not exceed, between two of them where it falls there."""
    return quantiles(values, n=100, method="inclusive")[percent - 1] if len(values) > 1 else values[0]
