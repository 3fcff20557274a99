"""Webhooks with limits, as tests bring them about and look into them."""

from __future__ import annotations

from collections.abc import Sequence
from uuid import UUID

from deliveries.admit import Admitted
from deliveries.claim import claim
from deliveries.engine import Flight
from deliveries.limits import Allowance, allow
from deliveries.line import join
from deliveries.models import LimitState
from subscriptions.endpoints import load_endpoints
from subscriptions.models import Subscription
from tests.integration.rows import NOTHING_SENT, database_now, make_pending

MANY = 256


def limit(subscription: Subscription, *, rate: int | None = None, cap: int | None = None) -> None:
    """The subscription has these limits from now on, and no others."""
    Subscription.objects.filter(id=subscription.id).update(rate_limit_per_second=rate, concurrency_limit=cap)


def admitted(identifiers: Sequence[UUID]) -> list[Admitted]:
    """The deliveries, claimed, each with its endpoint."""
    claims = claim(identifiers)
    endpoints = load_endpoints({one.subscription_id: one.subscription_version or 0 for one in claims})
    return sorted(((one, endpoints[one.subscription_id]) for one in claims), key=lambda pair: pair[0].delivery_id)


def in_batches(identifiers: Sequence[UUID], size: int) -> list[list[Admitted]]:
    """As several workers have them in hand."""
    return [admitted(identifiers[start : start + size]) for start in range(0, len(identifiers), size)]


def under_new_limits(batch: Sequence[Admitted]) -> list[Admitted]:
    """The same claims with their endpoints as they are now."""
    endpoints = load_endpoints(dict(Subscription.objects.values_list("id", "version")))
    return [(one, endpoints[one.subscription_id]) for one, _ in batch]


def ask(batch: Sequence[Admitted], most: int = MANY) -> Allowance:
    """What the limits have left for the batch."""
    return allow(batch, most=lambda _: most)


def fly(batch: Sequence[Admitted]) -> list[Flight]:
    """The batch on its way."""
    return [Flight(claim=one, endpoint=endpoint, request=NOTHING_SENT) for one, endpoint in batch]


def make_line(subscription: Subscription, count: int) -> list[UUID]:
    """So many more deliveries in the line of a subscription with limits, the oldest first: none of them was let go."""
    identifiers = make_pending(subscription, count)
    now = database_now()
    state, _ = LimitState.objects.get_or_create(
        holder_id=subscription.id, defaults={"next_free_at": now, "called_until": now, "line_ends_at": now}
    )
    batch = admitted(identifiers)
    all_places = {str(UUID(int=number)): now.timestamp() + 60 for number in range(batch[0][1].concurrency_limit or 0)}
    set_state(subscription, places=all_places)
    join(ask(batch, most=0).waiting)
    set_state(subscription, places=state.places)
    return identifiers


def state_of(subscription: Subscription) -> LimitState:
    """What the subscription has used of its limits."""
    return LimitState.objects.get(holder_id=subscription.id)


def set_state(subscription: Subscription, **columns: object) -> None:
    """Pretend that it has used something else."""
    assert LimitState.objects.filter(holder_id=subscription.id).update(**columns)
