"""When a circuit opens, when it is probed, and how a recovery grows."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from deliveries.circuit import (
    FIRST_STEP,
    LARGEST_STEP,
    Change,
    Counted,
    Fate,
    Open,
    Recover,
    Rules,
    Step,
    Timed,
    judge_probe,
    judge_speed,
    judge_step,
    judge_traffic,
    probe_wait,
)

NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)
RULES = Rules(
    window=timedelta(minutes=5),
    failure_percent=80,
    least_attempts=20,
    least_unaccepted=10,
    probe_wait=timedelta(seconds=30),
    longest_probe_wait=timedelta(minutes=10),
    slow_after=timedelta(seconds=2),
)
COUNTS = st.integers(min_value=0, max_value=2000)


def seconds(count: float) -> timedelta:
    return timedelta(seconds=count)


@pytest.mark.parametrize(
    ("attempts", "accepted", "reason"),
    [
        (0, 0, None),
        (9, 0, None),
        (10, 0, "none of 10 attempts was accepted"),
        (10, 1, None),  # 90 %, of too few to speak of a rate
        (19, 1, None),
        (20, 4, "16 of 20 attempts were not accepted"),  # 16 / 20 = 80 %
        (20, 5, None),  # 75 %
        (1000, 200, "800 of 1000 attempts were not accepted"),
        (1000, 201, None),  # 79.9 %
    ],
)
def test_a_circuit_opens_when_enough_fail_or_enough_without_one_success(
    attempts: int, accepted: int, reason: str | None
) -> None:
    change = judge_traffic(Counted(attempts, accepted), openings=0, now=NOON, rules=RULES)
    assert (change.reason if change else None) == reason


def test_the_first_probe_comes_after_the_first_wait() -> None:
    change = judge_traffic(Counted(10, 0), openings=0, now=NOON, rules=RULES)
    assert change == Open(reason="none of 10 attempts was accepted", openings=1, probe_at=NOON + seconds(30))


@pytest.mark.parametrize(
    ("openings", "wait_seconds"), [(1, 30), (2, 60), (3, 120), (4, 240), (5, 480), (6, 600), (99, 600)]
)
def test_an_endpoint_that_fails_again_is_left_alone_for_twice_as_long_up_to_a_limit(
    openings: int, wait_seconds: float
) -> None:
    assert probe_wait(openings, RULES) == seconds(wait_seconds)


@pytest.mark.parametrize(
    ("attempts", "mean_ms", "was_slow", "is_slow"),
    [
        (0, 0, False, False),
        (0, 0, True, False),  # nothing is sent to it: nobody knows it to be slow
        (9, 5_000, False, False),  # too few to say
        (10, 1_999, False, False),
        (10, 2_000, False, True),
        (10, 1_000, True, True),  # not twice as fast
        (10, 999, True, False),
        (1, 1_000, True, True),
    ],
)
def test_an_endpoint_is_slow_from_the_limit_on_until_it_is_twice_as_fast(
    attempts: int, mean_ms: float, was_slow: bool, is_slow: bool
) -> None:
    assert judge_speed(Timed(attempts, attempts * mean_ms), was_slow=was_slow, rules=RULES) is is_slow


@pytest.mark.parametrize(
    ("fate", "change"),
    [
        (Fate.UNKNOWN, None),
        (Fate.ACCEPTED, Recover(step_size=FIRST_STEP)),
        (Fate.REFUSED, Open(reason="down", openings=3, probe_at=NOON + seconds(120))),
        (Fate.VOID, Open(reason="down", openings=2, probe_at=NOON)),
    ],
)
def test_a_probe_decides_unless_it_says_nothing(fate: Fate, change: Change | None) -> None:
    assert judge_probe(fate, reason="down", openings=2, now=NOON, rules=RULES) == change


@pytest.mark.parametrize(
    ("step", "change"),
    [
        (Step(8, 0, 8, 0), Recover(step_size=16)),
        (Step(8, 1, 7, 0), None),  # one is not back yet
        (Step(8, 0, 7, 1), Recover(step_size=8)),  # some were refused: no more than this
        (Step(600, 0, 600, 0), Recover(step_size=LARGEST_STEP)),
        (Step(8, 0, 0, 0), Recover(step_size=16)),  # cancelled or expired: nobody was asked
        (Step(10, 0, 3, 7), Recover(step_size=10)),  # 70 %
        (Step(10, 3, 0, 7), None),  # 70 % at least
        (
            Step(10, 2, 0, 8),  # 80 % at least
            Open(reason="8 of 8 released deliveries were not accepted", openings=2, probe_at=NOON + seconds(60)),
        ),
        (
            Step(5, 0, 1, 4),  # 80 %
            Open(reason="4 of 5 released deliveries were not accepted", openings=2, probe_at=NOON + seconds(60)),
        ),
    ],
)
def test_a_step_that_was_accepted_doubles_the_next_one_and_one_that_was_not_ends_the_recovery(
    step: Step, change: Change | None
) -> None:
    assert judge_step(step, openings=1, now=NOON, rules=RULES) == change


@given(attempts=COUNTS, accepted=COUNTS)
def test_one_more_success_never_opens_a_circuit(attempts: int, accepted: int) -> None:
    accepted = min(accepted, attempts)
    before = judge_traffic(Counted(attempts, accepted), openings=0, now=NOON, rules=RULES)
    after = judge_traffic(Counted(attempts + 1, accepted + 1), openings=0, now=NOON, rules=RULES)
    # But where it makes enough of them to speak of a rate.
    assert before is not None or after is None or attempts + 1 == RULES.least_attempts


@given(openings=st.integers(min_value=1, max_value=10_000))
def test_no_wait_is_shorter_than_the_one_before_or_longer_than_the_limit(openings: int) -> None:
    assert (
        RULES.probe_wait <= probe_wait(openings, RULES) <= probe_wait(openings + 1, RULES) <= RULES.longest_probe_wait
    )


@given(size=st.integers(min_value=1, max_value=LARGEST_STEP), outstanding=COUNTS, accepted=COUNTS, refused=COUNTS)
def test_a_step_is_never_empty_never_more_than_doubled_and_never_begun_before_the_last_one_is_over(
    size: int, outstanding: int, accepted: int, refused: int
) -> None:
    change = judge_step(Step(size, outstanding, accepted, refused), openings=1, now=NOON, rules=RULES)
    if isinstance(change, Recover):
        assert not outstanding
        assert size <= change.step_size <= min(2 * size, LARGEST_STEP)
    else:
        assert outstanding or refused
