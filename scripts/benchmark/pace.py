"""How fast may publishers be? As fast as their events are delivered: who has much waiting waits before the next request."""

from __future__ import annotations

import threading
import time
from pathlib import Path
from types import TracebackType
from typing import Self

from django.db import connection

POLL_SECONDS = 0.1
# So many events may be accepted and not on record: what is in all hands while every stage is busy. For each so many more a
# connection waits a millisecond.
FREE_EVENTS = 400
EVENTS_A_MILLISECOND = 25
MOST_COUNTED = 5000


class Pace:
    """Says in `file` how many milliseconds a connection waits, in a `with` block; without it, what comes in is more than
    what goes out, and the longer one measures the slower it is.
    """

    def __init__(self, folder: Path) -> None:
        self.file = folder / "pause"
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._run, name="pace", daemon=True)
        self._samples: list[tuple[float, int]] = []

    def __enter__(self) -> Self:
        self._set(0)
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._ended.set()
        self._thread.join()

    def growth_per_second(self) -> float:
        """By how much the backlog grew, from the first to the second half of the time, on average."""
        if len(self._samples) < 2:
            return 0.0
        half = len(self._samples) // 2
        (early_at, early), (late_at, late) = _mean(self._samples[:half]), _mean(self._samples[half:])
        return (late - early) / (late_at - early_at)

    def _run(self) -> None:
        try:
            while not self._ended.wait(POLL_SECONDS):
                backlog = count_backlog()
                self._samples.append((time.monotonic(), backlog))
                self._set(max(0, backlog - FREE_EVENTS) // EVENTS_A_MILLISECOND)
        finally:
            connection.close()

    def _set(self, milliseconds: int) -> None:
        # In one step: nobody reads half a number.
        written = self.file.with_suffix(".new")
        written.write_text(f"{milliseconds}\n")
        written.replace(self.file)


def count_backlog() -> int:
    """Events that were accepted, and whose delivery is not on record; counted no further than MOST_COUNTED of each."""
    return sum(_count_waiting(table) for table in ("webhookhub_event", "webhookhub_delivery"))


def _count_waiting(table: str) -> int:
    with connection.cursor() as cursor:
        # The order makes it read the partial index, in which entries of finished rows are marked dead as they are met.
        cursor.execute(
            f"SELECT count(*) FROM (SELECT FROM {table} WHERE wake_at IS NOT NULL ORDER BY wake_at LIMIT %s) AS waiting",  # noqa: S608 - one of the names above
            [MOST_COUNTED],
        )
        return int(cursor.fetchone()[0])


def _mean(samples: list[tuple[float, int]]) -> tuple[float, float]:
    moments, backlogs = zip(*samples, strict=True)
    return sum(moments) / len(moments), sum(backlogs) / len(backlogs)
