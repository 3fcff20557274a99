"""What is a scenario? A question, a size, and a function that runs it and returns figures."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from scripts.benchmark.errors import TookTooLong

# Every scenario ends within two minutes; this leaves time to stop what it started.
DEADLINE_SECONDS = 110.0
MICROSECONDS = 1e6
MILLISECONDS = 1e3

Figure = float | int | str | None
Figures = dict[str, Figure]
"""Values by name. The name says the unit; None where this machine cannot tell."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Bench:
    """What every scenario has at hand."""

    folder: Path
    """For logs and configuration files; removed at the end."""
    processes: int
    """Processes of each worker."""
    endpoints: int
    """Receivers that deliveries are spread over."""
    ends_at: float
    """When the scenario must have ended (`time.monotonic`)."""

    def check_deadline(self, doing: str) -> None:
        """Raises TookTooLong once the scenario's time is over."""
        if time.monotonic() > self.ends_at:
            raise TookTooLong(f"{doing} did not come to its end: a scenario has {DEADLINE_SECONDS:.0f} seconds.")


@dataclass(frozen=True, kw_only=True, slots=True)
class Scenario:
    """One thing to measure."""

    summary: str
    """Comes behind the size: what is counted by it, and what is done."""
    default_size: int
    run: Callable[[Bench, int], Figures]
