"""`manage.py emit TYPE --data JSON` records one event, `manage.py emit --file FILE.ndjson` as many as the file has lines."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from webhookhub import ids
from webhookhub.accounts import find_account
from webhookhub.ecmascript import NotJsonError, parse
from webhookhub.errors import BadEventError, EventDataError
from webhookhub.event_file import EventFile
from webhookhub.events import emit
from webhookhub.models import Account


class Command(BaseCommand):
    """Record events from the command line."""

    help = 'Record one event, or those of a file with one JSON object a line: {"type": …, "data": …}.'

    def add_arguments(self, parser: CommandParser) -> None:
        """The options; `--account` may be left out where there is only one."""
        parser.add_argument("type", nargs="?", help="what happened: order.shipped")
        parser.add_argument("--data", help='the event\'s data as JSON: \'{"orderId": "ord_123"}\'')
        parser.add_argument("--file", type=Path, help="an ndjson file; `type` and --data are then left out")
        parser.add_argument("--skip-bad", action="store_true", help="leave out lines that are no event, and name them")
        parser.add_argument("--account", help="acc_… of the account; may be left out where there is only one")
        for option in ("entity-type", "action", "subject", "correlation-id"):
            parser.add_argument(f"--{option}", default="", help=argparse.SUPPRESS if option == "action" else None)

    def handle(self, *args: Any, **options: Any) -> None:
        """Raises CommandError that says what is wrong; nothing was stored then."""
        try:
            account = find_account(options["account"])
            if options["file"] is not None:
                self._emit_file(options["file"], account, skip_bad=options["skip_bad"])
            else:
                self._emit_one(account, options)
        except (BadEventError, OSError) as error:
            raise CommandError(str(error)) from error

    def _emit_one(self, account: Account, options: dict[str, Any]) -> None:
        if options["type"] is None or options["data"] is None:
            raise CommandError("say what happened: `emit TYPE --data JSON`, or `emit --file FILE.ndjson`")
        try:
            data = parse(options["data"])
        except NotJsonError as error:
            raise EventDataError(f"--data is not JSON: {error.reason}") from None
        event_id = emit(
            options["type"],
            data,
            account=account,
            entity_type=options["entity_type"],
            action=options["action"],
            subject=options["subject"],
            correlation_id=options["correlation_id"],
        )
        self.stdout.write(ids.show("event", event_id))

    def _emit_file(self, path: Path, account: Account, *, skip_bad: bool) -> None:
        file = EventFile(path, progress=self._show_progress if sys.stderr.isatty() else None)
        recorded = file.emit(account=account, skip_bad=skip_bad)
        for problem in file.problems:
            self.stderr.write(f"skipped {problem}")
        self.stdout.write(f"{recorded} events recorded" + (f", {len(file.problems)} lines skipped" if skip_bad else ""))

    def _show_progress(self, done: float) -> None:
        width = 40
        bar = "█" * int(done * width)
        self.stderr.write(f"\r{bar:░<{width}} {done:4.0%}", ending="\n" if done >= 1 else "")
