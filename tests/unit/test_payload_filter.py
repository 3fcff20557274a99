"""Which data a payload filter lets through, and what is told of one that cannot be read."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from subscriptions.errors import PayloadFilterError
from subscriptions.payload_filter import MAX_BYTES, MAX_CONDITIONS, MAX_DEPTH, parse_filter
from tests.json_documents import SCALARS
from webhookhub.ecmascript import encode, parse

ORDER = {
    "status": "paid",
    "total": 1250,
    "paidAt": "2026-03-01T12:00:00Z",
    "customer": {"tier": "gold", "email": None},
    "tags": ["gift", "fragile"],
    "items": [{"sku": "A-1", "count": 1}, {"sku": "B-2", "count": 20, "extras": ["box"]}],
    "matrix": [[1, 2], [3]],
    "none": [],
    "scores": [1, 20],
    "is_test": False,
    "example.com": {"$ref": 7},
}


def lets_through(value: object, data: object = ORDER) -> bool:
    return parse_filter(value).matches(data)


@pytest.mark.parametrize(
    "value",
    [
        {},
        {"status": "paid"},
        {"status": "paid", "total": 1250},
        {"customer": {"tier": "gold"}},
        {"customer.tier": "gold"},
        {"customer": {"email": None}},
        {"status": {"$eq": "paid"}},
        {"status": {"$ne": "open"}},
        {"status": {"$neq": "open"}},
        {"status": {"$in": ["open", "paid"]}},
        {"status": {"$nin": ["open", "late"]}},
        {"status": {"$startsWith": "pa"}},
        {"status": {"$endsWith": "id"}},
        {"total": {"$gte": 1250, "$lt": 1250.5}},
        {"total": {"$gt": 1249.99, "$lte": 1250}},
        {"paidAt": {"$gte": "2026-01-01", "$lt": "2027"}},
        {"customer.email": {"$exists": True}},
        {"refund": {"$exists": False}},
        {"refund": {"$exist": False}},
        {"refund.total": {"$exists": False}},
        {"status.length": {"$exists": False}},
        {"$or": [{"status": "open"}, {"total": {"$gt": 1000}}]},
        {"$and": [{"status": "paid"}, {"total": {"$gt": 1000}}], "is_test": False},
        {"$not": {"status": "open"}},
        {"status": {"$not": {"$in": ["open"]}}},
        {"status": {"$or": ["open", {"$startsWith": "p"}]}},
        {"customer": {"$exists": True, "tier": "gold"}},
        {"customer": {"$eq": {"email": None, "tier": "gold"}}},
        {r"example\.com": {r"\$ref": 7}},
        {r"example\.com.\$ref": 7},
    ],
    ids=json.dumps,
)
def test_it_lets_through_what_it_asks_for(value: dict[str, Any]) -> None:
    assert lets_through(value)


@pytest.mark.parametrize(
    "value",
    [
        {"status": "open"},
        {"status": "paid", "total": 1},
        {"customer": {"tier": "silver"}},
        {"status": {"$ne": "paid"}},
        {"status": {"$in": ["pai", "id"]}},
        {"status": {"$startsWith": "P"}},
        {"total": {"$gt": 1250}},
        {"total": {"$lt": 1250}},
        {"refund": {"$exists": True}},
        {"refund": None},
        {"refund": {"$lt": 5}},
        {"customer.email": {"$exists": False}},
        {"$or": [{"status": "open"}, {"total": 1}]},
        {"$not": {"status": "paid"}},
        {"customer": {"$eq": {"tier": "gold"}}},
        {"example.com": {"$exists": True}},
    ],
    ids=json.dumps,
)
def test_it_stops_everything_else(value: dict[str, Any]) -> None:
    assert not lets_through(value)


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ({"tags": "gift"}, True),
        ({"tags": "book"}, False),
        ({"tags": ["fragile", "gift"]}, True),
        ({"tags": ["gift", "book"]}, False),
        ({"tags": {"$startsWith": "frag"}}, True),
        ({"tags": {"$in": ["book", "fragile"]}}, True),
        ({"tags": {"$eq": ["gift", "fragile"]}}, True),
        ({"tags": {"$eq": ["fragile", "gift"]}}, False),
        ({"tags": {"$ne": "gift"}}, False),
        ({"tags": {"$ne": "book"}}, True),
        ({"tags": {"$nin": ["book", "gift"]}}, False),
        ({"items": {"sku": "B-2"}}, True),
        ({"items.sku": "B-2"}, True),
        ({"items.extras": "box"}, True),
        ({"items": {"sku": "A-1", "count": 20}}, False),
        ({"items.sku": "A-1", "items.count": 20}, True),
        ({"items.count": {"$gt": 1, "$lt": 20}}, False),
        ({"$and": [{"items.count": {"$gt": 1}}, {"items.count": {"$lt": 20}}]}, True),
        ({"items.sku": {"$ne": "A-1"}}, True),
        ({"$not": {"items.sku": "A-1"}}, False),
        ({"scores": {"$gt": 1, "$lt": 20}}, False),
        ({"scores": {"$and": [{"$gt": 1}, {"$lt": 20}]}}, True),
        ({"items.extras": {"$exists": False}}, True),
        ({"items.sku": {"$exists": False}}, False),
        ({"items": [{"sku": "A-1"}, {"count": 20}]}, True),
        ({"matrix": 3}, True),
        ({"matrix": {"$eq": [1, 2]}}, True),
        ({"none": {"$exists": True}}, True),
        ({"none": {"$ne": 1}}, True),
        ({"none": {"$lt": 1}}, False),
        ({"none.sku": {"$exists": False}}, False),
        ({"none": {"$eq": []}}, True),
    ],
    ids=json.dumps,
)
def test_an_array_is_let_through_where_one_of_its_elements_is(value: dict[str, Any], expected: bool) -> None:
    assert lets_through(value) is expected


@pytest.mark.parametrize(
    ("left", "right", "equal"),
    [
        (1, 1.0, True),
        (1, True, False),
        (0, False, False),
        (1, "1", False),
        ("", None, False),
        (None, False, False),
        ("é", "e\u0301", False),
        ([1], [1.0], True),
        ([True], [1], False),
        ({"a": 1, "b": [{}]}, {"b": [{}], "a": 1.0}, True),
        ({"a": 1}, {"a": 1, "b": None}, False),
        ({}, [], False),
        # What no double tells apart, JavaScript does not either, and the data were written for it.
        (2**53 + 1, 2**53, True),
        (10**21, 1e21, True),
        # As JavaScript prints it, which is not what the double is exactly.
        (2**60, 1152921504606847000, True),
        (2**60, 10**400, False),
        (0.1 + 0.2, 0.3, False),
    ],
)
def test_values_are_equal_as_they_are_in_json_and_not_as_they_are_in_python(
    left: object, right: object, equal: bool
) -> None:
    assert lets_through({"n": {"$eq": left}}, {"n": right}) is equal


@pytest.mark.parametrize("data", ["5", True, None, {}, {"a": 5}, "", "true"])
@pytest.mark.parametrize("operator", ["$gt", "$gte", "$lt", "$lte"])
def test_what_is_no_number_is_neither_above_nor_below_one(operator: str, data: object) -> None:
    assert not lets_through({operator: 5}, data)
    assert not lets_through({"n": {operator: 5}}, {"n": data})


@pytest.mark.parametrize(
    ("lower", "higher"), [("a", "b"), ("Z", "a"), ("", "a"), ("10", "9"), ("\uffff", "\U00010000")]
)
def test_texts_are_ordered_by_code_point(lower: str, higher: str) -> None:
    assert lets_through({"$gt": lower}, higher)
    assert lets_through({"$lt": higher}, lower)
    assert not lets_through({"$gte": higher}, lower)


@pytest.mark.parametrize(
    ("value", "told"),
    [
        ("paid", 'filter has to be a JSON object such as {"status": "paid"}'),
        ([], "filter has to be a JSON object"),
        (None, "filter has to be a JSON object"),
        ({"a": float("nan")}, "filter has to be JSON"),
        ({"a": object()}, "filter has to be JSON"),
        ({"a": "\x00"}, "cannot be stored"),
        ({"\ud83d": 1}, "cannot be stored"),
        ({"a": {}}, 'filter.a is empty; {"$exists": true} asks whether the field is there'),
        ({"a": []}, "filter.a takes a list with at least one member"),
        ({"$not": {}}, "filter.$not is empty"),
        ({"a": {"$regex": "x"}}, "filter.a.$regex is no operator; there are $eq, $gt,"),
        ({"$where": "x"}, "filter.$where is no operator"),
        ({"$or": {"a": 1}}, "filter.$or takes a list with at least one member"),
        ({"$or": []}, "filter.$or takes a list with at least one member"),
        ({"$and": [{"a": 1}, {"b": {"$gt": None}}]}, "filter.$and[1].b.$gt takes a number or a text, not null"),
        ({"a": {"$gt": True}}, "takes a number or a text, not true or false"),
        ({"a": {"$lte": [1]}}, "takes a number or a text, not a list"),
        ({"a": {"$in": "abc"}}, "filter.a.$in takes a list with at least one value"),
        ({"a": {"$nin": []}}, "filter.a.$nin takes a list with at least one value"),
        ({"a": {"$startsWith": 1}}, "filter.a.$startsWith takes a text, not a number"),
        ({"a": {"$endsWith": {}}}, "filter.a.$endsWith takes a text, not an object"),
        ({"a": {"$exists": 1}}, "filter.a.$exists takes true or false, not a number"),
        ({"a.$gt": 1}, 'an operator stands alone, as in {"total": {"$gt": 5}}'),
        ({"items.$.price": 1}, "arrays need none"),
        ({"a": 10**400}, "filter.a has a number that no event's data hold"),
    ],
)
def test_what_cannot_be_read_is_refused_with_its_place_and_what_would_be_right(value: object, told: str) -> None:
    with pytest.raises(PayloadFilterError) as refused:
        parse_filter(value)
    assert told in str(refused.value)
    assert refused.value.field == "filter"


def nested(levels: int) -> Any:
    return 1 if levels == 0 else {"a": nested(levels - 1)}


@pytest.mark.parametrize(
    "beyond",
    [
        nested(MAX_DEPTH + 1),
        nested(900),
        {".".join("a" * (MAX_DEPTH + 1)): 1},
        {"a": {".".join("a" * MAX_DEPTH): 1}},
        {"a": {"$eq": nested(MAX_DEPTH - 1)}},
    ],
    ids=["objects", "very many objects", "dots", "dots in an object", "a value"],
)
def test_a_filter_that_is_nested_too_deeply_is_refused(beyond: dict[str, Any]) -> None:
    with pytest.raises(PayloadFilterError, match="at most 10 levels"):
        parse_filter(beyond)


def test_a_filter_may_be_as_deep_as_the_limit_says() -> None:
    assert lets_through(nested(MAX_DEPTH), nested(MAX_DEPTH))
    assert lets_through({".".join("a" * MAX_DEPTH): 1}, nested(MAX_DEPTH))


def test_a_filter_has_a_hundred_conditions_at_most() -> None:
    parse_filter({f"f{number}": 1 for number in range(MAX_CONDITIONS)})
    with pytest.raises(PayloadFilterError, match=r"filter\.f100 is one condition too many; at most 100"):
        parse_filter({f"f{number}": 1 for number in range(MAX_CONDITIONS + 1)})


def test_a_filter_has_sixteen_kilobytes_at_most() -> None:
    parse_filter({"a": "x" * (MAX_BYTES - len('{"a":""}'))})
    with pytest.raises(PayloadFilterError, match="16,385 bytes of JSON; at most 16,384"):
        parse_filter({"a": "x" * (MAX_BYTES - len('{"a":""}') + 1)})


# Few names and values, so that filters and data often meet.
NAMES = st.sampled_from(["a", "b", "c"])
VALUES = st.sampled_from([None, True, False, 0, 1, 1.5, "", "a", "ab", 2**60]) | SCALARS
DATA = st.recursive(
    VALUES, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(NAMES, inner, max_size=3), max_leaves=12
)
STORABLE = VALUES.filter(lambda value: not isinstance(value, str) or (value.isascii() and "\x00" not in value))
COMPARISONS = st.one_of(
    st.tuples(st.sampled_from(["$eq", "$ne"]), STORABLE),
    st.tuples(st.sampled_from(["$in", "$nin"]), st.lists(STORABLE, min_size=1, max_size=3)),
    st.tuples(st.sampled_from(["$gt", "$gte", "$lt", "$lte"]), st.sampled_from([0, 1, 1.5, "", "a", 2**60])),
    st.tuples(st.sampled_from(["$startsWith", "$endsWith"]), st.sampled_from(["", "a", "b"])),
    st.tuples(st.just("$exists"), st.booleans()),
)
FILTERS: st.SearchStrategy[dict[str, Any]] = st.recursive(
    st.lists(COMPARISONS, min_size=1, max_size=2).map(dict),
    lambda inner: st.one_of(
        st.dictionaries(NAMES, inner | STORABLE, min_size=1, max_size=2),
        st.builds(lambda one: {"$not": one}, inner),
        st.builds(
            lambda name, some: {name: some}, st.sampled_from(["$or", "$and"]), st.lists(inner, min_size=1, max_size=2)
        ),
    ),
    max_leaves=4,
)


def is_readable(value: object) -> bool:
    try:
        parse_filter(value)
    except PayloadFilterError:
        return False
    return True


# Some are too deep, once they stand inside another operator.
FILTERS = FILTERS.filter(lambda value: is_readable({"$and": [{"$not": value}]}))


@given(FILTERS, DATA)
def test_not_is_the_opposite_whatever_the_data(one: dict[str, Any], data: object) -> None:
    assert lets_through({"$not": one}, data) is not lets_through(one, data)
    assert lets_through({"n": {"$not": one}}, {"n": data}) is not lets_through({"n": one}, {"n": data})


@given(FILTERS, FILTERS, DATA)
def test_and_and_or_are_each_others_opposites(one: dict[str, Any], other: dict[str, Any], data: object) -> None:
    neither = {"$and": [{"$not": one}, {"$not": other}]}
    assert lets_through({"$not": {"$or": [one, other]}}, data) is lets_through(neither, data)
    assert lets_through({"$and": [one, other]}, data) is (lets_through(one, data) and lets_through(other, data))
    assert lets_through({"$or": [one, other]}, data) is (lets_through(one, data) or lets_through(other, data))


@given(STORABLE, DATA)
def test_ne_and_nin_are_the_opposites_of_eq_and_in(operand: object, data: object) -> None:
    assert lets_through({"$ne": operand}, data) is not lets_through({"$eq": operand}, data)
    assert lets_through({"$nin": [operand]}, data) is not lets_through({"$in": [operand]}, data)
    assert lets_through({"$in": [operand]}, data) is lets_through({"$eq": operand}, data)


@given(DATA)
def test_data_equal_themselves_as_an_event_keeps_them(data: object) -> None:
    wrapped = {"$eq": data}
    if is_readable(wrapped):
        assert lets_through(wrapped, parse(encode(data)))


@given(FILTERS, DATA)
def test_an_element_that_is_let_through_takes_its_array_along_unless_something_is_negated(
    one: dict[str, Any], data: object
) -> None:
    text = json.dumps(one)
    if not any(word in text for word in ("$not", "$ne", "$nin", "$exists")):
        assert lets_through(one, [data]) is lets_through(one, data)
        assert lets_through(one, [[], "another", data]) >= lets_through(one, data)


@given(
    st.recursive(
        SCALARS,
        lambda inner: (
            st.lists(inner, max_size=3)
            | st.dictionaries(
                st.text(max_size=6) | st.sampled_from(["$eq", "$not", "$or", "$in", "a.b"]), inner, max_size=3
            )
        ),
    )
)
def test_every_json_value_is_a_filter_or_is_refused_by_name(value: Any) -> None:
    if is_readable(value):
        assert lets_through(value) in (True, False)
        # What is stored is what was read.
        assert parse_filter(json.loads(json.dumps(value))) == parse_filter(value)


def test_data_may_be_deeper_than_python_can_call() -> None:
    arrays: Any = 7
    objects: Any = 7
    for _ in range(100_000):
        arrays, objects = [arrays], {"a": objects}
    assert lets_through({"n": 7}, {"n": arrays})
    assert lets_through({"n": {"$ne": 8, "$not": {"$eq": {"a": 1}}}}, {"n": objects})
    # Taken apart from the outside: freeing such a nest at once is beyond some interpreters.
    while isinstance(arrays, list):
        arrays = arrays.pop()
    while isinstance(objects, dict):
        objects = objects.popitem()[1]
