"""What did an attempt come to? Whatever came back, as one of five outcomes; nothing later looks at a status."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import ClassVar, assert_never

from deliveries.retry_after import RetryAfter, parse_retry_after
from deliveries.transport.exchange import Answer, FailureKind, NoAnswer, Result
from subscriptions.profiles import DeliveryProfile

_GONE = 410
# Too Many Requests and Service Unavailable: the two that define the header for a client that comes back.
_STATUSES_WITH_RETRY_AFTER = frozenset({429, 503})


class OutcomeCode(StrEnum):
    """The outcome of an attempt as the database and the metrics name it. Codes are added, never renamed."""

    DELIVERED = "delivered"
    STATUS = "status"  # a whole answer whose status is no success
    GONE = "gone"  # 410: the receiver wants no more
    WORKER_LOST = "worker_lost"  # claimed and never recorded; whether anything was sent is not known
    # The rest are the transport's failures, by the same names.
    BLOCKED = "blocked"
    BAD_URL = "bad_url"
    DNS = "dns"
    REFUSED = "refused"
    RESET = "reset"
    TLS = "tls"
    TIMEOUT = "timeout"
    BAD_RESPONSE = "bad_response"
    PROXY = "proxy"
    TOKEN = "token"  # noqa: S105 - no password
    OTHER = "other"


@dataclass(frozen=True, kw_only=True, slots=True)
class Delivered:
    """The receiver has it."""

    code: ClassVar = OutcomeCode.DELIVERED


@dataclass(frozen=True, kw_only=True, slots=True)
class Retryable:
    """A failure that the profile tries again."""

    code: OutcomeCode
    retry_after: RetryAfter | None = None
    """What the receiver asked for, as it said it: neither capped nor checked against the clock."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Rejected:
    """A failure that trying again would not mend, or that the profile does not try again."""

    code: OutcomeCode


@dataclass(frozen=True, kw_only=True, slots=True)
class Gone:
    """The receiver said 410: it wants this delivery no more, nor any other (Standard Webhooks 1.0.0)."""

    code: ClassVar = OutcomeCode.GONE


@dataclass(frozen=True, kw_only=True, slots=True)
class WorkerLost:
    """A claim whose lease ran out without a record. The sweep makes this one; `classify` never does."""

    code: ClassVar = OutcomeCode.WORKER_LOST


Outcome = Delivered | Retryable | Rejected | Gone | WorkerLost


def classify(result: Result, profile: DeliveryProfile) -> Outcome:
    """Judge what came back by the profile's rules. Every result has one outcome; a redirect is a failure."""
    match result:
        case Answer():
            return _classify_answer(result, profile)
        case NoAnswer(kind=FailureKind.BLOCKED | FailureKind.BAD_URL):
            # Nothing was sent, and nothing would be sent the next time.
            return Rejected(code=OutcomeCode(result.kind.value))
        case NoAnswer():
            # Even where the status line had come: an answer that broke off may still have been changing its mind, and
            # sending twice is allowed where losing is not.
            code = OutcomeCode(result.kind.value)
            return Retryable(code=code) if profile.retry_on.no_answer else Rejected(code=code)
        case _:
            assert_never(result)


def _classify_answer(answer: Answer, profile: DeliveryProfile) -> Outcome:
    status_code = answer.status_code
    if status_code in profile.success_statuses:
        return Delivered()
    if status_code == _GONE and profile.stop_on_gone:
        return Gone()
    if profile.retry_on.covers(status_code):
        return Retryable(code=OutcomeCode.STATUS, retry_after=_find_retry_after(answer))
    return Rejected(code=OutcomeCode.STATUS)


def _find_retry_after(answer: Answer) -> RetryAfter | None:
    if answer.status_code not in _STATUSES_WITH_RETRY_AFTER:
        return None
    for name, value in answer.headers:
        if name.lower() == "retry-after":
            return parse_retry_after(value)
    return None
