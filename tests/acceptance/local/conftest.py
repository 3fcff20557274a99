from __future__ import annotations

import contextlib
import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from scripts.local import binaries
from scripts.local.accounts import UnixAccount, can_reach
from scripts.local.processes import started_at, wait_until
from scripts.local.state import CHECKOUT, StateFolder, temporary_state

HOLDER = "tests.acceptance.local.hold_servers"


@dataclass(kw_only=True)
class Holder:
    """A process that has PostgreSQL and Valkey up."""

    process: subprocess.Popen[str]
    database_url: str = field(repr=False)
    broker_url: str = field(repr=False)
    pids: list[int]

    def stop(self) -> int:
        assert self.process.stdin is not None
        self.process.stdin.close()
        return self.process.wait(30)

    def kill(self) -> None:
        self.process.kill()
        self.process.wait(30)


HoldServers = Callable[..., Holder]


@pytest.fixture
def state() -> Iterator[StateFolder]:
    with temporary_state() as folder:
        yield folder


@pytest.fixture
def hold_servers() -> Iterator[HoldServers]:
    """Starts processes that hold servers; what is left of them ends with the test."""
    started: list[subprocess.Popen[str]] = []

    def hold(folder: Path, *options: str, account: UnixAccount | None = None) -> Holder:
        process = subprocess.Popen(
            [python_for(account), "-P", "-m", HOLDER, str(folder), *options],
            env={"PATH": os.environ["PATH"], "PYTHONPATH": os.pathsep.join([str(CHECKOUT), str(installed_wheels())])},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            user=None if account is None else account.uid,
            group=None if account is None else account.gid,
            extra_groups=None if account is None else [],
        )
        started.append(process)
        assert process.stdout is not None
        line = process.stdout.readline()
        assert line, f"the servers did not start; code {process.wait(30)}"
        return Holder(process=process, **json.loads(line))

    yield hold
    for process in started:
        with contextlib.suppress(BrokenPipeError), process:
            process.kill()


def python_for(account: UnixAccount | None) -> str:
    """A Python that the account may run: the one of the tests may be in a home that is closed to it."""
    if account is None:
        return sys.executable
    for candidate in (sys.executable, shutil.which("python3", path="/usr/local/bin:/usr/bin")):
        if candidate and can_reach(account, Path(candidate)) and has_right_version(candidate):
            return candidate
    pytest.skip(f"{account.name} can reach no Python 3.11 on this machine")


def has_right_version(python: str) -> bool:
    return (
        subprocess.run([python, "-c", "import sys; sys.exit(sys.version_info < (3, 11))"], check=False).returncode == 0
    )


def installed_wheels() -> Path:
    return binaries._find_installed(binaries.POSTGRES)


def all_end(pids: list[int], *, timeout_seconds: float = 20.0) -> bool:
    """Whether all processes have ended in time: a hard deadline, not a pause."""
    return wait_until(lambda: not any(map(started_at, pids)), timeout_seconds=timeout_seconds)
