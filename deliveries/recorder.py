"""Who records what lands after its task has gone on? A thread of the worker process, with a database connection of its own."""

from __future__ import annotations

import logging
import queue
import random
import threading
import time
from collections.abc import Iterable, Set
from uuid import UUID

from django.db import connection

from deliveries.engine import Landing
from deliveries.fan_out import DELIVER_TASK
from deliveries.line import leave_places
from deliveries.record import NearRetry, record_landings
from webhookhub import doorbell

logger = logging.getLogger("webhookhub.recorder")

FLUSH_SIZE = 100
# Stragglers are slow already: a moment more lets their neighbours share a statement.
FLUSH_SECONDS = 0.1
# Retries due within the same quarter of a second share one message.
COUNTDOWN_STEP_SECONDS = 0.25


class Recorder:
    """Takes landings from any thread and records them in groups."""

    def __init__(self) -> None:
        self._landings: queue.SimpleQueue[Landing | None] = queue.SimpleQueue()
        self._thread: threading.Thread | None = None
        self._rng = random.Random()

    def put(self, landing: Landing) -> None:
        """Record this soon."""
        # One that fell over something unforeseen loses what it had in hand to the leases; the next results get another.
        if self._thread is None or not self._thread.is_alive():
            self._thread = threading.Thread(target=self._run, name="recorder", daemon=True)
            self._thread.start()
        self._landings.put(landing)

    def close(self, timeout_seconds: float) -> None:
        """Record what was put before, for so long at most; the leases cover the rest."""
        if self._thread is not None:
            self._landings.put(None)
            self._thread.join(timeout_seconds)

    def _run(self) -> None:
        try:
            while group := self._next_group():
                slow = {one.flight.claim.delivery_id for one in group if one.flight.endpoint.is_slow}
                ring_for(record_landings(group, rng=self._rng), slow=slow)
                leave_places(landing.flight for landing in group)
        finally:
            connection.close()

    def _next_group(self) -> list[Landing]:
        """The next landing and those that come soon after it; empty at the end."""
        first = self._landings.get()
        if first is None:
            return []
        group = [first]
        flush_at = _flush_at(first)
        while len(group) < FLUSH_SIZE:
            try:
                landing = self._landings.get(timeout=max(flush_at - time.monotonic(), 0))
            except queue.Empty:
                break
            if landing is None:
                self._landings.put(None)
                break
            group.append(landing)
            flush_at = min(flush_at, _flush_at(landing))
        return group


def _flush_at(landing: Landing) -> float:
    # Where places on the wire are few, others wait for the one that this had.
    is_waited_for = landing.flight.endpoint.concurrency_limit is not None
    return time.monotonic() + (0 if is_waited_for else FLUSH_SECONDS)


def group_retries(retries: Iterable[NearRetry]) -> dict[float, list[NearRetry]]:
    """The retries by countdown, in steps that are never too early."""
    groups: dict[float, list[NearRetry]] = {}
    for retry in retries:
        steps = -(-retry.countdown_seconds // COUNTDOWN_STEP_SECONDS)
        groups.setdefault(steps * COUNTDOWN_STEP_SECONDS, []).append(retry)
    return groups


def ring_for(retries: Iterable[NearRetry], *, slow: Set[UUID] = frozenset()) -> None:
    """Ring for retries whose task is gone; `slow` are the deliveries of endpoints that have a queue of their own."""
    for countdown_seconds, group in group_retries(retries).items():
        identifiers = {retry.delivery_id for retry in group}
        for ids, ringing in ((identifiers - slow, doorbell.DELIVERIES), (identifiers & slow, doorbell.SLOW_DELIVERIES)):
            doorbell.ring(DELIVER_TASK, sorted(ids), queue=ringing, countdown_seconds=countdown_seconds)
