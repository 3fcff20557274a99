"""JSON Schemas: which can be used, and what they say of data."""

from __future__ import annotations

from typing import Any

import pytest

from webhookhub.errors import BadSchemaError
from webhookhub.schemas import MAX_BYTES, MAX_DEPTH, Schema

ORDER = {
    "type": "object",
    "required": ["orderId"],
    "properties": {
        "orderId": {"type": "string", "pattern": "^ord_"},
        "items": {"type": "array", "items": {"type": "object", "properties": {"price": {"type": "number"}}}},
    },
}


@pytest.mark.parametrize(
    "data", [{"orderId": "ord_1"}, {"orderId": "ord_1", "items": [{"price": 1.5}, {"price": 10**400}], "more": None}]
)
def test_data_that_fit_have_no_misfit(data: Any) -> None:
    assert Schema(ORDER).find_misfit(data) is None


@pytest.mark.parametrize(
    ("data", "misfit"),
    [
        ([], 'data: this is not of type "object"'),
        ({}, 'data: "orderId" is a required property'),
        ({"orderId": 5}, 'data.orderId: this is not of type "string"'),
        ({"orderId": "5"}, 'data.orderId: this does not match "^ord_"'),
        ({"orderId": "ord_1", "items": [{}, {"price": "x"}]}, 'data.items[1].price: this is not of type "number"'),
    ],
)
def test_a_misfit_names_the_place_and_what_the_schema_wants(data: Any, misfit: str) -> None:
    assert Schema(ORDER).find_misfit(data) == misfit


def test_a_misfit_is_short_whatever_the_data() -> None:
    long = "x" * 100_000
    closed = {"properties": {"a": {}}, "additionalProperties": False}
    inside = {"additionalProperties": {"type": "null"}}
    for schema, data in (({"maxLength": 5}, long), (closed, {long: 1}), (inside, {long: 1})):
        misfit = Schema(schema).find_misfit(data)
        assert misfit is not None
        assert len(misfit) < 700


@pytest.mark.parametrize("document", [True, False, {}, {"$schema": "http://json-schema.org/draft-07/schema#"}])
def test_a_schema_is_an_object_or_a_truth_value(document: Any) -> None:
    assert (Schema(document).find_misfit(1) is None) is (document is not False)


@pytest.mark.parametrize(
    ("document", "why"),
    [
        (None, "an object, or true or false"),
        ("object", "an object, or true or false"),
        ([], "an object, or true or false"),
        ({"type": "nonsense"}, "schema.type: "),
        ({"properties": {"a": {"minimum": "1"}}}, "schema.properties.a.minimum: "),
        ({"pattern": "("}, "regex"),
        ({"pattern": "(?=a)b"}, "regex"),
        ({"pattern": r"(a)\1"}, "regex"),
        ({"pattern": "((a{1000}){1000}){1000}"}, "regex"),
        ({"$ref": "#/$defs/missing"}, "/$defs/missing"),
        ({"$schema": "https://example.com/own"}, "meta-schema"),
        ({"$id": "http://[", "type": "object"}, "URI"),
    ],
)
def test_what_is_no_usable_schema_is_refused_with_the_reason(document: Any, why: str) -> None:
    with pytest.raises(BadSchemaError) as error:
        Schema(document)
    assert why in str(error.value)
    assert error.value.field == "schema"


@pytest.mark.parametrize(
    "reference", ["http://127.0.0.1:9/x.json", "https://example.com/x.json", "file:///etc/passwd", "x.json"]
)
def test_a_reference_to_elsewhere_is_refused_and_nothing_is_fetched(reference: str) -> None:
    with pytest.raises(BadSchemaError, match="Retrieval is disabled"):
        Schema({"$id": "http://127.0.0.1:9/", "$ref": reference})


def test_a_schema_may_be_as_large_as_the_limit_and_no_larger() -> None:
    overhead = len('{"description":""}')
    Schema({"description": "x" * (MAX_BYTES - overhead)})
    with pytest.raises(BadSchemaError, match="65,537 bytes"):
        Schema({"description": "x" * (MAX_BYTES - overhead + 1)})


def nested(depth: int) -> dict[str, Any]:
    document: dict[str, Any] = {}
    for _ in range(depth - 1):
        document = {"not": document}
    return document


def test_a_schema_may_be_as_deep_as_the_limit_and_no_deeper() -> None:
    assert Schema(nested(MAX_DEPTH)).find_misfit(1) is not None
    for depth in (MAX_DEPTH + 1, 5_000):
        with pytest.raises(BadSchemaError, match="too deeply"):
            Schema(nested(depth))


@pytest.mark.parametrize(
    "document",
    [
        {"$ref": "#"},
        {"allOf": [{"$ref": "#"}]},
        {"$defs": {"a": {"$ref": "#/$defs/b"}, "b": {"$ref": "#/$defs/a"}}, "$ref": "#/$defs/a"},
    ],
)
def test_a_schema_that_refers_to_itself_comes_to_an_end(document: dict[str, Any]) -> None:
    assert Schema(document).find_misfit({"a": 1}) is None
