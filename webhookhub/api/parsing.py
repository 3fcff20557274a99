"""How is a request's JSON read? Strictly: what PostgreSQL cannot store, or two parsers read differently, is refused."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Mapping
from typing import IO, Any

from rest_framework.exceptions import ParseError
from rest_framework.parsers import JSONParser

from webhookhub.api.problems import Problem
from webhookhub.conf import hub_settings

# Containers inside one another; nothing that the API manages needs more.
MAX_DEPTH = 100
# JSON numbers have no bounds; Python's integers from text have (4,300 digits), and PostgreSQL's have others.
LONGEST_NUMBER = 400


class StrictJSONParser(JSONParser):
    """UTF-8 JSON without duplicate names, NUL, lone surrogates, NaN, or more depth than anybody needs."""

    def parse(
        self, stream: IO[Any], media_type: str | None = None, parser_context: Mapping[str, Any] | None = None
    ) -> Any:
        """The value. Raises ParseError, which says what would be right, or Problem (413)."""
        limit = hub_settings().request_max_bytes
        body = stream.read(limit + 1)
        if len(body) > limit:
            raise Problem(413, "body_too_large", f"The body is larger than {limit:,} bytes.")
        return parse_json(body)


def parse_json(body: bytes) -> Any:
    """The value that the body is. Raises ParseError, which says what would be right."""
    try:
        value = json.loads(
            body.decode(),
            object_pairs_hook=_unique,
            parse_constant=_refuse_constant,
            parse_int=_to_int,
            parse_float=_to_float,
        )
    except UnicodeDecodeError:
        raise ParseError("The body is not UTF-8.") from None
    except json.JSONDecodeError as error:
        # "Unterminated string starting at", as it is in the standard library.
        reason = error.msg.removesuffix(" at")
        raise ParseError(f"The body is not JSON: {reason} at line {error.lineno}, column {error.colno}.") from None
    except RecursionError:
        raise ParseError(f"The body is nested too deeply; at most {MAX_DEPTH} levels are read.") from None
    _check(value, 0)
    return value


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    members = dict(pairs)
    if len(members) != len(pairs):
        (twice, _), *_ = Counter(name for name, _ in pairs).most_common(1)
        raise ParseError(f"{twice[:60]!r} stands twice in one object; each name may stand once.")
    return members


def _refuse_constant(name: str) -> None:
    raise ParseError(f"{name} is not JSON.")


def _to_int(text: str) -> int | float:
    if len(text) > LONGEST_NUMBER:
        raise ParseError(f"A number has {len(text)} digits; at most {LONGEST_NUMBER} are read.")
    return int(text)


def _to_float(text: str) -> float:
    number = float(text)
    if number in (float("inf"), float("-inf")):
        raise ParseError(f"The number {text[:40]} is too large.")
    return number


def _check(value: Any, depth: int) -> None:
    if depth == MAX_DEPTH and isinstance(value, dict | list):
        raise ParseError(f"The body is nested too deeply; at most {MAX_DEPTH} levels are read.")
    match value:
        case str():
            _check_text(value)
        case dict():
            for name, inner in value.items():
                _check_text(name)
                _check(inner, depth + 1)
        case list():
            for inner in value:
                _check(inner, depth + 1)


def _check_text(text: str) -> None:
    if "\x00" in text:
        raise ParseError("A text contains NUL (U+0000), which cannot be stored.")
    if not text.isascii() and any("\ud800" <= character <= "\udfff" for character in text):
        raise ParseError("A text contains half of a surrogate pair, which is no character.")
