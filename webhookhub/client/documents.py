"""What does the API answer with? Its JSON as it comes, with types; its OpenAPI document says what each field means."""

from __future__ import annotations

from typing import Any, Literal, NotRequired, TypedDict


class Health(TypedDict):
    """How a webhook's endpoint does: `healthy`, `open`, `half_open` or `recovering`, and since when it is not healthy."""

    state: str
    since: str | None
    reason: str | None
    nextProbeAt: str | None


class Webhook(TypedDict):
    """A webhook: where to, what for, and how."""

    id: str
    uid: str | None
    account: str
    url: str
    description: str
    events: list[str] | None
    entityType: str | None
    action: str | None
    filter: dict[str, Any] | None
    enabled: bool
    paused: bool
    health: Health
    profile: str
    overrides: dict[str, Any]
    headers: dict[str, Any]
    auth: dict[str, Any]
    rateLimitPerSecond: int | None
    concurrencyLimit: int | None
    metadata: dict[str, Any]
    createdAt: str
    updatedAt: str


class NewWebhook(Webhook):
    """A webhook that was just made. What its receiver verifies with is shown here, and by no list."""

    secret: str


class Event(TypedDict):
    """Something that happened."""

    id: str
    account: str
    type: str
    entityType: str | None
    action: str | None
    subject: str | None
    correlationId: str | None
    createdAt: str
    fanOut: Literal["waiting", "matched", "unmatched"]
    expunged: bool
    data: NotRequired[Any]


class Attempt(TypedDict):
    """One HTTP request, and what came of it."""

    id: str
    delivery: str
    number: int
    startedAt: str
    outcome: str
    statusCode: int | None
    error: str | None
    dnsMs: float | None
    connectMs: float | None
    tlsMs: float | None
    firstByteMs: float | None
    totalMs: float | None
    peerAddress: str | None
    connectionReused: bool
    responseHeaders: NotRequired[list[dict[str, str]]]
    responseBody: NotRequired[str]
    responseTruncated: bool
    responseExpunged: bool


class Delivery(TypedDict):
    """An event on its way to a webhook."""

    id: str
    account: str
    event: str
    eventType: str | None
    correlationId: str | None
    recordedAt: str | None
    webhook: str
    webhookUid: str | None
    webhookUrl: str | None
    trigger: Literal["event", "replay", "test"]
    manual: bool
    status: Literal["pending", "held", "delivered", "failed", "cancelled"]
    failureReason: str | None
    attemptCount: int
    nextAttemptAt: str | None
    expiresAt: str
    finishedAt: str | None
    lastOutcome: str | None
    lastStatusCode: int | None
    data: NotRequired[Any]


class DeliveryWithAttempts(Delivery):
    """A delivery, and its last attempts."""

    attempts: list[Attempt]


class Trial(TypedDict):
    """A test of a webhook, and what came of it."""

    delivery: str
    event: str
    eventType: str
    success: bool | None
    request: dict[str, Any] | None
    attempt: Attempt | None
