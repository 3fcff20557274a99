"""What of deliveries is traced? The fan-out of an event, and each attempt, told once they are over."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime
from time import time
from uuid import UUID

from deliveries.claim import Claim
from deliveries.outcome import Delivered, Outcome
from webhookhub import ids
from webhookhub.tracing import Attribute, Span, is_on, trace


@contextmanager
def traced_fan_out(event_ids: Sequence[UUID]) -> Iterator[None]:
    """Around the fan-out that these events were rung for."""
    began = time()
    yield
    if is_on():
        for event_id in event_ids:
            trace(Span(name="fan out", event_id=event_id, began=began, ended=time(), attributes={}))


def trace_attempt(claim: Claim, *, began: datetime, ended: datetime, outcome: Outcome) -> None:
    """An attempt that is on record."""
    attributes: dict[str, Attribute] = {
        "webhookhub.delivery": ids.show("delivery", claim.delivery_id),
        "webhookhub.subscription": ids.show("subscription", claim.subscription_id),
        "webhookhub.attempt": claim.attempt_number,
        "webhookhub.outcome": outcome.code.value,
    }
    trace(
        Span(
            name="attempt",
            event_id=ids.read("event", claim.fact.shown_id),
            began=began.timestamp(),
            ended=ended.timestamp(),
            attributes=attributes,
            has_failed=not isinstance(outcome, Delivered),
        )
    )
