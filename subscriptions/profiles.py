"""How does a receiver want to be called: how long to wait, what counts as success, what is retried, and when?

A profile cannot exist with values that contradict each other. It is stored as a row with the same names.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum

from subscriptions.statuses import RetryRule, StatusSet
from webhookhub.errors import WebhookHubError

# Nothing waits longer than a year; it also keeps every moment far inside what a timestamp can hold.
LONGEST_SECONDS = 366 * 86_400

# Inclusive bounds of every number that is not None.
_BOUNDS: dict[str, tuple[float, float]] = {
    # A receiver that needs longer than a minute should answer 202 and work afterwards.
    "timeout_seconds": (0.1, 60),
    "max_interval_seconds": (1, LONGEST_SECONDS),
    "backoff_factor": (1, 10),
    "max_attempts": (1, 1_000_000),
    "expires_after_seconds": (1, LONGEST_SECONDS),
    # More than half would make the order of the waits a matter of luck.
    "jitter_ratio": (0, 0.5),
    "retry_after_cap_seconds": (0, LONGEST_SECONDS),
}

_NAME = re.compile(r"[a-z0-9](?:[a-z0-9-]{0,62}[a-z0-9])?")
# A name that needs no escaping in a query string (RFC 3986, section 2.3).
_PARAMETER = re.compile(r"[A-Za-z0-9._~-]{1,64}")
# RFC 9110, section 5.5: visible ASCII with single spaces inside, so that it cannot break out of its header.
_USER_AGENT = re.compile(r"(?=.{1,200}\Z)[!-~]+(?: [!-~]+)*")


class BodyForm(StrEnum):
    """What the body of a request is."""

    ENVELOPE = "envelope"  # {id, type, createdAt, data}
    NOTIFICATION = "notification"  # thin: what happened to which entity, and a link to it
    DATA = "data"  # the event's data and nothing around it


@dataclass(frozen=True, kw_only=True, slots=True)
class ProfileProblem:
    """One thing that is wrong with a profile."""

    field: str
    message: str
    """What is wrong, and what would be right."""


class InvalidProfileError(WebhookHubError, ValueError):
    """A profile's values are out of bounds or contradict each other. `problems` has one entry for each."""

    def __init__(self, name: str, problems: tuple[ProfileProblem, ...]) -> None:
        told = "; ".join(f"{problem.field}: {problem.message}" for problem in problems)
        super().__init__(f"delivery profile {name[:80]!r}: {told}")
        self.problems = problems


@dataclass(frozen=True, kw_only=True, slots=True)
class DeliveryProfile:
    """The rules of one kind of receiver. Raises InvalidProfileError, with all that is wrong, when it is made."""

    name: str
    description: str
    timeout_seconds: float
    """For one attempt, from name resolution to the last byte of the answer."""
    success_statuses: StatusSet
    retry_on: RetryRule
    stop_on_gone: bool = True
    """Whether 410 ends the delivery as gone (Standard Webhooks 1.0.0) instead of being a failure like any other."""
    intervals_seconds: tuple[float, ...]
    """The waits before attempts 2, 3, and so on. Empty: there is one attempt."""
    max_interval_seconds: float | None = None
    """After the waits above, go on with growing ones up to this; None: stop after the waits above."""
    backoff_factor: float = 2.0
    """By which each wait grows from the last one, once the waits above are used up."""
    max_attempts: int | None = None
    """The first one included; None: as many as the waits allow."""
    expires_after_seconds: float
    """Counted from the delivery's creation: no attempt begins at this moment or later."""
    jitter_ratio: float
    """A wait is drawn from this much below to this much above its nominal length."""
    retry_after_cap_seconds: float
    """The longest wait that a receiver may ask for with Retry-After; 0: none is heard."""
    body_form: BodyForm = BodyForm.ENVELOPE
    user_agent: str | None = None
    """None: the hub's default."""
    request_id_parameter: str | None = None
    """Name of a query parameter that carries the delivery's id, the same on every attempt; None: there is none."""

    def __post_init__(self) -> None:
        problems = (*_number_problems(self), *_schedule_problems(self), *_text_problems(self))
        if problems:
            raise InvalidProfileError(self.name, problems)

    @property
    def longest_interval_seconds(self) -> float:
        """The longest wait of the schedule, before jitter."""
        return self.max_interval_seconds or max(self.intervals_seconds, default=0)

    def expires_at(self, created_at: datetime) -> datetime:
        """When a delivery created at that moment can no longer be attempted."""
        return created_at + timedelta(seconds=self.expires_after_seconds)


def _number_problems(profile: DeliveryProfile) -> Iterator[ProfileProblem]:
    for field, (low, high) in _BOUNDS.items():
        value = getattr(profile, field)
        # Written so that NaN, which compares false with everything, is out of bounds.
        if value is not None and not low <= value <= high:
            yield ProfileProblem(field=field, message=f"{value} is out of bounds; it must be from {low} to {high}")
    for value in profile.intervals_seconds:
        if not 0 <= value <= LONGEST_SECONDS:
            message = f"a wait of {value} is out of bounds; it must be from 0 to {LONGEST_SECONDS}"
            yield ProfileProblem(field="intervals_seconds", message=message)


def _schedule_problems(profile: DeliveryProfile) -> Iterator[ProfileProblem]:
    intervals, rule = profile.intervals_seconds, profile.retry_on
    if not profile.success_statuses.codes:
        yield ProfileProblem(field="success_statuses", message="is empty; name at least one, such as 2xx")
    if rule.statuses is not None and (both := rule.statuses.codes & profile.success_statuses.codes):
        message = f"{StatusSet(codes=both)} counts as success already; name it in one of the two"
        yield ProfileProblem(field="retry_on", message=message)
    if profile.max_interval_seconds is None:
        return
    if not intervals or intervals[-1] == 0:
        message = "nothing to grow from; the last wait must be above 0, or max_interval_seconds empty"
        yield ProfileProblem(field="intervals_seconds", message=message)
    elif max(intervals) > profile.max_interval_seconds:
        message = f"is shorter than a wait of {max(intervals)} in intervals_seconds; it must be at least as long"
        yield ProfileProblem(field="max_interval_seconds", message=message)


def _text_problems(profile: DeliveryProfile) -> Iterator[ProfileProblem]:
    if not _NAME.fullmatch(profile.name):
        message = "must be 1 to 64 lower-case letters, digits and inner hyphens, such as entity-change"
        yield ProfileProblem(field="name", message=message)
    if profile.user_agent is not None and not _USER_AGENT.fullmatch(profile.user_agent):
        message = "must be 1 to 200 visible ASCII characters with single spaces inside, or empty for the default"
        yield ProfileProblem(field="user_agent", message=message)
    if profile.request_id_parameter is not None and not _PARAMETER.fullmatch(profile.request_id_parameter):
        message = "must be 1 to 64 letters, digits and . _ ~ -, such as requestId, or empty for none"
        yield ProfileProblem(field="request_id_parameter", message=message)
