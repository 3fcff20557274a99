"""Which deliveries does somebody mean? The parameters of a list or a job, as a value."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Self

from deliveries.admit import CROWDED
from deliveries.models import CIRCUIT_OPEN, CONCURRENCY_LIMITED, RATE_LIMITED, Status
from deliveries.outcome import OutcomeCode
from webhookhub.errors import BadFilterError
from webhookhub.moments import iso_moment
from webhookhub.parameters import read_choices, read_text, read_values, read_window

NO_ANSWER = "none"
# The hundreds of each class's status codes.
STATUS_CODE_CLASSES: dict[str, int | None] = {"2xx": 2, "3xx": 3, "4xx": 4, "5xx": 5, NO_ANSWER: None}

# How the last attempt went, or what a delivery waits for that has none yet.
LAST_OUTCOMES = (*(code.value for code in OutcomeCode), CROWDED, RATE_LIMITED, CONCURRENCY_LIMITED, CIRCUIT_OPEN)
MOST_ATTEMPTS = 1_000_000


@dataclass(frozen=True, kw_only=True, slots=True)
class DeliveryFilter:
    """What a delivery has to be to be meant: all that is set, and of several values one."""

    statuses: tuple[Status, ...] = ()
    webhook: str | None = None
    """`sub_…`, also of a webhook that was deleted, or a webhook's own id (`uid`)."""
    event_types: tuple[str, ...] = ()
    correlation_id: str | None = None
    status_code_classes: tuple[str, ...] = ()
    """Of the last answer: keys of STATUS_CODE_CLASSES."""
    status_codes: tuple[int, ...] = ()
    last_outcomes: tuple[str, ...] = ()
    attempts_at_least: int | None = None
    since: datetime | None = None
    """When the event was recorded: from this moment on, and before `until`."""
    until: datetime | None = None

    @classmethod
    def from_parameters(cls, parameters: Mapping[str, Any]) -> Self:
        """Read the parameters of a list, or what `to_json` wrote. Others are passed over. Raises BadFilterError.

        Of a request: `from_parameters(dict(request.query_params.lists()))`.
        """
        since, until = read_window(parameters)
        return cls(
            statuses=tuple(Status(value) for value in read_choices(parameters, "status", Status.values)),
            webhook=read_text(parameters, "webhook"),
            event_types=read_values(parameters, "eventType"),
            correlation_id=read_text(parameters, "correlationId"),
            status_code_classes=read_choices(parameters, "statusCodeClass", STATUS_CODE_CLASSES),
            status_codes=tuple(_status_code(value) for value in read_values(parameters, "statusCode")),
            last_outcomes=read_choices(parameters, "lastOutcome", LAST_OUTCOMES),
            attempts_at_least=_attempts(parameters),
            since=since,
            until=until,
        )

    def to_json(self) -> dict[str, Any]:
        """The same as parameters: only those that are set."""
        shown = {
            "status": [status.value for status in self.statuses],
            "webhook": self.webhook,
            "eventType": list(self.event_types),
            "correlationId": self.correlation_id,
            "statusCodeClass": list(self.status_code_classes),
            "statusCode": list(self.status_codes),
            "lastOutcome": list(self.last_outcomes),
            "attemptsAtLeast": self.attempts_at_least,
            "since": self.since and iso_moment(self.since),
            "until": self.until and iso_moment(self.until),
        }
        return {name: value for name, value in shown.items() if value}


def _attempts(parameters: Mapping[str, Any]) -> int | None:
    if (text := read_text(parameters, "attemptsAtLeast")) is None:
        return None
    if not (text.isascii() and text.isdigit() and len(text) <= len(str(MOST_ATTEMPTS)) and int(text) <= MOST_ATTEMPTS):
        raise BadFilterError("attemptsAtLeast", f"{text[:60]!r} is no number from 0 to {MOST_ATTEMPTS}")
    return int(text)


def _status_code(text: str) -> int:
    if not (text.isascii() and text.isdigit() and len(text) == 3 and 100 <= int(text) <= 599):
        raise BadFilterError("statusCode", f"{text[:60]!r} is none: they go from 100 to 599")
    return int(text)
