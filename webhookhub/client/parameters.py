"""How are Python's arguments said to the API? Names as its JSON has them, moments in ISO 8601."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any
from urllib.parse import quote


def to_fields(arguments: Mapping[str, Any]) -> dict[str, Any]:
    """The fields of a body: `rate_limit_per_second` is `rateLimitPerSecond`. Values are the API's own."""
    return {camel(name): value for name, value in arguments.items()}


def to_query(arguments: Mapping[str, Any]) -> dict[str, str | list[str]]:
    """The parameters of a query: None is left out, lists are repeated. Raises ValueError for a moment without a zone."""
    return {
        camel(name): [_text(one) for one in value]
        if isinstance(value, list | tuple | set | frozenset)
        else _text(value)
        for name, value in arguments.items()
        if value is not None
    }


def segment(identifier: str) -> str:
    """An id as a part of a path: ids of your own may have any character in them."""
    return quote(identifier, safe="")


def camel(name: str) -> str:
    """`entity_type` as the API has it: `entityType`."""
    first, *rest = name.split("_")
    return first + "".join(word.capitalize() for word in rest)


def _text(value: Any) -> str:
    match value:
        case bool():
            return "true" if value else "false"
        case datetime():
            if value.tzinfo is None:
                raise ValueError(f"{value} has no time zone: nobody knows which moment that is")
            return value.isoformat()
        case _:
            return str(value)
