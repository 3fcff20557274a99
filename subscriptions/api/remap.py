"""Webhooks as 002_44c3dd7dc10608b6.txt has them: one URL for one action on one type of entity.

They are the same webhooks as those of `/api/v1/webhooks`, seen through other field names.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any, ClassVar

from django.db.models import QuerySet
from drf_spectacular.utils import OpenApiExample, OpenApiParameter, extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from subscriptions.api.remap_shown import (
    ACTIONS,
    LIST_EXAMPLE,
    METADATA_EXAMPLE,
    METHOD,
    WEBHOOK_EXAMPLE,
    EntityWebhookListShown,
    EntityWebhookShown,
    Hrefs,
    MetadataMetaShown,
    show_list,
    show_metadata_meta,
    show_webhook,
)
from subscriptions.api.views import WebhookView, account_with_webhooks, webhooks_in_view
from subscriptions.builtin_profiles import ENTITY_CHANGE
from subscriptions.models import Subscription
from subscriptions.subscribe import change_subscription, create_subscription, delete_subscription
from subscriptions.terms import Terms
from webhookhub import ids
from webhookhub.api.bodies import Body, Flag, Text, read_body
from webhookhub.api.problems import invalid, not_found
from webhookhub.api.schema import ACCOUNT, answers, example
from webhookhub.errors import BadIdError
from webhookhub.roles import Right

DEFAULT_LIMIT = 25
# The document has no number; 1,000 is the most that the system it describes answers with.
MAX_LIMIT = 1000
# An account has not that many; beyond it is a slip.
MAX_OFFSET = 1_000_000
_TAGS = ["remap 1.2"]


class EntityWebhookBody(Body):
    """A webhook. What is shown of one and cannot be changed may be sent along, and is ignored."""

    url = Text(max_length=2048, help_text="http or https, public, without user name and fragment.")
    action = serializers.ChoiceField(
        ACTIONS, error_messages={"invalid_choice": f"is one of {', '.join(ACTIONS)}, in upper case"}
    )
    entityType = Text(
        source="entity_type", max_length=128, help_text="As events name it. The pair with the action is unique."
    )
    enabled = Flag(required=False)
    method = serializers.ChoiceField([METHOD], required=False, error_messages={"invalid_choice": f"is always {METHOD}"})
    meta = serializers.DictField(read_only=True)
    id = serializers.UUIDField(read_only=True)
    accountId = serializers.UUIDField(read_only=True)


class EntityMetadataShown(serializers.Serializer):  # type: ignore[type-arg]  # generic for the type checker only
    """What there is to know of webhooks in general."""

    meta = MetadataMetaShown()
    actions = serializers.ListField(child=serializers.CharField(), help_text="Those that one can hear of.")


_PAGE = (
    OpenApiParameter(
        "limit",
        {"type": "integer", "minimum": 1, "maximum": MAX_LIMIT, "default": DEFAULT_LIMIT},
        description="How many.",
    ),
    OpenApiParameter(
        "offset", {"type": "integer", "minimum": 0, "maximum": MAX_OFFSET, "default": 0}, description="Behind how many."
    ),
)
_NEW = {"url": "http://www.example.com", "action": "CREATE", "entityType": "service"}


class EntityWebhooksView(WebhookView):
    """All webhooks that name an entity type and one of the three actions."""

    # Its own clients may send parameters that this hub does not know, as to any version of that interface.
    refuses_unknown_parameters = False
    rights: ClassVar = {"GET": Right.ADMINISTER, "POST": Right.ADMINISTER}

    @extend_schema(
        operation_id="remap_webhooks_list",
        summary="List webhooks by entity type and action",
        description="Also those that were made by `/api/v1/webhooks`, if they name an entity type and one of the three actions; "
        "others have no form here. The oldest first.",
        parameters=[*_PAGE, ACCOUNT],
        responses=answers(200, EntityWebhookListShown),
        examples=[LIST_EXAMPLE],
        tags=_TAGS,
    )
    def get(self, request: Request) -> Response:
        """Some of them."""
        limit = _read_number(request, "limit", DEFAULT_LIMIT, lowest=1, highest=MAX_LIMIT)
        offset = _read_number(request, "offset", 0, lowest=0, highest=MAX_OFFSET)
        webhooks = _in_view(request)
        rows = list(webhooks.order_by("id")[offset : offset + limit])
        shown = show_list(rows, Hrefs.of(request), size=webhooks.count(), limit=limit, offset=offset)
        return Response(shown)

    @extend_schema(
        operation_id="remap_webhooks_create",
        summary="Make a webhook for an entity type and an action",
        description="It follows the delivery profile `entity-change`. Its requests are signed as those of any webhook: "
        "`/api/v1/webhooks/{id}/secret` tells with what.",
        parameters=[ACCOUNT],
        request=EntityWebhookBody,
        responses=answers(200, EntityWebhookShown, 409),
        examples=[OpenApiExample("New services", value=_NEW, request_only=True), WEBHOOK_EXAMPLE],
        tags=_TAGS,
    )
    def post(self, request: Request) -> Response:
        """The new webhook. The document names no status; the system that it describes answers 200."""
        terms = Terms(**_read_terms(request), profile=ENTITY_CHANGE.name)
        row = create_subscription(account_with_webhooks(request), terms)
        return Response(show_webhook(row, Hrefs.of(request)))


class EntityWebhookView(WebhookView):
    """One webhook, by its bare UUID."""

    refuses_unknown_parameters = False
    rights: ClassVar = dict.fromkeys(("GET", "PUT", "DELETE"), Right.ADMINISTER)

    @extend_schema(
        operation_id="remap_webhooks_read",
        summary="Read a webhook of an entity type and an action",
        parameters=[ACCOUNT],
        responses=answers(200, EntityWebhookShown),
        examples=[WEBHOOK_EXAMPLE],
        tags=_TAGS,
    )
    def get(self, request: Request, webhook: str) -> Response:
        """All that this interface has to say of it."""
        return Response(show_webhook(_find(request, webhook), Hrefs.of(request)))

    @extend_schema(
        operation_id="remap_webhooks_change",
        summary="Change parts of a webhook of an entity type and an action",
        description="What is left out stays as it is.",
        parameters=[ACCOUNT],
        request=EntityWebhookBody(partial=True),
        responses=answers(200, EntityWebhookShown, 409),
        examples=[
            OpenApiExample("Another action", value={"action": "UPDATE"}, request_only=True),
            OpenApiExample("Disable it", value={"enabled": False}, request_only=True),
            WEBHOOK_EXAMPLE,
        ],
        tags=_TAGS,
    )
    def put(self, request: Request, webhook: str) -> Response:
        """The webhook as it is now."""
        changes = _read_terms(request, partial=True)
        row = change_subscription(_find(request, webhook), lambda before: replace(before, **changes))
        return Response(show_webhook(row, Hrefs.of(request)))

    @extend_schema(
        operation_id="remap_webhooks_delete",
        summary="Delete a webhook of an entity type and an action",
        description="What is on its way to it is cancelled; the log of its deliveries stays.",
        parameters=[ACCOUNT],
        responses=answers(200, words="It is deleted; the body is empty."),
        examples=[example("Deleted", None)],
        tags=_TAGS,
    )
    def delete(self, request: Request, webhook: str) -> Response:
        """Nothing. The document names no status; the system that it describes answers 200 without a body."""
        delete_subscription(_find(request, webhook))
        return Response(status=200)


class EntityMetadataView(WebhookView):
    """What webhooks are."""

    refuses_unknown_parameters = False
    rights: ClassVar = {"GET": Right.ADMINISTER}

    @extend_schema(
        operation_id="remap_webhooks_metadata",
        summary="See what a webhook can hear of",
        responses=answers(200, EntityMetadataShown),
        examples=[example("The three actions", {"meta": METADATA_EXAMPLE, "actions": list(ACTIONS)})],
        tags=_TAGS,
    )
    def get(self, request: Request) -> Response:
        """The actions there are; entity types are whatever events name."""
        return Response({"meta": show_metadata_meta(Hrefs.of(request).metadata), "actions": list(ACTIONS)})


def _in_view(request: Request) -> QuerySet[Subscription]:
    """The webhooks that have a form here: none names an action without an entity type."""
    return webhooks_in_view(request).filter(action__in=ACTIONS)


def _find(request: Request, named: str) -> Subscription:
    """Raises a Problem: 404 where there is none that has a form here and is the caller's."""
    try:
        row = _in_view(request).filter(id=ids.read("subscription", named)).first()
    except BadIdError:
        row = None
    if row is None:
        raise not_found("webhook")
    return row


def _read_terms(request: Request, *, partial: bool = False) -> dict[str, Any]:
    """What the body says, by the names of Terms."""
    values = read_body(EntityWebhookBody, request.data, partial=partial)
    values.pop("method", None)
    return values


def _read_number(request: Request, name: str, default: int, *, lowest: int, highest: int) -> int:
    """Raises a Problem (422)."""
    if (text := request.query_params.get(name)) is None:
        return default
    is_number = text.isascii() and text.isdigit() and len(text) <= len(str(highest))
    if not is_number or not lowest <= int(text) <= highest:
        raise invalid(name, f"is a number from {lowest} to {highest}")
    return int(text)
