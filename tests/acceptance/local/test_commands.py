from __future__ import annotations

import os
import shutil
import signal
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from scripts.local.errors import StepError
from scripts.local.run import _free_port_from, _read_port
from scripts.local.state import CHECKOUT, StateFolder

LOOPBACK = "127.0.0.1"
WAIT_FOR_SIGNAL = """
import sys, time
from scripts.local.console import run_command
def main():
    try:
        print("ready", flush=True)
        time.sleep(60)
    finally:
        print("cleaning up", flush=True)
        sys.stdin.read()
        print("cleaned up", flush=True)
run_command(main)
"""


def command(name: str, *arguments: str, **variables: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [CHECKOUT / "scripts" / name, *arguments],
        env=os.environ | variables,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


@pytest.mark.parametrize("name", ["run", "test", "check", "bench", "manage"])
def test_every_command_of_the_newcomer_can_be_started(name: str) -> None:
    assert os.access(CHECKOUT / "scripts" / name, os.X_OK)
    assert (CHECKOUT / "scripts" / "local" / f"{name}.py").exists()


def test_without_a_python_that_is_new_enough_the_command_says_what_it_needs(tmp_path: Path) -> None:
    (tmp_path / "dirname").symlink_to(str(shutil.which("dirname")))
    (tmp_path / "python3").write_text("#!/bin/sh\nexit 1\n")
    (tmp_path / "python3").chmod(0o755)

    done = command("run", PATH=str(tmp_path))

    assert done.returncode == 1
    assert "Python 3.11 or newer" in done.stderr
    assert "apt install" in done.stderr


def test_the_first_python_that_is_new_enough_is_taken(tmp_path: Path, state: StateFolder) -> None:
    (tmp_path / "dirname").symlink_to(str(shutil.which("dirname")))
    (tmp_path / "python3").write_text("#!/bin/sh\nexit 1\n")
    (tmp_path / "python3").chmod(0o755)
    (tmp_path / "python3.12").symlink_to(sys.executable)

    done = command("manage", "check", PATH=str(tmp_path), WEBHOOKHUB_STATE=str(state.path))

    assert "No hub is up" in done.stderr


def test_manage_says_that_no_hub_is_up(state: StateFolder) -> None:
    done = command("manage", "check", WEBHOOKHUB_STATE=str(state.path))

    assert done.returncode == 1
    assert f"No hub is up in {state.path}. Start one with scripts/run" in done.stderr


def test_manage_runs_in_the_environment_of_the_hub_that_is_up(state: StateFolder) -> None:
    with state.locked():
        state.announce_hub({"WEBHOOKHUB_PYTHON": "/bin/echo", "NAME": "value"})
        done = command("manage", "showmigrations", WEBHOOKHUB_STATE=str(state.path))

    assert done.returncode == 0
    assert done.stdout.split() == ["-P", str(CHECKOUT / "manage.py"), "showmigrations"]


@pytest.mark.parametrize("port", ["http", "0", "65536", "-1", "８０"])
def test_a_port_that_is_none_is_refused_before_anything_is_installed(port: str, state: StateFolder) -> None:
    done = command("run", "--once", WEBHOOKHUB_PORT=port, WEBHOOKHUB_STATE=str(state.path))

    assert done.returncode == 1
    assert f"WEBHOOKHUB_PORT is {port!r}; it has to be a number from 1 to 65535" in done.stderr


def test_the_web_port_is_8000_or_the_one_named() -> None:
    assert _read_port({}) == 8000
    assert _read_port({"WEBHOOKHUB_PORT": "8080"}) == 8080


def test_a_port_that_is_taken_gives_way_to_the_next_free_one() -> None:
    with socket.create_server((LOOPBACK, 0)) as listener:
        taken: int = listener.getsockname()[1]
        free = _free_port_from(taken)

    assert free > taken
    assert _free_port_from(taken) == taken


def test_no_free_port_up_to_the_highest_is_an_error() -> None:
    with pytest.raises(StepError, match="WEBHOOKHUB_PORT"):
        _free_port_from(65_536)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_every_way_of_stopping_a_command_lets_it_clean_up_once_even_when_repeated(number: signal.Signals) -> None:
    with subprocess.Popen(
        [sys.executable, "-P", "-c", WAIT_FOR_SIGNAL],
        env=os.environ | {"PYTHONPATH": str(CHECKOUT)},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"
        process.send_signal(number)
        assert process.stdout.readline() == "cleaning up\n"
        process.send_signal(number)
        output, errors = process.communicate(timeout=20)

    assert (process.returncode, output, errors.strip()) == (130, "cleaned up\n", "Stopped.")
