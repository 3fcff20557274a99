"""Which events does a webhook want, by their data? A filter in the dialect of Hookdeck, Convoy and Outpost, read once."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from typing import assert_never

from subscriptions.conditions import (
    Compares,
    Comparison,
    Condition,
    Either,
    Every,
    Exists,
    Fields,
    Not,
    Operator,
    holds,
    orderable,
)
from subscriptions.errors import PayloadFilterError
from webhookhub.ecmascript import MAX_SAFE_INTEGER

# A filter is read by people and applied to every event: what is larger is a program, and belongs into the receiver.
MAX_DEPTH = 10
MAX_CONDITIONS = 100
MAX_BYTES = 16 * 1024

# What PostgreSQL's jsonb cannot hold: half of a surrogate pair, and NUL, which JSON texts escape.
_UNSTORABLE = re.compile(r"[\ud800-\udfff]|(?<!\\)(?:\\\\)*\\u0000")
_STEP_END = re.compile(r"(?<!\\)\.")
_ESCAPED = re.compile(r"\\([.$])")
_SHOWN_STEP_CHARACTERS = 60

_COMPARISONS = frozenset(Operator)
# As the documents of Hookdeck, Convoy and Outpost write them.
_ALIASES = {"$neq": "$ne", "$exist": "$exists"}
_NAMES = (*Operator, "$ne", "$nin", "$exists", "$not", "$or", "$and")


@dataclass(frozen=True, kw_only=True, slots=True)
class Filter:
    """A filter that has been read."""

    condition: Condition

    def matches(self, data: object) -> bool:
        """Whether the filter lets an event with these data (parsed JSON) through. It never raises."""
        return holds(self.condition, data)


def parse_filter(value: object) -> Filter:
    """Read a filter from parsed JSON. An object is a conjunction of its members; each is a field or an operator.

    - A field holds a value (`"paid"` is short for `{"$eq": "paid"}`), a list (all of its members hold), or an object of
      operators and deeper fields. `"order.total"` is short for a field in a field; `\\.` and `\\$` are no dot and no operator.
    - An array matches where any of its elements does, arrays in it included. The comparisons of one object hold for the
      same element, and so do its fields: `{"$gte": 5, "$lt": 10}` asks for one element between, `$and` for one of each.
      `$eq`, `$in` and their opposites also compare the array as a whole.
    - Nothing is converted: values of different types are not equal, and ordered by none of `$gt`, `$gte`, `$lt`, `$lte`,
      which compare numbers, or texts by code point. `1` and `1.0` are one number, `true` is none.
    - A missing field equals nothing, null neither, and has no fields. `$exists` asks for it. What is no object has none.
    - `$ne` and `$nin` are exactly `$not` of `$eq` and `$in`: they also match where the field is missing. So
      `{"tags": {"$ne": "gift"}}` asks for no such tag, `{"items": {"sku": {"$ne": "A"}}}` for an item with another sku, and
      `{"$not": {"items": {"sku": "A"}}}` for no such item. `$neq` and `$exist` are other spellings of `$ne` and `$exists`.

    `{}` lets everything through. Raises PayloadFilterError that names the place and what would be right.
    """
    _check_size(value)
    if not isinstance(value, dict):
        raise PayloadFilterError('filter has to be a JSON object such as {"status": "paid"}')
    return Filter(condition=_Reader().read_object(value, "filter", 1) if value else Every(conditions=()))


def _check_size(value: object) -> None:
    try:
        text = json.dumps(value, ensure_ascii=False, allow_nan=False, separators=(",", ":"))
    except (TypeError, ValueError):
        raise PayloadFilterError("filter has to be JSON") from None
    except RecursionError:
        raise _too_deep("filter") from None
    if (size := len(text.encode(errors="surrogatepass"))) > MAX_BYTES:
        raise PayloadFilterError(f"filter has {size:,} bytes of JSON; at most {MAX_BYTES:,} are allowed")
    if _UNSTORABLE.search(text):
        raise PayloadFilterError("filter has a text with NUL or half of a surrogate pair, which cannot be stored")


def _too_deep(path: str) -> PayloadFilterError:
    return PayloadFilterError(f"{path} is nested too deeply; at most {MAX_DEPTH} levels are allowed, dots included")


class _Reader:
    """Reads one filter, and counts its conditions."""

    def __init__(self) -> None:
        self._conditions = 0

    def read_object(self, members: dict[str, object], path: str, depth: int) -> Condition:
        """The conjunction of an object's members."""
        _check_depth(path, depth)
        if not members:
            raise PayloadFilterError(f'{path} is empty; {{"$exists": true}} asks whether the field is there')
        comparisons: list[Comparison] = []
        fields: list[tuple[str, Condition]] = []
        conditions: list[Condition] = []
        for name, member in members.items():
            here = f"{path}.{name[:_SHOWN_STEP_CHARACTERS]}"
            name = _ALIASES.get(name, name)
            if name in _COMPARISONS:
                comparisons.append(self._read_comparison(Operator(name), member, here, depth))
            elif name.startswith("$"):
                conditions.append(self._read_operator(name, member, here, depth))
            else:
                fields.append(self._read_field(name, member, here, depth))
        # The quickest ones first: comparisons, then fields.
        if fields:
            conditions.insert(0, Fields(conditions=tuple(fields)))
        if comparisons:
            conditions.insert(0, Compares(comparisons=tuple(comparisons)))
        return conditions[0] if len(conditions) == 1 else Every(conditions=tuple(conditions))

    def _read(self, value: object, path: str, depth: int) -> Condition:
        """What stands beside a field's name, or as a member of `$or`, `$and` and lists."""
        match value:
            case dict():
                return self.read_object(value, path, depth)
            case list():
                return Every(conditions=self._read_list(value, path, depth))
            case _:
                return Compares(comparisons=(self._read_comparison(Operator.EQ, value, path, depth),))

    def _read_list(self, value: object, path: str, depth: int) -> tuple[Condition, ...]:
        _check_depth(path, depth)
        if not isinstance(value, list) or not value:
            raise PayloadFilterError(f"{path} takes a list with at least one member")
        return tuple(self._read(member, f"{path}[{index}]", depth + 1) for index, member in enumerate(value))

    def _read_field(self, name: str, member: object, path: str, depth: int) -> tuple[str, Condition]:
        """A field, or with dots in its name a field in a field."""
        steps = _STEP_END.split(name)
        if misplaced := next((step for step in steps if step.startswith("$")), None):
            told = f"{path} has the step {misplaced[:_SHOWN_STEP_CHARACTERS]!r}: an operator stands alone, as in"
            raise PayloadFilterError(f'{told} {{"total": {{"$gt": 5}}}}; arrays need none, and \\$ is part of a name')
        _check_depth(path, depth + len(steps) - 1)
        *outer, last = [_ESCAPED.sub(r"\1", step) for step in steps]
        condition = self._read(member, path, depth + len(steps))
        for step in reversed(outer):
            condition, last = Fields(conditions=((last, condition),)), step
        return last, condition

    def _read_comparison(self, name: Operator, operand: object, path: str, depth: int) -> Comparison:
        self._count(path)
        match name:
            case Operator.EQ:
                pass
            case Operator.IN:
                if not isinstance(operand, list) or not operand:
                    raise PayloadFilterError(f"{path} takes a list with at least one value")
            case Operator.GT | Operator.GTE | Operator.LT | Operator.LTE:
                if orderable(operand) is None:
                    raise PayloadFilterError(f"{path} takes a number or a text, not {_kind(operand)}")
            case Operator.STARTS_WITH | Operator.ENDS_WITH:
                if not isinstance(operand, str):
                    raise PayloadFilterError(f"{path} takes a text, not {_kind(operand)}")
            case _:
                assert_never(name)
        return Comparison(operator=name, operand=_as_in_data(operand, path, depth + 1))

    def _read_operator(self, name: str, member: object, path: str, depth: int) -> Condition:
        match name:
            case "$ne":
                opposite = self._read_comparison(Operator.EQ, member, path, depth)
                return Not(condition=Compares(comparisons=(opposite,)))
            case "$nin":
                opposite = self._read_comparison(Operator.IN, member, path, depth)
                return Not(condition=Compares(comparisons=(opposite,)))
            case "$exists":
                if not isinstance(member, bool):
                    raise PayloadFilterError(f"{path} takes true or false, not {_kind(member)}")
                self._count(path)
                return Exists(expected=member)
            case "$not":
                return Not(condition=self._read(member, path, depth + 1))
            case "$or":
                return Either(conditions=self._read_list(member, path, depth + 1))
            case "$and":
                return Every(conditions=self._read_list(member, path, depth + 1))
            case _:
                raise PayloadFilterError(f"{path} is no operator; there are {', '.join(_NAMES)}")

    def _count(self, path: str) -> None:
        self._conditions += 1
        if self._conditions > MAX_CONDITIONS:
            raise PayloadFilterError(f"{path} is one condition too many; at most {MAX_CONDITIONS} are allowed")


def _check_depth(path: str, depth: int) -> None:
    if depth > MAX_DEPTH:
        raise _too_deep(path)


def _as_in_data(operand: object, path: str, depth: int) -> object:
    """The operand in JavaScript's numbers, in which data were written: large integers are the doubles nearest to them."""
    match operand:
        case dict():
            _check_depth(path, depth)
            return {name: _as_in_data(member, path, depth + 1) for name, member in operand.items()}
        case list():
            _check_depth(path, depth)
            return [_as_in_data(member, path, depth + 1) for member in operand]
        case int() if abs(operand) > MAX_SAFE_INTEGER:
            try:
                return float(operand)
            except OverflowError:
                raise PayloadFilterError(f"{path} has a number that no event's data hold: at most 1.8e308") from None
        case _:
            return operand


def _kind(value: object) -> str:
    names = {bool: "true or false", str: "a text", dict: "an object", list: "a list", type(None): "null"}
    return names.get(type(value), "a number")
