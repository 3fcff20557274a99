"""Ids that carry time."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from uuid import RFC_4122, UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from webhookhub import ids
from webhookhub.errors import BadIdError

EVENT = UUID("0192f0c1-d5a3-7abc-8123-456789abcdef")
SUBSCRIPTION = UUID("0192f0c1-d5a3-7def-9123-456789abcdef")

MOMENTS_NS = st.integers(min_value=0, max_value=4_102_444_800 * 10**9)  # 1970 to 2100
MOMENTS = st.integers(min_value=0, max_value=4_102_444_800 * 10**6).map(
    lambda microseconds: datetime(1970, 1, 1, tzinfo=UTC) + timedelta(microseconds=microseconds)
)
EVENT_IDS = MOMENTS_NS.map(ids.new_id)


@given(MOMENTS_NS)
def test_a_new_id_is_a_uuid_of_version_7(now_ns: int) -> None:
    identifier = ids.new_id(now_ns)
    assert (identifier.version, identifier.variant) == (7, RFC_4122)


@given(MOMENTS_NS)
def test_a_new_id_carries_its_millisecond(now_ns: int) -> None:
    milliseconds = now_ns // 1_000_000
    assert ids.moment_of(ids.new_id(now_ns)) == datetime(1970, 1, 1, tzinfo=UTC) + timedelta(milliseconds=milliseconds)


@given(MOMENTS_NS, st.integers(min_value=250, max_value=10**12))
def test_ids_drawn_a_quarter_of_a_microsecond_apart_keep_their_order(now_ns: int, later_ns: int) -> None:
    assert ids.new_id(now_ns) < ids.new_id(now_ns + later_ns)


def test_two_ids_of_the_same_nanosecond_differ() -> None:
    assert ids.new_id(1) != ids.new_id(1)


@given(MOMENTS)
def test_the_first_id_of_a_moment_carries_its_millisecond(moment: datetime) -> None:
    assert ids.moment_of(ids.first_id_at(moment)) == moment.replace(microsecond=moment.microsecond // 1000 * 1000)


@given(MOMENTS_NS)
def test_the_first_id_of_a_moment_is_not_above_any_id_of_it(now_ns: int) -> None:
    identifier = ids.new_id(now_ns)
    assert ids.first_id_at(ids.moment_of(identifier)) <= identifier


def test_a_delivery_id_is_the_same_whenever_it_is_computed() -> None:
    assert ids.delivery_id(EVENT, SUBSCRIPTION, "event") == ids.delivery_id(EVENT, SUBSCRIPTION, "event")


@pytest.mark.parametrize(
    ("event", "subscription", "trigger"),
    [(ids.new_id(), SUBSCRIPTION, "event"), (EVENT, ids.new_id(), "event"), (EVENT, SUBSCRIPTION, "replay")],
)
def test_another_event_subscription_or_trigger_makes_another_delivery(
    event: UUID, subscription: UUID, trigger: str
) -> None:
    assert ids.delivery_id(event, subscription, trigger) != ids.delivery_id(EVENT, SUBSCRIPTION, "event")


@given(EVENT_IDS, EVENT_IDS, st.integers(min_value=1, max_value=2**31))
def test_deliveries_and_their_attempts_are_uuids_of_version_7_within_the_bounds_of_the_event(
    event: UUID, subscription: UUID, number: int
) -> None:
    low, high = ids.sibling_bounds(event)
    delivery = ids.delivery_id(event, subscription, "event")
    attempt = ids.attempt_id(delivery, number)
    for derived in (delivery, attempt):
        assert low <= derived <= high
        assert (derived.version, derived.variant) == (7, RFC_4122)
        assert ids.moment_of(derived) == ids.moment_of(event)


def test_attempts_are_numbered_from_one_and_each_has_its_own_id() -> None:
    attempts = ids.attempt_ids(EVENT, 100)
    assert attempts[0] == ids.attempt_id(EVENT, 1)
    assert len(set(attempts)) == 100


@pytest.mark.parametrize("kind", sorted(ids.PREFIXES))
def test_an_id_is_shown_with_its_prefix_and_without_dots_and_read_back(kind: str) -> None:
    shown = ids.show(kind, EVENT)
    assert shown == f"{ids.PREFIXES[kind]}_0192f0c1d5a37abc8123456789abcdef"
    assert ids.read(kind, shown) == EVENT


def test_a_bare_uuid_is_read_too() -> None:
    assert ids.read("event", str(EVENT)) == EVENT


@pytest.mark.parametrize(
    "text",
    [
        "",
        "evt_",
        "sub_0192f0c1d5a37abc8123456789abcdef",
        "0192f0c1d5a37abc8123456789abcde",
        "evt_evt_0192f0c1d5a37abc8123456789abcdef",
        "evt_0192f0c1d5a37abc8123456789abcdeg",
        "\x00" * 32,
        "x" * 100_000,
    ],
)
def test_text_that_is_no_id_of_its_kind_is_refused_with_what_one_looks_like(text: str) -> None:
    with pytest.raises(
        BadIdError, match=r"is no event id; it looks like evt_0192f0c1… \(32 hexadecimal digits\)"
    ) as error:
        ids.read("event", text)
    assert len(str(error.value)) < 200 + 3 * 80  # of a long text only the beginning is repeated


@pytest.mark.parametrize("text", ["evt_+192f0c1d5a37abc8123456789abcdef", "evt_0_92f0c1d5a37abc8123456789abcdef"])
def test_only_hexadecimal_digits_are_digits_of_an_id(text: str) -> None:
    with pytest.raises(BadIdError):
        ids.read("event", text)


@given(st.lists(EVENT_IDS, max_size=5))
def test_an_array_literal_lists_the_ids_in_their_order(identifiers: list[UUID]) -> None:
    literal = ids.array_literal(identifiers)
    assert [UUID(part) for part in literal.strip("{}").split(",") if part] == identifiers
