"""How is the demo told? One line for each attempt, aligned, and coloured on a terminal."""

from __future__ import annotations

import os
import sys
from collections.abc import Collection
from datetime import datetime

from deliveries.models import DeliveryAttempt, Status
from deliveries.outcome import OutcomeCode
from scripts.local.console import Progress, say
from scripts.local.demo.follow import Expected, Standing, describe_verification

GREEN, YELLOW, RED, FAINT = "32", "33", "31", "2"
CLEAR_LINE = "\r\x1b[K"


class Report:
    """Prints what it has not printed yet."""

    def __init__(self, expected: Collection[Expected]) -> None:
        self._type_width = max((len(one.event_type) for one in expected), default=0)
        self._url_width = max((len(one.url) for one in expected), default=0)
        self._waiting = Progress("Waiting for deliveries")
        self._printed: dict[Expected, int] = {}
        self._is_terminal = sys.stdout.isatty() and os.environ.get("TERM") != "dumb"
        # https://no-color.org
        self._has_colours = self._is_terminal and not os.environ.get("NO_COLOR")

    def print_new_attempts(self, standing: Standing, *, now: datetime) -> None:
        """A line for each attempt that was made since the last call."""
        for attempt in standing.attempts[self._printed.get(standing.expected, 0) :]:
            self._say(self._attempt_line(standing, attempt, now=now))
        self._printed[standing.expected] = len(standing.attempts)

    def print_problems(self, standings: Collection[Standing]) -> None:
        """A paragraph with a line about each that did not arrive as it should."""
        if standings:
            self._say("")
        for standing in standings:
            self._say(f"{self._colour(RED, '✗')} {self._route(standing.expected)}  {standing.problem}")

    def print_end(self, text: str, *, is_good: bool) -> None:
        self._say("")
        self._say(self._colour(GREEN if is_good else RED, text))

    def show_waiting(self, open_count: int) -> None:
        """Show that it goes on, in a line that is written over by whatever comes next."""
        self._waiting.show(f"{open_count} under way")

    def _attempt_line(self, standing: Standing, attempt: DeliveryAttempt, *, now: datetime) -> str:
        verification = describe_verification(standing.arrivals, attempt.number)
        result = str(attempt.status_code) if attempt.status_code else attempt.outcome
        total = f"{attempt.total_ms:4.0f} ms" if attempt.total_ms is not None else "       "
        line = f"{self._route(standing.expected)}  attempt {attempt.number}  {result}  {total}"
        is_last = attempt is standing.attempts[-1]
        if attempt.outcome == OutcomeCode.DELIVERED:
            return f"{self._colour(GREEN, '✓')} {line}  {verification or attempt.error}"
        if is_last and standing.delivery is not None and standing.delivery.status == Status.FAILED:
            return f"{self._colour(RED, '✗')} {line}  given up ({standing.delivery.failure_reason})"
        waiting = _next_moment(standing.waits_until, now) if is_last else ""
        return f"{self._colour(YELLOW, '↻')} {line}  {verification or attempt.error}{waiting}"

    def _route(self, expected: Expected) -> str:
        arrow = self._colour(FAINT, "→")
        return f"{expected.event_type:{self._type_width}} {arrow} {expected.url:{self._url_width}}"

    def _colour(self, code: str, text: str) -> str:
        return f"\x1b[{code}m{text}\x1b[0m" if self._has_colours else text

    def _say(self, line: str) -> None:
        say(f"{CLEAR_LINE}{line}" if self._is_terminal else line)


def _next_moment(moment: datetime | None, now: datetime) -> str:
    if moment is None:
        return ""
    wait_seconds = max((moment - now).total_seconds(), 0)
    return f", next attempt at {moment.astimezone():%H:%M:%S} (in {wait_seconds:.1f} s)"
