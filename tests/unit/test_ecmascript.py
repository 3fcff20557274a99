from __future__ import annotations

import enum
import json
import pickle
from collections import OrderedDict
from datetime import UTC, date, datetime, timedelta, timezone
from decimal import Decimal
from typing import Any
from uuid import UUID

import pytest
from hypothesis import example, given

from tests.json_documents import DOCUMENTS, TEXT
from webhookhub.ecmascript import MAX_DEPTH, NotJsonError, encode, encode_exactly, parse

CEST = timezone(timedelta(hours=2))


class Size(enum.StrEnum):
    SMALL = "small"


class Priority(enum.IntEnum):
    HIGH = 3


def nested(levels: int) -> list[Any]:
    document: list[Any] = []
    for _ in range(levels - 1):
        document = [document]
    return document


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (0, "0"),
        (0.0, "0"),
        (-0.0, "0"),
        (1.0, "1"),
        (-1.0, "-1"),
        (10.5, "10.5"),
        (0.1 + 0.2, "0.30000000000000004"),
        (1e-4, "0.0001"),
        (1e-5, "0.00001"),
        (1.5e-5, "0.000015"),
        (1e-6, "0.000001"),
        (1e-7, "1e-7"),
        (-1.5e-7, "-1.5e-7"),
        (1e-10, "1e-10"),
        (5e-324, "5e-324"),
        (1e15, "1000000000000000"),
        (1e16, "10000000000000000"),
        (1.2345678901234567e20, "123456789012345670000"),
        (123456789012345680000, "123456789012345680000"),
        (1e21, "1e+21"),
        (-1.5e300, "-1.5e+300"),
        (1.7976931348623157e308, "1.7976931348623157e+308"),
        (2**53 - 1, "9007199254740991"),
        (2**53, "9007199254740992"),
        (2**53 + 1, "9007199254740992"),  # halfway between two doubles, rounded to the even one
        (2**63, "9223372036854776000"),  # 9223372036854775808: 16 digits suffice to tell the double from its neighbours
        (-(2**64), "-18446744073709552000"),
        (10**21, "1e+21"),
        (10**308, "1e+308"),
    ],
)
def test_a_number_is_printed_as_javascript_prints_it(value: float, text: str) -> None:
    assert encode(value) == text


@pytest.mark.parametrize(
    ("value", "text"),
    [
        ("", '""'),
        ('"\\/', '"\\"\\\\/"'),
        ("\b\t\n\f\r", r'"\b\t\n\f\r"'),
        ("\x00\x0b\x1f", r'"\u0000\u000b\u001f"'),
        ("\x7f\x80", '"\x7f\x80"'),
        ("\u2028\u2029\ufeff\uffff", '"\u2028\u2029\ufeff\uffff"'),
        ("é😀", '"é😀"'),
        ("\ud83d\ude00", '"😀"'),  # two halves of one character
        ("\ud83d", r'"\ud83d"'),
        ("\ude00\ud83d", r'"\ude00\ud83d"'),
        ("a\ud83d\ud83d\ude00\udfff", r'"a\ud83d' + "😀" + r'\udfff"'),
    ],
)
def test_a_string_is_raw_unicode_but_for_what_javascript_escapes(value: str, text: str) -> None:
    assert encode(value) == text
    assert encode({value: 0}) == "{" + text + ":0}"


@pytest.mark.parametrize(
    ("value", "text"),
    [
        ({"b": 1, "a": 2}, '{"b":1,"a":2}'),
        ({"b": 1, "10": 2, "9": 3}, '{"9":3,"10":2,"b":1}'),
        ({"a": 0, "4294967295": 1, "4294967294": 2}, '{"4294967294":2,"a":0,"4294967295":1}'),  # 2**32 - 2 is the last
        ({"01": 1, "-1": 2, "1.5": 3, "1e3": 4, "\u0661": 5, "": 6, "7": 7}, None),
        ({"a": {"2": [], "1": {}}, "3": [[], {}]}, '{"3":[[],{}],"a":{"1":{},"2":[]}}'),
        ({"😀": 1, "b": 2, "\ud83d\ude00": 3}, '{"😀":3,"b":2}'),  # one key twice: the first's place, the last's value
    ],
)
def test_array_indices_come_first_in_ascending_order(value: dict[str, Any], text: str | None) -> None:
    expected = text or '{"7":7,"01":1,"-1":2,"1.5":3,"1e3":4,"\u0661":5,"":6}'
    assert encode(value) == expected


