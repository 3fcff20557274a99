"""How do events, deliveries and attempts look in the API?"""

from __future__ import annotations

from datetime import datetime
from typing import Any

import orjson
from rest_framework import serializers

from deliveries.fan_out import TRIGGER
from deliveries.log import FanOut, LoggedDelivery, LoggedEvent
from deliveries.models import DeliveryAttempt, Status
from deliveries.replay import REPLAY
from webhookhub import ids
from webhookhub.moments import iso_moment


class EventShown(serializers.Serializer):  # type: ignore[type-arg]  # generic for the type checker only
    """Something that happened."""

    id = serializers.CharField()
    account = serializers.CharField()
    type = serializers.CharField()
    entityType = serializers.CharField(allow_null=True)
    action = serializers.CharField(allow_null=True)
    subject = serializers.CharField(allow_null=True)
    correlationId = serializers.CharField(allow_null=True)
    createdAt = serializers.DateTimeField()
    fanOut = serializers.ChoiceField(
        FanOut.choices,
        help_text="`waiting`: it has not been told yet who hears of it; `matched`: somebody does; `unmatched`: nobody "
        "wanted it, and a replay may send it yet.",
    )
    expunged = serializers.BooleanField(help_text="Whether its data were removed on request.")
    data = serializers.JSONField(  # type: ignore[assignment]  # a declared field, not the property
        required=False,
        allow_null=True,
        help_text="As it was published; null once it was expunged. Not there with `withContent=false`.",
    )


class HeaderShown(serializers.Serializer):  # type: ignore[type-arg]  # generic for the type checker only
    """A header of an answer."""

    name = serializers.CharField()
    value = serializers.CharField(allow_blank=True)


class AttemptShown(serializers.Serializer):  # type: ignore[type-arg]  # generic for the type checker only
    """One HTTP request, and what came of it."""

    id = serializers.CharField()
    delivery = serializers.CharField()
    number = serializers.IntegerField(help_text="1: the delivery's first.")
    startedAt = serializers.DateTimeField()
    outcome = serializers.CharField(
        help_text="`delivered`; `status`: an answer that is no success; `gone`: 410; or why there was no whole answer: "
        "`blocked`, `bad_url`, `dns`, `refused`, `reset`, `tls`, `timeout`, `bad_response`, `proxy`, `worker_lost`, `other`."
    )
    statusCode = serializers.IntegerField(allow_null=True, help_text="null: there was no answer.")
    error = serializers.CharField(allow_null=True, help_text="Why there was no whole answer, for people.")
    dnsMs = serializers.FloatField(allow_null=True)
    connectMs = serializers.FloatField(allow_null=True)
    tlsMs = serializers.FloatField(allow_null=True)
    firstByteMs = serializers.FloatField(allow_null=True, help_text="Since the start.")
    totalMs = serializers.FloatField(allow_null=True, help_text="Since the start.")
    peerAddress = serializers.CharField(allow_null=True)
    connectionReused = serializers.BooleanField()
    responseHeaders = HeaderShown(many=True, required=False, help_text="Not there with `withContent=false`.")
    responseBody = serializers.CharField(
        required=False,
        allow_blank=True,
        help_text="As text, as far as it was kept. Not there with `withContent=false`.",
    )
    responseTruncated = serializers.BooleanField(help_text="Whether the body was longer than what was kept.")
    responseExpunged = serializers.BooleanField(help_text="Whether headers and body were removed on request.")


class DeliveryShown(serializers.Serializer):  # type: ignore[type-arg]  # generic for the type checker only
    """An event on its way to a webhook."""

    id = serializers.CharField()
    account = serializers.CharField()
    event = serializers.CharField()
    eventType = serializers.CharField(
        allow_null=True, help_text="null, as what follows of the event, where it is past its retention."
    )
    correlationId = serializers.CharField(allow_null=True)
    recordedAt = serializers.DateTimeField(allow_null=True, help_text="When the event was recorded.")
    webhook = serializers.CharField()
    webhookUid = serializers.CharField(allow_null=True)
    webhookUrl = serializers.CharField(allow_null=True, help_text="null where the webhook was deleted.")
    trigger = serializers.ChoiceField(["event", "replay", "test"], help_text="What asked for it.")
    manual = serializers.BooleanField(help_text="Whether somebody asked for it: a replay or a test.")
    status = serializers.ChoiceField(Status.choices)
    failureReason = serializers.CharField(allow_null=True)
    attemptCount = serializers.IntegerField(help_text="With the one that is on the wire.")
    nextAttemptAt = serializers.DateTimeField(
        allow_null=True,
        help_text="Set while the delivery waits for its next attempt; null where it waits for its `concurrencyLimit`.",
    )
    expiresAt = serializers.DateTimeField(help_text="No attempt begins later.")
    finishedAt = serializers.DateTimeField(allow_null=True)
    lastOutcome = serializers.CharField(
        allow_null=True,
        help_text="As of an attempt; or what it waits for: `crowded`, `rate_limited`, `concurrency_limited`, `circuit_open`.",
    )
    lastStatusCode = serializers.IntegerField(allow_null=True)
    data = serializers.JSONField(  # type: ignore[assignment]  # a declared field, not the property
        required=False,
        allow_null=True,
        help_text="The event's; null once it was expunged. Not there with `withContent=false`.",
    )


