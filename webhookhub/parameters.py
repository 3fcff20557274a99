"""How are the parameters of a filter read? Of a request's query or a job's JSON: a text, a number, or a list of them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Any

from webhookhub.errors import BadFilterError
from webhookhub.moments import parse_moment

# Values of one parameter: each may be a stretch of an index to read.
MOST_VALUES = 50


def read_text(parameters: Mapping[str, Any], name: str) -> str | None:
    """A parameter that has one value. Raises BadFilterError."""
    texts = _given(parameters, name)
    if len(texts) > 1:
        raise BadFilterError(name, "is given once")
    return texts[0] if texts else None


def read_values(parameters: Mapping[str, Any], name: str) -> tuple[str, ...]:
    """A parameter that may be repeated, or hold several values between commas; each of them once. Raises BadFilterError."""
    texts = _given(parameters, name)
    values = tuple(dict.fromkeys(value for text in texts for value in text.split(",") if value))
    if texts and not values:
        raise _empty(name)
    if len(values) > MOST_VALUES:
        raise BadFilterError(name, f"has {len(values)} values; at most {MOST_VALUES} are looked for")
    return values


def read_choices(parameters: Mapping[str, Any], name: str, allowed: Iterable[str]) -> tuple[str, ...]:
    """The same where only some values are allowed. Raises BadFilterError."""
    values, allowed = read_values(parameters, name), list(allowed)
    if wrong := [value for value in values if value not in allowed]:
        raise BadFilterError(name, f"{wrong[0][:60]!r} is none of {', '.join(allowed)}")
    return values


def read_window(parameters: Mapping[str, Any]) -> tuple[datetime | None, datetime | None]:
    """`since` and `until`, ISO 8601 with a zone. Raises BadFilterError."""
    since, until = _read_moment(parameters, "since"), _read_moment(parameters, "until")
    if since is not None and until is not None and since >= until:
        raise BadFilterError("until", "lies after since")
    return since, until


def _read_moment(parameters: Mapping[str, Any], name: str) -> datetime | None:
    if (text := read_text(parameters, name)) is None:
        return None
    try:
        # A plus that nobody encoded arrives as a space.
        return parse_moment(text.replace(" ", "+"))
    except ValueError:
        raise BadFilterError(name, "is a moment such as 2026-01-31T12:00:00Z") from None


def _given(parameters: Mapping[str, Any], name: str) -> list[str]:
    """Nothing where the parameter is missing; then it means all. Given and empty, it means nothing that one could tell."""
    value = parameters.get(name)
    if value is None:
        return []
    texts = [str(one) for one in (value if isinstance(value, list | tuple) else [value])]
    if not texts or not all(texts):
        raise _empty(name)
    if any("\x00" in text for text in texts):
        raise BadFilterError(name, "contains NUL (U+0000)")
    return texts


def _empty(name: str) -> BadFilterError:
    return BadFilterError(name, "is empty; left out, it means all")
