"""Which of an account's events does somebody mean? Found in the order of their ids, which is that in which they were recorded."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Self
from uuid import UUID

from webhookhub.bounded_search import CANDIDATES, Found, Sql, Stretch, Table, find_along, span_of
from webhookhub.parameters import read_text, read_values, read_window

_EVENTS = Table("webhookhub_event", ("id", "account_id", "type", "correlation_id", "entity_type", "action"))


@dataclass(frozen=True, kw_only=True, slots=True)
class EventFilter:
    """What an event has to be to be meant: all that is set, and of several types one."""

    types: tuple[str, ...] = ()
    correlation_id: str | None = None
    entity_type: str | None = None
    action: str | None = None
    since: datetime | None = None
    """Recorded from this moment on, and before `until`."""
    until: datetime | None = None

    @classmethod
    def from_parameters(cls, parameters: Mapping[str, Any]) -> Self:
        """Read the parameters of a list; others are passed over. Raises BadFilterError."""
        since, until = read_window(parameters)
        return cls(
            types=read_values(parameters, "type"),
            correlation_id=read_text(parameters, "correlationId"),
            entity_type=read_text(parameters, "entityType"),
            action=read_text(parameters, "action"),
            since=since,
            until=until,
        )


def find_events(
    wanted: EventFilter, *, account_id: UUID | None, after: UUID | None, limit: int, ascending: bool
) -> Found:
    """The ids of up to `limit` events that come after the id `after`: those of one account, or of all (None).

    There may be fewer, or none, and more beyond: it goes on while `stopped_at` is not None.
    """
    return find_along(
        _EVENTS,
        [stretch_of_events(account_id, wanted.correlation_id)],
        _conditions(wanted),
        span=span_of(wanted.since, wanted.until, after=after, ascending=ascending),
        limit=limit,
        ascending=ascending,
        candidates=CANDIDATES,
    )


def stretch_of_events(account_id: UUID | None, correlation_id: str | None) -> Stretch:
    """The shortest stretch of an index on events that holds those of an account with a correlation id; None: of any."""
    match account_id, correlation_id:
        case None, _:
            return Stretch()
        case _, None:
            return Stretch(("account_id",), (Sql.value(account_id),))
        case _:
            return Stretch(("account_id", "correlation_id"), (Sql.value(account_id), Sql.value(correlation_id)))


def _conditions(wanted: EventFilter) -> list[Sql]:
    conditions = [Sql("type = ANY(%s)", (list(wanted.types),))] if wanted.types else []
    texts = {
        "correlation_id": wanted.correlation_id,
        "entity_type": wanted.entity_type,
        "action": wanted.action,
    }
    return conditions + [Sql(f"{column} = %s", (text,)) for column, text in texts.items() if text is not None]
