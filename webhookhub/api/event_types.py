"""How is the catalogue of event types kept? By operators; whoever has a key may read it."""

from __future__ import annotations

from typing import Any, ClassVar

from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiExample, extend_schema, extend_schema_field
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from webhookhub.api.bodies import Body, Flag, Text, read_body
from webhookhub.api.paging import page_by_name, read_flag, read_page_request
from webhookhub.api.problems import not_found
from webhookhub.api.schema import PAGE_BY_NAME, answers, example, example_page, page_of, parameter
from webhookhub.api.views import HubView
from webhookhub.event_types import change_event_type, create_event_type, expunge_event_type, put_event_type
from webhookhub.models import EventType
from webhookhub.moments import iso_moment
from webhookhub.roles import Right

_CONTENT = ("schema", "example")
_GIVEN = {
    "description": "An order was handed to the carrier.",
    "schema": {"type": "object", "properties": {"orderId": {"type": "string"}}, "required": ["orderId"]},
    "example": {"orderId": "ord_123"},
}
_SHOWN = {
    "name": "order.shipped",
    **_GIVEN,
    "archived": False,
    "createdAt": "2026-01-15T10:00:00.000Z",
    "updatedAt": "2026-01-15T10:00:00.000Z",
}


@extend_schema_field({"oneOf": [{"type": "object", "additionalProperties": {}}, {"type": "boolean"}]})
class SchemaField(serializers.JSONField):
    """A JSON Schema; `webhookhub.schemas` checks it."""


class EventTypeBody(Body):
    """An entry of the catalogue. What it is called stands in the path."""

    description = Text(default="", allow_blank=True, allow_null=True, max_length=10_000)
    schema = SchemaField(
        default=None,
        allow_null=True,
        help_text="JSON Schema of an event's `data`: up to 64 kB, without references to elsewhere.",
    )
    example = serializers.JSONField(
        default=None, allow_null=True, help_text="`data` of such an event, which test events bear."
    )
    archived = Flag(default=False, help_text="Whether it is no longer offered. Its schema still counts.")


class NewEventTypeBody(EventTypeBody):
    """An entry to be made."""

    name = Text(max_length=128, help_text="In dotted words: `order.shipped`.")


class EventTypeShown(serializers.Serializer):  # type: ignore[type-arg]  # generic for the type checker only
    """An entry of the catalogue."""

    name = serializers.CharField()
    description = serializers.CharField(allow_blank=True)
    schema = SchemaField(allow_null=True, required=False, help_text="Left out with `?withContent=false`.")
    example = serializers.JSONField(allow_null=True, required=False, help_text="Left out with `?withContent=false`.")
    archived = serializers.BooleanField()
    createdAt = serializers.DateTimeField()
    updatedAt = serializers.DateTimeField()


_ANSWER = example("An event type", _SHOWN, 200, 201)


class EventTypesView(HubView):
    """The catalogue."""

    rights: ClassVar = {"GET": None, "POST": Right.OPERATE}

    @extend_schema(
        operation_id="event_types_list",
        summary="List event types",
        responses=answers(200, page_of(EventTypeShown)),
        parameters=[
            *PAGE_BY_NAME,
            parameter("withContent", "Whether schemas and examples are shown.", of=OpenApiTypes.BOOL, default=True),
            parameter("includeArchived", "Whether archived ones are shown.", of=OpenApiTypes.BOOL, default=False),
        ],
        examples=[example_page(_SHOWN)],
        tags=["event types"],
    )
    def get(self, request: Request) -> Response:
        """A page of them, by name."""
        rows = EventType.objects.all()
        if not read_flag(request, "includeArchived", default=False):
            rows = rows.filter(archived_at=None)
        show = show_event_type
        if not read_flag(request, "withContent", default=True):
            rows, show = rows.defer(*_CONTENT), show_without_content
        return Response(page_by_name(rows, read_page_request(request, default_order="asc")).show(show))

    @extend_schema(
        operation_id="event_types_create",
        summary="Add an event type",
        description="One that was archived under this name comes back, with what is given.",
        request=NewEventTypeBody,
        responses=answers(201, EventTypeShown, 409),
        examples=[
            OpenApiExample("An event type", value={"name": "order.shipped", **_GIVEN}, request_only=True),
            _ANSWER,
        ],
        tags=["event types"],
    )
    def post(self, request: Request) -> Response:
        """A new one, or an archived one again."""
        values = _read(NewEventTypeBody, request)
        return Response(show_event_type(create_event_type(values.pop("name"), values)), status=201)


