"""Which types of events are there? The catalogue, the same for every account, and how its entries come, change and go.

A type's `values` are `description`, `schema`, `example` and `archived`; what they leave out is empty in a new one.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from django.db import IntegrityError, transaction
from django.utils import timezone

from webhookhub.catalogue import forget_catalogue
from webhookhub.errors import ConflictError
from webhookhub.event_rows import check_event_type
from webhookhub.models import EventType
from webhookhub.schemas import Schema

_EMPTY: Mapping[str, Any] = {"description": "", "schema": None, "example": None, "archived": False}


def create_event_type(name: str, values: Mapping[str, Any]) -> EventType:
    """A new type; one that was archived under this name comes back, with these values instead of its own.

    Raises EventTypeError, BadSchemaError, and ConflictError where there is one that is not archived.
    """
    check_event_type(name, field="name")
    columns = _columns({**_EMPTY, **values})
    try:
        with transaction.atomic():
            transaction.on_commit(forget_catalogue)
            if EventType.objects.filter(name=name, archived_at__isnull=False).update(**columns):
                return EventType.objects.get(name=name)
            return EventType.objects.create(name=name, **columns)
    except IntegrityError:
        message = f"there is an event type {name} already; PATCH or PUT changes it"
        raise ConflictError(message, field="name", code="name_taken") from None


def put_event_type(name: str, values: Mapping[str, Any]) -> tuple[EventType, bool]:
    """The type with these values and no others, and whether it is new. Raises EventTypeError, BadSchemaError."""
    check_event_type(name, field="name")
    columns = _columns({**_EMPTY, **values})
    existing = EventType.objects.filter(name=name)
    try:
        with transaction.atomic():
            transaction.on_commit(forget_catalogue)
            is_new = not existing.update(**columns)
            return EventType.objects.create(name=name, **columns) if is_new else existing.get(), is_new
    except IntegrityError:
        # Somebody else made it in between.
        return put_event_type(name, values)


def change_event_type(event_type: EventType, values: Mapping[str, Any]) -> None:
    """Give the type these values and leave the others as they are.

    A new schema counts for what is published from now on: at once in this process, within seconds in others. Raises
    BadSchemaError, and DoesNotExist where the type is gone.
    """
    columns = _columns(values)
    with transaction.atomic():
        transaction.on_commit(forget_catalogue)
        if not EventType.objects.filter(name=event_type.name).update(**columns):
            raise EventType.DoesNotExist
    for name, value in columns.items():
        setattr(event_type, name, value)


def expunge_event_type(event_type: EventType) -> None:
    """Remove the type from the catalogue, and its schema with it. Events of it may still be published."""
    with transaction.atomic():
        transaction.on_commit(forget_catalogue)
        event_type.delete()


def _columns(values: Mapping[str, Any]) -> dict[str, Any]:
    """The columns that these values are. Raises BadSchemaError."""
    columns = dict(values)
    if columns.get("schema") is not None:
        Schema(columns["schema"])
    now = timezone.now()
    if "archived" in columns:
        columns["archived_at"] = now if columns.pop("archived") else None
    return {**columns, "updated_at": now}
