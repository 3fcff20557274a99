from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import psutil  # type: ignore[import-untyped]  # it carries no types
import pytest

from scripts.local.processes import wait_until
from scripts.local.state import CHECKOUT, StateFolder
from tests.acceptance.local.conftest import all_end

# scripts/run as it is, in the packages that the tests run with.
RUN = """
from scripts.local import console, run
run.enter = lambda environment: None
console.run_command(run.main)
"""
IS_UP = "Ctrl-C stops everything"
START_TIMEOUT_SECONDS = 90.0

StartHub = Callable[..., "Hub"]


class Hub:
    """`scripts/run` in a process of its own, and what it has said."""

    def __init__(self, folder: Path, *options: str) -> None:
        self._said = folder / f"said-{len(list(folder.glob('said-*')))}"
        variables = {
            name: value for name, value in os.environ.items() if name not in ("DATABASE_URL", "CELERY_BROKER_URL")
        }
        with self._said.open("w") as output:
            self.process = subprocess.Popen(
                [sys.executable, "-P", "-c", RUN, *options],
                env=variables | {"PYTHONPATH": str(CHECKOUT), "WEBHOOKHUB_STATE": str(folder)},
                stdout=output,
                stderr=subprocess.STDOUT,
            )

    @property
    def said(self) -> str:
        return self._said.read_text()

    def wait_until_up(self) -> None:
        assert wait_until(
            lambda: IS_UP in self.said or self.process.poll() is not None, timeout_seconds=START_TIMEOUT_SECONDS
        )
        assert IS_UP in self.said, self.said

    def descendants(self) -> list[int]:
        return [child.pid for child in psutil.Process(self.process.pid).children(recursive=True)]


@pytest.fixture
def start_hub(state: StateFolder) -> Iterator[StartHub]:
    started: list[Hub] = []

    def start(*options: str) -> Hub:
        started.append(Hub(state.path, *options))
        return started[-1]

    yield start
    for hub in started:
        hub.process.kill()
        hub.process.wait(30)


def test_ctrl_c_stops_everything_and_leaves_no_process_behind(start_hub: StartHub) -> None:
    hub = start_hub()
    hub.wait_until_up()
    descendants = hub.descendants()
    # PostgreSQL, Valkey, the receiver, two workers, beat and the web server, and what some of them start in turn.
    assert len(descendants) >= 7

    hub.process.send_signal(signal.SIGINT)

    assert hub.process.wait(60) == 0, hub.said
    assert all_end(descendants, timeout_seconds=0)


def test_after_kill_9_no_process_is_left_and_the_hub_starts_again_with_its_secrets(
    start_hub: StartHub, state: StateFolder
) -> None:
    killed = start_hub()
    killed.wait_until_up()
    secrets = {file.name: file.read_text() for file in (state.path / "secrets").iterdir()}
    descendants = killed.descendants()

    killed.process.kill()
    assert all_end(descendants)

    again = start_hub("--once")
    assert again.process.wait(START_TIMEOUT_SECONDS) == 0, again.said
    assert {file.name: file.read_text() for file in (state.path / "secrets").iterdir()} == secrets


def test_manage_reaches_the_hub_and_a_second_copy_is_refused(start_hub: StartHub, state: StateFolder) -> None:
    hub = start_hub()
    hub.wait_until_up()

    question = "from django.conf import settings; print('hub at', settings.DATABASES['default']['PORT'])"
    answer = subprocess.run(
        [CHECKOUT / "scripts" / "manage", "shell", "--command", question],
        env=os.environ | {"WEBHOOKHUB_STATE": str(state.path)},
        capture_output=True,
        text=True,
        check=True,
    )
    assert "hub at " in answer.stdout

    second = Hub(state.path, "--once")
    assert second.process.wait(30) == 1
    assert f"already running in {state.path}" in second.said
    assert f"process {hub.process.pid}, http://127.0.0.1:" in second.said


def test_a_process_that_dies_ends_the_hub_with_its_name_and_its_last_words(
    start_hub: StartHub, state: StateFolder
) -> None:
    hub = start_hub()
    hub.wait_until_up()
    descendants = hub.descendants()

    os.kill(int((state.pids / "beat").read_text().split()[0]), signal.SIGKILL)

    assert hub.process.wait(60) == 1
    assert "beat ended unexpectedly (code -9)" in hub.said
    assert all_end(descendants, timeout_seconds=0)
