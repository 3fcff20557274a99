"""How is an event sent once more? As a new delivery of the same event: the same id on the wire, and a schedule from its start."""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any
from uuid import UUID

import orjson
from django.db import connection

from deliveries.fan_out import DELIVER_TASK
from deliveries.insert import Inserted, Wanted, insert_deliveries
from deliveries.models import Delivery
from deliveries.objections import Objection
from subscriptions.matching import Subscriber, keep_interested, load_indexes
from subscriptions.models import Subscription
from subscriptions.overrides import expires_after_seconds
from webhookhub import doorbell
from webhookhub.ids import array_literal, sibling_bounds
from webhookhub.models import Event

logger = logging.getLogger("webhookhub.replay")

# What stands before a request's id in the trigger of the deliveries that it brought about.
REPLAY = "replay:"


@dataclass(frozen=True, kw_only=True, slots=True)
class Replayed:
    """What became of each delivery that was to be replayed: it has a new one, or a reason why not."""

    deliveries: list[Delivery]
    """Of the same event and webhook one, however many of their deliveries were replayed."""
    new: set[UUID]
    """Ids of those among them that this call brought about; the others were there from the same request before."""
    refused: dict[UUID, Objection]


def trigger_of(request: str) -> str:
    """The trigger of what a request brings about. The same request again brings about nothing more."""
    return REPLAY + request


def replay(delivery_ids: Sequence[UUID], *, request: str) -> Replayed:
    """Send the events of these deliveries to the same webhooks once more, whatever became of them.

    `request` (up to 57 characters) tells requests apart: one that comes again finds the deliveries that it brought about.
    """
    found = _look(delivery_ids) if delivery_ids else {}
    inserted = _send([one for one in found.values() if isinstance(one, Wanted)], request=request)
    verdicts = {identifier: found.get(identifier, Objection.NOT_FOUND) for identifier in delivery_ids}
    refused = {identifier: verdict for identifier, verdict in verdicts.items() if isinstance(verdict, Objection)}
    logger.info("replayed", extra={"deliveries": len(inserted.new), "refused": dict(Counter(refused.values()))})
    return Replayed(deliveries=inserted.deliveries, new=inserted.new, refused=refused)


def replay_event(event: Event, *, request: str, to: Subscription | None = None) -> list[Delivery] | Objection:
    """Send the event to one webhook of its account, whether or not that wants such events; without one, to all that do now.

    The new deliveries, or why there are none. `request` as in `replay`.
    """
    if not event.data:
        return Objection.PAYLOAD_EXPUNGED
    if to is not None:
        if not to.enabled:
            return Objection.WEBHOOK_DISABLED
        receivers = [(to.id, _life(to.overrides, to.profile.expires_after_seconds))]
    else:
        receivers = [(subscriber.id, subscriber.expires_after) for subscriber in _who_wants(event)]
        if not receivers:
            return Objection.NO_WEBHOOK_MATCHES
    inserted = _send(
        [Wanted(event.id, receiver, event.account_id, life) for receiver, life in receivers], request=request
    )
    logger.info("event replayed", extra={"event": str(event.id), "deliveries": len(inserted.new)})
    return inserted.deliveries


def _who_wants(event: Event) -> list[Subscriber]:
    index = load_indexes({event.account_id})[event.account_id]
    subscribers = index.match(event_type=event.type, entity_type=event.entity_type, action=event.action)
    return keep_interested(subscribers, event.data)


def _life(overrides: Mapping[str, Any], profile_seconds: float) -> timedelta:
    return timedelta(seconds=expires_after_seconds(overrides, profile_seconds))


def _send(wanted: Sequence[Wanted], *, request: str) -> Inserted:
    inserted = insert_deliveries(wanted, trigger=trigger_of(request))
    if inserted.new:
        doorbell.ring_on_commit(DELIVER_TASK, sorted(inserted.new), queue=doorbell.DELIVERIES)
    return inserted


def _look(delivery_ids: Sequence[UUID]) -> dict[UUID, Wanted | Objection]:
    """What has to be sent to replay each delivery that there is, or why that cannot be."""
    # The ids of a delivery and its event share their moment: the bounds let the planner leave out other partitions.
    low, high = sibling_bounds(min(delivery_ids))[0], sibling_bounds(max(delivery_ids))[1]
    parameters: dict[str, Any] = {"ids": array_literal(delivery_ids), "low": low, "high": high}
    with connection.cursor() as cursor:
        cursor.execute(_LOOK, parameters)
        return {
            identifier: Objection(verdict)
            if verdict
            else Wanted(event_id, subscription_id, account_id, _life(orjson.loads(overrides), profile_seconds))
            for identifier, event_id, subscription_id, account_id, verdict, overrides, profile_seconds in cursor
        }


_LOOK = f"""
    SELECT delivery.id, delivery.event_id, delivery.subscription_id, delivery.account_id,
           CASE WHEN event.id IS NULL THEN '{Objection.EVENT_GONE}'
                WHEN event.data = '' THEN '{Objection.PAYLOAD_EXPUNGED}'
                WHEN subscription.id IS NULL THEN '{Objection.WEBHOOK_DELETED}'
                WHEN NOT subscription.enabled THEN '{Objection.WEBHOOK_DISABLED}'
                ELSE ''
           END,
           subscription.overrides::text, profile.expires_after_seconds
      FROM webhookhub_delivery AS delivery
      LEFT JOIN webhookhub_event AS event ON event.id = delivery.event_id AND event.id BETWEEN %(low)s AND %(high)s
      LEFT JOIN webhookhub_subscription AS subscription ON subscription.id = delivery.subscription_id
      LEFT JOIN webhookhub_profile AS profile ON profile.name = subscription.profile_id
     WHERE delivery.id = ANY(%(ids)s::uuid[])
"""  # noqa: S608 - only constants of the code are put in
