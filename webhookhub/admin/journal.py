"""Who did what in the admin, to which row, and why? Django's own log, where its history pages read it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from django.contrib.admin.models import CHANGE, LogEntry
from django.contrib.auth.models import AbstractBaseUser
from django.contrib.contenttypes.models import ContentType
from django.db.models import Model, QuerySet
from django.http import HttpRequest

# Of the reason that is asked for.
LONGEST_REASON = 200
# Entries that a page shows.
NEWEST = 20


def note(request: HttpRequest, rows: Sequence[Model], done: str, *, reason: str = "") -> None:
    """Put on record that whoever asks did this to the rows: `Cancelled: wrong prices`."""
    assert isinstance(request.user, AbstractBaseUser)
    if rows:
        message = f"{done}: {reason}" if reason else done
        LogEntry.objects.log_actions(request.user.pk, _as_queryset(rows), CHANGE, change_message=message)


def read_notes(row: Model) -> QuerySet[LogEntry]:
    """What was done to the row, the newest first."""
    kind = ContentType.objects.get_for_model(row)
    found = LogEntry.objects.filter(content_type=kind, object_id=str(row.pk)).select_related("user")
    return found.order_by("-action_time")[:NEWEST]


def _as_queryset(rows: Sequence[Model]) -> Any:
    """Django asks for a queryset, and only goes through it and counts it."""
    return rows
