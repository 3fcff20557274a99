"""What may end a request that blocks a thread? Its answer, or a watchdog that shuts its socket down at the deadline."""

from __future__ import annotations

import heapq
import itertools
import logging
import math
import socket
import threading
import time
from collections.abc import Callable
from contextlib import suppress

from deliveries.transport.exchange import NoAnswer, Request, Result, Timings
from deliveries.transport.failures import ALL_BUSY, TIMED_OUT, Failure
from deliveries.transport.resolve import Addresses

logger = logging.getLogger(__name__)

MILLISECONDS = 1000


class Flight:
    """One request while a thread is busy with it. Moments are `time.monotonic()`."""

    def __init__(
        self, request: Request, done: Callable[[Result], None], *, when_ended: Callable[[Flight], None]
    ) -> None:
        self.request = request
        self.started_at = time.monotonic()
        self.deadline = self.started_at + request.timeout_seconds
        self.addresses: Addresses = ()
        self.status_code: int | None = None
        self.peer_address: str | None = None
        self.begun = False
        self.opened = False
        self.dns_ms: float | None = None
        self.connect_ms: float | None = None
        self.tls_ms: float | None = None
        self.first_byte_ms: float | None = None
        self._done = done
        self._when_ended = when_ended
        self._lock = threading.Lock()
        self._socket: socket.socket | None = None
        self._ended = False
        self._expired = False

    @property
    def ended(self) -> bool:
        return self._ended

    @property
    def expired(self) -> bool:
        return self._expired

    def seconds_left(self) -> float:
        """Until the deadline; never zero, which sockets take for "do not block"."""
        return max(0.001, self.deadline - time.monotonic())

    def elapsed_ms(self) -> float:
        return (time.monotonic() - self.started_at) * MILLISECONDS

    def use(self, connection: socket.socket, peer_address: str) -> None:
        """Note the socket that the thread will block on."""
        self.peer_address = peer_address
        with self._lock:
            self._socket = connection
            if self._expired:
                shut_down(connection)

    def let_go(self) -> bool:
        """Take the socket back from the watchdog, as it may serve another request. False: the deadline was first."""
        with self._lock:
            self._socket = None
            return not self._expired

    def expire(self) -> None:
        """At the deadline: end what the thread blocks on, and the request, whatever the thread does next."""
        with self._lock:
            self._expired = True
            if self._socket is not None:
                shut_down(self._socket)
        self.fail(TIMED_OUT if self.begun else ALL_BUSY)

    def fail(self, failure: Failure) -> None:
        """End with `failure` and what is known by now."""
        self.end(
            NoAnswer(
                kind=failure.kind,
                message=failure.message,
                status_code=self.status_code,
                timings=self.timings(),
                peer_address=self.peer_address,
                connection_reused=self.peer_address is not None and not self.opened,
            )
        )

    def end(self, result: Result) -> None:
        """Report `result`, if nobody was faster."""
        with self._lock:
            if self._ended:
                return
            self._ended = True
        try:
            self._done(result)
        except Exception:  # somebody else's code: it must not take the thread down
            logger.exception("a transport's done callback failed")
        self._when_ended(self)

    def timings(self) -> Timings:
        return Timings(
            dns_ms=self.dns_ms,
            connect_ms=self.connect_ms,
            tls_ms=self.tls_ms,
            first_byte_ms=self.first_byte_ms,
            total_ms=self.elapsed_ms(),
        )


def shut_down(connection: socket.socket) -> None:
    """Wake whoever blocks on this socket, in any thread. The base class's method, because TLS's own drops its state."""
    with suppress(OSError):
        socket.socket.shutdown(connection, socket.SHUT_RDWR)


class Watchdog:
    """Expires flights at their deadlines, from a thread of its own."""

    def __init__(self) -> None:
        self._flights: list[tuple[float, int, Flight]] = []
        self._tickets = itertools.count()
        self._changed = threading.Condition()
        self._stopped = False

    def watch(self, flight: Flight) -> None:
        with self._changed:
            heapq.heappush(self._flights, (flight.deadline, next(self._tickets), flight))
            self._changed.notify()

    def stop(self) -> None:
        with self._changed:
            self._stopped = True
            self._changed.notify()

    def run(self) -> None:
        """Expire what is due, until stopped."""
        while not self._stopped:
            for flight in self._wait_for_due():
                flight.expire()

    def _wait_for_due(self) -> list[Flight]:
        with self._changed:
            first = self._flights[0][0] if self._flights else math.inf
            if not self._stopped and first > time.monotonic():
                self._changed.wait(None if first == math.inf else first - time.monotonic())
            due = []
            while self._flights and (self._flights[0][0] <= time.monotonic() or self._flights[0][2].ended):
                due.append(heapq.heappop(self._flights)[2])
            return [flight for flight in due if not flight.ended]
