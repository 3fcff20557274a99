"""Each built-in profile plays its document's rules against the clock."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from random import Random

import pytest

from deliveries.outcome import classify
from deliveries.schedule import Decision, Done, FailureReason, GiveUp, RetryAt, planned_moments, schedule
from deliveries.transport.exchange import FailureKind, Result
from subscriptions.builtin_profiles import (
    BUILT_IN_PROFILES,
    CRM,
    ENTITY_CHANGE,
    INTEGRATION,
    SHORT,
    STANDARD,
    TRANSACTION,
)
from subscriptions.profiles import BodyForm, DeliveryProfile
from tests.unit.results import answer, no_answer

CREATED_AT = datetime(2026, 3, 2, 9, 0, tzinfo=UTC)
MINUTE, HOUR, DAY = 60, 3600, 86_400

REFUSED = no_answer(FailureKind.REFUSED)
TIMED_OUT = no_answer(FailureKind.TIMEOUT)
EXHAUSTED = GiveUp(reason=FailureReason.EXHAUSTED)
EXPIRED = GiveUp(reason=FailureReason.EXPIRED)
REJECTED = GiveUp(reason=FailureReason.REJECTED)
GONE = GiveUp(reason=FailureReason.GONE)


@dataclass(frozen=True, kw_only=True)
class Story:
    """What a receiver saw of one delivery."""

    attempts_at: list[float]
    """Seconds after the delivery's creation at which each attempt began."""
    ended_at: float
    end: Decision

    @property
    def waits(self) -> list[float]:
        return [later - earlier for earlier, later in pairwise(self.attempts_at)]


def play(profile: DeliveryProfile, *results: Result, attempt_seconds: float = 0, rng: Random | None = None) -> Story:
    """Deliver to a receiver that gives these results in turn, the last one from then on. No `rng`, no jitter."""
    played = replace(profile, jitter_ratio=profile.jitter_ratio if rng else 0)
    expires_at = profile.expires_at(CREATED_AT)
    now, begun = CREATED_AT, []
    decision: Decision = RetryAt(moment=CREATED_AT)
    given = _then_the_last_one_forever(results)
    while isinstance(decision, RetryAt):
        begun.append((decision.moment - CREATED_AT).total_seconds())
        now = decision.moment + timedelta(seconds=attempt_seconds)
        decision = schedule(
            played,
            attempt_number=len(begun),
            outcome=classify(next(given), played),
            now=now,
            expires_at=expires_at,
            rng=rng or Random(0),
        )
    return Story(attempts_at=begun, ended_at=(now - CREATED_AT).total_seconds(), end=decision)


def _then_the_last_one_forever(results: tuple[Result, ...]) -> Iterator[Result]:
    yield from results
    while True:
        yield results[-1]


def ended_by(profile: DeliveryProfile, result: Result) -> Decision | None:
    """How one such result ends a delivery; None when it is tried again."""
    story = play(profile, result, answer(200))
    return story.end if len(story.attempts_at) == 1 else None


# standard: 004_0606a3681fd2e877.txt and Standard Webhooks 1.0.0


def test_standard_makes_ten_attempts_in_75_hours_35_minutes_and_5_seconds() -> None:
    story = play(STANDARD, answer(500))
    waits = [5, 5 * MINUTE, 30 * MINUTE, 2 * HOUR, 5 * HOUR, 10 * HOUR, 14 * HOUR, 20 * HOUR, 24 * HOUR]
    assert story.waits == waits
    assert story.attempts_at == [0, 5, 305, 2_105, 9_305, 27_305, 63_305, 113_705, 185_705, 272_105]
    assert story.attempts_at[-1] == 75 * HOUR + 35 * MINUTE + 5
    assert story.end == EXHAUSTED


def test_standard_counts_each_wait_from_the_end_of_the_attempt_before_it() -> None:
    story = play(STANDARD, TIMED_OUT, attempt_seconds=15)
    assert story.attempts_at[:3] == [0, 15 + 5, 15 + 5 + 15 + 300]
    assert len(story.attempts_at) == 10
    assert story.ended_at == 272_105 + 10 * 15


def test_standard_is_done_with_the_first_2xx() -> None:
    story = play(STANDARD, answer(503), REFUSED, answer(204))
    assert story == Story(attempts_at=[0, 5, 305], ended_at=305, end=Done())


def test_standard_retries_client_and_server_errors_and_timeouts_but_ends_at_410() -> None:
    assert [ended_by(STANDARD, answer(status)) for status in (400, 404, 408, 425, 429, 500, 503)] == [None] * 7
    assert ended_by(STANDARD, TIMED_OUT) is None
    assert ended_by(STANDARD, answer(410)) == GONE


def test_standard_waits_as_long_as_a_receiver_asks_up_to_a_day() -> None:
    story = play(STANDARD, answer(429, ("Retry-After", "600")), answer(503, ("Retry-After", "999999")), answer(200))
    assert story.waits == [600, 24 * HOUR]


