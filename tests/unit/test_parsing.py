"""The JSON of requests: what is read, and what is refused with a reason."""

from __future__ import annotations

import io
from typing import Any

import pytest
from pytest_django import Settings
from rest_framework.exceptions import ParseError

from webhookhub.api.parsing import LONGEST_NUMBER, MAX_DEPTH, StrictJSONParser, parse_json
from webhookhub.api.problems import Problem
from webhookhub.conf import HubSettings


@pytest.mark.parametrize(
    ("body", "value"),
    [
        (b"{}", {}),
        (b' [1, -2.5e3, true, null, "\\u00fc\xc3\xbc"] ', [1, -2500.0, True, None, "üü"]),
        (b'"\\ud83d\\uded2"', "🛒"),
        (b"1" + b"0" * (LONGEST_NUMBER - 1), 10 ** (LONGEST_NUMBER - 1)),
        (b'{"a": {"a": 1}, "b": [{"a": 1}]}', {"a": {"a": 1}, "b": [{"a": 1}]}),
        (b"[" * MAX_DEPTH + b"]" * MAX_DEPTH, None),
    ],
)
def test_json_is_read_as_it_stands(body: bytes, value: Any) -> None:
    assert value in (None, parse_json(body))


@pytest.mark.parametrize(
    ("body", "reason"),
    [
        (b"", "not JSON"),
        (b"{", "line 1, column 2"),
        (b"{'a': 1}", "not JSON"),
        (b"[1,]", "not JSON"),
        (b'{"a": 1} {}', "not JSON"),
        (b"\xef\xbb\xbf{}", "BOM"),
        (b'"\xff"', "UTF-8"),
        (b'"\xed\xa0\x80"', "UTF-8"),
        ("{}".encode("utf-16"), "UTF-8"),
        (b'"tab\there"', "not JSON"),
        (b"NaN", "NaN is not JSON"),
        (b'{"a": Infinity}', "Infinity is not JSON"),
        (b"[-Infinity]", "-Infinity is not JSON"),
        (b"1e400", "too large"),
        (b"-1e999999999", "too large"),
        (b"1" * (LONGEST_NUMBER + 1), "401 digits"),
        (b"[" * (MAX_DEPTH + 1) + b"]" * (MAX_DEPTH + 1), "nested too deeply"),
        (b'{"a":' * (MAX_DEPTH + 1) + b"1" + b"}" * (MAX_DEPTH + 1), "nested too deeply"),
        (b"[" * 1_000_000, "nested too deeply"),
        (b'{"a":' * 1_000_000, "nested too deeply"),
        (b'{"a": 1, "b": 2, "a": 1}', "'a' stands twice"),
        (b'[{"x": {"a": 1, "\\u0061": 2}}]', "'a' stands twice"),
        (b'"a\\u0000b"', "NUL"),
        (b'{"a\\u0000": 1}', "NUL"),
        (b'["\\ud83d"]', "surrogate"),
        (b'{"\\udc00": 1}', "surrogate"),
        (b'"\\udc00\\ud800"', "surrogate"),
    ],
)
def test_what_cannot_be_stored_or_is_read_in_two_ways_is_refused_with_the_reason(body: bytes, reason: str) -> None:
    with pytest.raises(ParseError) as error:
        parse_json(body)
    assert reason in str(error.value)
    assert len(str(error.value)) < 200


def test_among_very_many_names_the_one_that_stands_twice_is_found_without_delay() -> None:
    names = b",".join(b'"%d":0' % number for number in range(200_000))
    with pytest.raises(ParseError, match="'199999' stands twice"):
        parse_json(b"{" + names + b',"199999":0}')


def test_a_body_may_be_as_large_as_the_limit_and_no_larger(settings: Settings) -> None:
    settings.WEBHOOKHUB = HubSettings(request_max_bytes=2_000)
    assert StrictJSONParser().parse(io.BytesIO(b'"' + b"x" * 1_998 + b'"')) == "x" * 1_998
    with pytest.raises(Problem) as error:
        StrictJSONParser().parse(io.BytesIO(b'"' + b"x" * 1_999 + b'"'))
    assert (error.value.status, error.value.code) == (413, "body_too_large")
