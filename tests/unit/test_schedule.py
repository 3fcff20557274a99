"""What follows an attempt, case by case and for whatever an administrator may configure."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from itertools import islice, pairwise
from math import inf
from random import Random

import pytest
from hypothesis import given, reject
from hypothesis import strategies as st

from deliveries.outcome import Delivered, Gone, Outcome, OutcomeCode, Rejected, Retryable, WorkerLost
from deliveries.retry_after import RetryAfter
from deliveries.schedule import (
    Decision,
    Done,
    FailureReason,
    GiveUp,
    RetryAt,
    nominal_wait_seconds,
    planned_moments,
    schedule,
)
from subscriptions.builtin_profiles import BUILT_IN_PROFILES, CRM, ENTITY_CHANGE, INTEGRATION, STANDARD, TRANSACTION
from subscriptions.profiles import LONGEST_SECONDS, DeliveryProfile

NOW = datetime(2026, 3, 2, 9, 0, tzinfo=UTC)
FAR = NOW + timedelta(days=400)
FAILED = Retryable(code=OutcomeCode.STATUS)
MICROSECOND = timedelta(microseconds=1)

WITHOUT_JITTER = replace(STANDARD, jitter_ratio=0)


def decide(
    profile: DeliveryProfile = WITHOUT_JITTER,
    *,
    attempt_number: int = 1,
    outcome: Outcome = FAILED,
    expires_at: datetime = FAR,
    seed: int = 0,
) -> Decision:
    return schedule(
        profile, attempt_number=attempt_number, outcome=outcome, now=NOW, expires_at=expires_at, rng=Random(seed)
    )


def after(seconds: float) -> RetryAt:
    return RetryAt(moment=NOW + timedelta(seconds=seconds))


def asked(retry_after: RetryAfter) -> Retryable:
    return Retryable(code=OutcomeCode.STATUS, retry_after=retry_after)


@st.composite
def profiles(draw: st.DrawFn) -> DeliveryProfile:
    """Any schedule that a profile may have."""
    intervals = draw(st.lists(st.floats(min_value=0, max_value=LONGEST_SECONDS), max_size=12))
    may_grow = bool(intervals) and intervals[-1] > 0
    shortest_maximum = max([1.0, *intervals])
    maximum = st.none() | st.floats(min_value=shortest_maximum, max_value=LONGEST_SECONDS)
    return replace(
        STANDARD,
        intervals_seconds=tuple(intervals),
        max_interval_seconds=draw(maximum) if may_grow else None,
        backoff_factor=draw(st.floats(min_value=1, max_value=10)),
        max_attempts=draw(st.none() | st.integers(min_value=1, max_value=30)),
        expires_after_seconds=draw(st.floats(min_value=1, max_value=LONGEST_SECONDS)),
        jitter_ratio=draw(st.floats(min_value=0, max_value=0.5)),
        retry_after_cap_seconds=draw(st.floats(min_value=0, max_value=LONGEST_SECONDS)),
    )


ANY_PROFILE = profiles() | st.sampled_from(BUILT_IN_PROFILES)
ATTEMPT_NUMBERS = st.integers(min_value=1, max_value=20) | st.integers(min_value=1, max_value=10**6)
RETRY_AFTERS: st.SearchStrategy[RetryAfter] = st.integers(min_value=0, max_value=10**9).map(
    lambda seconds: timedelta(seconds=seconds)
) | st.datetimes(timezones=st.just(UTC))
FAILURES = st.builds(Retryable, code=st.just(OutcomeCode.STATUS), retry_after=st.none() | RETRY_AFTERS)
OUTCOMES: st.SearchStrategy[Outcome] = FAILURES | st.sampled_from(
    [Delivered(), Gone(), Rejected(code=OutcomeCode.BLOCKED), WorkerLost()]
)
SEEDS = st.integers(min_value=0, max_value=2**32)


@pytest.mark.parametrize(
    ("outcome", "decision"),
    [
        (Delivered(), Done()),
        (Gone(), GiveUp(reason=FailureReason.GONE)),
        (Rejected(code=OutcomeCode.BLOCKED), GiveUp(reason=FailureReason.REJECTED)),
        (FAILED, after(5)),
        (WorkerLost(), after(5)),
    ],
)
def test_each_outcome_has_its_decision(outcome: Outcome, decision: Decision) -> None:
    assert decide(outcome=outcome) == decision


@pytest.mark.parametrize("outcome", [Delivered(), Gone(), Rejected(code=OutcomeCode.STATUS)])
def test_a_final_outcome_stays_what_it_is_after_expiry_and_after_the_last_attempt(outcome: Outcome) -> None:
    assert decide(outcome=outcome, attempt_number=10, expires_at=NOW) == decide(outcome=outcome)


def test_the_attempt_after_the_last_wait_is_the_last() -> None:
    assert decide(attempt_number=9) == after(24 * 3600)
    assert decide(attempt_number=10) == GiveUp(reason=FailureReason.EXHAUSTED)


def test_an_empty_schedule_means_one_attempt() -> None:
    assert decide(replace(STANDARD, intervals_seconds=())) == GiveUp(reason=FailureReason.EXHAUSTED)


def test_the_number_of_attempts_can_end_a_schedule_early() -> None:
    profile = replace(WITHOUT_JITTER, max_attempts=3)
    assert decide(profile, attempt_number=2) == after(300)
    assert decide(profile, attempt_number=3) == GiveUp(reason=FailureReason.EXHAUSTED)


@pytest.mark.parametrize(
    ("expires_after_seconds", "decision"),
    [
        (5.000001, after(5)),
        (5, GiveUp(reason=FailureReason.EXPIRED)),
        (4, GiveUp(reason=FailureReason.EXPIRED)),
        (0, GiveUp(reason=FailureReason.EXPIRED)),
        (-60, GiveUp(reason=FailureReason.EXPIRED)),
    ],
)
def test_a_retry_that_would_come_at_the_expiry_or_later_fails_now(
    expires_after_seconds: float, decision: Decision
) -> None:
    assert decide(expires_at=NOW + timedelta(seconds=expires_after_seconds)) == decision


@pytest.mark.parametrize("attempt_number", [0, -1])
def test_attempts_are_counted_from_one(attempt_number: int) -> None:
    with pytest.raises(ValueError, match="counted from 1"):
        decide(attempt_number=attempt_number)


@pytest.mark.parametrize(
    ("attempt_number", "retry_after", "seconds"),
    [
        (1, timedelta(seconds=120), 120),  # longer than the 5 s of the schedule
        (1, timedelta(seconds=0), 5),  # shorter: the schedule's own wait stays
        (2, timedelta(seconds=120), 300),
        (1, timedelta(days=30), 24 * 3600),  # the cap of the profile
        (1, timedelta(seconds=10**9), 24 * 3600),
        (1, NOW + timedelta(seconds=90), 90),
        (1, NOW, 5),
        (1, NOW - timedelta(days=1), 5),  # a date in the past
        (1, datetime.max.replace(tzinfo=UTC), 24 * 3600),
        (1, datetime.min.replace(tzinfo=UTC), 5),
    ],
)
def test_retry_after_makes_a_wait_longer_up_to_the_cap_and_never_shorter(
    attempt_number: int, retry_after: RetryAfter, seconds: float
) -> None:
    assert decide(attempt_number=attempt_number, outcome=asked(retry_after)) == after(seconds)


def test_retry_after_gives_no_attempt_more_than_the_schedule_has() -> None:
    decision = decide(attempt_number=10, outcome=asked(timedelta(seconds=1)))
    assert decision == GiveUp(reason=FailureReason.EXHAUSTED)


def test_retry_after_beyond_the_expiry_ends_the_delivery_instead_of_being_overheard() -> None:
    decision = decide(outcome=asked(timedelta(hours=2)), expires_at=NOW + timedelta(hours=1))
    assert decision == GiveUp(reason=FailureReason.EXPIRED)


def test_receivers_that_ask_for_the_same_wait_are_spread_behind_it() -> None:
    waits = {decide(STANDARD, outcome=asked(timedelta(hours=1)), seed=seed) for seed in range(50)}
    assert len(waits) == 50
    assert all(after(3600).moment <= wait.moment <= after(3960).moment for wait in waits if isinstance(wait, RetryAt))


def test_a_lost_worker_does_not_use_up_the_last_attempt() -> None:
    assert decide(attempt_number=10, outcome=WorkerLost()) == after(24 * 3600)
    assert decide(replace(STANDARD, intervals_seconds=()), outcome=WorkerLost()) == after(0)


def test_a_delivery_that_keeps_losing_workers_ends_with_its_expiry() -> None:
    decision = decide(attempt_number=10**6, outcome=WorkerLost(), expires_at=NOW + timedelta(hours=24))
    assert decision == GiveUp(reason=FailureReason.EXPIRED)


@pytest.mark.parametrize(
    ("profile", "attempt_number", "seconds"),
    [
        (TRANSACTION, 1, 10),
        (TRANSACTION, 9, 2560),  # 10 x 2^8
        (TRANSACTION, 10, 3600),  # 10 x 2^9 = 5120, above the maximum
        (TRANSACTION, 2_000, 3600),  # 2^1999 is more than a float holds
        (TRANSACTION, 10**6, 3600),
        (INTEGRATION, 12, 2048),  # 2^11
        (INTEGRATION, 13, 3600),  # 2^12 = 4096
        (CRM, 9, 76_800),  # 300 x 2^8
        (CRM, 10, None),
        (ENTITY_CHANGE, 3, 0),
        (ENTITY_CHANGE, 4, None),
        (replace(TRANSACTION, backoff_factor=1), 10**6, 10),
        (replace(TRANSACTION, backoff_factor=1.5), 3, 22.5),  # 10 x 1.5^2
    ],
)
def test_waits_grow_by_their_factor_up_to_the_maximum(
    profile: DeliveryProfile, attempt_number: int, seconds: float | None
) -> None:
    assert nominal_wait_seconds(profile, attempt_number) == seconds


@given(ANY_PROFILE, ATTEMPT_NUMBERS, OUTCOMES, st.timedeltas(timedelta(days=-400), timedelta(days=400)), SEEDS)
def test_a_retry_lies_between_now_and_the_expiry(
    profile: DeliveryProfile, attempt_number: int, outcome: Outcome, left: timedelta, seed: int
) -> None:
    decision = decide(profile, attempt_number=attempt_number, outcome=outcome, expires_at=NOW + left, seed=seed)
    if isinstance(decision, RetryAt):
        assert NOW <= decision.moment < NOW + left


@given(ANY_PROFILE, ATTEMPT_NUMBERS, SEEDS)
def test_jitter_stays_within_its_ratio_and_below_the_maximum(
    profile: DeliveryProfile, attempt_number: int, seed: int
) -> None:
    nominal = nominal_wait_seconds(profile, attempt_number)
    if nominal is None:
        reject()
    decision = decide(profile, attempt_number=attempt_number, expires_at=FAR + timedelta(days=400), seed=seed)
    assert isinstance(decision, RetryAt)
    wait, jitter = decision.moment - NOW, nominal * profile.jitter_ratio
    assert timedelta(seconds=nominal - jitter) - MICROSECOND <= wait
    assert wait <= timedelta(seconds=min(nominal + jitter, profile.max_interval_seconds or inf)) + MICROSECOND


@given(ANY_PROFILE, ATTEMPT_NUMBERS, RETRY_AFTERS, SEEDS)
def test_retry_after_is_kept_up_to_the_cap_and_never_waited_for_beyond_it(
    profile: DeliveryProfile, attempt_number: int, retry_after: RetryAfter, seed: int
) -> None:
    nominal = nominal_wait_seconds(profile, attempt_number)
    if nominal is None:
        reject()
    expires_at = FAR + timedelta(days=400)
    decision = decide(
        profile, attempt_number=attempt_number, outcome=asked(retry_after), expires_at=expires_at, seed=seed
    )
    assert isinstance(decision, RetryAt)
    wait, cap = decision.moment - NOW, timedelta(seconds=profile.retry_after_cap_seconds)
    wanted = retry_after - NOW if isinstance(retry_after, datetime) else retry_after
    assert wait >= min(wanted, cap)
    assert wait <= max(cap, timedelta(seconds=nominal * (1 + profile.jitter_ratio))) + MICROSECOND


@given(profiles(), st.integers(min_value=1, max_value=10**6))
def test_grown_waits_never_get_shorter(profile: DeliveryProfile, attempt_number: int) -> None:
    attempt_number += max(len(profile.intervals_seconds), 1) - 1
    wait = nominal_wait_seconds(profile, attempt_number)
    following = nominal_wait_seconds(profile, attempt_number + 1)
    assert following is None or (wait is not None and wait <= following)


@given(ANY_PROFILE)
def test_planned_moments_begin_at_creation_never_go_back_and_end_before_the_expiry(profile: DeliveryProfile) -> None:
    moments = list(islice(planned_moments(profile, NOW), 100))
    assert moments[0] == NOW
    assert all(earlier <= later for earlier, later in pairwise(moments))
    assert moments[-1] < profile.expires_at(NOW)


@given(ANY_PROFILE, ATTEMPT_NUMBERS, OUTCOMES, SEEDS)
def test_the_same_seed_gives_the_same_decision(
    profile: DeliveryProfile, attempt_number: int, outcome: Outcome, seed: int
) -> None:
    first = decide(profile, attempt_number=attempt_number, outcome=outcome, seed=seed)
    assert first == decide(profile, attempt_number=attempt_number, outcome=outcome, seed=seed)


@pytest.mark.parametrize("profile", BUILT_IN_PROFILES, ids=lambda profile: profile.name)
@pytest.mark.parametrize("outcome", [FAILED, asked(timedelta(seconds=1)), WorkerLost()])
def test_of_a_delivery_with_a_single_attempt_no_failure_has_a_second(
    profile: DeliveryProfile, outcome: Outcome
) -> None:
    decision = schedule(
        profile, attempt_number=1, outcome=outcome, now=NOW, expires_at=FAR, rng=Random(0), is_only_attempt=True
    )
    assert decision == GiveUp(reason=FailureReason.EXHAUSTED)


def test_a_single_attempt_that_succeeds_is_a_success() -> None:
    decision = schedule(
        STANDARD, attempt_number=1, outcome=Delivered(), now=NOW, expires_at=FAR, rng=Random(0), is_only_attempt=True
    )
    assert decision == Done()
