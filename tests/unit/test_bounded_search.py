"""span_of and Found: between which ids a search looks, and where the next one goes on."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from uuid import UUID

import pytest

from webhookhub.bounded_search import Found, Span, span_of
from webhookhub.ids import first_id_at, new_id

NOON = datetime(2026, 1, 15, 12, tzinfo=UTC)
LOWEST, HIGHEST = UUID(int=0), UUID(int=2**128 - 1)


def id_at(moment: datetime) -> UUID:
    return new_id(int(moment.timestamp() * 1000) * 1_000_000)


def is_in(span: Span, identifier: UUID) -> bool:
    return span.low <= identifier <= span.high


def test_without_bounds_it_holds_every_id() -> None:
    assert span_of(None, None, after=None, ascending=True) == Span(LOWEST, HIGHEST)


def test_a_window_has_its_first_moment_and_not_its_last() -> None:
    span = span_of(NOON, NOON + timedelta(seconds=1), after=None, ascending=False)
    milliseconds = [-1, 0, 999, 1000]
    held = [is_in(span, id_at(NOON + timedelta(milliseconds=number))) for number in milliseconds]
    assert held == [False, True, True, False]


@pytest.mark.parametrize(("ascending", "before", "behind"), [(True, False, True), (False, True, False)])
def test_it_goes_on_behind_an_id_in_the_direction_that_is_read(*, ascending: bool, before: bool, behind: bool) -> None:
    after = id_at(NOON)
    span = span_of(None, None, after=after, ascending=ascending)
    neighbours = (UUID(int=after.int - 1), after, UUID(int=after.int + 1))
    assert [is_in(span, identifier) for identifier in neighbours] == [before, False, behind]


def test_an_id_outside_of_the_window_does_not_widen_it() -> None:
    early = id_at(NOON - timedelta(days=1))
    assert span_of(NOON, None, after=early, ascending=True).low == first_id_at(NOON)
    assert span_of(None, NOON, after=id_at(NOON + timedelta(days=1)), ascending=False).high < first_id_at(NOON)


@pytest.mark.parametrize(("after", "ascending"), [(HIGHEST, True), (LOWEST, False)])
def test_there_may_be_nothing_behind_the_last_id(after: UUID, *, ascending: bool) -> None:
    span = span_of(None, None, after=after, ascending=ascending)
    assert span == Span(after, after)


def test_a_full_search_goes_on_behind_the_last_one_found() -> None:
    found = [id_at(NOON), id_at(NOON + timedelta(seconds=1))]
    assert Found.of(found, limit=2, looked_until=None).stopped_at == found[-1]
    assert Found.of(found, limit=2, looked_until=LOWEST).stopped_at == found[-1]
    assert Found.of(found, limit=3, looked_until=LOWEST).stopped_at == LOWEST
    assert Found.of(found, limit=3, looked_until=None).stopped_at is None
