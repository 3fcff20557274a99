"""What does a delivery's row mean, in words? Pure: what comes next, why it stopped, and how an attempt went."""

from __future__ import annotations

from datetime import datetime, timedelta
from itertools import pairwise
from typing import assert_never

from deliveries.admit import CROWDED
from deliveries.models import CIRCUIT_OPEN, CONCURRENCY_LIMITED, RATE_LIMITED, TEST_TRIGGER, Delivery, Status
from deliveries.outcome import OutcomeCode
from deliveries.replay import REPLAY
from deliveries.schedule import FailureReason
from subscriptions.models import Circuit, CircuitState

_OUTCOMES: dict[str, str] = {
    OutcomeCode.DELIVERED: "The receiver accepted it.",
    OutcomeCode.STATUS: "The receiver answered with a status that is no success.",
    OutcomeCode.GONE: "The receiver answered 410: it wants no more.",
    OutcomeCode.WORKER_LOST: "The worker was lost; whether anything was sent is not known.",
    OutcomeCode.BLOCKED: "The address may not be reached from here; nothing was sent.",
    OutcomeCode.BAD_URL: "The URL or a header can never be sent.",
    OutcomeCode.DNS: "The host name could not be resolved.",
    OutcomeCode.REFUSED: "The receiver refused the connection, or cannot be reached; nothing was sent.",
    OutcomeCode.RESET: "The connection was closed before the whole answer had come.",
    OutcomeCode.TLS: "No secure connection came about.",
    OutcomeCode.TIMEOUT: "There was no whole answer in time.",
    OutcomeCode.BAD_RESPONSE: "What came back is not HTTP.",
    OutcomeCode.PROXY: "The proxy that all deliveries go through failed, not the receiver.",
    OutcomeCode.TOKEN: "No access token was to be had; nothing was sent.",
    OutcomeCode.OTHER: "It failed in a way that has no name.",
    CROWDED: "Its webhook has as many requests on the wire as it may.",
    RATE_LIMITED: "It waits in line for its webhook's rate limit.",
    CONCURRENCY_LIMITED: "It waits in line for its webhook's concurrency limit.",
    CIRCUIT_OPEN: "Held: its webhook's endpoint is down. It goes out when it answers again, unless it has expired.",
}
_REASONS: dict[str, str] = {
    FailureReason.EXHAUSTED: "The last attempt of its delivery profile failed.",
    FailureReason.EXPIRED: "It expired: another attempt would have come too late.",
    FailureReason.REJECTED: "The receiver refused it in a way that another attempt would not mend.",
    FailureReason.GONE: "The receiver answered 410: it wants no more.",
    "subscription deleted": "Its webhook was deleted: there is nobody left to tell.",
    "payload expunged": "The data of its event were expunged: there is nothing left to send.",
}
_CIRCUITS = {
    CircuitState.OPEN: "Down since {since}. What there is for it is held; the next probe goes at {probe:%H:%M:%S}, or with what comes.",
    CircuitState.HALF_OPEN: "Down since {since}. What there is for it is held, but for one delivery that goes as a probe now.",
    CircuitState.RECOVERING: "Back since {since}. What was held goes out in steps.",
    CircuitState.WOULD_OPEN: "Fails since {since}. Its deliveries would be held, were the circuit breaker on.",
}
_UNITS = ((86_400, "d"), (3_600, "h"), (60, "min"), (1, "s"))


def describe_outcome(outcome: str) -> str:
    """How an attempt went, or what a delivery waits for."""
    return _OUTCOMES.get(outcome, outcome)


def describe_state(delivery: Delivery, *, now: datetime) -> str:
    """What happens next, or why nothing does."""
    match Status(delivery.status):
        case Status.DELIVERED:
            return "The receiver has it."
        case Status.CANCELLED:
            return f"Cancelled: {_REASONS.get(delivery.failure_reason, delivery.failure_reason)}"
        case Status.FAILED:
            return _REASONS.get(delivery.failure_reason, delivery.failure_reason)
        case Status.HELD if delivery.last_outcome == CIRCUIT_OPEN:
            return describe_outcome(CIRCUIT_OPEN)
        case Status.HELD:
            return "Held: its webhook takes no deliveries now. It goes out when it does, unless it has expired."
        case Status.PENDING:
            return _describe_wait(delivery, now)
        case status:
            assert_never(status)


def describe_next(delivery: Delivery, *, now: datetime) -> str:
    """The same in a word or two."""
    if delivery.status != Status.PENDING:
        return delivery.failure_reason or "-"
    if delivery.claimed_at is not None:
        return "on the wire"
    if delivery.last_outcome in (RATE_LIMITED, CONCURRENCY_LIMITED):
        return "in line"
    return "due" if delivery.due_at <= now else f"in {describe_span(delivery.due_at - now)}"


def _describe_wait(delivery: Delivery, now: datetime) -> str:
    if delivery.claimed_at is not None:
        return f"Attempt {delivery.attempt_count} is on the wire."
    if delivery.last_outcome in (RATE_LIMITED, CONCURRENCY_LIMITED):
        return describe_outcome(delivery.last_outcome)
    if delivery.due_at <= now:
        return "It is due, and waits for a worker."
    return f"Attempt {delivery.attempt_count + 1} comes in {describe_span(delivery.due_at - now)}."


def describe_circuit(circuit: Circuit | None) -> str:
    """What its endpoint's failures mean for a webhook; empty: nothing."""
    if circuit is None or circuit.state not in _CIRCUITS:
        return ""
    words = _CIRCUITS[CircuitState(circuit.state)]
    reason = f" ({circuit.reason})" if circuit.reason else ""
    return words.format(since=f"{circuit.since:%Y-%m-%d %H:%M:%S} (UTC){reason}", probe=circuit.probe_at)


def describe_trigger(trigger: str) -> str:
    """What asked for it."""
    if trigger.startswith(REPLAY):
        return "Somebody had its event sent once more."
    return "A test of the webhook." if trigger == TEST_TRIGGER else "Its event was recorded."


def describe_span(span: timedelta) -> str:
    """A length of time in its largest unit, and the next one where that matters: `2 h 5 min`."""
    seconds = max(0, round(span.total_seconds()))
    for (size, unit), (smaller, small_unit) in pairwise(_UNITS):
        if seconds >= size:
            rest = seconds % size // smaller
            return f"{seconds // size} {unit} {rest} {small_unit}" if rest else f"{seconds // size} {unit}"
    return f"{seconds} s"
