"""Retry-After as receivers write it, right and wrong (RFC 9110, sections 5.6.7 and 10.2.3)."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from deliveries.retry_after import parse_retry_after

# The moment that the RFC writes in all three forms.
RFC_MOMENT = datetime(1994, 11, 6, 8, 49, 37, tzinfo=UTC)


@pytest.mark.parametrize(
    ("value", "seconds"),
    [
        ("0", 0),
        ("120", 120),
        ("  120\t", 120),
        ("007", 7),
        ("120.0", 120),
        ("120.1", 121),
        ("120.000001", 121),
        ("0.5", 1),
        ("000000000000120", 120),
        ("999999999", 999_999_999),
    ],
)
def test_seconds_are_read_and_decimals_rounded_up(value: str, seconds: int) -> None:
    assert parse_retry_after(value) == timedelta(seconds=seconds)


@pytest.mark.parametrize("value", ["1000000000", "9" * 20, "9" * 10_000, "1" + "0" * 400 + ".5"])
def test_a_huge_number_is_a_very_long_wait_and_no_error(value: str) -> None:
    assert parse_retry_after(value) == timedelta(seconds=10**9)


@pytest.mark.parametrize(
    "value",
    [
        "Sun, 06 Nov 1994 08:49:37 GMT",  # IMF-fixdate
        "Sunday, 06-Nov-94 08:49:37 GMT",  # RFC 850
        "Sun Nov  6 08:49:37 1994",  # asctime
        " Sun, 06 Nov 1994 08:49:37 GMT ",
    ],
)
def test_all_three_forms_of_an_http_date_are_read(value: str) -> None:
    assert parse_retry_after(value) == RFC_MOMENT


@pytest.mark.parametrize(
    "value",
    [
        "",
        " ",
        "soon",
        "-1",
        "+120",
        "1e3",
        "120.",
        ".5",
        "1,5",
        "120, 240",
        "120 seconds",
        "0x10",
        "1_000",
        "٣٠",  # ARABIC-INDIC DIGITS: digits to int(), not to HTTP
        "１２０",
        "120\n",
        "120\x00",
        "Infinity",
        "NaN",
        "2026-03-02T09:00:00Z",
        "Sun, 06 Nov 1994 08:49:37",
        "Sun, 06 Nov 1994 08:49:37 +0100",
        "Sun, 06 Foo 1994 08:49:37 GMT",
        "Sun, 31 Feb 2027 08:49:37 GMT",
        "Sun, 06 Nov 1994 25:49:37 GMT",
    ],
)
def test_anything_else_counts_as_absent(value: str) -> None:
    assert parse_retry_after(value) is None


@given(st.text() | st.from_regex(r"\A[0-9]{1,20}(\.[0-9]{0,20})?\Z") | st.from_regex(r"\w{3}, \d\d \w{3} \d{4} .* GMT"))
def test_no_text_raises_and_no_wait_is_negative(value: str) -> None:
    match parse_retry_after(value):
        case timedelta() as length:
            assert length >= timedelta(0)
        case datetime() as moment:
            assert moment.utcoffset() == timedelta(0)


@given(st.decimals(min_value=0, max_value=10**9 - 1, places=4))
def test_a_wait_is_never_shorter_than_was_asked_for_and_at_most_a_second_longer(seconds: object) -> None:
    asked = float(str(seconds))
    length = parse_retry_after(f"{seconds:.4f}")
    assert isinstance(length, timedelta)
    assert asked <= length.total_seconds() < asked + 1