class DeliveryWithAttemptsShown(DeliveryShown):
    """A delivery, and its attempts."""

    attempts = AttemptShown(many=True, help_text="The last 50; all of them in pages: `…/attempts`.")


class DestinationShown(DeliveryShown):
    """A delivery, and its last attempt."""

    lastAttempt = AttemptShown(allow_null=True)


def show_event(event: LoggedEvent) -> dict[str, Any]:
    """An event as the API shows it; with its data where they were read."""
    return {
        "id": ids.show("event", event.id),
        "account": ids.show("account", event.account_id),
        "type": event.type,
        "entityType": event.entity_type or None,
        "action": event.action or None,
        "subject": event.subject or None,
        "correlationId": event.correlation_id or None,
        "createdAt": iso_moment(event.created_at),
        "fanOut": event.fan_out,
        "expunged": event.is_expunged,
        **_content(event.data),
    }


def show_delivery(one: LoggedDelivery) -> dict[str, Any]:
    """A delivery as the API shows it; with the event's data where they were read."""
    return {
        "id": ids.show("delivery", one.id),
        "account": ids.show("account", one.account_id),
        "event": ids.show("event", one.event_id),
        "eventType": one.event_type,
        "correlationId": one.correlation_id or None,
        "recordedAt": _moment(one.recorded_at),
        "webhook": ids.show("subscription", one.subscription_id),
        "webhookUid": one.uid,
        "webhookUrl": one.url,
        "trigger": "replay" if one.trigger.startswith(REPLAY) else one.trigger,
        "manual": one.trigger != TRIGGER,
        "status": one.status,
        "failureReason": one.failure_reason or None,
        "attemptCount": one.attempt_count,
        "nextAttemptAt": _moment(one.next_attempt_at),
        "expiresAt": _moment(one.expires_at),
        "finishedAt": _moment(one.finished_at),
        "lastOutcome": one.last_outcome or None,
        "lastStatusCode": one.last_status_code,
        **_content(one.data),
    }


def show_attempt(attempt: DeliveryAttempt, *, with_content: bool = True) -> dict[str, Any]:
    """An attempt as the API shows it."""
    content = {
        "responseHeaders": [_header(line) for line in attempt.response_headers.split("\n") if line],
        "responseBody": attempt.response_body,
    }
    return {
        "id": ids.show("attempt", attempt.id),
        "delivery": ids.show("delivery", attempt.delivery_id),
        "number": attempt.number,
        "startedAt": iso_moment(attempt.started_at),
        "outcome": attempt.outcome,
        "statusCode": attempt.status_code,
        "error": attempt.error or None,
        "dnsMs": _milliseconds(attempt.dns_ms),
        "connectMs": _milliseconds(attempt.connect_ms),
        "tlsMs": _milliseconds(attempt.tls_ms),
        "firstByteMs": _milliseconds(attempt.first_byte_ms),
        "totalMs": _milliseconds(attempt.total_ms),
        "peerAddress": attempt.peer_address or None,
        "connectionReused": attempt.connection_reused,
        **(content if with_content else {}),
        "responseTruncated": attempt.response_truncated,
        "responseExpunged": attempt.response_expunged,
    }


def _milliseconds(value: float | None) -> float | None:
    """To the microsecond: what stands behind it says how floats are stored, and nothing of the request."""
    return None if value is None else round(value, 3)


def _content(data: str | None) -> dict[str, Any]:
    """The very bytes that were recorded, null once they were expunged, and nothing where they were not read."""
    match data:
        case None:
            return {}
        case "":
            return {"data": None}
        case text:
            return {"data": orjson.Fragment(text)}


def _header(line: str) -> dict[str, str]:
    name, _, value = line.partition(": ")
    return {"name": name, "value": value}


def _moment(moment: datetime | None) -> str | None:
    return None if moment is None else iso_moment(moment)
