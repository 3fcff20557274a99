"""`manage.py hub COMMAND`: what an operator asks of a hub. Each command is a module of `deliveries.operating`."""

from __future__ import annotations

from typing import Any

from django.core.management.base import BaseCommand, CommandParser

from deliveries.operating import doctor, status, top
from deliveries.operating.command import HubCommand

COMMANDS: tuple[HubCommand, ...] = (status.COMMAND, top.COMMAND, doctor.COMMAND)


class Command(BaseCommand):
    """Run the command that is named; its exit code is this one's."""

    help = "Look at a running hub. Exit code: 0 where all is well, 1 where something is wrong."
    # The doctor has to start, whatever they say: it passes on what they find.
    requires_system_checks: tuple[str, ...] = ()

    def add_arguments(self, parser: CommandParser) -> None:
        """One sub-command for each of COMMANDS, with its own options."""
        subparsers = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")
        for command in COMMANDS:
            subparser = subparsers.add_parser(command.name, help=command.summary, description=command.summary)
            command.add_arguments(subparser)
            subparser.set_defaults(run=command.run)

    def handle(self, *args: Any, **options: Any) -> None:
        """Raises SystemExit with the command's exit code, where it is not 0."""
        if exit_code := options["run"](options, self.stdout):
            raise SystemExit(exit_code)
