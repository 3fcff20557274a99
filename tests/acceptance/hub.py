"""A hub of real processes, with a database and a broker of its own, that a test can hurt and look into."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

import psycopg2

from scripts.local.processes import kill_session, spawn
from scripts.local.roles import DELIVERIES, Role
from scripts.local.state import CHECKOUT

# How long a test waits at most for what must happen; on a machine that does a lot besides, too.
DEADLINE_SECONDS = 60.0
POLL_SECONDS = 0.05
# Of what a process said beyond the usual, in the text of a failure.
LOG_TAIL_LINES = 8
LOG_LINE_CHARACTERS = 400

# Small enough that what was lost is found in seconds. The lease is longer than any request of the tests.
SETTINGS = {
    "PYTHONPATH": str(CHECKOUT),
    "DJANGO_SETTINGS_MODULE": "config.settings",
    "WEBHOOKHUB_ALLOW_CIDRS": "127.0.0.0/8",
    "WEBHOOKHUB_SECRET_KEY": "of-the-acceptance-tests-and-nothing-else-0123456789",
    "WEBHOOKHUB_ENCRYPTION_KEYS": "JCODj5WzsWtpFjUoOdwx7KT5syx0VZN7y1h0114EFFM=",
    "WEBHOOKHUB_LEASE_SECONDS": "7",
    "WEBHOOKHUB_LOOK_AGAIN_SECONDS": "2",
    "WEBHOOKHUB_SWEEP_SECONDS": "0.5",
    # Receivers fail here by script, attempt by attempt. What the breaker does about that has tests of its own.
    "WEBHOOKHUB_CIRCUIT_BREAKER": "off",
}


class CallFailed(Exception):
    """The application raised; the text says what."""


class Application:
    """The customer's application, in a process of its own: `application("emit", account=…, count=3)`."""

    def __init__(self, *, environment: Mapping[str, str], log: Path) -> None:
        with log.open("ab") as output:
            self._process = subprocess.Popen(
                [sys.executable, "-P", "-m", "tests.acceptance.application"],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=output,
                env=dict(environment),
                cwd=CHECKOUT,
                text=True,
            )

    def __call__(self, function: str, **arguments: Any) -> Any:
        """Do it there, and return what it returned. Raises CallFailed."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(json.dumps([function, arguments]) + "\n")
        self._process.stdin.flush()
        line = self._process.stdout.readline()
        answer = json.loads(line) if line else {"raised": f"the application ended, code {self._process.wait(10)}"}
        if "raised" in answer:
            raise CallFailed(f"{function}: {answer['raised']}")
        return answer["returned"]

    def close(self) -> None:
        with self._process:
            self._process.kill()


@dataclass(frozen=True, kw_only=True, slots=True)
class Process:
    """One running role."""

    name: str
    popen: subprocess.Popen[bytes]
    log: Path

    @property
    def children(self) -> list[int]:
        """The ids of a worker's own processes: those that run the tasks."""
        listed = subprocess.run(["ps", "-A", "-o", "pid=,ppid="], capture_output=True, text=True, check=True).stdout
        pairs = [tuple(map(int, line.split())) for line in listed.splitlines()]
        return [pid for pid, parent in pairs if parent == self.popen.pid]

    def kill(self) -> None:
        """End it as a crash of the machine would: kill -9 to all of its processes."""
        kill_session(self.popen.pid)
        self.popen.wait(10)

    def freeze(self) -> None:
        """Let none of its processes run, as a machine does that has gone to sleep."""
        os.killpg(self.popen.pid, signal.SIGSTOP)

    def thaw(self) -> None:
        """Let them run on."""
        os.killpg(self.popen.pid, signal.SIGCONT)

    def terminate(self) -> None:
        """Ask it to end when it is done."""
        self.popen.send_signal(signal.SIGTERM)

    @property
    def has_ended(self) -> bool:
        return self.popen.poll() is not None


