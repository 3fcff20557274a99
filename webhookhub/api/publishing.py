"""`POST /api/v1/events` and `/batch` as Django's views: what the OpenAPI document shows, and what answers where there is no ASGI.

The hub's own web server answers both before Django is asked: `webhookhub.ingest.door`, by the same functions.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import IO, Any, ClassVar

from django.http import HttpResponse
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiExample, OpenApiParameter, extend_schema
from rest_framework import serializers
from rest_framework.parsers import BaseParser
from rest_framework.request import Request

from webhookhub.api.paging import read_flag
from webhookhub.api.problems import Problem
from webhookhub.api.schema import ACCOUNT, ProblemShown, answers, example, parameter
from webhookhub.api.views import HubView, one_account
from webhookhub.conf import hub_settings
from webhookhub.ingest.answer import ACCEPTED, MULTI_STATUS, answer
from webhookhub.ingest.group import commit_group
from webhookhub.ingest.publication import BATCH_MAX_EVENTS, KEY_HEADER, LONGEST_KEY, Publication, read_batch, read_event
from webhookhub.ingest.request import too_large
from webhookhub.ingest.sink import current_sink
from webhookhub.roles import Right


class RawJSONParser(BaseParser):
    """The bytes of a JSON body as they came: data is read by the rules of `webhookhub.ecmascript`."""

    media_type = "application/json"

    def parse(
        self, stream: IO[Any], media_type: str | None = None, parser_context: Mapping[str, Any] | None = None
    ) -> Any:
        """Raises Problem (413)."""
        limit = hub_settings().request_max_bytes
        body: bytes = stream.read(limit + 1)
        if len(body) > limit:
            raise too_large(limit)
        return body


class NewEventShown(serializers.Serializer):  # type: ignore[type-arg]  # generic for the type checker only
    """An event to record."""

    type = serializers.RegexField(
        r"^[A-Za-z0-9_-]+(\.[A-Za-z0-9_-]+)*$", max_length=128, help_text="In dotted words: `order.shipped`."
    )
    data = serializers.JSONField(  # type: ignore[assignment]  # a declared field, not the property
        help_text="Any JSON; receivers get it as JavaScript would write it back."
    )
    entityType = serializers.RegexField(r"^[A-Za-z0-9_.-]*$", max_length=128, required=False, allow_null=True)
    action = serializers.RegexField(r"^[A-Za-z0-9_.-]*$", max_length=32, required=False, allow_null=True)
    subject = serializers.CharField(
        max_length=2048, required=False, allow_null=True, help_text="A link to what the event is about."
    )
    correlationId = serializers.CharField(max_length=256, required=False, allow_null=True)
    id = serializers.RegexField(
        r"^[ -~]+$",
        max_length=LONGEST_KEY,
        required=False,
        allow_null=True,
        help_text="Your own id: published again with the same content, it is the same event.",
    )


class BatchShown(serializers.Serializer):  # type: ignore[type-arg]  # generic for the type checker only
    """Events to record together."""

    events = serializers.ListField(child=NewEventShown(), min_length=1, max_length=BATCH_MAX_EVENTS)


class AcceptedShown(serializers.Serializer):  # type: ignore[type-arg]  # generic for the type checker only
    """An event that is recorded, and will be delivered."""

    id = serializers.CharField()
    type = serializers.CharField()
    createdAt = serializers.DateTimeField()


class AcceptedBatchShown(serializers.Serializer):  # type: ignore[type-arg]  # generic for the type checker only
    """The events of a batch, in its order."""

    events = AcceptedShown(many=True)


class ItemResultShown(serializers.Serializer):  # type: ignore[type-arg]  # generic for the type checker only
    """What became of one event of a partial batch."""

    status = serializers.IntegerField()
    event = AcceptedShown(required=False)
    problem = ProblemShown(required=False)


class PartialBatchShown(serializers.Serializer):  # type: ignore[type-arg]  # generic for the type checker only
    """What became of each event, in the batch's order."""

    results = ItemResultShown(many=True)


