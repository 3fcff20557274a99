"""How is the hub doing, moment by moment? `status`, drawn anew every few seconds until q or Ctrl-C."""

from __future__ import annotations

import os
import select
import shutil
import sys
import termios
import time
import tty
from argparse import ArgumentParser, ArgumentTypeError
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from typing import Any, TextIO

from django.db import close_old_connections

from deliveries.operating.command import HubCommand, Options
from deliveries.operating.lines import finding_lines, hour_lines, overview_lines
from deliveries.operating.status import examine

EVERY_SECONDS = 2.0
# Each look costs PostgreSQL some hundredths of a second.
LEAST_SECONDS, MOST_SECONDS = 0.5, 3600.0
END_KEYS = frozenset(b"qQ")
# ECMA-48 and xterm: a second screen without a cursor, and back to the first one.
_ENTER, _LEAVE = "\x1b[?1049h\x1b[?25l", "\x1b[?25h\x1b[?1049l"
_HOME, _CLEAR_LINE, _CLEAR_BELOW = "\x1b[H", "\x1b[K", "\x1b[J"


def add_arguments(parser: ArgumentParser) -> None:
    """How often, or only once."""
    parser.add_argument("--once", action="store_true", help="draw once and end, as without a terminal")
    parser.add_argument(
        "--every", type=_seconds, default=EVERY_SECONDS, metavar="SECONDS", help="between two looks (2)"
    )


def _seconds(text: str) -> float:
    seconds = float(text)
    if not LEAST_SECONDS <= seconds <= MOST_SECONDS:
        raise ArgumentTypeError(f"it must be from {LEAST_SECONDS:g} to {MOST_SECONDS:g}")
    return seconds


def run(options: Options, out: TextIO) -> int:
    """Always 0: who asks what is wrong asks `status`."""
    if options["once"] or not (sys.stdin.isatty() and out.isatty()):
        out.write("\n".join(draw()) + "\n")
        return 0
    with _screen(out):
        _draw_until_told(out, every_seconds=options["every"])
    return 0


def draw() -> list[str]:
    """The lines of one picture; where PostgreSQL is away, that."""
    seen, findings = examine()
    lines = [] if seen is None else [*overview_lines(seen.overview), *hour_lines(seen.hour)]
    return [f"{datetime.now().astimezone():%H:%M:%S}", "", *lines, "", *finding_lines(findings)]


def fit(lines: list[str], *, columns: int, rows: int) -> list[str]:
    """As much of the picture as the terminal has room for. Pure."""
    return [line[:columns] for line in lines[:rows]]


def _draw_until_told(out: TextIO, *, every_seconds: float) -> None:
    try:
        while True:
            # One that broke is replaced before the next look.
            close_old_connections()
            size = shutil.get_terminal_size()
            # The last row stays empty: the line break behind it would move the picture up.
            lines = fit([*draw(), "", "q ends"], columns=size.columns, rows=size.lines - 1)
            out.write(_HOME + "".join(f"{line}{_CLEAR_LINE}\n" for line in lines) + _CLEAR_BELOW)
            out.flush()
            if _is_told_to_end(every_seconds):
                return
    except KeyboardInterrupt:
        return


def _is_told_to_end(wait_seconds: float) -> bool:
    """Wait so long for a key that ends it; other keys change nothing."""
    end = time.monotonic() + wait_seconds
    while (rest_seconds := end - time.monotonic()) > 0:
        ready, _, _ = select.select([sys.stdin], [], [], rest_seconds)
        # Not `sys.stdin.read`: it would keep further keys to itself, where `select` does not see them.
        if ready and _ends(os.read(sys.stdin.fileno(), 1024)):
            return True
    return False


def _ends(keys: bytes) -> bool:
    """Nothing at all is read where the terminal is gone."""
    return not keys or not END_KEYS.isdisjoint(keys)


@contextmanager
def _screen(out: TextIO) -> Iterator[None]:
    """A screen of our own, and keys as they are pressed; the terminal is as before afterwards."""
    before: list[Any] = termios.tcgetattr(sys.stdin)
    try:
        tty.setcbreak(sys.stdin)
        out.write(_ENTER)
        yield
    finally:
        out.write(_LEAVE)
        out.flush()
        termios.tcsetattr(sys.stdin, termios.TCSADRAIN, before)


COMMAND = HubCommand(
    name="top", summary="the same, live in the terminal, until q or Ctrl-C", add_arguments=add_arguments, run=run
)
