"""Which subscribers an index finds for an event."""

from __future__ import annotations

from datetime import timedelta
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from subscriptions.matching import Subscriber, SubscriptionIndex

WORDS = st.lists(st.sampled_from(["order", "item", "added", "o"]), min_size=1, max_size=4)


def subscriber(number: int = 1) -> Subscriber:
    return Subscriber(id=UUID(int=number), expires_after=timedelta(days=1))


def index_of(*wanted: str, entity: tuple[str, str] = ("", "")) -> SubscriptionIndex:
    index = SubscriptionIndex(version=1)
    index.add(subscriber(), patterns=wanted, entity=entity)
    return index


@pytest.mark.parametrize(
    ("pattern", "event_type", "wanted"),
    [
        ("*", "order", True),
        ("*", "order.item.added", True),
        ("order.shipped", "order.shipped", True),
        ("order.shipped", "order.shipped.late", False),
        ("order.shipped", "order", False),
        ("order.shipped", "Order.shipped", False),
        ("order.*", "order.shipped", True),
        ("order.*", "order.item.added", True),
        ("order.item.*", "order.item.added", True),
        ("order.item.*", "order.shipped", False),
        ("order.*", "order", False),
        ("order.*", "orders.shipped", False),
        ("order.*", "my.order.shipped", False),
    ],
)
def test_a_pattern_wants_its_own_types_and_no_others(pattern: str, event_type: str, wanted: bool) -> None:
    found = index_of(pattern).match(event_type=event_type, entity_type="", action="")
    assert found == ([subscriber()] if wanted else [])


@pytest.mark.parametrize(
    ("entity_type", "action", "wanted"),
    [
        ("product", "UPDATE", True),
        ("product", "DELETE", False),
        ("order", "UPDATE", False),
        ("product", "", False),
        ("", "UPDATE", False),
        ("", "", False),
    ],
)
def test_an_entity_type_and_an_action_are_wanted_together(entity_type: str, action: str, wanted: bool) -> None:
    index = index_of(entity=("product", "UPDATE"))
    found = index.match(event_type="any", entity_type=entity_type, action=action)
    assert found == ([subscriber()] if wanted else [])


def test_somebody_who_wants_an_event_in_several_ways_is_told_once() -> None:
    index = index_of("*", "order.*", "order.shipped", entity=("order", "SHIP"))
    assert index.match(event_type="order.shipped", entity_type="order", action="SHIP") == [subscriber()]


def test_subscribers_are_found_in_the_order_of_their_ids() -> None:
    index = SubscriptionIndex(version=1)
    for number, pattern in ((3, "*"), (1, "order.*"), (2, "order.shipped")):
        index.add(subscriber(number), patterns=[pattern], entity=("", ""))
    found = index.match(event_type="order.shipped", entity_type="", action="")
    assert found == [subscriber(1), subscriber(2), subscriber(3)]


def test_looking_up_what_nobody_wants_leaves_nothing_behind() -> None:
    index = index_of("order.shipped")
    index.match(event_type="a.b.c", entity_type="product", action="UPDATE")
    assert (set(index.by_type), set(index.by_entity)) == ({"order.shipped"}, set())


@given(st.lists(WORDS, max_size=4), WORDS)
def test_an_index_finds_whom_comparing_each_pattern_would_find(prefixes: list[list[str]], words: list[str]) -> None:
    index = SubscriptionIndex(version=1)
    for number, prefix in enumerate(prefixes):
        index.add(subscriber(number), patterns=[".".join(prefix) + ".*"], entity=("", ""))
    expected = [
        subscriber(number)
        for number, prefix in enumerate(prefixes)
        if len(words) > len(prefix) and words[: len(prefix)] == prefix
    ]
    assert index.match(event_type=".".join(words), entity_type="", action="") == expected


def test_an_entity_type_alone_wants_whatever_is_done_to_it() -> None:
    index = SubscriptionIndex(1)
    subscriber = Subscriber(id=UUID(int=1), expires_after=timedelta(days=1))
    index.add(subscriber, patterns=(), entity=("product", ""))
    told = [
        action
        for action in ("CREATE", "UPDATE", "")
        if index.match(event_type="x", entity_type="product", action=action)
    ]
    assert told == ["CREATE", "UPDATE", ""]
    assert index.match(event_type="x", entity_type="order", action="CREATE") == []
