"""Which rows does a benchmark work on? Subscriptions, and deliveries stored as fan-out stores them, in bulk."""

from __future__ import annotations

import io
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from uuid import UUID

from celery import current_app
from django.db import connection

from deliveries.fan_out import TRIGGER
from scripts.local.console import Progress
from subscriptions.models import Subscription
from subscriptions.subscribe import subscribe
from webhookhub import ids
from webhookhub.conf import hub_settings
from webhookhub.ecmascript import encode
from webhookhub.models import Account

TABLES = ("webhookhub_event", "webhookhub_delivery", "webhookhub_delivery_attempt")
# Some three hundred bytes, as many a webhook has.
EVENT_DATA = {
    "orderId": "ord_7Hk2pQ9x",
    "customer": {"id": "cus_51Nw", "name": "Zoë Müller", "country": "DE"},
    "items": [{"sku": f"sku-{number}", "quantity": number, "price": 9.99} for number in (1, 2, 3)],
    "trackingNumber": "1Z999AA10123456784",
    "shippedAt": "2026-03-01T09:30:00.000Z",
}
EXPIRES_AFTER = timedelta(days=3)
ROWS_A_COPY = 20_000


def clear_rows() -> None:
    """Empty the tables, subscriptions included, and the queues: a ring for what is no more would cost the next scenario a task."""
    current_app.control.purge()
    with connection.cursor() as cursor:
        cursor.execute(f"TRUNCATE {', '.join(TABLES)}")
    Account.objects.all().delete()


def add_subscriptions(urls: Sequence[str]) -> list[Subscription]:
    """An account with one subscription for each URL, each to an event type of its own: see `event_type`."""
    account = Account.objects.create(name="benchmark")
    return [subscribe(account, url, event_types=[event_type(number)]) for number, url in enumerate(urls)]


def event_type(number: int) -> str:
    """The type of the events for the subscription of this number."""
    return f"order.shipped.{number}"


def store_deliveries(subscriptions: Sequence[Subscription], count: int, *, an_event: int = 1) -> list[UUID]:
    """Store `count` pending deliveries, to each subscription in turn, `an_event` of them for every event."""
    progress = Progress(f"storing {count:,} deliveries")
    stored: list[UUID] = []
    while len(stored) < count:
        stored += _copy(subscriptions, len(stored), min(ROWS_A_COPY, count - len(stored)), an_event)
        progress.show(f"{len(stored):,}")
    with connection.cursor() as cursor:
        # Plans as in a database that has lived for a while.
        cursor.execute(f"ANALYZE {', '.join(TABLES)}")
    progress.done()
    return stored


def _copy(subscriptions: Sequence[Subscription], start: int, count: int, an_event: int) -> list[UUID]:
    """Write `count` deliveries and their events with COPY; the `start` before them say whose turn it is."""
    events, deliveries, stored = io.StringIO(), io.StringIO(), []
    account_id = subscriptions[0].account_id
    data = encode(EVENT_DATA)
    now = datetime.now(UTC)
    look_at, expires_at = now + timedelta(seconds=hub_settings().look_again_seconds), now + EXPIRES_AFTER
    for number in range(start, start + count):
        if number % an_event == 0 or number == start:
            event_id = ids.new_id()
            events.write(f"{event_id}\t{account_id}\t{event_type(0)}\t\t\t\t\t{data}\t{now}\n")
        subscription_id = subscriptions[number % len(subscriptions)].id
        delivery_id = ids.delivery_id(event_id, subscription_id, TRIGGER)
        deliveries.write(
            f"{delivery_id}\t{event_id}\t{subscription_id}\t{account_id}\t{TRIGGER}\tpending\t0"
            f"\t{now}\t{look_at}\t{expires_at}\t\t\n"
        )
        stored.append(delivery_id)
    _load(_EVENTS, events)
    _load(_DELIVERIES, deliveries)
    return stored


def _load(columns: str, lines: io.StringIO) -> None:
    lines.seek(0)
    with connection.cursor() as cursor:
        cursor.copy_expert(f"COPY {columns} FROM STDIN", lines)


_EVENTS = "webhookhub_event (id, account_id, type, entity_type, action, subject, correlation_id, data, created_at)"
_DELIVERIES = (
    "webhookhub_delivery (id, event_id, subscription_id, account_id, trigger, status, attempt_count, "
    "due_at, wake_at, expires_at, failure_reason, last_outcome)"
)
