"""What is said to a hub of an event, and what comes back?"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Self

from .errors import ProblemError, read_problem


@dataclass(frozen=True, kw_only=True, slots=True)
class NewEvent:
    """An event to publish."""

    type: str
    """What happened, in dotted words: `order.shipped`."""
    data: Any
    """Anything with a JSON form; receivers get it as JavaScript would write it."""
    id: str | None = None
    """Your own id: published again with the same content, it is the same event."""
    entity_type: str | None = None
    action: str | None = None
    """With `entity_type`, another way to subscribe: (`product`, `UPDATE`)."""
    subject: str | None = None
    """A link to what the event is about."""
    correlation_id: str | None = None
    """Ties the event to a request or job of yours; sent as `X-Correlation-Id`."""

    def to_document(self) -> dict[str, Any]:
        """As the API takes it."""
        labels = {
            "id": self.id,
            "entityType": self.entity_type,
            "action": self.action,
            "subject": self.subject,
            "correlationId": self.correlation_id,
        }
        return {"type": self.type, "data": self.data} | {name: one for name, one in labels.items() if one is not None}


@dataclass(frozen=True, kw_only=True, slots=True)
class AcceptedEvent:
    """An event that is committed, and will be delivered to everybody who wants it."""

    id: str
    type: str
    created_at: datetime
    is_replayed: bool
    """Whether it had been recorded before, under the same id or key: nothing was recorded now."""

    @classmethod
    def from_document(cls, document: Mapping[str, Any], *, is_replayed: bool) -> Self:
        """As the API answers it."""
        return cls(
            id=document["id"],
            type=document["type"],
            created_at=datetime.fromisoformat(document["createdAt"]),
            is_replayed=is_replayed,
        )


@dataclass(frozen=True, kw_only=True, slots=True)
class RefusedEvent:
    """An event of a partial batch that was left out."""

    problem: ProblemError
    """Why. It is not raised."""


def read_result(document: Mapping[str, Any], *, is_replayed: bool) -> AcceptedEvent | RefusedEvent:
    """What became of one event of a partial batch."""
    if "problem" in document:
        return RefusedEvent(problem=read_problem(document["problem"], status=document["status"]))
    return AcceptedEvent.from_document(document["event"], is_replayed=is_replayed)
