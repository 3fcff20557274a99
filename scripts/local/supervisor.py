"""How do the hub's processes start, how is one noticed that died, and how do all of them stop in order?"""

from __future__ import annotations

import http.client
import itertools
import signal
import subprocess
import sys
import time
import urllib.request
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Self

from scripts.local.console import Progress
from scripts.local.errors import ProcessDiedError, StepError
from scripts.local.processes import read_tail, remember, spawn, stop, stop_leftover
from scripts.local.roles import STOP_ORDER, Role
from scripts.local.state import CHECKOUT, StateFolder

POLL_SECONDS = 0.1
PAGE_TIMEOUT_SECONDS = 60.0


class Supervisor:
    """The running processes of one hub. Leaving it stops all of them, in the roles' order of stopping."""

    def __init__(self, state: StateFolder, *, environment: Mapping[str, str]) -> None:
        self._state = state
        self._environment = environment
        self._running: dict[Role, subprocess.Popen[bytes]] = {}

    def __enter__(self) -> Self:
        for role in itertools.chain(*STOP_ORDER):
            stop_leftover(self._pid_file(role), steps=role.stop_steps)
        return self

    def __exit__(self, *error: object) -> None:
        with ThreadPoolExecutor() as together:
            for roles in STOP_ORDER:
                list(together.map(self._stop, roles))

    def start(self, role: Role) -> None:
        """Start the role's process; what it says goes to logs/NAME.log in the state folder."""
        log = self._log(role)
        log.unlink(missing_ok=True)
        process = spawn(
            [sys.executable, "-P", "-m", *role.command],
            # Whoever outlives this process stops as it would have been stopped.
            death_signal=role.stop_steps[-1][0],
            log=log,
            environment=self._environment,
            folder=CHECKOUT,
        )
        self._running[role] = process
        remember(process, self._pid_file(role))

    def check(self) -> None:
        """Raise ProcessDiedError, with its last words, when a process ended that nobody stopped."""
        for role, process in self._running.items():
            if (code := process.poll()) is not None:
                log = self._log(role)
                raise ProcessDiedError(
                    f"{role.name} ended unexpectedly (code {code}). The end of {log}:\n{read_tail(log)}"
                )

    def run_step(self, title: str, *command: str) -> None:
        """Run `python COMMAND` to its end, with a line about how long it takes. Raises StepError, ProcessDiedError."""
        log = self._state.logs / "steps.log"
        progress = Progress(title)
        code = self._run(command, log=log, progress=progress)
        if code != 0:
            progress.done("failed")
            raise StepError(f"{title}: failed with code {code}. The end of {log}:\n{read_tail(log)}")
        progress.done()

    def run_aloud(self, *command: str) -> int:
        """Run `python COMMAND` to its end, its output going where ours goes. Returns its code; raises ProcessDiedError."""
        return self._run(command, log=None, progress=None)

    def wait_for_page(self, title: str, *, url: str) -> None:
        """Wait until `url` answers with a success. Raises StepError, ProcessDiedError."""
        progress = Progress(title)
        deadline = time.monotonic() + PAGE_TIMEOUT_SECONDS
        while problem := _problem_with_page(url):
            self.check()
            if time.monotonic() > deadline:
                progress.done("failed")
                raise StepError(f"{url} does not answer well: {problem}. Logs are in {self._state.logs}.")
            progress.show()
            time.sleep(POLL_SECONDS)
        progress.done()

    def _stop(self, role: Role) -> None:
        if (process := self._running.get(role)) is not None:
            stop(process, steps=role.stop_steps)
            self._pid_file(role).unlink(missing_ok=True)

    def _log(self, role: Role) -> Path:
        return self._state.logs / f"{role.name}.log"

    def _pid_file(self, role: Role) -> Path:
        return self._state.pids / role.name

    def _run(self, command: Sequence[str], *, log: Path | None, progress: Progress | None) -> int:
        process = spawn(
            [sys.executable, "-P", *command],
            death_signal=signal.SIGKILL,
            log=log,
            environment=self._environment,
            folder=CHECKOUT,
        )
        try:
            while process.poll() is None:
                self.check()
                if progress is not None:
                    progress.show()
                time.sleep(POLL_SECONDS)
        finally:
            stop(process, steps=())
        return process.returncode


def _problem_with_page(url: str) -> str:
    """Why the page cannot be had yet; empty once it can."""
    # The user's proxy settings are no business of a loopback address.
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    try:
        with opener.open(url, timeout=PAGE_TIMEOUT_SECONDS):
            return ""
    except (OSError, http.client.HTTPException) as error:
        return str(error)
