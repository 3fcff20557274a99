"""How does an application say what happened? `emit(...)` inside its own transaction: an outbox row, and a ring on commit."""

from __future__ import annotations

from collections.abc import Iterable
from itertools import islice
from time import time
from typing import Any
from uuid import UUID

from django.db import transaction

from webhookhub import doorbell, ids
from webhookhub.catalogue import check_against_schemas
from webhookhub.conf import hub_settings
from webhookhub.errors import BadIdError, UnknownAccountError
from webhookhub.event_rows import NewEvent, insert_events, to_row
from webhookhub.models import Account, account_id_of
from webhookhub.tracing import is_on, trace_published

__all__ = ["FAN_OUT_TASK", "NewEvent", "check_event", "emit", "emit_many"]

FAN_OUT_TASK = "deliveries.fan_out"
# Rows of one INSERT: some hundred kilobytes of SQL at usual sizes, where larger statements gain nothing more.
ROWS_A_STATEMENT = 500


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
    event's id. Raises BadEventError (UnknownAccountError, EventTypeError, EventDataError, or EventSchemaError where the
    account validates), and then nothing was stored.
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
    account_id = _account_id(account)
    limit = hub_settings().event_data_max_bytes
    began = time()
    recorded: list[UUID] = []
    remaining = iter(events)
    with transaction.atomic():
        while chunk := list(islice(remaining, ROWS_A_STATEMENT)):
            rows = [to_row(event, limit) for event in chunk]
            check_against_schemas(account_id, chunk)
            if insert_events([(account_id, row) for row in rows]) != len(rows):
                raise UnknownAccountError(f"there is no account {ids.show('account', account_id)}")
            recorded += [row.id for row in rows]
    if recorded:
        doorbell.ring_on_commit(FAN_OUT_TASK, recorded, queue=doorbell.FANOUT)
        if is_on():
            transaction.on_commit(lambda: trace_published(recorded, began=began), robust=True)
    return recorded


def check_event(event: NewEvent, *, account: Account | UUID | str) -> None:
    """Raises the BadEventError that `emit` would raise for this event, and stores nothing; an account that does not exist
    is not found out.
    """
    to_row(event, hub_settings().event_data_max_bytes)
    check_against_schemas(_account_id(account), [event])


def _account_id(account: Account | UUID | str) -> UUID:
    try:
        return account_id_of(account)
    except BadIdError as error:
        raise UnknownAccountError(str(error)) from None
