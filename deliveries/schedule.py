"""What follows an attempt: another one, and when, or the end? The profile, the outcome and the moment decide."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from enum import StrEnum
from itertools import count
from math import inf
from random import Random
from typing import assert_never

from deliveries.outcome import Delivered, Gone, Outcome, OutcomeCode, Rejected, Retryable, WorkerLost
from deliveries.retry_after import RetryAfter
from subscriptions.profiles import DeliveryProfile


class FailureReason(StrEnum):
    """Why a delivery failed for good, as the database names it."""

    EXHAUSTED = "exhausted"  # the profile's last attempt failed
    EXPIRED = "expired"  # the next attempt would come too late
    REJECTED = "rejected"  # another attempt would not help, or the profile wants none
    GONE = "gone"  # the receiver said 410


@dataclass(frozen=True, kw_only=True, slots=True)
class Done:
    """Nothing follows: it is delivered."""


@dataclass(frozen=True, kw_only=True, slots=True)
class RetryAt:
    """Another attempt, not before this moment."""

    moment: datetime


@dataclass(frozen=True, kw_only=True, slots=True)
class GiveUp:
    """Nothing follows: it failed."""

    reason: FailureReason


Decision = Done | RetryAt | GiveUp


def schedule(
    profile: DeliveryProfile,
    *,
    attempt_number: int,
    outcome: Outcome,
    now: datetime,
    expires_at: datetime,
    rng: Random,
    is_only_attempt: bool = False,
) -> Decision:
    """Decide what follows attempt `attempt_number` (first = 1), which came to `outcome` at `now`.

    A retry lies at or after `now` and before `expires_at`. One that would come later is not waited for: the delivery
    has expired already. `is_only_attempt`: no other follows, whatever the profile says. Moments are timezone-aware. Raises
    ValueError for an attempt number below 1.
    """
    match outcome:
        case Delivered():
            return Done()
        case Gone():
            return GiveUp(reason=FailureReason.GONE)
        case Rejected():
            return GiveUp(reason=FailureReason.REJECTED)
        case Retryable() | WorkerLost() if is_only_attempt:
            return GiveUp(reason=FailureReason.EXHAUSTED)
        case Retryable():
            wait_seconds = nominal_wait_seconds(profile, attempt_number)
            asked_seconds = _asked_seconds(outcome.retry_after, profile=profile, now=now)
        case WorkerLost():
            wait_seconds = _wait_seconds_after_loss(profile, attempt_number)
            asked_seconds = 0.0
        case _:
            assert_never(outcome)
    if wait_seconds is None:
        return GiveUp(reason=FailureReason.EXHAUSTED)
    moment = now + timedelta(seconds=_draw_wait_seconds(wait_seconds, asked_seconds, profile=profile, rng=rng))
    return RetryAt(moment=moment) if moment < expires_at else GiveUp(reason=FailureReason.EXPIRED)


def planned_moments(profile: DeliveryProfile, created_at: datetime) -> Iterator[datetime]:
    """The moments of all attempts, the first at `created_at`, of a delivery that fails each time in no time at all.

    Without jitter and Retry-After, for people to read. A profile that goes on until it expires has hundreds.
    """
    unjittered = replace(profile, jitter_ratio=0.0)
    expires_at = profile.expires_at(created_at)
    decision: Decision = RetryAt(moment=created_at)
    for attempt_number in count(1):
        if not isinstance(decision, RetryAt):
            return
        yield decision.moment
        decision = schedule(
            unjittered,
            attempt_number=attempt_number,
            outcome=Retryable(code=OutcomeCode.STATUS),
            now=decision.moment,
            expires_at=expires_at,
            rng=Random(0),
        )


def nominal_wait_seconds(profile: DeliveryProfile, attempt_number: int) -> float | None:
    """The wait between this attempt (first = 1) and the next, before jitter and Retry-After; None: there is no next."""
    if attempt_number < 1:
        raise ValueError(f"attempts are counted from 1, not {attempt_number}")
    if profile.max_attempts is not None and attempt_number >= profile.max_attempts:
        return None
    steps = attempt_number - len(profile.intervals_seconds)
    if steps <= 0:
        return profile.intervals_seconds[attempt_number - 1]
    if profile.max_interval_seconds is None:
        return None
    try:
        grown = profile.intervals_seconds[-1] * profile.backoff_factor**steps
    except OverflowError:
        return profile.max_interval_seconds
    return min(grown, profile.max_interval_seconds)


def _wait_seconds_after_loss(profile: DeliveryProfile, attempt_number: int) -> float:
    # A lost worker is our failure and cannot use up the receiver's last attempt. The longest wait keeps a delivery that
    # brings every worker down from doing so often.
    wait_seconds = nominal_wait_seconds(profile, attempt_number)
    return profile.longest_interval_seconds if wait_seconds is None else wait_seconds


def _asked_seconds(retry_after: RetryAfter | None, *, profile: DeliveryProfile, now: datetime) -> float:
    if retry_after is None:
        return 0.0
    asked = retry_after - now if isinstance(retry_after, datetime) else retry_after
    return min(max(asked.total_seconds(), 0.0), profile.retry_after_cap_seconds)


def _draw_wait_seconds(wait_seconds: float, asked_seconds: float, *, profile: DeliveryProfile, rng: Random) -> float:
    """Jitter comes last: never earlier than was asked for, and never beyond the profile's maximum or cap."""
    shortest, longest = 1 - profile.jitter_ratio, 1 + profile.jitter_ratio
    maximum = profile.max_interval_seconds or inf
    earliest = max(wait_seconds * shortest, asked_seconds)
    latest = max(min(wait_seconds * longest, maximum), min(asked_seconds * longest, profile.retry_after_cap_seconds))
    return rng.uniform(earliest, latest)
