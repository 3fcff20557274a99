"""A transport whose answers come when the test says so."""

from __future__ import annotations

from collections.abc import Callable

from deliveries.transport import FailureKind, NoAnswer, Request, Result, Timings, TransportClosed
from tests.unit.results import answer


class ScriptedTransport:
    """Keeps what was started, in order, until it is told to answer."""

    def __init__(self) -> None:
        self.started: list[Request] = []
        self.on_wire: list[tuple[Request, Callable[[Result], None]]] = []
        self.closed = False

    def start(self, request: Request, done: Callable[[Result], None]) -> None:
        """See `Transport.start`."""
        if self.closed:
            raise TransportClosed
        self.started.append(request)
        self.on_wire.append((request, done))

    def answer_next(self, result: Result | None = None, *, index: int = 0) -> None:
        """The answer to the request that has been on the wire longest, or to another."""
        _, done = self.on_wire.pop(index)
        done(result or answer(200))

    def close(self, timeout_seconds: float) -> None:
        """See `Transport.close`: what is on the wire ends at once."""
        self.closed = True
        while self.on_wire:
            self.answer_next(NoAnswer(kind=FailureKind.OTHER, message="closed", timings=Timings()))
