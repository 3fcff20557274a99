"""`manage.py migrate`, one at a time: whoever comes second waits, and finds everything done."""

from __future__ import annotations

from contextlib import closing
from typing import Any

from django.core.management.commands import migrate
from django.db import connections

# Any number that nobody else locks in the same database.
LOCK = 7_349_118_205


class Command(migrate.Command):
    """Django's own, under a lock in PostgreSQL that ends with the connection, whatever becomes of this process."""

    def handle(self, *args: Any, **options: Any) -> None:
        """Two that start together, as containers of a deployment do, would make the same tables."""
        # A connection of its own: migrations may close theirs.
        with closing(connections[options["database"]].copy()) as holder, holder.cursor() as cursor:
            cursor.execute("SELECT pg_advisory_lock(%s)", [LOCK])
            super().handle(*args, **options)
