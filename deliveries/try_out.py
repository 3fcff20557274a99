"""What does a webhook's receiver say to a test? One event that goes to it alone, one attempt, and the answer to whoever waits."""

from __future__ import annotations

import logging
import threading
import time
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from django.db import transaction

from deliveries.fan_out import DELIVER_TASK
from deliveries.insert import Wanted, insert_deliveries
from deliveries.models import TEST_TRIGGER, Delivery, DeliveryAttempt
from deliveries.objections import Objection
from subscriptions.models import Subscription
from webhookhub import doorbell, ids
from webhookhub.conf import hub_settings
from webhookhub.event_rows import NewEvent, to_row
from webhookhub.models import Event, EventType

logger = logging.getLogger("webhookhub.try_out")

# What is sent where nobody says what, and the catalogue has no example.
TEST_EVENT_TYPE = "webhookhub.test"
TEST_DATA = {"message": "This is a test of your webhook. Nothing has happened."}
TEST_ACTION = "UPDATE"
TEST_SUBJECT = "https://example.com/tests/1"
# A test that no worker took by then comes too late to tell anybody anything.
EXPIRES_AFTER = timedelta(minutes=5)
POLL_SECONDS = 0.05
# Beyond the request's own deadline: until a worker has heard of it, and until it has recorded what came.
GRACE_SECONDS = 4.0
# Each who waits has a thread and a database connection; further ones are told at once where to look.
MOST_WAITING = 16

_places = threading.BoundedSemaphore(MOST_WAITING)


class Example:
    """Stands for the data that a type of event has as its example."""


EXAMPLE = Example()


@dataclass(frozen=True, kw_only=True, slots=True)
class Trial:
    """A test on its way."""

    event: Event
    delivery: Delivery


def try_out(webhook: Subscription, *, event_type: str = TEST_EVENT_TYPE, data: Any = EXAMPLE) -> Trial | Objection:
    """Record a test event that only this webhook will hear of, in a single attempt, and ring for it.

    `data` is any JSON; left out, it is the example of the event type. Raises BadEventError.
    """
    if not webhook.enabled:
        return Objection.WEBHOOK_DISABLED
    if webhook.paused_at is not None:
        return Objection.WEBHOOK_PAUSED
    new = NewEvent(
        type=event_type,
        data=_find_example(event_type) if isinstance(data, Example) else data,
        entity_type=webhook.entity_type,
        action=webhook.action or (TEST_ACTION if webhook.entity_type else ""),
        subject=TEST_SUBJECT if webhook.entity_type else "",
    )
    row = to_row(new, hub_settings().event_data_max_bytes)
    with transaction.atomic():
        # Without `wake_at` nobody fans it out: not even this webhook hears of it twice.
        event = Event.objects.create(account_id=webhook.account_id, wake_at=None, **row._asdict())
        wanted = Wanted(event.id, webhook.id, webhook.account_id, EXPIRES_AFTER)
        (delivery,) = insert_deliveries([wanted], trigger=TEST_TRIGGER).deliveries
        doorbell.ring_on_commit(DELIVER_TASK, [delivery.id], queue=doorbell.DELIVERIES)
    logger.info("trying out", extra={"subscription": str(webhook.id), "delivery": str(delivery.id)})
    return Trial(event=event, delivery=delivery)


def wait_for_attempt(trial: Trial, *, timeout_seconds: float) -> DeliveryAttempt | None:
    """The attempt, once it is on record: at the latest so long after the longest time that its request may take.

    None where no worker was that fast, or where too many wait in this process already. No transaction is open meanwhile.
    """
    end = time.monotonic() + timeout_seconds + GRACE_SECONDS
    identifier = ids.attempt_id(trial.delivery.id, 1)
    if not _places.acquire(blocking=False):
        return None
    try:
        while True:
            attempt = DeliveryAttempt.objects.filter(id=identifier).first()
            if attempt is not None or time.monotonic() > end:
                return attempt
            time.sleep(POLL_SECONDS)
    finally:
        _places.release()


def _find_example(event_type: str) -> Any:
    example = EventType.objects.filter(name=event_type).values_list("example", flat=True).first()
    return TEST_DATA if example is None else example
