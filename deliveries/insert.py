"""How does a delivery begin that no fan-out made? Somebody asked for it: a replay, or a test of a webhook."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, NamedTuple
from uuid import UUID

from deliveries.models import Delivery
from webhookhub.conf import hub_settings
from webhookhub.ids import array_literal, delivery_id


class Wanted(NamedTuple):
    """A delivery that somebody asks for."""

    event_id: UUID
    subscription_id: UUID
    account_id: UUID
    expires_after: timedelta


@dataclass(frozen=True, kw_only=True, slots=True)
class Inserted:
    """The deliveries that were asked for, as they stand now: one for each pair of event and subscription."""

    deliveries: list[Delivery]
    new: set[UUID]
    """Ids of those that this very call brought about. The others had been asked for before, by the same trigger."""


def insert_deliveries(wanted: Sequence[Wanted], *, trigger: str) -> Inserted:
    """Insert these deliveries, due now; nobody is rung. One statement.

    Their ids are computed from event, subscription and trigger: asked for twice by one trigger, there is one of them.
    """
    if not wanted:
        return Inserted(deliveries=[], new=set())
    by_id = {delivery_id(one.event_id, one.subscription_id, trigger): one for one in wanted}
    # In the order of their ids, so that two who ask for the same ones cannot wait for each other.
    identifiers = sorted(by_id)
    event_ids, subscription_ids, account_ids, lives = zip(*(by_id[one] for one in identifiers), strict=True)
    parameters: dict[str, Any] = {
        "ids": array_literal(identifiers),
        "events": array_literal(event_ids),
        "subscriptions": array_literal(subscription_ids),
        "accounts": array_literal(account_ids),
        "lives": list(lives),
        "trigger": trigger,
        "look_again_seconds": hub_settings().look_again_seconds,
    }
    deliveries = list(Delivery.objects.raw(_INSERT, parameters))
    new = {row.id for row in deliveries if row.is_new}  # type: ignore[attr-defined]  # a column of the statement's own
    return Inserted(deliveries=deliveries, new=new)


# An update that changes nothing lets RETURNING show the rows that were there before; those became due at another moment.
_INSERT = """
    INSERT INTO webhookhub_delivery AS delivery
           (id, event_id, subscription_id, account_id, trigger, status, attempt_count, due_at, wake_at, expires_at,
            failure_reason, last_outcome)
    SELECT new.id, new.event_id, new.subscription_id, new.account_id, %(trigger)s, 'pending', 0, now(),
           now() + least(%(look_again_seconds)s * interval '1 second', new.life), now() + new.life, '', ''
      FROM unnest(%(ids)s::uuid[], %(events)s::uuid[], %(subscriptions)s::uuid[], %(accounts)s::uuid[],
                  %(lives)s::interval[]) AS new (id, event_id, subscription_id, account_id, life)
        ON CONFLICT (id) DO UPDATE SET trigger = excluded.trigger
 RETURNING delivery.*, delivery.due_at = now() AS is_new
"""
