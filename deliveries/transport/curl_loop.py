"""How do a thousand requests share one thread? libcurl's multi interface, driven by socket readiness.

socket_action, not perform: perform visits every handle, so that hanging requests would make the others dear.
"""

from __future__ import annotations

import heapq
import itertools
import logging
import math
import selectors
import socket
import time
from collections import deque
from contextlib import suppress

import pycurl

from deliveries.transport import failures
from deliveries.transport.easy import MILLISECONDS, EasyHandle, Exchange
from deliveries.transport.errors import NotSendable
from deliveries.transport.exchange import NoAnswer, Result, Timings
from deliveries.transport.failures import Failure
from deliveries.transport.options import TransportOptions
from deliveries.transport.resolve import Resolution, Resolver
from deliveries.transport.urls import read_target
from deliveries.transport.watched_sockets import WatchedSockets

logger = logging.getLogger(__name__)

_NEVER = math.inf


class CurlLoop:
    """Everything that belongs to the transport's thread; other threads call `submit` and `finish_by` only."""

    def __init__(self, options: TransportOptions) -> None:
        self._options = options
        self._resolver = Resolver(options)
        self._sockets = WatchedSockets(self._resolver.is_allowed)
        self._multi = pycurl.CurlMulti()
        self._multi.setopt(pycurl.M_SOCKETFUNCTION, self._sockets.watch)
        self._multi.setopt(pycurl.M_MAXCONNECTS, options.max_connections)
        self._free: list[EasyHandle] = []
        self._on_wire: dict[pycurl.Curl, EasyHandle] = {}
        self._without_handle: deque[Exchange] = deque()
        # Only of those that wait here; libcurl minds the deadlines of those on the wire.
        self._deadlines: list[tuple[float, int, Exchange]] = []
        self._tickets = itertools.count()
        self._unfinished = 0
        self._finish_at = _NEVER
        self._finishing = False
        self._submitted: deque[Exchange] = deque()
        self._asleep = False
        self._wake_reader, self._wake_writer = socket.socketpair()
        self._wake_reader.setblocking(False)
        self._wake_writer.setblocking(False)
        self._sockets.selector.register(self._wake_reader, selectors.EVENT_READ)

    def submit(self, exchange: Exchange) -> None:
        """Hand over an exchange from any thread."""
        self._submitted.append(exchange)
        if self._asleep:
            self._wake()

    def finish_by(self, moment: float) -> None:
        """Let `run` return when all is done, or at this `time.monotonic()`, with the rest ended."""
        self._finish_at = moment
        self._finishing = True
        self._wake()

    def run(self) -> None:
        """Send what is submitted until told to finish."""
        while not self._is_finished():
            while self._submitted:
                self._begin(self._submitted.popleft())
            self._wait_for_sockets()
            self._mind_timer()
            self._reap()
            self._expire()

    def end_rest(self) -> None:
        """End what is left and give everything back. Nothing may be submitted any more."""
        for handle in list(self._on_wire.values()):
            self._take_off(handle.curl)
            self._end(handle.exchange, handle.interrupted(failures.SHUT_DOWN))
        for exchange in [*(exchange for _, _, exchange in self._deadlines), *self._submitted]:
            if not exchange.ended:
                self._end_unsent(exchange, failures.SHUT_DOWN)
        self._multi.close()
        self._resolver.close()
        self._sockets.selector.close()
        self._wake_reader.close()
        self._wake_writer.close()

    def _is_finished(self) -> bool:
        if not self._finishing:
            return False
        return (not self._unfinished and not self._submitted) or time.monotonic() >= self._finish_at

    def _wake(self) -> None:
        self._asleep = False
        # Full means that it is awake or will be; closed, that the loop has ended by itself.
        with suppress(OSError):
            self._wake_writer.send(b"\0")

    # The way to the wire: parse, resolve, take a handle.

    def _begin(self, exchange: Exchange) -> None:
        if exchange.ended:
            return
        try:
            if exchange.resolution is None:
                self._unfinished += 1
                exchange.target = read_target(exchange.request.url)
                exchange.resolution = self._known_addresses(exchange)
            if exchange.resolution is None:
                self._wait(exchange, failures.NOT_RESOLVED_IN_TIME, self._options.resolve_timeout_seconds)
                self._resolver.look_up(exchange.target.host, lambda answer: self._take_addresses(exchange, answer))
            elif isinstance(exchange.resolution, NotSendable):
                raise exchange.resolution
            elif time.monotonic() >= exchange.deadline:
                self._end_unsent(exchange, failures.ALL_BUSY)
            elif self._free or len(self._on_wire) < self._options.max_connections:
                self._send(exchange)
            else:
                self._without_handle.append(exchange)
                self._wait(exchange, failures.ALL_BUSY, exchange.request.timeout_seconds)
        except NotSendable as refusal:
            self._end_unsent(exchange, Failure(refusal.kind, str(refusal)))

    def _known_addresses(self, exchange: Exchange) -> Resolution | None:
        if self._options.proxy_url is not None and exchange.target.address is None:
            return ()  # the proxy resolves
        return self._resolver.known(exchange.target)

    def _take_addresses(self, exchange: Exchange, resolution: Resolution) -> None:
        """Called by a resolver's thread."""
        exchange.resolution = resolution
        self.submit(exchange)

    def _wait(self, exchange: Exchange, why: Failure, timeout_seconds: float) -> None:
        exchange.waits_for = why
        exchange.waits_until = min(exchange.started_at + timeout_seconds, exchange.deadline)
        heapq.heappush(self._deadlines, (exchange.waits_until, next(self._tickets), exchange))

    def _send(self, exchange: Exchange) -> None:
        exchange.waits_for = None
        handle = self._free.pop() if self._free else EasyHandle(self._options, self._sockets)
        try:
            handle.prepare(exchange)
        except NotSendable:
            self._free.append(handle)
            raise
        self._on_wire[handle.curl] = handle
        self._multi.add_handle(handle.curl)

    # The loop's steps.

    def _wait_for_sockets(self) -> None:
        # Set before looking at the queue: whoever submits after that look sees it and wakes us.
        self._asleep = True
        ready = self._sockets.selector.select(0 if self._submitted else self._seconds_to_wait())
        self._asleep = False
        for key, events in ready:
            if key.fileobj is self._wake_reader:
                self._wake_reader.recv(4096)
            elif self._sockets.is_wanted(key.fd):
                self._multi.socket_action(key.fd, events)

    def _seconds_to_wait(self) -> float | None:
        wish_ms = self._multi.timeout()
        if wish_ms == 0:
            return 0
        moment = min(self._deadlines[0][0] if self._deadlines else _NEVER, self._finish_at)
        seconds = moment - time.monotonic() if wish_ms < 0 else min(wish_ms / MILLISECONDS, moment - time.monotonic())
        return None if seconds == _NEVER else max(0.0, seconds)

    def _mind_timer(self) -> None:
        # After the sockets: an idle connection that was closed must be known before a request takes it.
        if self._multi.timeout() == 0:
            self._multi.socket_action(pycurl.SOCKET_TIMEOUT, 0)

    def _reap(self) -> None:
        _, answered, failed = self._multi.info_read()
        for curl in answered:
            handle = self._take_off(curl)
            self._end(handle.exchange, handle.result())
            self._recycle(handle)
        for curl, code, message in failed:
            handle = self._take_off(curl)
            if handle.found_stale():
                self._free.append(handle)
                self._send(handle.exchange)
                continue
            self._end(handle.exchange, handle.failure(code, message))
            self._recycle(handle)

    def _take_off(self, curl: pycurl.Curl) -> EasyHandle:
        self._multi.remove_handle(curl)
        return self._on_wire.pop(curl)

    def _recycle(self, handle: EasyHandle) -> None:
        self._free.append(handle)
        while self._without_handle:
            exchange = self._without_handle.popleft()
            if not exchange.ended:
                self._submitted.append(exchange)
                return

    def _expire(self) -> None:
        now = time.monotonic()
        while self._deadlines and self._deadlines[0][0] <= now:
            moment, _, exchange = heapq.heappop(self._deadlines)
            if exchange.waits_for is not None and exchange.waits_until == moment:
                self._end_unsent(exchange, exchange.waits_for)

    # The ways to end.

    def _end_unsent(self, exchange: Exchange, failure: Failure) -> None:
        timings = Timings(total_ms=(time.monotonic() - exchange.started_at) * MILLISECONDS)
        self._end(exchange, NoAnswer(kind=failure.kind, message=failure.message, timings=timings))

    def _end(self, exchange: Exchange, result: Result) -> None:
        exchange.ended = True
        exchange.waits_for = None
        self._unfinished -= 1
        try:
            exchange.done(result)
        except Exception:  # somebody else's code: it must not take the other requests down
            logger.exception("a transport's done callback failed")
