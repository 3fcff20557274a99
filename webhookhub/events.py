"""How does an application say what happened? `emit(...)` inside its own transaction: an outbox row, and a ring on commit."""

from __future__ import annotations

import re
import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from itertools import islice
from typing import Any
from uuid import UUID

from django.db import connection, transaction

from webhookhub import doorbell, ids
from webhookhub.conf import hub_settings
from webhookhub.ecmascript import NotJsonError, encode
from webhookhub.errors import BadIdError, EventDataError, EventTypeError, UnknownAccountError
from webhookhub.models import Account, account_id_of

FAN_OUT_TASK = "deliveries.fan_out"
# Rows of one INSERT: some hundred kilobytes of SQL at usual sizes, where larger statements gain nothing more.
ROWS_A_STATEMENT = 500
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


def emit(
    event_type: str,
    data: Any,
    *,
    account: Account | UUID | str,
    entity_type: str = "",
    action: str = "",
    subject: str = "",
    correlation_id: str = "",
) -> UUID:
    """Record that something happened to `account`; whoever subscribed will hear of it once the transaction commits.

    Rolled back, nothing remains. Committed, it is delivered even if this process dies or the broker is away. Returns the
    event's id. Raises BadEventError (UnknownAccountError, EventTypeError, EventDataError), and then nothing was stored.
    """
    event = NewEvent(
        type=event_type,
        data=data,
        entity_type=entity_type,
        action=action,
        subject=subject,
        correlation_id=correlation_id,
    )
    return emit_many([event], account=account)[0]


def emit_many(events: Iterable[NewEvent], *, account: Account | UUID | str) -> list[UUID]:
    """As `emit`, for many events at once: all are recorded or none. Returns their ids in order."""
    try:
        account_id = account_id_of(account)
    except BadIdError as error:
        raise UnknownAccountError(str(error)) from None
    limit = hub_settings().event_data_max_bytes
    recorded: list[UUID] = []
    remaining = iter(events)
    with transaction.atomic():
        while rows := [_row(event, limit) for event in islice(remaining, ROWS_A_STATEMENT)]:
            _insert(rows, account_id)
            recorded += [row[0] for row in rows]
    if recorded:
        transaction.on_commit(partial(doorbell.ring, FAN_OUT_TASK, recorded, queue=doorbell.FANOUT), robust=True)
    return recorded


def check_event(event: NewEvent) -> None:
    """Raises the BadEventError that `emit` would raise for this event, and stores nothing."""
    _row(event, hub_settings().event_data_max_bytes)


_Row = tuple[UUID, datetime, str, str, str, str, str, str]


def _row(event: NewEvent, data_max_bytes: int) -> _Row:
    _check_labels(event)
    try:
        data = encode(event.data)
    except NotJsonError as error:
        raise EventDataError(f"{error.path or 'data'}: {error.reason}") from None
    size = len(data) if data.isascii() else len(data.encode())
    if size > data_max_bytes:
        raise EventDataError(f"data is {size:,} bytes of JSON; at most {data_max_bytes:,} are allowed")
    now_ns = time.time_ns()
    created_at = datetime.fromtimestamp(now_ns / 1e9, tz=UTC)
    return (
        ids.new_id(now_ns),
        created_at,
        event.type,
        event.entity_type,
        event.action,
        event.subject,
        event.correlation_id,
        data,
    )


def _check_labels(event: NewEvent) -> None:
    for field, pattern, longest, allowed in _LABELS:
        value = getattr(event, field)
        if not isinstance(value, str) or len(value) > longest or not pattern.fullmatch(value):
            message = f"{field} {str(value)[:140]!r} is not allowed: it takes up to {longest} {allowed}"
            raise EventTypeError(message, field=field)


def _insert(rows: Sequence[_Row], account_id: UUID) -> None:
    """Insert the rows, or none where the account does not exist: it is looked up by the same statement."""
    columns = [list(column) for column in zip(*rows, strict=True)]
    with connection.cursor() as cursor:
        cursor.execute(_INSERT, [account_id, *columns])
        if cursor.rowcount != len(rows):
            raise UnknownAccountError(f"there is no account {ids.show('account', account_id)}")


_INSERT = f"""
    INSERT INTO webhookhub_event
           (account_id, id, created_at, type, entity_type, action, subject, correlation_id, data, wake_at)
    SELECT account.id, new.*, now() + interval '{FAN_OUT_OVERDUE}'
      FROM (SELECT id FROM webhookhub_account WHERE id = %s) AS account,
           unnest(%s::uuid[], %s::timestamptz[], %s::text[], %s::text[], %s::text[], %s::text[], %s::text[], %s::text[]) AS new
"""  # noqa: S608 - only a constant of this module is put in
