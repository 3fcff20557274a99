"""How does a worker run in a benchmark? As a hub starts it, with its CPU time and memory read from outside."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path
from typing import Self

from scripts.benchmark.errors import WorkerDied
from scripts.benchmark.scenario import Bench
from scripts.benchmark.usage import session_cpu_seconds, session_peak_mb
from scripts.local.processes import read_tail, spawn, stop
from scripts.local.roles import Role
from scripts.local.state import CHECKOUT

POLL_SECONDS = 0.1


class Worker:
    """A role's process from `with` to the end of its block."""

    def __init__(self, role: Role, *, folder: Path, processes: int) -> None:
        self._role = with_processes(role, processes)
        self._log = folder / f"{role.name}.log"
        self._process: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> Self:
        self._process = spawn(
            [sys.executable, "-P", "-m", *self._role.command],
            death_signal=self._role.stop_steps[-1][0],
            log=self._log,
            environment=os.environ | {"PYTHONPATH": str(CHECKOUT), "WEBHOOKHUB_LOG_LEVEL": "INFO"},
            folder=CHECKOUT,
        )
        return self

    def __exit__(self, *error: object) -> None:
        if self._process is not None:
            stop(self._process, steps=self._role.stop_steps)

    def kill(self) -> None:
        """End it at once, with whatever it has on the wire."""
        if self._process is not None:
            stop(self._process, steps=())
            self._process = None

    def wait_until_ready(self, bench: Bench) -> None:
        """Wait until it takes messages. Raises TookTooLong, WorkerDied."""
        while " ready." not in self._log.read_text():
            self.check()
            bench.check_deadline("starting a worker")
            time.sleep(POLL_SECONDS)

    @property
    def pid(self) -> int:
        """The process that leads the worker's session."""
        assert self._process is not None
        return self._process.pid

    def check(self) -> None:
        """Raises WorkerDied, with its last words, if it ended."""
        if self._process is not None and (code := self._process.poll()) is not None:
            last_words = read_tail(self._log)
            raise WorkerDied(f"The worker {self._role.name} ended (code {code}). Its last words:\n{last_words}")

    def cpu_seconds(self) -> float | None:
        """CPU seconds of all its processes so far."""
        return session_cpu_seconds(self.pid)

    def peak_mb(self) -> float | None:
        """The largest resident size of any of its processes so far, in megabytes."""
        return next(iter(session_peak_mb(self.pid)), None)


def with_processes(role: Role, processes: int) -> Role:
    """The role with this many worker processes."""
    command = list(role.command)
    command[command.index("--concurrency") + 1] = str(processes)
    return replace(role, command=tuple(command))