class Hub:
    """The processes of one hub and its database. Leaving it kills what still runs."""

    def __init__(
        self, *, folder: Path, database_url: str, broker_url: str, app: str = "config", **settings: str
    ) -> None:
        self.app = app
        self.database_url = database_url
        self.broker_url = broker_url
        # What the surrounding environment says about a hub is not about this one.
        foreign = {name: value for name, value in os.environ.items() if not name.startswith(("WEBHOOKHUB_", "DJANGO_"))}
        urls = {"DATABASE_URL": database_url, "CELERY_BROKER_URL": broker_url}
        self.environment = {**foreign, **SETTINGS, **urls, **settings}
        self.folder = folder
        self._processes: list[Process] = []
        self._connection: Any = None
        self.application = Application(environment=self.environment, log=folder / "application.log")

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        for process in self._processes:
            process.kill()
        self.application.close()
        if self._connection is not None:
            self._connection.close()

    @property
    def on_redis(self) -> bool:
        return self.broker_url.startswith("redis")

    def start(self, role: Role, *options: str) -> Process:
        """Start one more process of this role, with the command of the role and further options."""
        number = 1 + sum(process.name.startswith(role.name) for process in self._processes)
        name = f"{role.name}-{number}"
        command = [self.app if part == "config" else part for part in role.command]
        if "worker" in command:
            # Workers of the same name would count as one.
            options = ("-n", f"{name}@%h", *options)
        log = self.folder / f"{name}.log"
        popen = spawn(
            [sys.executable, "-P", "-m", *command, *options],
            death_signal=signal.SIGKILL,
            log=log,
            environment=self.environment,
            folder=CHECKOUT,
        )
        process = Process(name=name, popen=popen, log=log)
        self._processes.append(process)
        return process

    def running(self, role: Role) -> list[Process]:
        """The processes of this role that have not ended."""
        return [one for one in self._processes if one.name.startswith(role.name) and not one.has_ended]

    @contextlib.contextmanager
    def without(self, role: Role) -> Iterator[None]:
        """Freeze the role's processes for as long as the block runs."""
        frozen = self.running(role)
        for process in frozen:
            process.freeze()
        try:
            yield
        finally:
            for process in frozen:
                process.thaw()

    @contextlib.contextmanager
    def deliverers(self, count: int = 1, *options: str) -> Iterator[list[Process]]:
        """So many delivery workers, killed at the end of the block."""
        processes = [self.start(DELIVERIES, *options) for _ in range(count)]
        try:
            yield processes
        finally:
            for process in processes:
                process.kill()

    def manage(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        """Run manage.py to its end."""
        return subprocess.run(
            [sys.executable, "-P", "-m", "manage", *arguments],
            env=self.environment,
            cwd=CHECKOUT,
            capture_output=True,
            text=True,
            timeout=DEADLINE_SECONDS,
            check=False,
        )

    def query(self, statement: str, *parameters: object) -> list[tuple[Any, ...]]:
        """The rows that a statement returns, through a connection that survives a restart of the server."""
        try:
            return self._query(statement, parameters)
        except (psycopg2.OperationalError, psycopg2.InterfaceError):
            self._connection = None
            return self._query(statement, parameters)

    def _query(self, statement: str, parameters: Sequence[object]) -> list[tuple[Any, ...]]:
        if self._connection is None:
            self._connection = psycopg2.connect(self.database_url)
            self._connection.autocommit = True
        with self._connection.cursor() as cursor:
            cursor.execute(statement, parameters)
            rows: list[tuple[Any, ...]] = cursor.fetchall()
            return rows

    def wait_until(self, is_true: Callable[[], object], what: str, *, within_seconds: float = DEADLINE_SECONDS) -> None:
        """Wait until it is true. Fails with the state of the deliveries and the processes' warnings otherwise."""
        deadline = time.monotonic() + within_seconds
        while not is_true():
            if time.monotonic() > deadline:
                raise AssertionError(f"after {within_seconds:.0f} s still not: {what}\n{self.describe()}")
            time.sleep(POLL_SECONDS)

    def describe(self) -> str:
        """What a failed test has to say about the hub."""
        lines = [
            str(row)
            for row in self.query(
                """SELECT status, claimed_at IS NOT NULL AS claimed, last_outcome, failure_reason, count(*),
                          min(wake_at - now())::text, min(due_at - now())::text
                     FROM webhookhub_delivery GROUP BY 1, 2, 3, 4"""
            )
        ]
        for process in self._processes:
            lines.append(f"--- {process.name} ({'ended' if process.has_ended else 'running'})")
            said = process.log.read_text(errors="replace").splitlines()
            unusual = [line for line in said if line.startswith("{") and '"level": "info"' not in line]
            lines += [line[:LOG_LINE_CHARACTERS] for line in unusual[-LOG_TAIL_LINES:]]
        return "\n".join(lines)
