"""What a landing comes to: outcome, moments, and what follows."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from random import Random

import pytest

from deliveries.engine import Flight, Landing
from deliveries.outcome import Delivered
from deliveries.record import Verdict, judge
from deliveries.schedule import Done, FailureReason, GiveUp, RetryAt
from deliveries.transport import FailureKind, Result, Timings
from subscriptions.builtin_profiles import STANDARD
from tests.unit.claimed import NOON, claim, endpoint, flight
from tests.unit.results import answer, no_answer


def judged(result: Result, *, attempt_number: int = 1, started_after_seconds: float = 0.0) -> Verdict:
    one = claim(attempt_number=attempt_number)
    there = endpoint(profile=replace(STANDARD, jitter_ratio=0))
    flown = Flight(claim=one, endpoint=there, request=flight().request)
    landing = Landing(flight=flown, started_monotonic=one.claimed_monotonic + started_after_seconds, result=result)
    return judge(landing, Random(0))


def test_a_success_is_the_end() -> None:
    verdict = judged(answer(204))
    assert (verdict.outcome, verdict.decision) == (Delivered(), Done())


def test_moments_are_told_on_the_database_s_clock_from_the_claim_on() -> None:
    took = answer(200)._replace(timings=Timings(total_ms=250))
    verdict = judged(took, started_after_seconds=2.5)
    assert verdict.started_at - NOON == pytest.approx(timedelta(seconds=2.5), abs=timedelta(microseconds=10))
    assert verdict.finished_at - verdict.started_at == timedelta(milliseconds=250)


def test_a_retry_is_counted_from_the_end_of_the_attempt() -> None:
    # The standard profile waits 5 s after the first attempt.
    verdict = judged(answer(500)._replace(timings=Timings(total_ms=1_000)))
    assert verdict.decision == RetryAt(moment=verdict.finished_at + timedelta(seconds=5))


@pytest.mark.parametrize(
    ("result", "attempt_number", "reason"),
    [
        (answer(500), 10, FailureReason.EXHAUSTED),
        (answer(410), 1, FailureReason.GONE),
        (no_answer(FailureKind.BLOCKED), 1, FailureReason.REJECTED),
    ],
)
def test_the_end_of_a_failure_has_its_reason(result: Result, attempt_number: int, reason: FailureReason) -> None:
    assert judged(result, attempt_number=attempt_number).decision == GiveUp(reason=reason)


def test_a_result_without_timings_took_no_time() -> None:
    verdict = judged(no_answer(FailureKind.REFUSED))
    assert verdict.finished_at == verdict.started_at
