"""What can be asked of an event's data, and does it hold? The conditions that payload filters are made of, as closed values."""

from __future__ import annotations

import operator
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, assert_never

from webhookhub.ecmascript import MAX_SAFE_INTEGER


class Operator(StrEnum):
    """What a value, or an element of an array, is compared by."""

    EQ = "$eq"
    GT = "$gt"
    GTE = "$gte"
    LT = "$lt"
    LTE = "$lte"
    IN = "$in"
    STARTS_WITH = "$startsWith"
    ENDS_WITH = "$endsWith"


@dataclass(frozen=True, kw_only=True, slots=True)
class Comparison:
    """One operator with what stands beside it."""

    operator: Operator
    operand: object


@dataclass(frozen=True, kw_only=True, slots=True)
class Compares:
    """Comparisons that the value stands, or one and the same element of an array."""

    comparisons: tuple[Comparison, ...]


@dataclass(frozen=True, kw_only=True, slots=True)
class Exists:
    """Whether the field is there, be it null."""

    expected: bool


@dataclass(frozen=True, kw_only=True, slots=True)
class Fields:
    """Conditions on the fields of an object, or of one and the same object in an array."""

    conditions: tuple[tuple[str, Condition], ...]


@dataclass(frozen=True, kw_only=True, slots=True)
class Every:
    """All of these hold."""

    conditions: tuple[Condition, ...]


@dataclass(frozen=True, kw_only=True, slots=True)
class Either:
    """At least one of these holds."""

    conditions: tuple[Condition, ...]


@dataclass(frozen=True, kw_only=True, slots=True)
class Not:
    """This does not hold."""

    condition: Condition


Condition = Compares | Exists | Fields | Every | Either | Not

_MISSING = object()
_NO_FIELDS: dict[str, object] = {}


def holds(condition: Condition, value: object) -> bool:
    """Whether the condition is true of parsed JSON. It never raises, and goes no deeper than the condition does."""
    match condition:
        case Compares(comparisons=comparisons):
            return any(all(_stands(item, comparison) for comparison in comparisons) for item in _unfold(value))
        case Fields(conditions=conditions):
            return any(_fields_hold(conditions, item) for item in _unfold(value) if type(item) is not list)
        case Exists(expected=expected):
            return (value is not _MISSING) is expected
        case Every(conditions=conditions):
            return all(holds(one, value) for one in conditions)
        case Either(conditions=conditions):
            return any(holds(one, value) for one in conditions)
        case Not(condition=opposite):
            return not holds(opposite, value)
        case _:
            assert_never(condition)


def orderable(value: object) -> type | None:
    """What `$gt` and its like can compare it with: numbers (float) with numbers, texts (str) with texts; else nothing."""
    kind = type(value)
    if kind is str:
        return str
    return float if kind is int or kind is float else None


def _fields_hold(conditions: tuple[tuple[str, Condition], ...], value: object) -> bool:
    members = value if isinstance(value, dict) else _NO_FIELDS
    return all(holds(condition, members.get(name, _MISSING)) for name, condition in conditions)


def _unfold(value: object) -> Iterator[object]:
    """The value itself; of an array also its elements, and those of arrays in it. No recursion: data may be deep."""
    yield value
    if type(value) is list:
        waiting = [iter(value)]
        while waiting:
            for item in waiting[-1]:
                yield item
                if type(item) is list:
                    waiting.append(iter(item))
                    break
            else:
                waiting.pop()


def _stands(value: object, comparison: Comparison) -> bool:
    operand: Any = comparison.operand
    match name := comparison.operator:
        case Operator.EQ:
            return equals(value, operand)
        case Operator.IN:
            return any(equals(value, item) for item in operand)
        case Operator.GT | Operator.GTE | Operator.LT | Operator.LTE:
            return orderable(value) is orderable(operand) and _ORDERS[name](_as_double(value), operand)
        case Operator.STARTS_WITH:
            return isinstance(value, str) and value.startswith(operand)
        case Operator.ENDS_WITH:
            return isinstance(value, str) and value.endswith(operand)
        case _:
            assert_never(name)


_ORDERS: dict[Operator, Callable[[Any, Any], bool]] = {
    Operator.GT: operator.gt,
    Operator.GTE: operator.ge,
    Operator.LT: operator.lt,
    Operator.LTE: operator.le,
}


def equals(value: object, operand: object) -> bool:
    """Whether two JSON values are the same. To Python, `True == 1`."""
    match operand:
        case bool() | None:
            return value is operand
        case dict():
            return (
                isinstance(value, dict)
                and value.keys() == operand.keys()
                and all(equals(value[name], member) for name, member in operand.items())
            )
        case list():
            return isinstance(value, list) and len(value) == len(operand) and all(map(equals, value, operand))
        case _:
            return orderable(value) is orderable(operand) and _as_double(value) == operand


def _as_double(value: Any) -> Any:
    """A large integer as the double that its digits stand for: data were written by JavaScript's rules, which round them."""
    if type(value) is int and abs(value) > MAX_SAFE_INTEGER:
        # No event's data hold more than a double does.
        return float(value) if abs(value) <= sys.float_info.max else value
    return value
