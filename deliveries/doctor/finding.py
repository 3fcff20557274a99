"""What does an examination say? One thing that is as it should be, or that is not, and then what to do about it."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum


class Severity(Enum):
    """How bad it is."""

    OK = "ok"
    WARNING = "warning"  # the hub works, but not as well or as safely as it could
    ERROR = "error"  # something does not work, or may be lost


@dataclass(frozen=True, kw_only=True, slots=True)
class Finding:
    """One line of the report."""

    area: str
    """The module that looked: database, broker."""
    severity: Severity
    what: str
    remedy: str = ""
    """What to do, in one line; empty where nothing is."""


def parse_version(text: str) -> tuple[int, ...]:
    """`3.12.1` as (3, 12, 1); what follows the numbers, such as `rc1` or `-alpine`, is left out."""
    numbers: list[int] = []
    for part in text.split("."):
        digits = part[: len(part) - len(part.lstrip("0123456789"))]
        if not digits:
            break
        numbers.append(int(digits))
    return tuple(numbers)
