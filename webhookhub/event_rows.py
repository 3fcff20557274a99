"""What is stored of an event? Its labels, checked, and its data in the very text that is sent."""

from __future__ import annotations

import re
import time
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, NamedTuple
from uuid import UUID

import orjson
from django.db import connection

from webhookhub import ids
from webhookhub.ecmascript import NotJsonError, encode
from webhookhub.errors import EventDataError, EventTooLargeError, EventTypeError

# An event that nobody fanned out by then has lost its doorbell.
FAN_OUT_OVERDUE = "5 seconds"

_WORDS = re.compile(r"[A-Za-z0-9_-]+(\.[A-Za-z0-9_-]+)*")
_LABEL = re.compile(r"[A-Za-z0-9_.-]*")
_PRINTABLE = re.compile(r"[^\x00-\x1f\x7f\ud800-\udfff]*")
# Field, what it looks like, how long it may be, and the same in words.
_LABELS = (
    ("type", _WORDS, 128, "letters, digits, '_' and '-', in words with dots between, such as order.shipped"),
    ("entity_type", _LABEL, 128, "letters, digits, '_', '.' and '-'"),
    ("action", _LABEL, 32, "letters, digits, '_', '.' and '-'"),
    ("subject", _PRINTABLE, 2048, "characters, none of them a control character"),
    ("correlation_id", _PRINTABLE, 256, "characters, none of them a control character"),
)


@dataclass(frozen=True, kw_only=True, slots=True)
class NewEvent:
    """An event that is about to be recorded."""

    type: str
    """What happened, in dotted words: `order.shipped`."""
    data: Any
    """Anything with a JSON form; it is sent exactly as `webhookhub.ecmascript.encode` writes it."""
    entity_type: str = ""
    action: str = ""
    """With `entity_type`, another way to subscribe: (`product`, `UPDATE`)."""
    subject: str = ""
    """A link to what the event is about."""
    correlation_id: str = ""
    """Ties the event to a request or job of the caller; sent as `X-Correlation-Id`."""


class EventRow(NamedTuple):
    """An event as it is stored; the account stands beside it."""

    id: UUID
    created_at: datetime
    type: str
    entity_type: str
    action: str
    subject: str
    correlation_id: str
    data: str


def to_row(event: NewEvent, data_max_bytes: int) -> EventRow:
    """The row of an event that happens now. Raises BadEventError, which says what would be right."""
    _check_labels(event)
    try:
        data = encode(event.data)
    except NotJsonError as error:
        raise EventDataError(f"{error.path or 'data'}: {error.reason}") from None
    size = len(data) if data.isascii() else len(data.encode())
    if size > data_max_bytes:
        raise EventTooLargeError(f"data is {size:,} bytes of JSON; at most {data_max_bytes:,} are allowed")
    now_ns = time.time_ns()
    return EventRow(
        id=ids.new_id(now_ns),
        created_at=datetime.fromtimestamp(now_ns / 1e9, tz=UTC),
        type=event.type,
        entity_type=event.entity_type,
        action=event.action,
        subject=event.subject,
        correlation_id=event.correlation_id,
        data=data,
    )


def _check_labels(event: NewEvent) -> None:
    for field, pattern, longest, allowed in _LABELS:
        value = getattr(event, field)
        if value == "" and field != "type":
            continue
        if not isinstance(value, str) or len(value) > longest or not pattern.fullmatch(value):
            raise _not_allowed(field, value, longest, allowed)


def check_event_type(name: str, *, field: str = "type") -> None:
    """Raises EventTypeError where no event can have this type."""
    _, pattern, longest, allowed = _LABELS[0]
    if len(name) > longest or not pattern.fullmatch(name):
        raise _not_allowed(field, name, longest, allowed)


def _not_allowed(field: str, value: object, longest: int, allowed: str) -> EventTypeError:
    message = f"{field} {str(value)[:140]!r} is not allowed: it takes up to {longest} {allowed}"
    return EventTypeError(message, field=field)


def insert_events(rows: Sequence[tuple[UUID, EventRow]]) -> int:
    """Insert these events, each beside its account's id; returns how many of them have an account.

    Run twice, it inserts nothing twice: whoever lost the connection during a commit may try again.
    """
    # One document costs this process a third of what arrays of parameters do.
    document = orjson.dumps([{"account_id": account_id, **row._asdict()} for account_id, row in rows]).decode()
    with connection.cursor() as cursor:
        cursor.execute(_INSERT, [document])
        (inserted,) = cursor.fetchone()
    return int(inserted)


_INSERT = f"""
    WITH new AS (
        SELECT new.* FROM json_to_recordset(%s) AS new (
            account_id uuid, id uuid, created_at timestamptz, type text, entity_type text, action text, subject text,
            correlation_id text, data text)
          JOIN webhookhub_account AS account ON account.id = new.account_id
    ), inserted AS (
        INSERT INTO webhookhub_event
               (account_id, id, created_at, type, entity_type, action, subject, correlation_id, data, wake_at)
        SELECT new.*, now() + interval '{FAN_OUT_OVERDUE}' FROM new
            ON CONFLICT (id) DO NOTHING
    )
    SELECT count(*) FROM new
"""  # noqa: S608 - only a constant of this module is put in
