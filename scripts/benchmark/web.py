"""How does the web server run in a benchmark? As a hub starts it, at a port of its own."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from scripts.benchmark.errors import WebServerNotStarted
from scripts.benchmark.receivers import answers_at
from scripts.benchmark.usage import session_cpu_seconds
from scripts.local.embedded import find_free_port
from scripts.local.processes import read_tail, spawn, stop, wait_until
from scripts.local.roles import WEB
from scripts.local.state import CHECKOUT

HOST = "127.0.0.1"
START_TIMEOUT_SECONDS = 30.0
# Django as most deploy it: without the door in front, two processes, four threads each.
PLAIN_COMMAND = (
    *("granian", "--interface", "wsgi", "config.wsgi:application"),
    *("--workers", "2", "--blocking-threads", "4"),
)


@dataclass(frozen=True, kw_only=True, slots=True)
class WebServer:
    """A web server that runs."""

    url: str
    process: subprocess.Popen[bytes]

    def cpu_seconds(self) -> float | None:
        """CPU seconds of all its processes so far."""
        return session_cpu_seconds(self.process.pid)


@contextlib.contextmanager
def running_web(folder: Path, *, command: Sequence[str] = WEB.command) -> Iterator[WebServer]:
    """The hub's web server, or another command's. Raises WebServerNotStarted."""
    port = find_free_port()
    log = folder / "web.log"
    process = spawn(
        [sys.executable, "-P", "-m", *command],
        death_signal=signal.SIGTERM,
        log=log,
        environment=os.environ | {"PYTHONPATH": str(CHECKOUT), "GRANIAN_HOST": HOST, "GRANIAN_PORT": str(port)},
        folder=CHECKOUT,
    )
    try:
        wait_until(lambda: process.poll() is not None or answers_at(HOST, port), timeout_seconds=START_TIMEOUT_SECONDS)
        if process.poll() is not None or not answers_at(HOST, port):
            raise WebServerNotStarted(f"The web server does not answer at port {port}: {read_tail(log)}")
        yield WebServer(url=f"http://{HOST}:{port}", process=process)
    finally:
        stop(process, steps=WEB.stop_steps)
