"""Which subscriptions want an event? An index of one account's subscriptions, kept in the process and replaced when it moved."""

from __future__ import annotations

import logging
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from uuid import UUID

from subscriptions.errors import PayloadFilterError
from subscriptions.models import Subscription
from subscriptions.overrides import expires_after_seconds
from subscriptions.payload_filter import Filter, parse_filter
from webhookhub import ids
from webhookhub.ecmascript import NotJsonError, parse
from webhookhub.models import Account

logger = logging.getLogger("webhookhub.matching")

ALL_TYPES = "*"
# A subscription that names an entity type alone wants whatever is done to it.
ANY_ACTION = ""
# Accounts whose index is kept: a bound on memory, and those in use come back at once.
MOST_KEPT = 1000
_SUFFIX = ".*"


@dataclass(frozen=True, kw_only=True, slots=True)
class Subscriber:
    """What fan-out needs to know of a subscription."""

    id: UUID
    expires_after: timedelta
    is_slow: bool = False
    """Whether its deliveries have a queue of their own."""
    filter: Filter | None = None
    """Which data it wants; None: any."""


@dataclass(frozen=True, slots=True)
class SubscriptionIndex:
    """The enabled subscriptions of one account, by what they want. A look-up costs a few dictionary reads, whatever their number."""

    version: int
    by_type: dict[str, list[Subscriber]] = field(default_factory=lambda: defaultdict(list))
    """Keys are types in full, `*`, and `order.*` under `order.`."""
    by_entity: dict[tuple[str, str], list[Subscriber]] = field(default_factory=lambda: defaultdict(list))
    filtered: set[UUID] = field(default_factory=set)
    """Those of the subscribers that have a filter."""

    def add(self, subscriber: Subscriber, *, patterns: Iterable[str], entity: tuple[str, str]) -> None:
        """Enter a subscriber under each of its patterns and, unless it is empty, its (entity type, action)."""
        for pattern in patterns:
            self.by_type[pattern.removesuffix("*") if pattern.endswith(_SUFFIX) else pattern].append(subscriber)
        if entity != ("", ""):
            self.by_entity[entity].append(subscriber)
        if subscriber.filter is not None:
            self.filtered.add(subscriber.id)

    def match(self, *, event_type: str, entity_type: str, action: str) -> list[Subscriber]:
        """Everybody who wants such an event, each once, in the order of their ids; some of them only with certain data."""
        found: dict[UUID, Subscriber] = {}
        for pattern in (ALL_TYPES, event_type, *_prefixes(event_type)):
            for subscriber in self.by_type.get(pattern, ()):
                found[subscriber.id] = subscriber
        if entity_type:
            for entity in {(entity_type, action), (entity_type, ANY_ACTION)}:
                for subscriber in self.by_entity.get(entity, ()):
                    found[subscriber.id] = subscriber
        return [found[identifier] for identifier in sorted(found)]

    def asks_for_data(self, subscribers: Iterable[Subscriber]) -> bool:
        """Whether it takes an event's data to know which of these want it."""
        return bool(self.filtered) and any(subscriber.filter is not None for subscriber in subscribers)


def keep_interested(subscribers: Sequence[Subscriber], data: str) -> list[Subscriber]:
    """Those who want an event with these data (JSON, as stored). Data that were expunged interest no filter."""
    try:
        value = parse(data)
    except NotJsonError:
        return [subscriber for subscriber in subscribers if subscriber.filter is None]
    return [subscriber for subscriber in subscribers if subscriber.filter is None or subscriber.filter.matches(value)]


_indexes: dict[UUID, SubscriptionIndex] = {}


def kept_index(account_id: UUID) -> SubscriptionIndex | None:
    """The account's index as it was when it was loaded last; None where it was not, or is not kept any more."""
    return _indexes.get(account_id)


def load_indexes(account_ids: Iterable[UUID]) -> dict[UUID, SubscriptionIndex]:
    """The index of each account, up to date with what is committed. An account that is gone, or whose plan has no webhooks
    (002_44c3dd7dc10608b6.txt, "Webhook limits"), has an empty one.
    """
    found = {account_id: SubscriptionIndex(version=0) for account_id in account_ids}
    if len(_indexes) > MOST_KEPT:
        _indexes.clear()
    accounts = Account.objects.filter(id__in=found, has_webhooks=True)
    for account_id, version in accounts.values_list("id", "subscriptions_version"):
        if (known := _indexes.get(account_id)) is None or known.version != version:
            # The version was read first: a change in between makes the index newer than it says, and it is loaded again.
            known = _indexes[account_id] = _build_index(account_id, version)
        found[account_id] = known
    return found


def _build_index(account_id: UUID, version: int) -> SubscriptionIndex:
    index = SubscriptionIndex(version)
    rows = Subscription.objects.filter(account_id=account_id, enabled=True).values_list(
        "id",
        "event_types",
        "entity_type",
        "action",
        "profile__expires_after_seconds",
        "overrides",
        "payload_filter",
        "circuit__is_slow",
    )
    for identifier, patterns, entity_type, action, profile_seconds, overrides, stored_filter, is_slow in rows:
        try:
            payload_filter = None if stored_filter is None else parse_filter(stored_filter)
        except PayloadFilterError as error:
            # Whatever it was meant to keep away must not be sent: it wants nothing until it is mended.
            extra = {"subscription": ids.show("subscription", identifier), "reason": str(error)[:200]}
            logger.error("unusable filter", extra=extra)
            continue
        expires_after = timedelta(seconds=expires_after_seconds(overrides, profile_seconds))
        subscriber = Subscriber(
            id=identifier, expires_after=expires_after, is_slow=bool(is_slow), filter=payload_filter
        )
        index.add(subscriber, patterns=patterns, entity=(entity_type, action))
    return index


def patterns_matching(event_type: str) -> list[str]:
    """Every pattern that wants events of this type: `*`, the type in full, and `order.*` for what begins so."""
    return [ALL_TYPES, event_type, *(f"{prefix}*" for prefix in _prefixes(event_type))]


def _prefixes(event_type: str) -> list[str]:
    """`order.item.added` is wanted by `order.*` and `order.item.*`: `order.` and `order.item.`."""
    words = event_type.split(".")
    return [".".join(words[:count]) + "." for count in range(1, len(words))]
