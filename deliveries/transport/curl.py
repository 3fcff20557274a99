"""How do callers of any thread reach the one thread that libcurl runs in?"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable

from deliveries.transport.curl_loop import CurlLoop
from deliveries.transport.easy import Exchange
from deliveries.transport.errors import TransportClosed
from deliveries.transport.exchange import Request, Result
from deliveries.transport.options import TransportOptions


class CurlTransport:
    """Sends through libcurl, the default: some twenty microseconds a request, however many others hang.

    See `Transport`. The thread begins with the first `start`, so that a process may fork before it.
    """

    def __init__(self, options: TransportOptions) -> None:
        self._options = options
        self._lock = threading.Lock()
        self._loop: CurlLoop | None = None
        self._thread: threading.Thread | None = None
        self._closed = False

    def start(self, request: Request, done: Callable[[Result], None]) -> None:
        """See `Transport.start`."""
        exchange = Exchange(request, done)
        with self._lock:
            if self._closed:
                raise TransportClosed
            if self._loop is None:
                self._loop = CurlLoop(self._options)
                self._thread = threading.Thread(
                    target=self._run, args=(self._loop,), name="curl-transport", daemon=True
                )
                self._thread.start()
            self._loop.submit(exchange)

    def close(self, timeout_seconds: float) -> None:
        """See `Transport.close`."""
        with self._lock:
            if self._closed:
                return
            self._closed = True
        if self._loop is None or self._thread is None:
            return
        self._loop.finish_by(time.monotonic() + timeout_seconds)
        if self._thread is not threading.current_thread():
            self._thread.join()

    def _run(self, loop: CurlLoop) -> None:
        try:
            loop.run()
        finally:
            # Also when the loop fails: from here on nobody may wait for a thread that is gone.
            with self._lock:
                self._closed = True
            loop.end_rest()