@pytest.mark.parametrize(
    ("value", "text"),
    [
        ([None, True, False], "[null,true,false]"),
        ((1, (2,)), "[1,[2]]"),
        ({"a": [], "b": {}, "c": [{}]}, '{"a":[],"b":{},"c":[{}]}'),
        (OrderedDict(b=1, a=2), '{"b":1,"a":2}'),
        ({Size.SMALL: Size.SMALL, "p": Priority.HIGH}, '{"small":"small","p":3}'),
        (Decimal("10.50"), '"10.50"'),
        (UUID(int=1), '"00000000-0000-0000-0000-000000000001"'),
        (date(2024, 1, 15), '"2024-01-15"'),
        (datetime(2024, 1, 15, 10, tzinfo=UTC), '"2024-01-15T10:00:00Z"'),
        (datetime(2024, 1, 15, 12, 0, 0, 120, tzinfo=CEST), '"2024-01-15T10:00:00.000120Z"'),  # 12:00 at +02:00
    ],
)
def test_what_models_and_forms_yield_has_its_obvious_form(value: object, text: str) -> None:
    assert encode(value) == text


@pytest.mark.parametrize(
    ("value", "path", "reason"),
    [
        (float("nan"), "data", "nan is no JSON number"),
        ({"items": [0, 0, 0, {"price": float("inf")}]}, "data.items[3].price", "inf is no JSON number"),
        (10**309, "data", "an integer that no double holds"),
        # Python itself refuses to print this one, even as the name of a test.
        pytest.param(10**5000, "data", "an integer that no double holds", id="5001 digits"),
        ({"a": {10: 1}}, "data.a", "a key of type int"),
        ([{None: 1}], "data[0]", "a key of type NoneType"),
        ({"two words": {1, 2}}, 'data["two words"]', "a value of type set"),
        ({'"\n': b""}, r'data["\"\n"]', "a value of type bytes"),
        ({"k" * 100: object()}, "data." + "k" * 59 + "…", "a value of type object"),
        (datetime(2024, 1, 15, 10), "data", "a datetime without a time zone"),
        (Decimal("NaN"), "data", "a value of type Decimal"),
        (timedelta(1), "data", "a value of type timedelta"),
        (nested(MAX_DEPTH + 1), "data" + "[0]" * 6 + "…" + "[0]" * 6, "nested more than 100 levels"),
    ],
)
def test_what_has_no_json_form_is_refused_with_its_place(value: object, path: str, reason: str) -> None:
    with pytest.raises(NotJsonError) as refused:
        encode(value)

    assert refused.value.path == path
    assert refused.value.reason.startswith(reason)
    assert str(refused.value) == f"{path}: {refused.value.reason}"


def test_the_path_begins_with_the_name_that_the_caller_gives() -> None:
    with pytest.raises(NotJsonError, match=r"^metadata\.tags: a value of type set"):
        encode({"tags": set()}, name="metadata")


def test_the_refusal_of_a_type_lists_what_is_allowed() -> None:
    with pytest.raises(NotJsonError, match="allowed are str, int, float, bool, None, dict, list, tuple"):
        encode(object())


def test_a_document_that_contains_itself_is_refused_however_often_it_does() -> None:
    document: list[Any] = []
    document += [document, {"again": document}, document]

    with pytest.raises(NotJsonError, match="contains itself"):
        encode(document)


def test_a_document_of_the_greatest_depth_is_accepted() -> None:
    deepest = nested(MAX_DEPTH)

    assert encode(deepest) == encode_exactly(deepest) == "[" * MAX_DEPTH + "]" * MAX_DEPTH


def test_a_refusal_survives_the_way_between_processes() -> None:
    refusal = NotJsonError("data.a", "not JSON")

    assert str(pickle.loads(pickle.dumps(refusal))) == "data.a: not JSON"


@given(DOCUMENTS)
@example({"9": 1.5, "a": "\ud83d"})
def test_the_short_cut_writes_what_the_rules_write(document: Any) -> None:
    assert encode(document) == encode_exactly(document)


@given(DOCUMENTS)
def test_writing_what_was_read_back_changes_nothing(document: Any) -> None:
    text = encode(document)

    assert encode(json.loads(text)) == text
    assert encode(parse(text.encode())) == text


@given(TEXT)
def test_the_text_always_has_utf8_bytes(text: str) -> None:
    as_javascript_holds_it = text.encode("utf-16", "surrogatepass").decode("utf-16", "surrogatepass")

    assert parse(encode(text).encode()) == as_javascript_holds_it
