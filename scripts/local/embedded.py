"""How does a server that came as a wheel start, answer and stop, as any account, root included?"""

from __future__ import annotations

import shutil
import signal
import socket
import subprocess
import time
from abc import ABC, abstractmethod
from pathlib import Path
from typing import ClassVar, Self

from scripts.local.accounts import can_reach, server_account
from scripts.local.binaries import Wheel, find_binary
from scripts.local.errors import ProcessDiedError, ServerStartError, StateError
from scripts.local.processes import StopSteps, read_tail, remember, spawn, stop, stop_leftover, wait_until
from scripts.local.state import StateFolder

HOST = "127.0.0.1"
# A start after a crash replays the log written since the last checkpoint before it answers.
START_TIMEOUT_SECONDS = 120.0
# A free port can be taken between our looking and the server's binding; a killed server's memory is let go of late.
START_TRIES = 5
PAUSE_BETWEEN_TRIES_SECONDS = 0.5

# Neither the user's locale nor variables like PGHOST may change what the servers do.
SERVER_ENVIRONMENT = {"PATH": "/usr/bin:/bin", "LC_ALL": "C"}


class EmbeddedServer(ABC):
    """A server process on a loopback port that it keeps from its first start on. One object for a state folder."""

    name: ClassVar[str]
    wheel: ClassVar[Wheel]
    death_signal: ClassVar[signal.Signals]
    stop_steps: ClassVar[StopSteps]

    def __init__(self, state: StateFolder) -> None:
        state.make()
        self.port = 0
        self.data = state.path / self.name
        self.log = state.logs / f"{self.name}.log"
        self.password = state.secret(self.name)
        self._state = state
        self._account = server_account(self.data)
        self._pid_file = state.pids / self.name
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def pid(self) -> int | None:
        """The process's id, from `start` to `stop`."""
        return None if self._process is None else self._process.pid

    def start(self) -> None:
        """Start the server and wait until it answers. Raises ServerStartError, BinariesMissingError."""
        stop_leftover(self._pid_file, steps=self.stop_steps)
        self._prepare()
        has_port = self.port != 0
        for _ in range(START_TRIES):
            self.port = self.port if has_port else find_free_port()
            self._process = process = self._spawn()
            remember(process, self._pid_file)
            wait_until(lambda: self._has_ended() or self._answers(), timeout_seconds=START_TIMEOUT_SECONDS)
            if not self._has_ended():
                break
            time.sleep(PAUSE_BETWEEN_TRIES_SECONDS)
        if self._has_ended() or not self._answers():
            self.kill()
            raise ServerStartError(f"{self.name} did not start. The end of {self.log}:\n{read_tail(self.log)}")

    def stop(self) -> None:
        """Stop the server in the orderly way, its data on disk."""
        self._end(self.stop_steps)

    def kill(self) -> None:
        """End the server as a crash would, with kill -9."""
        self._end(())

    def restart(self) -> None:
        """Stop and start again, on the same port and with the same data."""
        self.stop()
        self.start()

    def check(self) -> None:
        """Raise ProcessDiedError when the server has ended by itself."""
        if self._process is not None and self._process.poll() is not None:
            raise ProcessDiedError(f"{self.name} ended unexpectedly. The end of {self.log}:\n{read_tail(self.log)}")

    def __enter__(self) -> Self:
        try:
            self.start()
        except BaseException:
            # Ctrl-C in the middle of a start: `__exit__` will not be called.
            self.kill()
            raise
        return self

    def __exit__(self, *error: object) -> None:
        self.stop()

    @abstractmethod
    def _spawn(self) -> subprocess.Popen[bytes]: ...

    @abstractmethod
    def _answers(self) -> bool: ...

    def _prepare(self) -> None:
        if self._account is not None and not can_reach(self._account, self._state.path):
            raise StateError(
                f"The servers run as {self._account.name}, who cannot reach {self._state.path}. "
                "Name another folder in WEBHOOKHUB_STATE, for example one below /var/lib."
            )
        if not self.data.exists():
            self._make_data(self._state.path / f"{self.name}.unfinished")

    def _make_data(self, unfinished: Path) -> None:
        """Make the data folder in `unfinished`, so that it exists whole or not at all."""
        if unfinished.exists():
            shutil.rmtree(unfinished)
        unfinished.mkdir(mode=0o700)
        self._give(unfinished)
        self._fill_data(unfinished)
        unfinished.rename(self.data)

    @abstractmethod
    def _fill_data(self, folder: Path) -> None: ...

    def _give(self, path: Path) -> None:
        if self._account is not None:
            shutil.chown(path, self._account.uid, self._account.gid)

    def _binary(self, name: str) -> Path:
        return find_binary(self.wheel, name=name, account=self._account, copies=self._state.binaries)

    def _spawn_binary(self, name: str, *options: str, stdin: int = subprocess.DEVNULL) -> subprocess.Popen[bytes]:
        return spawn(
            [self._binary(name), *options],
            death_signal=self.death_signal,
            log=self.log,
            environment=SERVER_ENVIRONMENT,
            folder=self.data if self.data.exists() else Path("/"),
            account=self._account,
            stdin=stdin,
        )

    def _has_ended(self) -> bool:
        return self._process is None or self._process.poll() is not None

    def _end(self, steps: StopSteps) -> None:
        if self._process is not None:
            stop(self._process, steps=steps)
            self._process = None
            self._pid_file.unlink(missing_ok=True)


def find_free_port() -> int:
    with socket.socket() as probe:
        probe.bind((HOST, 0))
        port: int = probe.getsockname()[1]
        return port
