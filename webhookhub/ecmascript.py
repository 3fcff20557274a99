"""Which text is a value's JSON, so that JavaScript's `JSON.stringify(JSON.parse(text))` gives back the same text?

Receivers that verify a signature over `JSON.stringify(req.body)` (004_0606a3681fd2e877.txt) depend on it.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, date, datetime
from decimal import Decimal
from types import NoneType
from typing import Any
from uuid import UUID

import orjson

# Containers inside one another. Common parsers stop at 128 (serde_json), 512 (PHP) or 1000 (Jackson); the envelope
# around the data needs a level too, and two Python frames a level stay well below the interpreter's limit of 1000.
MAX_DEPTH = 100

# Number.MAX_SAFE_INTEGER: beyond it a JavaScript number no longer holds every integer.
MAX_SAFE_INTEGER = 2**53 - 1

# ECMA-262, 6.1.7: property keys up to here are array indices, and objects list those first, in ascending order.
MAX_ARRAY_INDEX = 2**32 - 2

# ECMA-262, Number::toString: exponents are written for magnitudes outside [1e-6, 1e21).
_SMALLEST_PLAIN = 1e-6
_SMALLEST_LARGE = 1e21

# Where orjson writes plain digits as well; it changes to exponents earlier than JavaScript at both ends.
_ORJSON_PLAIN_FROM = 1e-4

_ALWAYS_ALIKE = frozenset({str, bool, NoneType})
_AFTER_THE_DIGITS = ":"

# A refusal's path stays readable in a log line: a long key shows its beginning, a long path its two ends.
_MAX_STEP_LENGTH = 60
_STEPS_AT_EITHER_END = 6

_SURROGATE = re.compile("[\ud800-\udfff]")
_ESCAPED_SURROGATE = re.compile(r"\\u[dD][89a-fA-F]")
_QUOTED_INDEX = re.compile(r'"(?:0|[1-9][0-9]{0,9})"')

# The standard library escapes exactly what ECMAScript's QuoteJSONString does, lone surrogates apart.
_quote = json.JSONEncoder(ensure_ascii=False).encode

_ALLOWED = "str, int, float, bool, None, dict, list, tuple; written as strings: Decimal, UUID, date, aware datetime"


class NotJsonError(ValueError):
    """A value without a JSON form: `path` says where (`data.items[3].price`), `reason` why, and what is allowed.

    Or a text that is not JSON: then `path` is empty, and the reason names line and column.
    """

    def __init__(self, path: str, reason: str) -> None:
        super().__init__(path, reason)
        self.path = path
        self.reason = reason

    def __str__(self) -> str:
        return f"{self.path}: {self.reason}" if self.path else self.reason


def encode(value: object, *, name: str = "data") -> str:
    """The JSON text of `value` as JavaScript would write it back. Its UTF-8 bytes are what is sent.

    Numbers are JavaScript's: `1.0` becomes `1`, and an integer beyond 2**53 is rounded to the double that a JavaScript
    receiver would hold, so an identifier that long belongs in a string. Keys that are array indices come first,
    ascending. UUID, Decimal, date and aware datetime (in UTC, with `Z`) become strings.

    Raises NotJsonError, whose path begins with `name`.
    """
    try:
        quick = orjson.dumps(value)
    except orjson.JSONEncodeError:
        return encode_exactly(value, name=name)
    return quick.decode() if _orjson_writes_it_alike(value) else encode_exactly(value, name=name)


def encode_exactly(value: object, *, name: str = "data") -> str:
    """What `encode` returns, by the rules alone and without its short cut. About five times slower."""
    try:
        return _written(value, 0)
    except _Refusal as refusal:
        raise NotJsonError(name + refusal.location(), refusal.reason) from None


def parse(text: bytes | str) -> Any:
    """The value of a JSON text (RFC 8259) from outside. Of equal keys the last one counts, as in JavaScript.

    Raises NotJsonError for anything else: NaN, numbers that no double holds, bytes that are not UTF-8.
    """
    try:
        return orjson.loads(text)
    except orjson.JSONDecodeError as error:
        unicode_text = _as_unicode(text)
        # JavaScript takes an escaped surrogate without its partner; orjson does not, the standard library does.
        if _ESCAPED_SURROGATE.search(unicode_text) is None:
            raise NotJsonError("", str(error)) from None
    try:
        return json.loads(unicode_text, parse_constant=_refuse_constant)
    except (ValueError, RecursionError) as error:
        raise NotJsonError("", str(error)) from None


def number_text(value: float) -> str:
    """A finite double as ECMAScript's Number::toString prints it: repr finds the same digits, placed differently."""
    size = abs(value)
    if size == 0:
        return "0"
    if size < _SMALLEST_PLAIN or size >= _SMALLEST_LARGE:
        return float.__repr__(value).replace("e-0", "e-")
    if value.is_integer():
        return str(int(value)) if size <= MAX_SAFE_INTEGER else format(Decimal(float.__repr__(value)), ".0f")
    digits = float.__repr__(value)
    return format(Decimal(digits), "f") if "e" in digits else digits


def _orjson_writes_it_alike(value: object) -> bool:
    """True where the rules and orjson agree on every part of `value`; False also where it is merely not certain.

    Only for what orjson has written: then it is finite, and its keys are strings.
    """
    level: list[Any] = [(value,)]
    for _ in range(MAX_DEPTH + 1):
        deeper: list[Any] = []
        for container in level:
            if type(container) is dict:
                if _may_have_indices(container):
                    return False
                container = container.values()
            if _ALWAYS_ALIKE.issuperset(map(type, container)):
                continue
            for item in container:
                kind = type(item)
                if kind is dict or kind is list:
                    deeper.append(item)
                elif not (
                    kind in _ALWAYS_ALIKE
                    or (kind is int and -MAX_SAFE_INTEGER <= item <= MAX_SAFE_INTEGER)
                    or (kind is float and _ORJSON_PLAIN_FROM <= abs(item) < MAX_SAFE_INTEGER and not item.is_integer())
                ):
                    return False
        if not deeper:
            return True
        level = deeper
    return False


