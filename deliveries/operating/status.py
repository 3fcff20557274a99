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
    if not doorbell.broker_answers():
        out.write("the broker cannot be reached\n")
        return 1
    for queue in doorbell.QUEUES:
        out.write(f"{queue:<20} {doorbell.waiting(queue):>8} messages\n")
    return 0


COMMAND = HubCommand(
    name="status", summary="what is alive, what is waiting, and what is wrong", add_arguments=add_arguments, run=run
)
