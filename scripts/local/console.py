"""How does a command talk to the person in front of it, with a terminal and without one?"""

from __future__ import annotations

import os
import shutil
import signal
import sys
import time
from collections.abc import Callable
from types import FrameType
from typing import NoReturn

from scripts.local.errors import LocalError

# Without a terminal a long step still says every now and then that it lives.
SECONDS_BEFORE_FIRST_LINE = 1.0
SECONDS_BETWEEN_LINES = 10.0
STOP_SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
# What shells report for a command ended by SIGINT.
INTERRUPTED = 130


def say(text: str = "") -> None:
    """Print a line at once, whatever stands between us and the reader."""
    print(text, flush=True)


class Progress:
    """One line about a long step: rewritten on a terminal, else printed every ten seconds."""

    def __init__(self, title: str) -> None:
        self._title = title
        self._started_at = time.monotonic()
        self._next_line_at = self._started_at + SECONDS_BEFORE_FIRST_LINE
        self._is_terminal = sys.stdout.isatty()

    def show(self, detail: str = "") -> None:
        """Show how far the step is. Cheap enough to call in a loop."""
        now = time.monotonic()
        line = f"{self._title} ... {detail and f'{detail} '}({now - self._started_at:.0f} s)"
        if self._is_terminal:
            # \x1b[K clears what a longer line left behind.
            print(f"\r{line[: shutil.get_terminal_size().columns - 1]}\x1b[K", end="", flush=True)
        elif now >= self._next_line_at:
            self._next_line_at = now + SECONDS_BETWEEN_LINES
            say(line)

    def done(self, result: str = "done") -> None:
        line = f"{self._title}: {result} ({time.monotonic() - self._started_at:.0f} s)"
        say(f"\r{line}\x1b[K" if self._is_terminal else line)


def run_command(command: Callable[[], int]) -> NoReturn:
    """Run a command and exit. What keeps it from going on becomes one message on standard error and exit code 1."""
    _raise_on_stop_signals()
    try:
        sys.exit(command())
    except LocalError as error:
        print(f"\n{error}", file=sys.stderr, flush=True)
        sys.exit(1)
    except BrokenPipeError:
        # Whoever read along has gone, as in `scripts/run | head`. Without this Python would try once more at its exit.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(1)
    except KeyboardInterrupt:
        print("\nStopped.", file=sys.stderr, flush=True)
        sys.exit(INTERRUPTED)


def _raise_on_stop_signals() -> None:
    """Let Ctrl-C, kill and a closed terminal all end the command by way of its `finally` clauses."""

    def interrupt(received: int, _frame: FrameType | None) -> None:
        # One is enough: a second one must not break off the stopping, which has deadlines of its own.
        for number in STOP_SIGNALS:
            signal.signal(number, signal.SIG_IGN)
        raise KeyboardInterrupt(signal.Signals(received))

    for number in STOP_SIGNALS:
        # nohup asked for a closed terminal to be ignored. A SIGINT ignored by a shell's `&` is heard all the same.
        if number is not signal.SIGHUP or signal.getsignal(number) is not signal.SIG_IGN:
            signal.signal(number, interrupt)
