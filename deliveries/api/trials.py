"""Try a webhook out: a test event, and all that came of it."""

from __future__ import annotations

from typing import Any, ClassVar

from django.db import transaction
from django.utils.decorators import method_decorator
from drf_spectacular.utils import OpenApiExample, extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from deliveries.api.actions import find_webhook
from deliveries.api.deliveries import SHOWN_ATTEMPT
from deliveries.api.refusals import conflict
from deliveries.api.showing import AttemptShown, HeaderShown, show_attempt
from deliveries.models import DeliveryAttempt
from deliveries.objections import Objection
from deliveries.outcome import OutcomeCode
from deliveries.sent import MASK, rebuild_request
from deliveries.try_out import EXAMPLE, TEST_EVENT_TYPE, Trial, try_out, wait_for_attempt
from subscriptions.endpoints import Endpoint, load_endpoints
from webhookhub.api.bodies import Body, Text, read_body
from webhookhub.api.problems import invalid
from webhookhub.api.schema import ACCOUNT, answers, example
from webhookhub.api.views import HubView, account_in_view
from webhookhub.errors import EventTypeError
from webhookhub.roles import Right


class TrialBody(Body):
    """What to send; nothing of it is needed."""

    eventType = Text(required=False, max_length=128, help_text=f"`{TEST_EVENT_TYPE}`, unless another is named.")
    data = serializers.JSONField(  # type: ignore[assignment]  # a declared field, not the property
        required=False, allow_null=True, help_text="Any JSON; left out, it is the example of the event type."
    )


class SentShown(serializers.Serializer):  # type: ignore[type-arg]  # generic for the type checker only
    """A request, as the receiver got it."""

    url = serializers.CharField()
    headers = HeaderShown(many=True, help_text=f"In the place of credentials there is `{MASK}`.")
    body = serializers.CharField(allow_blank=True)


class TrialShown(serializers.Serializer):  # type: ignore[type-arg]  # generic for the type checker only
    """A test, and what came of it."""

    delivery = serializers.CharField(help_text="Where to look again: `/api/v1/deliveries/{id}`.")
    event = serializers.CharField()
    eventType = serializers.CharField()
    success = serializers.BooleanField(
        allow_null=True, help_text="Whether the receiver accepted it; null: it is not known yet."
    )
    request = SentShown(allow_null=True)
    attempt = AttemptShown(allow_null=True)


_UNKNOWN = {
    "delivery": "dlv_0192f0c1d5a37abc9123456789abcdef",
    "event": "evt_0192f0c1d5a37abc8123456789abcdef",
    "eventType": "order.shipped",
    "success": None,
    "request": None,
    "attempt": None,
}
_REFUSED_BY_RECEIVER = _UNKNOWN | {
    "success": False,
    "request": {
        "url": "https://example.com/webhooks",
        "headers": [
            {"name": "Content-Type", "value": "application/json"},
            {"name": "webhook-id", "value": "evt_0192f0c1d5a37abc8123456789abcdef"},
            {"name": "Authorization", "value": MASK},
        ],
        "body": '{"id":"evt_0192f0c1d5a37abc8123456789abcdef","type":"order.shipped",'
        '"createdAt":"2026-01-15T10:00:00.000Z","data":{"orderId":"ord_123"}}',
    },
    "attempt": SHOWN_ATTEMPT,
}


# The wait is for another process to see what this one has committed.
@method_decorator(transaction.non_atomic_requests, name="dispatch")
class TryWebhook(HubView):
    """A test event."""

    rights: ClassVar = {"POST": Right.ADMINISTER}
    needs_webhooks = True

    @extend_schema(
        operation_id="webhooks_test",
        summary="Send a test event to a webhook",
        description="It goes to this webhook alone, in a single attempt, signed as any other. The answer has the whole attempt, "
        "whatever the receiver said: `success` tells. An event that is not named and not in the catalogue has the data "
        '`{"message": "This is a test of your webhook. Nothing has happened."}`.',
        request=TrialBody,
        parameters=[ACCOUNT],
        responses=answers(200, TrialShown, 409, words="What came of it.")
        | answers(202, TrialShown, words="No worker was fast enough: look at the delivery later."),
        examples=[
            OpenApiExample(
                "An order", {"eventType": "order.shipped", "data": {"orderId": "ord_123"}}, request_only=True
            ),
            example("It failed", _REFUSED_BY_RECEIVER),
            example("Not known yet", _UNKNOWN, 202),
        ],
        tags=["webhooks"],
    )
    def post(self, request: Request, webhook: str) -> Response:
        """Send it, and wait. Raises a Problem (409) where the webhook is disabled."""
        body = read_body(TrialBody, request.data)
        found = find_webhook(webhook, account_in_view(request))
        try:
            trial = try_out(found, event_type=body.get("eventType", TEST_EVENT_TYPE), data=body.get("data", EXAMPLE))
        except EventTypeError as error:
            raise invalid("eventType", str(error)) from None
        if isinstance(trial, Objection):
            raise conflict(trial)
        endpoint = load_endpoints({found.id: found.version})[found.id]
        attempt = wait_for_attempt(trial, timeout_seconds=endpoint.profile.timeout_seconds)
        return Response(show_trial(trial, endpoint, attempt), status=202 if attempt is None else 200)


def show_trial(trial: Trial, endpoint: Endpoint, attempt: DeliveryAttempt | None) -> dict[str, Any]:
    """A test as the API shows it."""
    shown: dict[str, Any] = {
        "delivery": trial.delivery.shown_id,
        "event": trial.event.shown_id,
        "eventType": trial.event.type,
        "success": None,
        "request": None,
        "attempt": None,
    }
    if attempt is None:
        return shown
    sent = rebuild_request(trial.event, trial.delivery, attempt, endpoint)
    return shown | {
        "success": attempt.outcome == OutcomeCode.DELIVERED,
        "request": {
            "url": sent.url,
            "headers": [{"name": name, "value": value} for name, value in sent.headers],
            "body": sent.body.decode(),
        },
        "attempt": show_attempt(attempt),
    }
