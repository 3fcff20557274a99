"""Which answers does a delivery profile mean? Sets of statuses and the rule for retries, read from text and back."""

from __future__ import annotations

import re
from dataclasses import dataclass

from webhookhub.errors import WebhookHubError

# RFC 9110, section 15: 1xx is never the final answer, and nothing above 599 is a valid one.
_STATUS = re.compile(r"([2-5])(xx|[0-9]{2})")
_CLASSES = range(2, 6)


class StatusTextError(WebhookHubError, ValueError):
    """The text names no set of statuses, or no rule for retries; the message says what is allowed."""


@dataclass(frozen=True, kw_only=True, slots=True)
class StatusSet:
    """Some of the final HTTP statuses, 200 to 599."""

    codes: frozenset[int]

    @classmethod
    def parse(cls, text: str) -> StatusSet:
        """Read codes and whole classes between commas: `2xx`, `200,204`, `408, 5xx`. Raises StatusTextError."""
        return cls(codes=frozenset().union(*(_read_codes(item) for item in text.split(","))))

    def __contains__(self, status_code: int) -> bool:
        return status_code in self.codes

    def __str__(self) -> str:
        """The shortest text that `parse` reads as this set."""
        whole = [digit for digit in _CLASSES if self.codes.issuperset(_codes_of_class(digit))]
        rest = [code for code in self.codes if code // 100 not in whole]
        return ",".join(sorted([f"{digit}xx" for digit in whole] + [str(code) for code in rest]))


@dataclass(frozen=True, kw_only=True, slots=True)
class RetryRule:
    """Which failures are tried again; every other failure is final."""

    no_answer: bool
    """Whether to try again when no whole answer came: refused, reset, timed out, no such name, broken TLS, not HTTP."""
    statuses: StatusSet | None
    """Answers to try again after; None means every failure status."""

    @classmethod
    def parse(cls, text: str) -> RetryRule:
        """Read `any`, or `no_answer` and statuses between commas: `no_answer,408,503`. Raises StatusTextError."""
        items = [item.strip().lower() for item in text.split(",")]
        if items == ["any"]:
            return ANY_FAILURE
        codes = [item for item in items if item != "no_answer"]
        statuses = StatusSet.parse(",".join(codes)) if codes else StatusSet(codes=frozenset())
        return cls(no_answer="no_answer" in items, statuses=statuses)

    def covers(self, status_code: int) -> bool:
        """Whether an answer with this failure status is tried again."""
        return self.statuses is None or status_code in self.statuses

    def __str__(self) -> str:
        """Text that `parse` reads as this rule."""
        if self == ANY_FAILURE:
            return "any"
        items = ["no_answer"] if self.no_answer else []
        return ",".join(items + ([str(self.statuses)] if self.statuses and self.statuses.codes else []))


ANY_FAILURE = RetryRule(no_answer=True, statuses=None)


def _read_codes(item: str) -> frozenset[int]:
    match = _STATUS.fullmatch(item.strip().lower())
    if match is None:
        raise StatusTextError(
            f"{item.strip()[:40]!r} is no status: write codes from 200 to 599 or whole classes such as 2xx, "
            "with commas between (retry rules also take no_answer, or any alone)"
        )
    digit, rest = match.groups()
    return _codes_of_class(int(digit)) if rest == "xx" else frozenset({int(digit + rest)})


def _codes_of_class(digit: int) -> frozenset[int]:
    return frozenset(range(digit * 100, digit * 100 + 100))