def _may_have_indices(members: dict[str, object]) -> bool:
    # One comparison in C settles the usual case, where no key begins with a digit.
    return bool(members) and min(members) < _AFTER_THE_DIGITS and any(key[:1].isdigit() for key in members)


def _written(value: object, depth: int) -> str:
    """The text of `value`, which lies inside `depth` containers."""
    if isinstance(value, str):
        return _quoted(value)
    if value is None:
        return "null"
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int):
        return _integer_text(value)
    if isinstance(value, float):
        return _float_text(value)
    if isinstance(value, dict):
        return _object_text(value, depth + 1)
    if isinstance(value, (list, tuple)):
        return _array_text(value, depth + 1)
    return _quoted(_string_form(value))


def _object_text(members: Mapping[object, object], depth: int) -> str:
    _check_depth(depth)
    parts = []
    key = ""
    try:
        for key, item in _in_ecmascript_order(members):
            parts.append(f"{key}:{_written(item, depth)}")
    except _Refusal as refusal:
        if key:
            refusal.is_within(f".{key[1:-1]}" if key[1:-1].isidentifier() else f"[{key}]")
        raise
    return "{" + ",".join(parts) + "}"


def _array_text(items: Sequence[object], depth: int) -> str:
    _check_depth(depth)
    parts: list[str] = []
    try:
        for item in items:
            parts.append(_written(item, depth))
    except _Refusal as refusal:
        refusal.is_within(f"[{len(parts)}]")
        raise
    return "[" + ",".join(parts) + "]"


def _in_ecmascript_order(members: Mapping[object, object]) -> Iterable[tuple[str, object]]:
    """The members, keys quoted: array indices ascending, then the others as inserted (ECMA-262, 10.1.11.1)."""
    quoted: dict[str, object] = {}
    for key, item in members.items():
        if not isinstance(key, str):
            raise _Refusal(f"a key of type {type(key).__name__}; the keys of a JSON object are str")
        # Two spellings of one key (a character beyond U+FFFF, or its two surrogates) meet here; the last one counts.
        quoted[_quoted(key)] = item
    indices = [key for key in quoted if key[1] <= "9" and _is_index(key)]
    if not indices:
        return quoted.items()
    indices.sort(key=lambda index: int(index[1:-1]))
    return [(index, quoted.pop(index)) for index in indices] + list(quoted.items())


def _is_index(quoted_key: str) -> bool:
    return _QUOTED_INDEX.fullmatch(quoted_key) is not None and int(quoted_key[1:-1]) <= MAX_ARRAY_INDEX


def _quoted(text: str) -> str:
    """The string literal: raw Unicode, and lone surrogates escaped, as well-formed JSON.stringify does."""
    if text.isascii() or _SURROGATE.search(text) is None:
        return _quote(text)
    # A Python string may hold the two halves of one character; in JavaScript they are that character.
    paired = text.encode("utf-16", "surrogatepass").decode("utf-16", "surrogatepass")
    return _SURROGATE.sub(lambda lone: f"\\u{ord(lone[0]):04x}", _quote(paired))


def _integer_text(value: int) -> str:
    if -MAX_SAFE_INTEGER <= value <= MAX_SAFE_INTEGER:
        return int.__repr__(value)
    try:
        return number_text(float(value))
    except OverflowError:
        raise _Refusal("an integer that no double holds (they end at 1.8e308); send a string") from None


def _float_text(value: float) -> str:
    if not math.isfinite(value):
        raise _Refusal(f"{float.__repr__(value)} is no JSON number; send null or a string")
    return number_text(value)


def _string_form(value: object) -> str:
    """The one obvious string for the other types that models and forms yield."""
    if isinstance(value, datetime):
        if value.utcoffset() is None:
            raise _Refusal("a datetime without a time zone; make it aware")
        return value.astimezone(UTC).replace(tzinfo=None).isoformat() + "Z"
    if isinstance(value, date):
        return value.isoformat()
    if isinstance(value, UUID):
        return str(value)
    if isinstance(value, Decimal) and value.is_finite():
        return str(value)
    raise _Refusal(f"a value of type {type(value).__name__} is not JSON; allowed are {_ALLOWED}")


def _check_depth(depth: int) -> None:
    if depth > MAX_DEPTH:
        raise _Refusal(f"nested more than {MAX_DEPTH} levels deep, or contains itself")


def _as_unicode(text: bytes | str) -> str:
    try:
        return text if isinstance(text, str) else text.decode()
    except UnicodeDecodeError as error:
        raise NotJsonError("", f"not UTF-8: byte 0x{error.object[error.start]:02x} at position {error.start}") from None


def _refuse_constant(name: str) -> None:
    raise ValueError(f"{name} is no JSON number")


class _Refusal(Exception):
    """On its way from the offending value outwards; every container it leaves adds a step."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason
        self._steps: list[str] = []

    def is_within(self, step: str) -> None:
        self._steps.append(step if len(step) <= _MAX_STEP_LENGTH else step[:_MAX_STEP_LENGTH] + "…")

    def location(self) -> str:
        steps = self._steps[::-1]
        if len(steps) > 2 * _STEPS_AT_EITHER_END:
            steps = [*steps[:_STEPS_AT_EITHER_END], "…", *steps[-_STEPS_AT_EITHER_END:]]
        return "".join(steps)
