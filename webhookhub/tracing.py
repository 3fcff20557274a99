"""Where did the time of an event go? Its spans for OpenTelemetry: published, fanned out, each attempt. Off until a share is set.

An event's trace has the event's own id, and its first span the last half of that: every process knows which trace a span belongs
to, and nothing is carried along or stored. Which events are traced follows from their ids, too, so that all of a trace is there.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Mapping
from functools import cache
from pkgutil import resolve_name
from time import time
from typing import NamedTuple
from uuid import UUID

from webhookhub import ids
from webhookhub.conf import hub_settings

logger = logging.getLogger("webhookhub.tracing")

Attribute = str | int | float | bool

_SHARE_BITS = 32
# Of the module that imports OpenTelemetry, which is not installed everywhere.
_SPANS = "webhookhub.otel"


class Span(NamedTuple):
    """Something that was done about an event, and is over."""

    name: str
    event_id: UUID
    began: float
    """Seconds since 1970."""
    ended: float
    attributes: Mapping[str, Attribute]
    is_first: bool = False
    """The event's own, which the others lie in."""
    has_failed: bool = False


def is_on() -> bool:
    """Whether any event is traced."""
    return hub_settings().trace_share > 0


def is_traced(event_id: UUID) -> bool:
    """Whether this event is one of the share that is traced: the same in every process."""
    drawn = event_id.int & ((1 << _SHARE_BITS) - 1)
    return drawn < hub_settings().trace_share * (1 << _SHARE_BITS)


def trace_published(event_ids: Iterable[UUID], *, began: float) -> None:
    """These events were recorded just now, by something that began at this moment (seconds since 1970)."""
    if is_on():
        for event_id in event_ids:
            shown: dict[str, Attribute] = {"webhookhub.event": ids.show("event", event_id)}
            trace(Span(name="publish", event_id=event_id, began=began, ended=time(), attributes=shown, is_first=True))


def trace(span: Span) -> None:
    """Send it, sooner or later and from another thread; where its event is not traced, do nothing."""
    if is_traced(span.event_id) and (send := _sender()) is not None:
        send(span)


def close_traces() -> None:
    """Send what has not been sent: this process ends."""
    if is_on() and _sender() is not None:
        resolve_name(f"{_SPANS}:close")()


@cache
def _sender() -> Callable[[Span], None] | None:
    try:
        send: Callable[[Span], None] = resolve_name(f"{_SPANS}:send")
        resolve_name(f"{_SPANS}:begin")()
    except ModuleNotFoundError as error:
        # Deliveries are worth more than their traces. `manage.py check` says the same.
        logger.error("not traced", extra={"reason": f"{error}; pip install --requirement requirements-otel.txt"})
        return None
    except ValueError as error:
        logger.error("not traced", extra={"reason": f"a variable that begins with OTEL_ is wrong: {error}"})
        return None
    return send
