"""`manage.py subscribe URL` begins to tell a URL of an account's events, and prints the secret that its receiver needs."""

from __future__ import annotations

from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from subscriptions.rotation import reveal_secret
from subscriptions.subscribe import subscribe
from webhookhub.accounts import find_account
from webhookhub.errors import WebhookHubError


class Command(BaseCommand):
    """Subscribe from the command line."""

    help = "Begin to tell a URL of an account's events. Prints the subscription and its signing secret."

    def add_arguments(self, parser: CommandParser) -> None:
        """The options; `--account` may be left out where there is only one."""
        parser.add_argument("url", help="where the events go: https://example.com/webhooks")
        parser.add_argument("--account", help="acc_… of the account; may be left out where there is only one")
        parser.add_argument(
            "--event-type", action="append", default=[], help="a pattern such as order.*; may be repeated"
        )
        parser.add_argument("--entity-type", default="", help="with --action, another way to say what is wanted")
        parser.add_argument("--action", default="", help="CREATE, UPDATE, DELETE")
        parser.add_argument("--profile", default="standard", help="the delivery profile")
        parser.add_argument("--secret", help="a secret of your own; left out, one is made")

    def handle(self, *args: Any, **options: Any) -> None:
        """Raises CommandError that says what is wrong; nothing was stored then."""
        try:
            subscription = subscribe(
                find_account(options["account"]),
                options["url"],
                event_types=options["event_type"],
                entity_type=options["entity_type"],
                action=options["action"],
                profile=options["profile"],
                secret=options["secret"],
            )
        except WebhookHubError as error:
            raise CommandError(str(error)) from error
        self.stdout.write(f"{subscription.shown_id}\nsecret {reveal_secret(subscription)}")
