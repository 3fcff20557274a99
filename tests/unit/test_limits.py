"""Which deliveries go at which moments, once it is known how many may."""

from __future__ import annotations

from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from deliveries.admit import Admitted
from deliveries.limits import LATE_SECONDS, Allowance, Grant, share_out
from deliveries.models import CONCURRENCY_LIMITED, RATE_LIMITED
from tests.unit.claimed import claim, endpoint


def group(count: int, *, rate: int | None = 20, cap: int | None = None) -> list[Admitted]:
    limited = endpoint(rate_limit_per_second=rate, concurrency_limit=cap)
    return [(claim(delivery_id=UUID(int=number)), limited) for number in range(count)]


def share(admitted: list[Admitted], *, asked: float = 100.0, answered: float = 100.0, **grant: object) -> Allowance:
    """Share out a grant, whose first moment is now, unless said otherwise."""
    usual = {
        "first_seconds": 0.0,
        "line_seconds": 0.0,
        "reason": RATE_LIMITED,
        "waited_seconds": 0.0,
        "spent_seconds": 0.0,
    }
    values = usual | grant
    allowance = Allowance(at_once=[], timed=[], waiting=[])
    share_out(admitted, Grant(**values), allowance, asked=asked, answered=answered)  # type: ignore[arg-type]  # of the test
    return allowance


@pytest.mark.parametrize(
    ("rate", "count", "first_seconds", "begins"),
    [
        (20, 3, 0.0, [100.0, 100.05, 100.1]),
        (20, 2, 0.95, [100.95, 101.0]),
        (1, 2, 0.0, [100.0, 101.0]),
        (1000, 3, 0.25, [100.25, 100.251, 100.252]),
        (20, 0, 0.0, []),
    ],
)
def test_moments_lie_as_far_apart_as_the_limit_says(
    rate: int, count: int, first_seconds: float, begins: list[float]
) -> None:
    allowance = share(group(5, rate=rate), granted=count, first_seconds=first_seconds)
    assert [timed.moment.begin for timed in allowance.timed] == pytest.approx(begins)


def test_the_first_ones_go_and_the_others_wait_their_turns() -> None:
    admitted = group(5)
    allowance = share(admitted, granted=2, line_seconds=3.0)
    assert [timed.claim for timed in allowance.timed] == [one for one, _ in admitted[:2]]
    assert [waiting.claim for waiting in allowance.waiting] == [one for one, _ in admitted[2:]]
    assert [waiting.turn_seconds for waiting in allowance.waiting] == pytest.approx([3.0, 3.05, 3.1])


def test_where_only_places_are_limited_those_that_have_one_go_at_once() -> None:
    admitted = group(3, rate=None, cap=2)
    allowance = share(admitted, granted=2, reason=CONCURRENCY_LIMITED)
    assert (allowance.at_once, allowance.timed) == (admitted[:2], [])
    assert [(one.reason, one.turn_seconds) for one in allowance.waiting] == [(CONCURRENCY_LIMITED, 0.0)]


def test_an_answer_that_took_long_leaves_less_of_each_moment() -> None:
    allowance = share(group(1), granted=1, asked=100.0, answered=100.04)
    (timed,) = allowance.timed
    assert timed.moment == pytest.approx((100.04, 100.0 + LATE_SECONDS))


@given(unknown=st.tuples(st.floats(0, 1), st.floats(0, 1)), known=st.tuples(st.floats(0, 1), st.floats(0, 1)))
def test_however_long_the_database_took_a_request_begins_at_its_moment_and_is_never_much_too_late(
    unknown: tuple[float, float], known: tuple[float, float]
) -> None:
    """The grant was made at 0. What went by before and after it is known in part."""
    allowance = share(
        group(1),
        granted=1,
        first_seconds=0.5,
        asked=-(unknown[0] + known[0]),
        answered=known[1] + unknown[1],
        waited_seconds=known[0],
        spent_seconds=known[1],
    )
    (timed,) = allowance.timed
    begin, end = timed.moment
    assert begin >= 0.5 - 1e-9
    assert end <= 0.5 + LATE_SECONDS + 1e-9
    assert end - begin == pytest.approx(LATE_SECONDS - sum(unknown)), "only what is not known makes it shorter"


@given(
    rate=st.integers(min_value=1, max_value=500),
    batches=st.lists(st.tuples(st.integers(1, 100), st.floats(0, 0.2), st.floats(0, 1)), max_size=12),
)
def test_no_second_has_more_than_the_limit_and_a_tenth_and_one_however_late_each_begins(
    rate: int, batches: list[tuple[int, float, float]]
) -> None:
    """Grants follow each other without a gap; each request begins anywhere between its moment's two ends."""
    begun: list[float] = []
    granted = 0
    for count, took_seconds, lateness in batches:
        # This batch was asked for at 0 and answered after `took_seconds`; the clock that grants stood at 0 in between.
        allowance = share(
            group(count, rate=rate), granted=count, first_seconds=granted / rate, asked=0.0, answered=took_seconds
        )
        granted += count
        for *_, (begin, end) in allowance.timed:
            if begin <= end:
                begun.append(begin + lateness * (end - begin))
    begun.sort()
    for first, start in enumerate(begun):
        within = sum(moment < start + 1 for moment in begun[first:])
        assert within <= rate * 1.1 + 1 + 1e-6
