"""Who is on the wire? One engine per worker process owns every connection, and keeps each endpoint to its share."""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Callable, Iterable, Set
from dataclasses import dataclass, field
from functools import partial
from typing import NamedTuple
from uuid import UUID

from deliveries.claim import Claim
from deliveries.transport import Answer, Request, Result, Transport
from subscriptions.endpoints import Endpoint


class Flight(NamedTuple):
    """One claimed delivery with its request."""

    claim: Claim
    endpoint: Endpoint
    request: Request


class Landing(NamedTuple):
    """What came of a flight."""

    flight: Flight
    started_monotonic: float
    result: Result


# An endpoint that has answered nothing for so long is not waited for: most answer within a tenth of it.
SILENCE_SECONDS = 0.25


@dataclass(slots=True)
class _Lane:
    """One endpoint's share of the engine."""

    on_wire: int = 0
    waiting: deque[tuple[Flight, Callable[[Landing], None]]] = field(default_factory=deque)
    heard_at: float = field(default_factory=time.monotonic)
    """When it last answered, or was first sent to."""

    @property
    def is_silent(self) -> bool:
        return time.monotonic() - self.heard_at > SILENCE_SECONDS


class Engine:
    """Sends flights through a transport: so many at once to one endpoint, so many waiting, no more."""

    def __init__(self, transport: Transport, *, endpoint_concurrency: int, endpoint_waiting: int) -> None:
        self._transport = transport
        self._endpoint_concurrency = endpoint_concurrency
        self._endpoint_waiting = endpoint_waiting
        self._lock = threading.Lock()
        self._lanes: dict[UUID, _Lane] = {}
        self._on_wire = 0

    def send(self, flight: Flight, landed: Callable[[Landing], None], *, may_wait: bool = True) -> bool:
        """Start the flight, or let it wait its turn; `landed` is called once, from the engine's thread.

        False where the endpoint's share is taken, or none of it moves, or it would have to wait and may not: then nothing
        happens, and `landed` is never called.
        """
        with self._lock:
            lane = self._lanes.get(flight.claim.subscription_id)
            if lane is None:
                lane = self._lanes[flight.claim.subscription_id] = _Lane()
            if lane.on_wire >= self._endpoint_concurrency:
                if not may_wait or len(lane.waiting) >= self._endpoint_waiting or lane.is_silent:
                    return False
                lane.waiting.append((flight, landed))
                return True
            lane.on_wire += 1
            self._on_wire += 1
        self._start(flight, landed)
        return True

    def crowded(self) -> set[UUID]:
        """The subscriptions that take nothing more: all of their places are taken, and nothing moves."""
        with self._lock:
            return {
                identifier
                for identifier, lane in self._lanes.items()
                if lane.on_wire >= self._endpoint_concurrency and lane.is_silent
            }

    def all_silent(self, subscription_ids: Iterable[UUID]) -> bool:
        """Whether none of these endpoints has answered anything for SILENCE_SECONDS while it had requests."""
        with self._lock:
            lanes = [self._lanes.get(identifier) for identifier in subscription_ids]
        return all(lane is not None and lane.is_silent for lane in lanes)

    def waiting(self, delivery_ids: Set[UUID]) -> set[UUID]:
        """Those of the deliveries that wait for their turn."""
        with self._lock:
            waiting = {flight.claim.delivery_id for lane in self._lanes.values() for flight, _ in lane.waiting}
        return waiting & delivery_ids

    def withdraw(self, delivery_ids: Set[UUID]) -> list[Flight]:
        """Take back those of the deliveries that still wait for their turn; they will not be sent."""
        withdrawn: list[Flight] = []
        with self._lock:
            for lane in self._lanes.values():
                if lane.waiting:
                    withdrawn += [flight for flight, _ in lane.waiting if flight.claim.delivery_id in delivery_ids]
                    staying = (entry for entry in lane.waiting if entry[0].claim.delivery_id not in delivery_ids)
                    lane.waiting = deque(staying)
        return withdrawn

    @property
    def on_wire(self) -> int:
        """Requests on the wire now."""
        return self._on_wire

    def close(self, timeout_seconds: float) -> list[Flight]:
        """Send nothing more, and wait that long for what is on the wire. Returns the flights that never started."""
        with self._lock:
            unsent = [flight for lane in self._lanes.values() for flight, _ in lane.waiting]
            for lane in self._lanes.values():
                lane.waiting.clear()
        self._transport.close(timeout_seconds)
        return unsent

    def _start(self, flight: Flight, landed: Callable[[Landing], None]) -> None:
        self._transport.start(flight.request, partial(self._land, flight, landed, time.monotonic()))

    def _land(
        self, flight: Flight, landed: Callable[[Landing], None], started_monotonic: float, result: Result
    ) -> None:
        following = self._next_in_lane(flight.claim.subscription_id, has_answered=isinstance(result, Answer))
        if following is not None:
            self._start(*following)
        landed(Landing(flight=flight, started_monotonic=started_monotonic, result=result))

    def _next_in_lane(
        self, subscription_id: UUID, *, has_answered: bool
    ) -> tuple[Flight, Callable[[Landing], None]] | None:
        """Free a place on the endpoint's lane, or hand it to the next that waits."""
        with self._lock:
            lane = self._lanes[subscription_id]
            if has_answered:
                lane.heard_at = time.monotonic()
            if lane.waiting:
                return lane.waiting.popleft()
            lane.on_wire -= 1
            self._on_wire -= 1
            if lane.on_wire == 0:
                del self._lanes[subscription_id]
            return None
