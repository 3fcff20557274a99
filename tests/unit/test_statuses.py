"""Statuses and retry rules as an administrator writes them."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from subscriptions.statuses import ANY_FAILURE, RetryRule, StatusSet, StatusTextError

CODES = st.frozensets(st.integers(min_value=200, max_value=599))


@pytest.mark.parametrize(
    ("text", "codes"),
    [
        ("200", {200}),
        ("200,204", {200, 204}),
        (" 204 , 200,200 ", {200, 204}),
        ("2xx", set(range(200, 300))),
        ("2XX,201", set(range(200, 300))),
        ("408,5xx", {408, *range(500, 600)}),
    ],
)
def test_codes_and_classes_are_read(text: str, codes: set[int]) -> None:
    assert StatusSet.parse(text).codes == codes


@pytest.mark.parametrize(
    "text", ["", ",", "200,", "2x", "1xx", "101", "600", "20", "2000", "200-299", "200 204", "ok", "٢٠٠"]
)
def test_text_that_names_no_final_status_is_refused_with_what_is_allowed(text: str) -> None:
    with pytest.raises(StatusTextError, match="codes from 200 to 599 or whole classes such as 2xx"):
        StatusSet.parse(text)


@pytest.mark.parametrize(
    ("text", "rule"),
    [
        ("any", ANY_FAILURE),
        (" ANY ", ANY_FAILURE),
        ("no_answer", RetryRule(no_answer=True, statuses=StatusSet(codes=frozenset()))),
        ("503", RetryRule(no_answer=False, statuses=StatusSet(codes=frozenset({503})))),
        ("no_answer,408,503", RetryRule(no_answer=True, statuses=StatusSet(codes=frozenset({408, 503})))),
    ],
)
def test_a_retry_rule_is_any_failure_or_what_it_names(text: str, rule: RetryRule) -> None:
    assert RetryRule.parse(text) == rule


@pytest.mark.parametrize("text", ["", "any,503", "no_answer,", "timeout", "none"])
def test_text_that_is_no_retry_rule_is_refused_with_what_is_allowed(text: str) -> None:
    with pytest.raises(StatusTextError, match="retry rules also take no_answer, or any alone"):
        RetryRule.parse(text)


@pytest.mark.parametrize("text", ["2xx", "200,204", "2xx,408,5xx"])
def test_a_status_set_is_written_as_short_as_it_was_read(text: str) -> None:
    assert str(StatusSet.parse(text)) == text


@pytest.mark.parametrize("text", ["any", "no_answer", "503", "no_answer,408,502,503,504", "no_answer,4xx,503"])
def test_a_retry_rule_is_written_as_it_was_read(text: str) -> None:
    assert str(RetryRule.parse(text)) == text


@given(CODES.filter(bool))
def test_what_is_written_is_read_back(codes: frozenset[int]) -> None:
    statuses = StatusSet(codes=codes)
    assert StatusSet.parse(str(statuses)) == statuses
    rule = RetryRule(no_answer=True, statuses=statuses)
    assert RetryRule.parse(str(rule)) == rule


@given(st.text())
def test_any_text_is_read_or_refused_by_name(text: str) -> None:
    try:
        statuses = StatusSet.parse(text)
    except StatusTextError:
        return
    assert statuses.codes <= set(range(200, 600))
