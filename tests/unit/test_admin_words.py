"""What the admin says of a delivery, in words."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from deliveries.admin.words import describe_circuit, describe_next, describe_outcome, describe_span, describe_state
from deliveries.filters import LAST_OUTCOMES
from deliveries.models import Delivery, Status
from subscriptions.models import Circuit, CircuitState

NOW = datetime(2026, 1, 15, 10, tzinfo=UTC)
SOON = NOW + timedelta(minutes=5)


@pytest.mark.parametrize(
    ("seconds", "words"),
    [
        (-3, "0 s"),
        (0, "0 s"),
        (59, "59 s"),
        (60, "1 min"),
        (61, "1 min 1 s"),
        (7_500, "2 h 5 min"),
        (90_000, "1 d 1 h"),
    ],
)
def test_a_span_is_told_in_its_largest_unit_and_the_next(seconds: int, words: str) -> None:
    assert describe_span(timedelta(seconds=seconds)) == words


@pytest.mark.parametrize(
    ("values", "short", "long"),
    [
        ({"status": Status.PENDING, "due_at": NOW}, "due", "It is due, and waits for a worker."),
        ({"status": Status.PENDING, "due_at": SOON, "attempt_count": 2}, "in 5 min", "Attempt 3 comes in 5 min."),
        (
            {"status": Status.PENDING, "due_at": SOON, "claimed_at": NOW, "attempt_count": 2},
            "on the wire",
            "Attempt 2 is on the wire.",
        ),
        (
            {"status": Status.PENDING, "due_at": SOON, "last_outcome": "rate_limited"},
            "in line",
            "It waits in line for its webhook's rate limit.",
        ),
        (
            {"status": Status.HELD, "due_at": NOW, "last_outcome": "circuit_open"},
            "-",
            "Held: its webhook's endpoint is down. It goes out when it answers again, unless it has expired.",
        ),
        ({"status": Status.DELIVERED, "due_at": NOW}, "-", "The receiver has it."),
        (
            {"status": Status.FAILED, "due_at": NOW, "failure_reason": "gone"},
            "gone",
            "The receiver answered 410: it wants no more.",
        ),
        (
            {"status": Status.CANCELLED, "due_at": NOW, "failure_reason": "wrong prices"},
            "wrong prices",
            "Cancelled: wrong prices",
        ),
    ],
)
def test_what_comes_next_or_why_it_stopped_is_said(values: dict[str, object], short: str, long: str) -> None:
    delivery = Delivery(**values)
    assert (describe_next(delivery, now=NOW), describe_state(delivery, now=NOW)) == (short, long)


@pytest.mark.parametrize("outcome", LAST_OUTCOMES)
def test_every_outcome_has_words_of_its_own(outcome: str) -> None:
    assert describe_outcome(outcome) != outcome


@pytest.mark.parametrize(
    ("state", "words"),
    [
        (
            CircuitState.OPEN,
            "Down since 2026-01-15 10:00:00 (UTC) (none of 10 attempts was accepted). What there is for it is held; the next "
            "probe goes at 10:05:00, or with what comes.",
        ),
        (
            CircuitState.HALF_OPEN,
            "Down since 2026-01-15 10:00:00 (UTC) (none of 10 attempts was accepted). What there is for it is held, but for "
            "one delivery that goes as a probe now.",
        ),
        (CircuitState.CLOSED, ""),
    ],
)
def test_a_webhook_whose_endpoint_fails_says_what_that_means_for_its_deliveries(
    state: CircuitState, words: str
) -> None:
    circuit = Circuit(state=state, since=NOW, probe_at=SOON, reason="none of 10 attempts was accepted")
    assert describe_circuit(circuit) == words


def test_a_webhook_whose_endpoint_is_well_says_nothing_of_it() -> None:
    assert describe_circuit(None) == ""
