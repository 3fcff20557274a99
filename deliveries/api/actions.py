"""What can be done to one delivery, and to one event: cancel, retry now, replay."""

from __future__ import annotations

import hashlib
from typing import Any, ClassVar
from uuid import UUID

from drf_spectacular.utils import OpenApiExample, extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from deliveries.api.deliveries import SHOWN, find_delivery
from deliveries.api.refusals import conflict
from deliveries.api.showing import DeliveryShown, show_delivery
from deliveries.cancel import cancel
from deliveries.log import read_deliveries
from deliveries.objections import Objection
from deliveries.replay import replay, replay_event
from deliveries.retry_now import retry_now
from subscriptions.models import Subscription
from webhookhub import ids
from webhookhub.api.bodies import Body, Text, read_body
from webhookhub.api.problems import not_found
from webhookhub.api.publishing import IDEMPOTENCY_KEY
from webhookhub.api.schema import ACCOUNT, answers, example
from webhookhub.api.views import HubView, account_in_view, id_or_uid
from webhookhub.ingest.publication import KEY_HEADER
from webhookhub.models import Event
from webhookhub.roles import Right

# What the column holds that says why a delivery ended.
LONGEST_REASON = 32


class CancelBody(Body):
    """Why."""

    reason = Text(required=False, max_length=LONGEST_REASON, help_text="Shown as the delivery's `failureReason`.")


class NoBody(Body):
    """Nothing has to be said."""


class ReplayEventBody(Body):
    """Where to."""

    webhook = Text(
        required=False,
        max_length=256,
        help_text="`sub_…` or the webhook's uid; it is told whether or not it wants such events. Left out: all that do now.",
    )


class ReplayedShown(serializers.Serializer):  # type: ignore[type-arg]  # generic for the type checker only
    """The new deliveries."""

    items = DeliveryShown(many=True)


_CANCELLED = SHOWN | {
    "status": "cancelled",
    "failureReason": "wrong prices",
    "nextAttemptAt": None,
    "finishedAt": "2026-01-15T10:02:00.000Z",
}
_REPLAYED = SHOWN | {
    "id": "dlv_0192f0c1d5a37abc8e7d6c5b4a392817",
    "trigger": "replay",
    "manual": True,
    "attemptCount": 0,
    "nextAttemptAt": "2026-01-15T10:02:00.000Z",
    "lastOutcome": None,
    "lastStatusCode": None,
}


def _refused(objection: Objection) -> OpenApiExample:
    return OpenApiExample(
        "Refused",
        value=conflict(objection).document,
        response_only=True,
        status_codes=["409"],
        media_type="application/problem+json",
    )


class CancelDelivery(HubView):
    """Send nothing more."""

    rights: ClassVar = {"POST": Right.ADMINISTER}

    @extend_schema(
        operation_id="deliveries_cancel",
        summary="Cancel a delivery",
        description="No attempt begins any more. One that is on the wire at this moment ends, and is recorded.",
        request=CancelBody,
        parameters=[ACCOUNT],
        responses=answers(200, DeliveryShown, 409),
        examples=[
            OpenApiExample("With a reason", {"reason": "wrong prices"}, request_only=True),
            example("Cancelled", _CANCELLED),
            _refused(Objection.FINAL),
        ],
        tags=["deliveries"],
    )
    def post(self, request: Request, delivery: str) -> Response:
        """Cancel it. Raises a Problem (409) where it is over."""
        body = read_body(CancelBody, request.data)
        found = find_delivery(request, delivery)
        if not cancel([found.id], reason=body.get("reason", "cancelled")):
            raise conflict(Objection.FINAL)
        return Response(_show(found.id))


class RetryDelivery(HubView):
    """Do not wait."""

    rights: ClassVar = {"POST": Right.ADMINISTER}

    @extend_schema(
        operation_id="deliveries_retry",
        summary="Attempt a delivery now",
        description="What waits for its next attempt has it now, once however many ask for it; its schedule goes on from there.",
        request=NoBody,
        parameters=[ACCOUNT],
        responses=answers(202, DeliveryShown, 409, words="It is due now."),
        examples=[
            OpenApiExample("Nothing to say", {}, request_only=True),
            example("Due", SHOWN | {"nextAttemptAt": "2026-01-15T10:02:00.000Z"}, 202),
            _refused(Objection.ON_THE_WIRE),
        ],
        tags=["deliveries"],
    )
    def post(self, request: Request, delivery: str) -> Response:
        """Make it due. Raises a Problem (409) where it cannot be attempted, or is on the wire."""
        read_body(NoBody, request.data)
        found = find_delivery(request, delivery)
        for objection in retry_now([found.id]).refused.values():
            raise conflict(objection)
        return Response(_show(found.id), status=202)


