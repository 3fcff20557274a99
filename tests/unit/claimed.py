"""Claims and endpoints as tests need them, with defaults for what a test does not speak of."""

from __future__ import annotations

import time
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

from deliveries.claim import Claim, Fact
from deliveries.engine import Flight
from deliveries.transport import Request
from subscriptions.auth import NoAuth
from subscriptions.builtin_profiles import STANDARD
from subscriptions.endpoints import DatedSecret, Endpoint
from subscriptions.signing_secrets import parse_secret
from webhookhub.ids import new_id

NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)
SECRET = parse_secret("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw")
OLD_SECRET = parse_secret("a secret of one's own")
SUBSCRIPTION = new_id()


def fact(**changes: Any) -> Fact:
    """An order was shipped."""
    values: dict[str, Any] = {
        "shown_id": "evt_0192f0c1d5a37abc8123456789abcdef",
        "type": "order.shipped",
        "entity_type": "",
        "action": "",
        "subject": "",
        "correlation_id": "",
        "data": '{"n":1}',
        "created_at": datetime(2026, 3, 1, 11, 59, 58, 7_999, tzinfo=UTC),
    }
    return Fact(**values | changes)


def claim(**changes: Any) -> Claim:
    """The first attempt of a delivery, claimed at noon."""
    values: dict[str, Any] = {
        "delivery_id": new_id(),
        "subscription_id": SUBSCRIPTION,
        "attempt_number": 1,
        "claimed_at": NOON,
        "claimed_monotonic": time.monotonic(),
        "expires_at": NOON + timedelta(days=7),
        "subscription_version": 1,
        "fact": fact(),
    }
    return Claim(**values | changes)


def endpoint(**changes: Any) -> Endpoint:
    """An enabled endpoint with the standard profile."""
    values: dict[str, Any] = {
        "subscription_id": SUBSCRIPTION,
        "account_id": UUID("0192f0c1-d5a3-7abc-8123-456789abcdef"),
        "version": 1,
        "url": "https://example.com/hooks",
        "enabled": True,
        "auth": NoAuth(),
        "profile": STANDARD,
        "secrets": (DatedSecret(secret=SECRET, expires_at=None),),
    }
    return Endpoint(**values | changes)


def flight(**changes: Any) -> Flight:
    """A claim on its way; `changes` are the claim's."""
    request = Request(url="https://example.com/hooks", headers=(), body=b"{}", timeout_seconds=1)
    return Flight(claim=claim(**changes), endpoint=endpoint(), request=request)