def test_standard_expires_after_a_week_of_receivers_asking_for_a_day() -> None:
    # Retry-After counts as an attempt: the first seven, a day apart; the eighth would begin at the expiry.
    story = play(STANDARD, answer(429, ("Retry-After", "86400")))
    assert story == Story(attempts_at=[n * DAY for n in range(7)], ended_at=6 * DAY, end=EXPIRED)


# short: 004_0606a3681fd2e877.txt, "Retry with backoff (e.g., 1m, 5m, 30m, 2h)"


def test_short_makes_five_attempts_in_2_hours_and_36_minutes() -> None:
    story = play(SHORT, answer(500))
    assert story.waits == [1 * MINUTE, 5 * MINUTE, 30 * MINUTE, 2 * HOUR]
    assert story.ended_at == 2 * HOUR + 36 * MINUTE
    assert story.end == EXHAUSTED


def test_short_judges_as_standard_does() -> None:
    judged = ("timeout_seconds", "success_statuses", "retry_on", "stop_on_gone", "jitter_ratio", "body_form")
    assert [getattr(SHORT, field) for field in judged] == [getattr(STANDARD, field) for field in judged]


# transaction: 000_367773aad2115c27.txt, quick at first, exponential, up to a maximum, until cancelled


def test_transaction_doubles_from_10_seconds_to_an_hour_and_goes_on_for_two_weeks() -> None:
    story = play(TRANSACTION, answer(500))
    assert story.waits[:9] == [10, 20, 40, 80, 160, 320, 640, 1280, 2560]
    assert set(story.waits[9:]) == {1 * HOUR}
    # The tenth attempt begins at 10 x (2^9 - 1) = 5110 s; 334 hours later, 1,207,510 s, one more hour would pass the
    # 1,209,600 s of two weeks.
    assert story.attempts_at[9] == 5_110
    assert len(story.attempts_at) == 10 + 334
    assert story.attempts_at[-1] == 5_110 + 334 * HOUR
    assert story.end == EXPIRED


def test_transaction_retries_whatever_is_not_a_success() -> None:
    assert [ended_by(TRANSACTION, answer(status)) for status in (301, 400, 404, 410, 500)] == [None] * 5
    assert ended_by(TRANSACTION, REFUSED) is None
    assert ended_by(TRANSACTION, answer(202)) == Done()


def test_transaction_never_waits_longer_than_its_maximum_even_with_jitter_or_when_asked() -> None:
    assert max(play(TRANSACTION, answer(500), rng=Random(1)).waits) <= 1 * HOUR
    assert max(play(TRANSACTION, answer(503, ("Retry-After", "7200")), rng=Random(1)).waits) <= 1 * HOUR


# integration: 001_b8e5992e24f7d99a.txt


def test_integration_doubles_from_1_second_to_1_hour_and_gives_up_within_12_hours() -> None:
    story = play(INTEGRATION, answer(503))
    # 1 + 2 + ... + 2048 = 4095 s are the first twelve waits; then ten of an hour, up to 40,095 s; an eleventh would end
    # at 43,695 s, after the 43,200 s of 12 hours.
    assert story.waits == [2**n for n in range(12)] + [1 * HOUR] * 10
    assert story.attempts_at[12] == 4_095
    assert story.attempts_at[-1] == 40_095
    assert len(story.attempts_at) == 23
    assert story.end == EXPIRED


def test_integration_counts_the_time_of_its_attempts_into_the_12_hours() -> None:
    # Thirteen attempts of 30 s and 4095 s of waits: the fourteenth begins at 13 x 30 + 4095 + 3600 = 8085 s, further
    # ones 3630 s apart; 8085 + 9 x 3630 = 40,755 s is the last before 43,200 s.
    story = play(INTEGRATION, TIMED_OUT, attempt_seconds=30)
    assert story.attempts_at[13:] == [8_085 + n * 3_630 for n in range(10)]
    assert (story.ended_at, story.end) == (40_755 + 30, EXPIRED)


@pytest.mark.parametrize("status_code", [408, 502, 503, 504])
def test_integration_retries_its_four_statuses(status_code: int) -> None:
    assert ended_by(INTEGRATION, answer(status_code)) is None


@pytest.mark.parametrize("kind", [FailureKind.TIMEOUT, FailureKind.REFUSED, FailureKind.RESET, FailureKind.DNS])
def test_integration_retries_a_receiver_that_does_not_respond(kind: FailureKind) -> None:
    assert ended_by(INTEGRATION, no_answer(kind)) is None


@pytest.mark.parametrize("status_code", [301, 400, 401, 403, 404, 409, 425, 429, 500, 501, 505])
def test_integration_gives_up_at_once_at_any_other_status(status_code: int) -> None:
    assert ended_by(INTEGRATION, answer(status_code)) == REJECTED


def test_integration_has_no_jitter() -> None:
    assert play(INTEGRATION, answer(503), rng=Random(1)) == play(INTEGRATION, answer(503))


# entity-change: 002_44c3dd7dc10608b6.txt


