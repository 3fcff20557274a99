"""`manage.py create_key NAME` makes a key to the API and prints it: an operator's, unless another role is named."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from webhookhub.accounts import find_account
from webhookhub.api_keys import create_api_key
from webhookhub.errors import ApiKeyError, UnknownAccountError
from webhookhub.moments import parse_moment
from webhookhub.roles import Role


class Command(BaseCommand):
    """Make the first key: all others can be made with it, over the API."""

    help = (
        "Make a key to the API and print it, alone, so that a script can take it. It is nowhere to be had afterwards."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        """The options; `--account` may be left out where there is only one."""
        parser.add_argument("name", help="who uses it")
        parser.add_argument("--role", default=Role.OPERATOR.value, choices=Role.values, help="what it is for")
        parser.add_argument("--account", help="acc_… of the account that it speaks for; operators speak for all")
        parser.add_argument("--expires-at", help="from when on it opens nothing any more: 2027-01-31T12:00:00Z")

    def handle(self, *args: Any, **options: Any) -> None:
        """Raises CommandError that says what is wrong; no key was made then."""
        role = Role(options["role"])
        try:
            speaks_for_all = role == Role.OPERATOR and options["account"] is None
            account = None if speaks_for_all else find_account(options["account"])
            expires_at = _read_moment(options["expires_at"])
            self.stdout.write(create_api_key(account, options["name"], role=role, expires_at=expires_at))
        except (ApiKeyError, UnknownAccountError) as error:
            raise CommandError(str(error)) from error


def _read_moment(text: str | None) -> datetime | None:
    try:
        return None if text is None else parse_moment(text)
    except ValueError:
        raise CommandError("--expires-at is a moment such as 2027-01-31T12:00:00Z") from None
