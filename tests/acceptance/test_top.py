"""`manage.py hub top` in a real terminal, and without one."""

from __future__ import annotations

import os
import pty
import select
import signal
import subprocess
import sys
import termios
import time
from collections.abc import Iterator

import pytest

from scripts.local.roles import WORKER
from scripts.local.state import CHECKOUT
from tests.acceptance.conftest import MakeHub
from tests.acceptance.hub import DEADLINE_SECONDS, Hub

pytestmark = pytest.mark.acceptance

QUEUES = "queues       fanout"
FIRST_SCREEN_AGAIN = b"\x1b[?1049l"


class Terminal:
    """A terminal with `hub top` in it."""

    def __init__(self, hub: Hub, *options: str) -> None:
        self._ours, self.theirs = pty.openpty()
        self.before = termios.tcgetattr(self.theirs)
        self.popen = subprocess.Popen(
            [sys.executable, "-P", "-m", "manage", "hub", "top", *options],
            env={**hub.environment, "COLUMNS": "100", "LINES": "40"},
            cwd=CHECKOUT,
            stdin=self.theirs,
            stdout=self.theirs,
            stderr=self.theirs,
        )
        self.seen = b""

    def read_until(self, wanted: bytes, times: int = 1) -> None:
        """Read what is drawn until this was drawn so often."""
        deadline = time.monotonic() + DEADLINE_SECONDS
        while self.seen.count(wanted) < times:
            assert time.monotonic() < deadline, self.seen[-2_000:].decode(errors="replace")
            if select.select([self._ours], [], [], 0.1)[0]:
                self.seen += os.read(self._ours, 65_536)

    def press(self, key: str) -> None:
        os.write(self._ours, key.encode())

    def close(self) -> None:
        self.popen.kill()
        self.popen.wait(10)
        os.close(self._ours)
        os.close(self.theirs)


@pytest.fixture(scope="module")
def hub_at_work(make_hub: MakeHub) -> Hub:
    hub = make_hub()
    hub.start(WORKER)
    hub.wait_until(lambda: hub.query("SELECT FROM webhookhub_process"), "the worker to be seen")
    return hub


@pytest.fixture
def terminal(hub_at_work: Hub) -> Iterator[Terminal]:
    terminal = Terminal(hub_at_work, "--every", "0.5")
    yield terminal
    terminal.close()


@pytest.mark.parametrize("how", ["q", "interrupt"])
def test_it_is_drawn_anew_until_it_is_told_to_end_and_leaves_the_terminal_as_it_was(
    terminal: Terminal, how: str
) -> None:
    terminal.read_until(QUEUES.encode(), times=3)
    assert b"worker-1@" in terminal.seen
    assert b"no worker takes messages from deliveries" in terminal.seen
    assert terminal.popen.poll() is None
    if how == "q":
        # Other keys change nothing, not even those behind which it stands.
        terminal.press("xq")
    else:
        terminal.popen.send_signal(signal.SIGINT)
    terminal.read_until(FIRST_SCREEN_AGAIN)
    assert terminal.popen.wait(DEADLINE_SECONDS) == 0
    assert termios.tcgetattr(terminal.theirs) == terminal.before


def test_without_a_terminal_it_draws_once_and_nothing_but_text(hub_at_work: Hub) -> None:
    for options in ([], ["--once"]):
        done = hub_at_work.manage("hub", "top", *options)
        assert (done.returncode, done.stderr) == (0, "")
        assert QUEUES in done.stdout
        assert "\x1b" not in done.stdout
