"""The fields of request bodies: each takes its own type, and no other that could pass for it."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest
from rest_framework import serializers

from webhookhub.api.bodies import METADATA_MAX_BYTES, Body, Choice, Flag, Metadata, Moment, Text, Uid, Whole, read_body
from webhookhub.api.problems import Problem, to_problem
from webhookhub.api.rendering import JSONRenderer


class Inner(Body):
    size = Whole(min_value=1, max_value=10)


class Example(Body):
    text = Text(max_length=5, required=False)
    flag = Flag(required=False)
    colour = Choice(["red", "green"], required=False)
    whole = Whole(required=False, allow_null=True)
    moment = Moment(required=False)
    mine = Metadata(required=False)
    uid = Uid()
    texts = serializers.ListField(child=Text(), required=False, max_length=3)
    inner = Inner(required=False)
    inners = Inner(many=True, required=False)


def refusal(data: Any) -> Problem:
    with pytest.raises(serializers.ValidationError) as error:
        read_body(Example, data)
    problem = to_problem(error.value)
    assert problem is not None
    return problem


@pytest.mark.parametrize(
    ("field", "value", "read"),
    [
        ("text", " a ", " a "),
        ("flag", False, False),
        ("whole", -5, -5),
        ("whole", None, None),
        ("moment", "2026-01-31T12:00:00Z", datetime(2026, 1, 31, 12, tzinfo=UTC)),
        ("moment", "2026-01-31T14:00:00.5+02:00", datetime(2026, 1, 31, 12, 0, 0, 500_000, tzinfo=UTC)),
        ("mine", {"a": [None, {"b": 1.5}]}, {"a": [None, {"b": 1.5}]}),
        ("uid", "a", "a"),
        ("uid", None, None),
    ],
)
def test_a_value_of_the_right_type_is_taken_as_it_is(field: str, value: Any, read: Any) -> None:
    assert read_body(Example, {field: value}) == {field: read}


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("text", 5),
        ("text", None),
        ("text", True),
        ("text", ["a"]),
        ("text", "123456"),
        ("flag", "true"),
        ("flag", 1),
        ("flag", None),
        ("whole", "5"),
        ("whole", 5.0),
        ("whole", True),
        ("moment", "2026-01-31"),
        ("moment", "2026-01-31T12:00:00"),
        ("moment", "0001-01-01T00:00:00+23:59"),
        ("moment", "9999-12-31T23:59:59Z"),
        ("moment", "2026-02-30T12:00:00Z"),
        ("moment", "tomorrow"),
        ("moment", ""),
        ("moment", 1_700_000_000),
        ("moment", None),
        ("mine", []),
        ("mine", "{}"),
        ("mine", {"a": "x" * METADATA_MAX_BYTES}),
        ("uid", ""),
        ("uid", "a b"),
        ("uid", "ü"),
        ("uid", "a\n"),
        ("uid", "x" * 257),
        ("unknown", 1),
    ],
)
def test_a_value_of_another_type_is_refused_by_the_name_of_its_field(field: str, value: Any) -> None:
    problem = refusal({field: value})
    assert [error.field for error in problem.errors] == [field]
    assert (problem.status, problem.code) == (422, "invalid")


@pytest.mark.parametrize("data", [None, [], [{}], "text", 5, True])
def test_a_body_is_an_object(data: Any) -> None:
    assert [error.field for error in refusal(data).errors] == [""]


@pytest.mark.parametrize(
    ("data", "field"),
    [
        ({"texts": ["a", 5]}, "texts[1]"),
        ({"texts": ["a"] * 4}, "texts"),
        ({"inner": {"size": 11}}, "inner.size"),
        ({"inner": {"size": 1, "weight": 1}}, "inner.weight"),
        ({"inner": 5}, "inner"),
        ({"inners": [{"size": 1}, {"size": 0}]}, "inners[1].size"),
        ({"inners": [{"size": 1}, 5]}, "inners[1]"),
    ],
)
def test_what_is_wrong_further_inside_is_named_by_its_path(data: dict[str, Any], field: str) -> None:
    problem = refusal(data)
    assert [error.field for error in problem.errors] == [field]
    assert problem.detail.startswith(f"{field}: ")


def test_every_wrong_field_is_named_at_once() -> None:
    assert {error.field for error in refusal({"text": 5, "flag": 5, "inner": {"size": 0}}).errors} == {
        "text",
        "flag",
        "inner.size",
    }


def test_of_a_partial_body_only_what_is_there_is_read() -> None:
    assert read_body(Inner, {}, partial=True) == {}
    assert read_body(Example, {"whole": None}, partial=True) == {"whole": None}


def test_an_answer_may_hold_any_number_that_json_has() -> None:
    assert JSONRenderer().render({"a": 2**64, "b": -(10**40), "c": 1.5, "d": "ü"}) == (
        b'{"a":18446744073709551616,"b":-10000000000000000000000000000000000000000,"c":1.5,"d":"\xc3\xbc"}'
    )


@pytest.mark.parametrize("given", ["blue", "RED", "", 1, ["red"]])
def test_whoever_chooses_what_there_is_not_is_told_what_there_is(given: Any) -> None:
    (error,) = refusal({"colour": given}).errors
    assert (error.field, error.message) == ("colour", "is one of red, green")