class EventTypeView(HubView):
    """One event type."""

    rights: ClassVar = {"GET": None, "PUT": Right.OPERATE, "PATCH": Right.OPERATE, "DELETE": Right.OPERATE}

    @extend_schema(
        operation_id="event_types_get",
        summary="Show an event type",
        description="Archived ones too.",
        responses=answers(200, EventTypeShown),
        examples=[_ANSWER],
        tags=["event types"],
    )
    def get(self, request: Request, name: str) -> Response:
        """Show it."""
        return Response(show_event_type(_find(name)))

    @extend_schema(
        operation_id="event_types_replace",
        summary="Replace or add an event type",
        description="Fields that are left out get their defaults.",
        request=EventTypeBody,
        responses=answers(200, EventTypeShown) | answers(201, EventTypeShown, words="It is new."),
        examples=[OpenApiExample("An event type", value=_GIVEN, request_only=True), _ANSWER],
        tags=["event types"],
    )
    def put(self, request: Request, name: str) -> Response:
        """Give it these values and no others."""
        event_type, is_new = put_event_type(name, _read(EventTypeBody, request))
        return Response(show_event_type(event_type), status=201 if is_new else 200)

    @extend_schema(
        operation_id="event_types_change",
        summary="Change fields of an event type",
        description="Fields that are left out stay as they are; null empties one.",
        request=EventTypeBody,
        responses=answers(200, EventTypeShown),
        examples=[OpenApiExample("Any data", value={"schema": None}, request_only=True), _ANSWER],
        tags=["event types"],
    )
    def patch(self, request: Request, name: str) -> Response:
        """Change what is named."""
        event_type = _find(name)
        change_event_type(event_type, _read(EventTypeBody, request, partial=True))
        return Response(show_event_type(event_type))

    @extend_schema(
        operation_id="event_types_delete",
        summary="Archive or remove an event type",
        description="Archived, it is no longer offered, and comes back by POST. Events of it may be published as before.",
        parameters=[
            parameter("expunge", "Remove it from the catalogue for good.", of=OpenApiTypes.BOOL, default=False)
        ],
        responses=answers(204, words="It is archived, or gone."),
        tags=["event types"],
    )
    def delete(self, request: Request, name: str) -> Response:
        """Put it away."""
        expunges = read_flag(request, "expunge", default=False)
        event_type = _find(name)
        if expunges:
            expunge_event_type(event_type)
        else:
            change_event_type(event_type, {"archived": True})
        return Response(status=204)


def show_event_type(event_type: EventType) -> dict[str, Any]:
    """The event type as the API shows it."""
    return {
        **show_without_content(event_type),
        "schema": event_type.schema,
        "example": event_type.example,
    }


def show_without_content(event_type: EventType) -> dict[str, Any]:
    """The same without schema and example, which may be large."""
    return {
        "name": event_type.name,
        "description": event_type.description,
        "archived": event_type.archived_at is not None,
        "createdAt": iso_moment(event_type.created_at),
        "updatedAt": iso_moment(event_type.updated_at),
    }


def _read(body: type[EventTypeBody], request: Request, *, partial: bool = False) -> dict[str, Any]:
    values = read_body(body, request.data, partial=partial)
    return values if values.get("description", "") is not None else {**values, "description": ""}


def _find(name: str) -> EventType:
    # No name has a space, and PostgreSQL takes no NUL.
    if (event_type := EventType.objects.filter(name=name.replace("\x00", " ")).first()) is None:
        raise not_found("event type")
    return event_type
