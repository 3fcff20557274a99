"""What an answer, or its absence, means to each profile."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from deliveries.outcome import Delivered, Gone, Outcome, OutcomeCode, Rejected, Retryable, WorkerLost, classify
from deliveries.transport.exchange import Answer, FailureKind, Result
from subscriptions.builtin_profiles import BUILT_IN_PROFILES, CRM, ENTITY_CHANGE, INTEGRATION, STANDARD, TRANSACTION
from subscriptions.profiles import DeliveryProfile
from subscriptions.statuses import RetryRule, StatusSet
from tests.unit.results import answer, no_answer

RETRIED_STATUS = Retryable(code=OutcomeCode.STATUS)
REJECTED_STATUS = Rejected(code=OutcomeCode.STATUS)
NEVER_SENT = (FailureKind.BLOCKED, FailureKind.BAD_URL)
NO_WHOLE_ANSWER = tuple(kind for kind in FailureKind if kind not in NEVER_SENT)

STATUSES = st.integers(min_value=100, max_value=999)
HEADER_NAMES = st.sampled_from(["Retry-After", "retry-after", "Date"]) | st.text()
HEADERS = st.lists(st.tuples(HEADER_NAMES, st.text()), max_size=3)
ANSWERS = st.builds(lambda status_code, headers: answer(status_code, *headers), STATUSES, HEADERS)
NO_ANSWERS = st.builds(no_answer, st.sampled_from(FailureKind), status_code=st.none() | STATUSES)
RESULTS: st.SearchStrategy[Result] = ANSWERS | NO_ANSWERS


@pytest.mark.parametrize("status_code", [200, 201, 202, 204, 206, 226, 299])
def test_every_2xx_is_delivered(status_code: int) -> None:
    assert classify(answer(status_code), STANDARD) == Delivered()


@pytest.mark.parametrize(
    "status_code", [100, 101, 199, 300, 400, 401, 403, 404, 408, 425, 429, 500, 502, 503, 504, 599, 999]
)
def test_any_other_status_is_a_failure_to_try_again(status_code: int) -> None:
    assert classify(answer(status_code), STANDARD) == RETRIED_STATUS


@pytest.mark.parametrize("status_code", [301, 302, 303, 304, 307, 308])
@pytest.mark.parametrize("profile", BUILT_IN_PROFILES, ids=lambda profile: profile.name)
def test_a_redirect_is_a_failed_status_wherever_it_leads(profile: DeliveryProfile, status_code: int) -> None:
    outcome = classify(answer(status_code, ("Location", "https://elsewhere.example/")), profile)
    assert outcome == (REJECTED_STATUS if profile is INTEGRATION else RETRIED_STATUS)


@pytest.mark.parametrize(
    ("profile", "outcome"),
    [
        (STANDARD, Gone()),
        (INTEGRATION, Gone()),
        (TRANSACTION, RETRIED_STATUS),
        (ENTITY_CHANGE, RETRIED_STATUS),
        (CRM, RETRIED_STATUS),
        (replace(STANDARD, success_statuses=StatusSet.parse("2xx,410")), Delivered()),
        (replace(INTEGRATION, stop_on_gone=False), REJECTED_STATUS),
    ],
)
def test_410_ends_a_delivery_unless_the_profile_treats_it_as_any_failure(
    profile: DeliveryProfile, outcome: Outcome
) -> None:
    assert classify(answer(410), profile) == outcome


@pytest.mark.parametrize("kind", NO_WHOLE_ANSWER)
@pytest.mark.parametrize("profile", BUILT_IN_PROFILES, ids=lambda profile: profile.name)
def test_no_answer_is_tried_again_under_the_name_of_what_happened(profile: DeliveryProfile, kind: FailureKind) -> None:
    outcome = classify(no_answer(kind), profile)
    assert outcome == Retryable(code=OutcomeCode(kind.value))


@pytest.mark.parametrize("kind", NO_WHOLE_ANSWER)
def test_no_answer_is_final_where_the_profile_names_only_statuses(kind: FailureKind) -> None:
    profile = replace(STANDARD, retry_on=RetryRule.parse("5xx"))
    assert classify(no_answer(kind), profile) == Rejected(code=OutcomeCode(kind.value))


@pytest.mark.parametrize("kind", NEVER_SENT)
@pytest.mark.parametrize("profile", BUILT_IN_PROFILES, ids=lambda profile: profile.name)
def test_what_can_never_be_sent_is_rejected(profile: DeliveryProfile, kind: FailureKind) -> None:
    assert classify(no_answer(kind), profile) == Rejected(code=OutcomeCode(kind.value))


@pytest.mark.parametrize("status_code", [200, 410, 503])
def test_an_answer_that_broke_off_is_no_answer_whatever_its_status_line_said(status_code: int) -> None:
    outcome = classify(no_answer(FailureKind.TIMEOUT, status_code=status_code), STANDARD)
    assert outcome == Retryable(code=OutcomeCode.TIMEOUT)


@pytest.mark.parametrize("status_code", [429, 503])
@pytest.mark.parametrize("name", ["Retry-After", "retry-after", "RETRY-AFTER"])
def test_retry_after_is_heard_on_429_and_503(status_code: int, name: str) -> None:
    outcome = classify(answer(status_code, ("Date", "today"), (name, "120.1")), STANDARD)
    assert outcome == Retryable(code=OutcomeCode.STATUS, retry_after=timedelta(seconds=121))


@pytest.mark.parametrize("status_code", [301, 400, 408, 425, 500, 502, 504])
def test_retry_after_is_not_heard_on_other_statuses(status_code: int) -> None:
    assert classify(answer(status_code, ("Retry-After", "120")), STANDARD) == RETRIED_STATUS


def test_retry_after_may_be_a_date() -> None:
    outcome = classify(answer(503, ("Retry-After", "Mon, 02 Mar 2026 09:00:00 GMT")), STANDARD)
    assert outcome == Retryable(code=OutcomeCode.STATUS, retry_after=datetime(2026, 3, 2, 9, tzinfo=UTC))


def test_the_first_of_several_retry_after_headers_decides() -> None:
    headers = (("Retry-After", "soon"), ("Retry-After", "120"))
    assert classify(answer(503, *headers), STANDARD) == RETRIED_STATUS


def test_every_failure_kind_of_the_transport_has_an_outcome_code_of_the_same_name() -> None:
    others = {OutcomeCode.DELIVERED, OutcomeCode.STATUS, OutcomeCode.GONE, OutcomeCode.WORKER_LOST}
    assert {code.value for code in OutcomeCode if code not in others} == {kind.value for kind in FailureKind}


def test_outcomes_without_a_choice_of_code_carry_their_own() -> None:
    codes = [Delivered().code, Gone().code, WorkerLost().code]
    assert codes == [OutcomeCode.DELIVERED, OutcomeCode.GONE, OutcomeCode.WORKER_LOST]


@given(result=RESULTS, profile=st.sampled_from(BUILT_IN_PROFILES))
def test_every_result_has_an_outcome_and_only_a_success_status_is_delivered(
    result: Result, profile: DeliveryProfile
) -> None:
    outcome = classify(result, profile)
    succeeded = isinstance(result, Answer) and result.status_code in profile.success_statuses
    assert isinstance(outcome, Delivered) == succeeded
    assert outcome.code in OutcomeCode