def test_entity_change_makes_three_more_attempts_at_once_and_drops_the_notification() -> None:
    story = play(ENTITY_CHANGE, answer(500))
    assert story == Story(attempts_at=[0, 0, 0, 0], ended_at=0, end=EXHAUSTED)


def test_entity_change_makes_its_attempts_one_after_the_other() -> None:
    story = play(ENTITY_CHANGE, TIMED_OUT, attempt_seconds=1.5)
    assert story == Story(attempts_at=[0, 1.5, 3, 4.5], ended_at=6, end=EXHAUSTED)


@pytest.mark.parametrize("status_code", [200, 204])
def test_entity_change_is_delivered_with_200_or_204(status_code: int) -> None:
    assert ended_by(ENTITY_CHANGE, answer(status_code)) == Done()


@pytest.mark.parametrize("status_code", [201, 202, 206, 299, 302, 404, 410, 500])
def test_entity_change_retries_any_other_status_even_of_2xx(status_code: int) -> None:
    assert ended_by(ENTITY_CHANGE, answer(status_code)) is None


def test_entity_change_waits_for_nobody() -> None:
    assert play(ENTITY_CHANGE, answer(503, ("Retry-After", "60"))).waits == [0, 0, 0]


def test_entity_change_has_the_request_of_its_document() -> None:
    assert ENTITY_CHANGE.timeout_seconds == 1.5
    assert ENTITY_CHANGE.body_form is BodyForm.NOTIFICATION
    assert ENTITY_CHANGE.request_id_parameter == "requestId"
    assert ENTITY_CHANGE.user_agent == "WebhookHub webhook touch agent 1.0"


# crm: 003_aa29986268ec5bdc.txt


def test_crm_makes_ten_attempts_doubling_from_5_minutes_over_a_couple_of_days() -> None:
    story = play(CRM, answer(500))
    assert story.waits == [5 * MINUTE * 2**n for n in range(9)]
    # 5 min x (1 + 2 + 4 + ... + 256) = 5 min x 511 = 2555 min
    assert story.ended_at == 2_555 * MINUTE == 42 * HOUR + 35 * MINUTE
    assert len(story.attempts_at) == 10
    assert story.end == EXHAUSTED


def test_crm_considers_anything_but_2xx_a_failed_attempt_to_resend() -> None:
    assert [ended_by(CRM, answer(status)) for status in (302, 400, 404, 410, 500)] == [None] * 5
    assert ended_by(CRM, TIMED_OUT) is None
    assert [ended_by(CRM, answer(status)) for status in (200, 201, 299)] == [Done()] * 3


def test_crm_waits_a_few_seconds_for_an_answer() -> None:
    assert CRM.timeout_seconds == 5


# All of them


@pytest.mark.parametrize("profile", BUILT_IN_PROFILES, ids=lambda profile: profile.name)
@pytest.mark.parametrize("seed", range(5))
def test_every_wait_stays_within_the_jitter_of_its_profile(profile: DeliveryProfile, seed: int) -> None:
    nominal, jittered = play(profile, answer(503)).waits, play(profile, answer(503), rng=Random(seed)).waits
    for exact, wait in zip(nominal, jittered, strict=False):
        assert abs(wait - exact) <= exact * profile.jitter_ratio + 0.001
    assert (jittered != nominal) == (profile.jitter_ratio > 0)


@pytest.mark.parametrize("profile", [STANDARD, SHORT, CRM], ids=lambda profile: profile.name)
def test_expiry_never_cuts_a_counted_schedule_short(profile: DeliveryProfile) -> None:
    slowest = sum(wait * (1 + profile.jitter_ratio) for wait in play(profile, answer(500)).waits)
    assert slowest + 10 * profile.timeout_seconds < profile.expires_after_seconds


@pytest.mark.parametrize("profile", BUILT_IN_PROFILES, ids=lambda profile: profile.name)
def test_a_receiver_may_ask_for_as_long_as_the_longest_wait_of_the_schedule(profile: DeliveryProfile) -> None:
    assert profile.retry_after_cap_seconds == profile.longest_interval_seconds


@pytest.mark.parametrize("profile", BUILT_IN_PROFILES, ids=lambda profile: profile.name)
def test_the_plan_shown_to_people_is_what_a_failing_receiver_sees(profile: DeliveryProfile) -> None:
    seen = play(profile, TIMED_OUT).attempts_at
    assert [(moment - CREATED_AT).total_seconds() for moment in planned_moments(profile, CREATED_AT)] == seen


def test_jitter_uses_its_whole_range_and_leaves_the_average_as_it_is() -> None:
    waits = [play(STANDARD, answer(500), answer(200), rng=Random(seed)).waits[0] for seed in range(2_000)]
    # Uniform over 5 s +- 0.5 s: the mean of 2,000 has a standard error of 0.5 / sqrt(3 x 2000) = 0.0065 s.
    assert sum(waits) / len(waits) == pytest.approx(5, abs=0.04)
    assert min(waits) < 4.52
    assert max(waits) > 5.48
