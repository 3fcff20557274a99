"""Who is at the other end of the wire, and when does it answer?"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from typing import Any
from uuid import UUID

from django.db import connection

from deliveries.deliver import deliver
from tests.unit.results import answer
from tests.unit.scripted_transport import ScriptedTransport

# The share of one endpoint, small enough to fill.
CONCURRENCY, WAITING = 2, 3


class Receiver(ScriptedTransport):
    """Answers everything at once, from a thread of its own, unless it is told to keep silent."""

    def __init__(self) -> None:
        super().__init__()
        self.is_silent = False
        self.status_code = 200
        self.has_request = threading.Event()
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._run)
        self._thread.start()

    def start(self, request: Any, done: Any) -> None:
        super().start(request, done)
        self.has_request.set()

    def end(self) -> None:
        self._ended.set()
        self._thread.join()

    def _run(self) -> None:
        while not self._ended.wait(0.001):
            while self.on_wire and not self.is_silent:
                self.answer_next(answer(self.status_code))


def deliver_and_close(identifiers: list[UUID]) -> None:
    try:
        deliver(identifiers)
    finally:
        connection.close()


def wait_until(is_so: Callable[[], bool]) -> None:
    """Raises TimeoutError where it does not come to be so."""
    deadline = time.monotonic() + 5
    while not is_so():
        if time.monotonic() > deadline:
            raise TimeoutError
        time.sleep(0.005)
