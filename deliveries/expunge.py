"""How is what was sent, or answered, forgotten before its time? The rows stay, and say that it was."""

from __future__ import annotations

import logging
from uuid import UUID

from deliveries.models import DeliveryAttempt
from webhookhub.ids import attempt_id
from webhookhub.models import Event

logger = logging.getLogger("webhookhub.expunge")


def expunge_data(event_id: UUID) -> bool:
    """Forget an event's data; whether there is such an event. Later attempts of its deliveries fail without a request.

    What is on the wire has them already.
    """
    found = Event.objects.filter(id=event_id).update(data="")
    logger.info("data expunged", extra={"event": str(event_id), "events": found})
    return found > 0


def expunge_response(delivery_id: UUID, number: int) -> bool:
    """Forget headers and body of the answer to a delivery's attempt (first = 1); whether that attempt is on record."""
    attempts = DeliveryAttempt.objects.filter(id=attempt_id(delivery_id, number))
    found = attempts.update(response_headers="", response_body="", response_expunged=True)
    logger.info("response expunged", extra={"delivery": str(delivery_id), "attempt": number, "attempts": found})
    return found > 0
