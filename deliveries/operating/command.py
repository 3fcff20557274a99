"""What does a command of `manage.py hub` consist of? Its module offers one of these as `COMMAND`."""

from __future__ import annotations

from argparse import ArgumentParser
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, TextIO

Options = Mapping[str, Any]


@dataclass(frozen=True, kw_only=True, slots=True)
class HubCommand:
    """One command, as `manage.py hub` lists and runs it."""

    name: str
    summary: str
    """What it tells, in one line."""
    add_arguments: Callable[[ArgumentParser], None]
    run: Callable[[Options, TextIO], int]
    """Writes what was asked for; returns the exit code: 0 where all is well, 1 where something is wrong."""