class ReplayDelivery(HubView):
    """Once more."""

    rights: ClassVar = {"POST": Right.ADMINISTER}

    @extend_schema(
        operation_id="deliveries_replay",
        summary="Send a delivery's event to its webhook once more",
        description="As a new delivery with the same `webhook-id` and a schedule from its start: one attempt where the receiver "
        "accepts. The old one stays as it is.",
        request=NoBody,
        parameters=[IDEMPOTENCY_KEY, ACCOUNT],
        responses=answers(202, DeliveryShown, 409, words="The new delivery."),
        examples=[
            OpenApiExample("Nothing to say", {}, request_only=True),
            example("On its way", _REPLAYED, 202),
            _refused(Objection.WEBHOOK_DISABLED),
        ],
        tags=["deliveries"],
    )
    def post(self, request: Request, delivery: str) -> Response:
        """Replay it. Raises a Problem (409) where that cannot be."""
        read_body(NoBody, request.data)
        found = find_delivery(request, delivery)
        replayed = replay([found.id], request=_name_request(request))
        for objection in replayed.refused.values():
            raise conflict(objection)
        return Response(_show(replayed.deliveries[0].id), status=202)


class ReplayEvent(HubView):
    """An event once more."""

    rights: ClassVar = {"POST": Right.ADMINISTER}

    @extend_schema(
        operation_id="events_replay",
        summary="Send an event once more",
        description="To all webhooks that want such an event now, also those that were added since; or to one that is named.",
        request=ReplayEventBody,
        parameters=[IDEMPOTENCY_KEY, ACCOUNT],
        responses=answers(202, ReplayedShown, 409, words="The new deliveries."),
        examples=[
            OpenApiExample("To all who want it", {}, request_only=True),
            OpenApiExample("To one", {"webhook": "sub_0192f0c1d5a37abc8123456789abcdef"}, request_only=True),
            example("On their way", {"items": [_REPLAYED]}, 202),
            _refused(Objection.NO_WEBHOOK_MATCHES),
        ],
        tags=["events"],
    )
    def post(self, request: Request, event: str) -> Response:
        """Replay it. Raises a Problem (409) where that cannot be."""
        body = read_body(ReplayEventBody, request.data)
        found = _find_event(request, event)
        to = find_webhook(body["webhook"], found.account_id) if "webhook" in body else None
        made = replay_event(found, request=_name_request(request), to=to)
        if isinstance(made, Objection):
            raise conflict(made)
        return Response(
            {"items": [show_delivery(one) for one in read_deliveries([row.id for row in made])]}, status=202
        )


def find_webhook(named: str, account_id: UUID | None) -> Subscription:
    """The webhook of an account's, or of any (None), with its profile. Raises a Problem (404)."""
    rows = Subscription.objects.filter(id_or_uid("subscription", named)).select_related("profile")
    found = (rows if account_id is None else rows.filter(account_id=account_id)).first()
    if found is None:
        raise not_found("webhook")
    return found


def _find_event(request: Request, named: str) -> Event:
    """Raises BadIdError or a Problem (404)."""
    account_id = account_in_view(request)
    found = Event.objects.filter(id=ids.read("event", named)).first()
    if found is None or account_id not in (None, found.account_id):
        raise not_found("event")
    return found


def _name_request(request: Request) -> str:
    """What tells this request from others: the same key, the same request."""
    key = request.headers.get(KEY_HEADER)
    return hashlib.blake2b(key.encode(), digest_size=16).hexdigest() if key else ids.new_id().hex


def _show(delivery_id: UUID) -> dict[str, Any]:
    (delivery,) = read_deliveries([delivery_id])
    return show_delivery(delivery)
