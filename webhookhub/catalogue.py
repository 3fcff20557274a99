"""Do events fit what the catalogue says of their types? Asked for every event, of a snapshot that is seconds old."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

import orjson

from webhookhub.ecmascript import encode
from webhookhub.errors import BadSchemaError, EventSchemaError
from webhookhub.event_rows import NewEvent
from webhookhub.models import Account, EventType
from webhookhub.schemas import Schema

logger = logging.getLogger("webhookhub.catalogue")

# A change of the catalogue, or of whether an account validates, counts in every process after this.
KEPT_SECONDS = 2.0


@dataclass(frozen=True, kw_only=True, slots=True)
class _DatedSchema:
    schema: Schema | None
    """None: it makes no sense, and nothing is checked against it."""
    updated_at: datetime


@dataclass(frozen=True, kw_only=True, slots=True)
class _Snapshot:
    read_monotonic: float
    accounts: frozenset[UUID]
    """Those that validate."""
    schemas: Mapping[str, _DatedSchema]
    """By event type. Left as they were while no account validates."""


_lock = threading.Lock()
_NEVER = _Snapshot(read_monotonic=float("-inf"), accounts=frozenset(), schemas={})
_snapshot = _NEVER


def check_against_schemas(account_id: UUID, events: Iterable[NewEvent]) -> None:
    """Raises EventSchemaError for the first event whose data does not fit the schema of its type, if the account wants to
    know. A type without a schema takes any data; an archived one keeps its schema.

    The events are such as `to_row` accepts. Costs a query every KEPT_SECONDS a process, and none in between.
    """
    snapshot = _current()
    if account_id not in snapshot.accounts:
        return
    for event in events:
        known = snapshot.schemas.get(event.type)
        if known is None or known.schema is None:
            continue
        # What is sent is checked: a Decimal or a UUID of the caller's is a text by then.
        if (misfit := known.schema.find_misfit(orjson.loads(encode(event.data)))) is not None:
            raise EventSchemaError(misfit)


def unknown_types(names: Iterable[str]) -> set[str]:
    """Those of the event types that are not in the catalogue, or only archived. Exact: it asks the database."""
    wanted = set(names)
    return wanted - set(EventType.objects.filter(name__in=wanted, archived_at=None).values_list("name", flat=True))


def forget_catalogue() -> None:
    """Read it anew: for whoever changed it in this process."""
    global _snapshot  # noqa: PLW0603 - one memory of what was read last
    with _lock:
        _snapshot = _NEVER


def _current() -> _Snapshot:
    global _snapshot  # noqa: PLW0603
    snapshot = _snapshot
    if time.monotonic() - snapshot.read_monotonic > KEPT_SECONDS:
        with _lock:
            # Whoever waited for the lock finds it read.
            if _snapshot is snapshot:
                _snapshot = _read(snapshot.schemas)
            snapshot = _snapshot
    return snapshot


def _read(known: Mapping[str, _DatedSchema]) -> _Snapshot:
    now = time.monotonic()
    accounts = frozenset(Account.objects.filter(validates_events=True).order_by().values_list("id", flat=True))
    return _Snapshot(read_monotonic=now, accounts=accounts, schemas=_read_schemas(known) if accounts else known)


def _read_schemas(known: Mapping[str, _DatedSchema]) -> dict[str, _DatedSchema]:
    """The schemas as they are now; only what changed is read and compiled."""
    rows = EventType.objects.filter(schema__isnull=False).order_by()
    moments = dict(rows.values_list("name", "updated_at"))
    schemas = {name: dated for name, dated in known.items() if moments.get(name) == dated.updated_at}
    if changed := moments.keys() - schemas:
        for name, document, updated_at in rows.filter(name__in=changed).values_list("name", "schema", "updated_at"):
            schemas[name] = _DatedSchema(schema=_compile(name, document), updated_at=updated_at)
    return schemas


def _compile(name: str, document: object) -> Schema | None:
    try:
        return Schema(document)
    except BadSchemaError as error:
        # Written past the checks; its type's events are not worth losing for it.
        logger.error("unusable schema", extra={"event_type": name, "reason": str(error)[:200]})
        return None
