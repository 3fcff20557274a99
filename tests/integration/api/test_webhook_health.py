"""How a webhook's endpoint does, over HTTP; what makes it so is in `test_breaker`."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest

from deliveries.admit import Refusal, give_back
from deliveries.claim import claim
from subscriptions.models import Circuit, CircuitState, Subscription
from tests.integration.api.conftest import Client
from tests.integration.rows import make_pending
from webhookhub import ids

NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)
SOON = datetime(2026, 3, 1, 12, 0, 30, tzinfo=UTC)
REASON = "none of 10 attempts was accepted"
HEALTHY = {"state": "healthy", "since": None, "reason": None, "nextProbeAt": None}
SHOWN_NOON = "2026-03-01T12:00:00.000Z"


def read_health(api: Client, subscription: Subscription) -> Any:
    path = f"/api/v1/webhooks/{subscription.shown_id}"
    health = api.get(path).json()["health"]
    assert api.get("/api/v1/webhooks").json()["items"][0]["health"] == health
    return health


def test_a_webhook_whose_endpoint_never_failed_is_healthy(api: Client, subscription: Subscription) -> None:
    assert read_health(api, subscription) == HEALTHY


@pytest.mark.parametrize(
    ("state", "health"),
    [
        (
            CircuitState.OPEN,
            {"state": "open", "since": SHOWN_NOON, "reason": REASON, "nextProbeAt": "2026-03-01T12:00:30.000Z"},
        ),
        (CircuitState.HALF_OPEN, {"state": "half_open", "since": SHOWN_NOON, "reason": REASON, "nextProbeAt": None}),
        (CircuitState.RECOVERING, {"state": "recovering", "since": SHOWN_NOON, "reason": REASON, "nextProbeAt": None}),
        (CircuitState.CLOSED, HEALTHY),
        (CircuitState.WOULD_OPEN, HEALTHY),
    ],
)
def test_a_webhook_says_how_its_endpoint_does_and_when_it_is_asked_again(
    state: CircuitState, health: Any, api: Client, subscription: Subscription
) -> None:
    Circuit.objects.create(subscription=subscription, state=state, since=NOON, reason=REASON, probe_at=SOON)
    assert read_health(api, subscription) == health


def test_a_webhook_s_health_is_not_the_caller_s_to_write(api: Client, subscription: Subscription) -> None:
    answer = api.patch(f"/api/v1/webhooks/{subscription.shown_id}", {"health": HEALTHY})
    assert answer.status_code == 422


def test_a_new_webhook_is_healthy(api: Client) -> None:
    assert api.post("/api/v1/webhooks", {"url": "http://127.0.0.1:9/"}).json()["health"] == HEALTHY


def test_what_is_held_for_an_endpoint_that_is_down_says_so_and_is_found_by_it(
    api: Client, subscription: Subscription
) -> None:
    held, _ = make_pending(subscription, 2)
    give_back(claim([held]), Refusal.CIRCUIT_OPEN)
    (found,) = api.get("/api/v1/deliveries?lastOutcome=circuit_open").json()["items"]
    assert (found["id"], found["status"], found["lastOutcome"]) == (ids.show("delivery", held), "held", "circuit_open")
