"""What does a database look like that has lived for a month? Accounts of different sizes, and deliveries that came to an end."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

from django.db import connection

from deliveries.partitions import TABLES
from scripts.local.console import Progress
from subscriptions.subscribe import subscribe
from webhookhub.models import Account
from webhookhub.partitions import PARTITION_DAYS, create_partitions

DAYS = 28
DELIVERIES_AN_EVENT = 2
RARE_TYPE = "order.refunded"


@dataclass(frozen=True, kw_only=True, slots=True)
class Owner:
    """An account with a share of all events."""

    account: Account
    webhooks: list[UUID]


# The share of all events, and webhooks.
_SIZES = ((0.7, 20), (0.25, 5), (0.05, 2))


def store_past(deliveries: int) -> list[Owner]:
    """Store so many deliveries of the last weeks, in the order in which they happened. The largest account comes first."""
    progress = Progress(f"storing {deliveries:,} deliveries of {DAYS} days")
    now = datetime.now(UTC)
    for days in range(0, DAYS + PARTITION_DAYS, PARTITION_DAYS):
        for table in TABLES:
            create_partitions(table, now=now - timedelta(days=days))
    owners = [_add_owner(number, webhooks) for number, (_, webhooks) in enumerate(_SIZES)]
    events = max(1, deliveries // DELIVERIES_AN_EVENT)
    _execute(_EVENTS, owners, {"events": events, "since": now - timedelta(days=DAYS), "days": DAYS, "rare": RARE_TYPE})
    progress.show("the events are there")
    _execute(_DELIVERIES, owners, {"an_event": DELIVERIES_AN_EVENT})
    progress.show("the deliveries are there")
    with connection.cursor() as cursor:
        cursor.execute(f"VACUUM ANALYZE {', '.join(TABLES)}")
    progress.done()
    return owners


def _add_owner(number: int, webhooks: int) -> Owner:
    account = Account.objects.create(name=f"benchmark {number}")
    urls = [f"http://127.0.0.1:9/{number}/{webhook}" for webhook in range(webhooks)]
    return Owner(account=account, webhooks=[subscribe(account, url).id for url in urls])


def _execute(sql: str, owners: list[Owner], parameters: dict[str, Any]) -> None:
    shares = [share for share, _ in _SIZES]
    parameters |= {
        "accounts": [owner.account.id for owner in owners],
        "from": [sum(shares[:number]) for number in range(len(shares))],
        "webhooks": [webhook for owner in owners for webhook in owner.webhooks],
        "owners": [owner.account.id for owner in owners for _ in owner.webhooks],
        "numbers": [number for owner in owners for number in range(len(owner.webhooks))],
        "totals": [len(owner.webhooks) for owner in owners for _ in owner.webhooks],
    }
    with connection.cursor() as cursor:
        cursor.execute(sql, parameters)


# The ids are those that `webhookhub.ids` would have made at the time: milliseconds, version, fraction, variant, and the rest.
_EVENTS = """
    INSERT INTO webhookhub_event
           (id, account_id, type, entity_type, action, subject, correlation_id, data, created_at)
    SELECT (lpad(to_hex((extract(epoch FROM moment) * 1000)::bigint), 12, '0') || '7' || substr(random_hex, 1, 3)
            || '9' || substr(random_hex, 4, 15))::uuid,
           (SELECT account_id FROM unnest(%(accounts)s::uuid[], %(from)s::float[]) AS share (account_id, start)
             WHERE start <= draw.account ORDER BY start DESC LIMIT 1),
           CASE WHEN draw.type < 0.0001 THEN %(rare)s ELSE 'order.step' || floor(draw.type * 10) END,
           'order', 'UPDATE', '', CASE WHEN number %% 3 = 0 THEN 'checkout-' || number / 10 ELSE '' END,
           '{"orderId":"ord_' || number || '","customer":{"id":"cus_51Nw","name":"Zoë Müller"}}', moment
      FROM (SELECT number, %(since)s::timestamptz + number * (%(days)s * interval '1 day' / %(events)s) AS moment,
                   md5(number::text) AS random_hex
              FROM generate_series(1, %(events)s) AS number) AS event
     CROSS JOIN LATERAL (SELECT random() AS account, random() AS type, number AS of_event) AS draw
     ORDER BY 1
"""
# Of a hundred deliveries 97 arrived; the others have failed, or are on their way.
_DELIVERIES = """
    INSERT INTO webhookhub_delivery
           (id, event_id, subscription_id, account_id, trigger, status, attempt_count, due_at, wake_at, expires_at,
            finished_at, failure_reason, last_outcome, last_status_code)
    SELECT (left(event.id::text, 19) || '9' || substr(random_hex, 1, 3) || '-' || substr(random_hex, 4, 12))::uuid,
           event.id, webhook.id, event.account_id, 'event',
           CASE WHEN draw < 97 THEN 'delivered' WHEN draw < 98.5 THEN 'failed' WHEN draw < 99 THEN 'cancelled'
                WHEN draw < 99.3 THEN 'held' ELSE 'pending' END,
           1, created_at, CASE WHEN draw >= 99 THEN created_at + interval '60 days' END, created_at + interval '60 days',
           CASE WHEN draw < 99 THEN created_at END,
           CASE WHEN draw BETWEEN 97 AND 98.5 THEN 'exhausted' ELSE '' END,
           CASE WHEN draw < 97 THEN 'delivered' WHEN draw < 98 THEN 'status' WHEN draw < 98.5 THEN 'refused' ELSE '' END,
           CASE WHEN draw < 96 THEN 200 WHEN draw < 97 THEN 204 WHEN draw < 97.5 THEN 404 WHEN draw < 98 THEN 500 END
      FROM (SELECT event.*, copy, md5(id::text || copy) AS random_hex, random() * 100 AS draw, random() AS pick
              FROM webhookhub_event AS event, generate_series(1, %(an_event)s) AS copy) AS event
      JOIN unnest(%(webhooks)s::uuid[], %(owners)s::uuid[], %(numbers)s::int[], %(totals)s::int[])
           AS webhook (id, account_id, number, total)
        ON webhook.account_id = event.account_id AND webhook.number = floor(pick * webhook.total)
     ORDER BY 1
"""
