"""Would a payload filter let these data through? Asked before a webhook has it."""

from __future__ import annotations

from typing import Any, ClassVar

from drf_spectacular.utils import OpenApiExample, extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from subscriptions.api.views import WebhookView
from subscriptions.payload_filter import parse_filter
from webhookhub.api.bodies import Body, read_body
from webhookhub.api.schema import answers, example
from webhookhub.ecmascript import NotJsonError, encode, parse
from webhookhub.errors import EventDataError
from webhookhub.roles import Right

_EXAMPLES = [
    OpenApiExample(
        "Large orders of gold customers",
        value={
            "filter": {"total": {"$gte": 100}, "customer": {"tier": "gold"}},
            "data": {"total": 250, "customer": {"tier": "gold"}},
        },
        request_only=True,
    ),
    example("They are let through", {"matches": True}),
]


class FilterTestBody(Body):
    """A payload filter, and the data of an event."""

    filter = serializers.DictField(help_text="As a webhook's `filter`.")
    data = serializers.JSONField(allow_null=True, help_text="As an event's `data`: any JSON.")  # type: ignore[assignment]  # a declared field, not the property


class FilterTestShown(serializers.Serializer):  # type: ignore[type-arg]  # generic for the type checker only
    """What the filter says."""

    matches = serializers.BooleanField(help_text="Whether the webhook would hear of such an event.")


class FilterTestView(WebhookView):
    """Nothing is stored and nothing is sent."""

    rights: ClassVar = {"POST": Right.ADMINISTER}

    @extend_schema(
        operation_id="webhooks_test_filter",
        summary="Try a payload filter",
        request=FilterTestBody,
        responses=answers(200, FilterTestShown),
        examples=_EXAMPLES,
        tags=["webhooks"],
    )
    def post(self, request: Request) -> Response:
        """Whether the filter lets the data through."""
        body = read_body(FilterTestBody, request.data)
        return Response({"matches": lets_through(body["filter"], body["data"])})


def lets_through(payload_filter: object, data: Any) -> bool:
    """The filter's verdict on the data as an event would keep them. Raises PayloadFilterError or EventDataError."""
    compiled = parse_filter(payload_filter)
    try:
        return compiled.matches(parse(encode(data)))
    except NotJsonError as error:
        raise EventDataError(str(error)) from None