IDEMPOTENCY_KEY = OpenApiParameter(
    KEY_HEADER,
    OpenApiTypes.STR,
    OpenApiParameter.HEADER,
    description="The same key and content again is answered the same and records nothing; another content is 409.",
)
_SHIPPED = {"type": "order.shipped", "data": {"orderId": "ord_123", "trackingNumber": "1Z999"}}
_ACCEPTED = {
    "id": "evt_0192f0c1d5a37abc8123456789abcdef",
    "type": "order.shipped",
    "createdAt": "2026-01-15T10:00:00.000Z",
}
_REFUSED = Problem(422, "invalid", "events[1]: data is missing").document


class PublishView(HubView):
    """What both ways to publish share."""

    rights: ClassVar = {"POST": Right.PUBLISH}
    parser_classes = (RawJSONParser,)

    def record(self, publication: Publication) -> HttpResponse:
        """Commit it, ring for it, and tell its publisher."""
        published = commit_group([publication])
        current_sink().ring(published.unrung)
        told = answer(publication, *published.results)
        return HttpResponse(told.body, status=told.status, headers=dict(told.headers))


class PublishEvent(PublishView):
    """One event."""

    @extend_schema(
        operation_id="publish_event",
        tags=["events"],
        summary="Publish an event",
        description="Records the event; 202 says that it is committed, and everybody who subscribed will hear of it.",
        request=NewEventShown,
        parameters=[IDEMPOTENCY_KEY, ACCOUNT],
        responses=answers(ACCEPTED, AcceptedShown, 409, words="Recorded."),
        examples=[
            OpenApiExample("An order", _SHIPPED, request_only=True),
            OpenApiExample(
                "A change of an entity",
                {
                    "type": "product.updated",
                    "entityType": "product",
                    "action": "UPDATE",
                    "subject": "https://shop.example.com/products/7",
                    "data": {},
                },
                request_only=True,
            ),
            example("Recorded", _ACCEPTED, 202),
        ],
    )
    def post(self, request: Request) -> HttpResponse:
        """Record one event."""
        publication = read_event(
            _body(request),
            account_id=one_account(request),
            key=request.headers.get(KEY_HEADER),
            data_max_bytes=hub_settings().event_data_max_bytes,
        )
        return self.record(publication)


class PublishBatch(PublishView):
    """Many events."""

    @extend_schema(
        operation_id="publish_batch",
        tags=["events"],
        summary="Publish up to 1,000 events",
        description="All are recorded or none; with `?partial=true` those that can be, and the answer tells of each.",
        request=BatchShown,
        parameters=[
            IDEMPOTENCY_KEY,
            ACCOUNT,
            parameter("partial", "Record what can be, and answer 207 with a result for each.", of=OpenApiTypes.BOOL),
        ],
        responses=answers(ACCEPTED, AcceptedBatchShown, 409, words="All are recorded.")
        | answers(MULTI_STATUS, PartialBatchShown, words="What became of each."),
        examples=[
            OpenApiExample("Two orders", {"events": [_SHIPPED, _SHIPPED]}, request_only=True),
            example("Recorded", {"events": [_ACCEPTED]}, 202),
            example(
                "One of two",
                {"results": [{"status": 202, "event": _ACCEPTED}, {"status": 422, "problem": _REFUSED}]},
                207,
            ),
        ],
    )
    def post(self, request: Request) -> HttpResponse:
        """Record many events."""
        publication = read_batch(
            _body(request),
            account_id=one_account(request),
            key=request.headers.get(KEY_HEADER),
            is_partial=read_flag(request, "partial"),
            data_max_bytes=hub_settings().event_data_max_bytes,
        )
        return self.record(publication)


def _body(request: Request) -> bytes:
    """Nothing where REST framework saw no body to parse."""
    return request.data if isinstance(request.data, bytes) else b""
