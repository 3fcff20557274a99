"""Who waits for a moment? What a rate limit lets go goes at its own moment; one thread per worker process sees to that.

Nobody's task waits meanwhile. What missed its moment is given back: sent late, it would be one too many in another second.
"""

from __future__ import annotations

import heapq
import logging
import threading
import time
from collections.abc import Sequence
from functools import partial
from itertools import count
from typing import NamedTuple
from uuid import UUID

from django.db import connection

from deliveries.cancel import find_cancelled
from deliveries.engine import Engine, Flight
from deliveries.limits import Moment
from deliveries.line import call_next, rejoin
from deliveries.patience import patiently
from deliveries.recorder import Recorder

logger = logging.getLogger("webhookhub.pacer")

# How often it looks who was cancelled, and calls who is next in line.
SETTLE_SECONDS = 0.1
# Moments nearer to each other than this are one: a thousand a second need not wake it a thousand times.
TICK_SECONDS = 0.005


class _Held(NamedTuple):
    """A flight that waits for its moment, in the order of the moments."""

    moment: Moment
    serial: int
    flight: Flight


class Pacer:
    """Keeps flights until their moments come; what comes of them goes to the recorder."""

    def __init__(self, engine: Engine, recorder: Recorder, *, endpoint_waiting: int) -> None:
        self._engine = engine
        self._recorder = recorder
        self._endpoint_waiting = endpoint_waiting
        self._changed = threading.Condition()
        self._held: list[_Held] = []
        self._serials = count()
        self._thread: threading.Thread | None = None
        self._is_closed = False
        # What the next settling is about.
        self._settle_at = 0.0
        self._missed: list[Flight] = []
        self._begun: set[UUID] = set()

    def room(self, subscription_id: UUID) -> int:
        """How many more flights to this subscription can be kept here."""
        with self._changed:
            kept = sum(held.flight.claim.subscription_id == subscription_id for held in self._held)
        return max(self._endpoint_waiting - kept, 0)

    def put(self, flights: Sequence[tuple[Flight, Moment]]) -> None:
        """Send each of them at its moment."""
        with self._changed:
            for flight, moment in flights:
                heapq.heappush(self._held, _Held(moment, next(self._serials), flight))
            if self._held and (self._thread is None or not self._thread.is_alive()):
                self._thread = threading.Thread(target=self._run, name="pacer", daemon=True)
                self._thread.start()
            self._changed.notify()

    def close(self, timeout_seconds: float) -> list[Flight]:
        """Send nothing more, and wait that long for what is being given back. Returns the flights that never started."""
        with self._changed:
            self._is_closed = True
            self._changed.notify()
        if self._thread is not None:
            self._thread.join(timeout_seconds)
        return [held.flight for held in self._held] + self._missed

    def _run(self) -> None:
        try:
            while self._wait():
                self._begin_due()
                if time.monotonic() >= self._settle_at:
                    self._settle()
        finally:
            connection.close()

    def _wait(self) -> bool:
        """Wait until there is something to do. Returns False at the end."""
        with self._changed:
            while not self._is_closed:
                rest_seconds = self._rest_seconds()
                if rest_seconds is not None and rest_seconds <= 0:
                    break
                self._changed.wait(rest_seconds if rest_seconds is None else max(rest_seconds, TICK_SECONDS))
            return not self._is_closed

    def _rest_seconds(self) -> float | None:
        """Called with the lock held. None: there is nothing to come."""
        moments = [self._held[0].moment.begin] if self._held else []
        if self._held or self._missed or self._begun:
            moments.append(self._settle_at)
        return min(moments) - time.monotonic() if moments else None

    def _begin_due(self) -> None:
        for moment, _, flight in self._take_due():
            if time.monotonic() <= moment.end and self._engine.send(flight, self._recorder.put, may_wait=False):
                self._begun.add(flight.claim.subscription_id)
            else:
                self._missed.append(flight)

    def _take_due(self) -> list[_Held]:
        due = []
        now = time.monotonic()
        with self._changed:
            while self._held and self._held[0].moment.begin <= now:
                due.append(heapq.heappop(self._held))
        return due

    def _settle(self) -> None:
        """Give back what missed its moment or was cancelled, and call who is next in line."""
        missed, self._missed = self._missed + self._withdraw_cancelled(), []
        if missed:
            logger.info("moments missed", extra={"deliveries": len(missed)})
            rejoin(missed)
        begun, self._begun = self._begun, set()
        call_next(begun)
        self._settle_at = time.monotonic() + SETTLE_SECONDS

    def _withdraw_cancelled(self) -> list[Flight]:
        with self._changed:
            identifiers = {held.flight.claim.delivery_id for held in self._held}
        if not identifiers:
            return []
        cancelled = patiently(partial(find_cancelled, identifiers))
        with self._changed:
            withdrawn = [held.flight for held in self._held if held.flight.claim.delivery_id in cancelled]
            if withdrawn:
                self._held = [held for held in self._held if held.flight.claim.delivery_id not in cancelled]
                heapq.heapify(self._held)
        return withdrawn
