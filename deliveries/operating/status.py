"""What is waiting, and does everybody answer? Looked at once, for people and for scripts."""

from __future__ import annotations

from argparse import ArgumentParser
from typing import TextIO

from deliveries.operating.command import HubCommand, Options
from webhookhub import doorbell


def add_arguments(parser: ArgumentParser) -> None:
    """There are none."""


def run(options: Options, out: TextIO) -> int:
    """1 where the broker does not answer."""
    depths = doorbell.read_depths()
    if depths is None:
        out.write("the broker cannot be reached\n")
        return 1
    for queue, messages in depths.items():
        out.write(f"{queue:<20} {messages:>8} messages\n")
    return 0


COMMAND = HubCommand(
    name="status", summary="what is alive, what is waiting, and what is wrong", add_arguments=add_arguments, run=run
)
