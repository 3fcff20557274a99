"""What do the tests of the log share? Deliveries that came to an end, and lists read page by page."""

from __future__ import annotations

import random
from collections.abc import Iterable
from datetime import timedelta
from typing import Any
from uuid import UUID

from deliveries.fan_out import fan_out
from deliveries.models import Delivery
from deliveries.record import record_landings
from deliveries.transport import Result
from subscriptions.models import Subscription
from tests.integration.api.conftest import Client
from tests.integration.rows import answered, claim_one, database_now, land
from webhookhub.events import NewEvent, emit_many
from webhookhub.ids import new_id, show
from webhookhub.models import Account, Event

HOUR_SECONDS = 3_600


def record_events(account: Account, *events: NewEvent) -> list[UUID]:
    """Events that were recorded and fanned out, in order."""
    event_ids = emit_many(events or [NewEvent(type="order.shipped", data={"n": 1})], account=account)
    fan_out(event_ids)
    return event_ids


def record_ago(account: Account, seconds: float) -> UUID:
    """An event that was recorded so long ago, and fanned out."""
    moment = database_now() - timedelta(seconds=seconds)
    event_id = new_id(int(moment.timestamp() * 1e9))
    Event.objects.create(
        id=event_id, account=account, type="order.shipped", data="{}", created_at=moment, wake_at=moment
    )
    fan_out([event_id])
    return event_id


def deliveries_of(event_id: UUID) -> list[UUID]:
    """An event's deliveries, in the order of their ids."""
    return sorted(Delivery.objects.filter(event_id=event_id).values_list("id", flat=True))


def delivery_to(subscription: Subscription, event_id: UUID) -> UUID:
    """The delivery of an event to a subscription."""
    return Delivery.objects.get(event_id=event_id, subscription=subscription).id


def attempt(delivery_id: UUID, result: Result | int = 200) -> None:
    """Attempt a delivery that is due: this comes back, and where it failed, the next attempt is an hour away."""
    result = answered(result) if isinstance(result, int) else result
    landing = land(claim_one(delivery_id), result, intervals_seconds=(HOUR_SECONDS,) * 5, jitter_ratio=0.0)
    record_landings([landing], rng=random.Random(0))


def get(client: Client, path: str, **parameters: Any) -> dict[str, Any]:
    """What a route under /api/v1/ answers when all is well."""
    response = client.get(f"/api/v1/{path}", parameters)
    assert response.status_code == 200, response.content
    answer: dict[str, Any] = response.json()
    return answer


def ids_of(page: dict[str, Any]) -> list[str]:
    """The ids on a page."""
    return [item["id"] for item in page["items"]]


def ids_on(pages: Iterable[dict[str, Any]]) -> list[str]:
    """The ids on all of the pages."""
    return [identifier for page in pages for identifier in ids_of(page)]


def walk(client: Client, path: str, **parameters: Any) -> list[dict[str, Any]]:
    """The pages of a list from the first to the last."""
    pages = [get(client, path, **parameters)]
    while pages[-1]["next"] is not None:
        pages.append(get(client, path, **parameters, cursor=pages[-1]["next"]))
    return pages


def shown(kind: str, identifiers: Iterable[UUID]) -> list[str]:
    """Ids as the API shows them."""
    return [show(kind, identifier) for identifier in identifiers]
