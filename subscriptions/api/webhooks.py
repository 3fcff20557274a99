"""The routes of webhooks: make, list, read, replace, change and delete them."""

from __future__ import annotations

from functools import partial
from typing import ClassVar
from uuid import UUID

from django.db.models import QuerySet
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiExample, extend_schema
from rest_framework.request import Request
from rest_framework.response import Response

from subscriptions.api.views import (
    OWN_PREFIX,
    WebhookView,
    account_with_webhooks,
    find_webhook,
    look_up_webhook,
    webhooks_in_view,
)
from subscriptions.api.webhook_bodies import NewWebhookBody, WebhookBody, change_terms, to_terms
from subscriptions.api.webhook_shown import (
    CREATED_EXAMPLE,
    PAGE_EXAMPLE,
    SHOWN_EXAMPLE,
    NewWebhookShown,
    WebhookShown,
    show_new_webhook,
    show_webhook,
)
from subscriptions.matching import patterns_matching
from subscriptions.models import Subscription
from subscriptions.rotation import choose_secret
from subscriptions.signing_secrets import parse_secret
from subscriptions.subscribe import change_subscription, create_subscription, delete_subscription
from subscriptions.terms import Terms
from webhookhub.api.bodies import read_body
from webhookhub.api.paging import page_by_id, read_flag, read_page_request
from webhookhub.api.problems import invalid, not_found
from webhookhub.api.schema import ACCOUNT, PAGE, answers, page_of, parameter
from webhookhub.roles import Right

_TAGS = ["webhooks"]
# Parameters of the list, and what each compares.
_FILTERS = {
    "uid": "uid",
    "entityType": "entity_type",
    "action": "action",
    "profile": "profile_id",
    "url": "url__icontains",
}
_PARAMETERS = (
    parameter("enabled", "Those that are enabled, or those that are not.", of=OpenApiTypes.BOOL),
    parameter("paused", "Those that are paused, or those that are not.", of=OpenApiTypes.BOOL),
    parameter("eventType", "Those whose patterns want events of this type."),
    parameter("entityType", "Those that name this entity type."),
    parameter("action", "Those that name this action."),
    parameter("uid", "The one with this uid."),
    parameter("profile", "Those that follow this delivery profile."),
    parameter("url", "Those whose URL contains this, in upper or lower case."),
)
_NEW = OpenApiExample(
    "Two types of events",
    value={
        "url": "https://client.com/webhooks/orders",
        "events": ["order.created", "order.shipped"],
        "secret": "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw",
    },
    request_only=True,
)
_PAIR = OpenApiExample(
    "What is done to products",
    value={
        "url": "https://client.com/products",
        "entityType": "product",
        "action": "UPDATE",
        "profile": "entity-change",
    },
    request_only=True,
)
_REPLACED = OpenApiExample(
    "All orders, with credentials",
    value={
        "url": "https://client.com/webhooks/orders",
        "events": ["order.*"],
        "headers": {"X-Environment": "production", "X-Api-Key": {"value": "3f9c1e", "secret": True}},
        "auth": {"type": "basic", "username": "hub", "password": "correct horse"},
    },
    request_only=True,
)
_DISABLED = OpenApiExample("Disable it", value={"enabled": False}, request_only=True)
_PAUSED = OpenApiExample("Pause it", value={"paused": True}, request_only=True)
_FASTER = OpenApiExample(
    "Another deadline, and one header less",
    value={"overrides": {"timeoutSeconds": 5}, "headers": {"X-Environment": None}},
    request_only=True,
)


class WebhooksView(WebhookView):
    """All webhooks of an account."""

    rights: ClassVar = {"GET": Right.ADMINISTER, "POST": Right.ADMINISTER}

    @extend_schema(
        operation_id="webhooks_list",
        summary="List webhooks",
        parameters=[ACCOUNT, *_PARAMETERS, *PAGE],
        responses=answers(200, page_of(WebhookShown)),
        examples=[PAGE_EXAMPLE],
        tags=_TAGS,
    )
    def get(self, request: Request) -> Response:
        """A page of them."""
        page = page_by_id(_select(request), read_page_request(request))
        return Response(page.show(show_webhook))

    @extend_schema(
        operation_id="webhooks_create",
        summary="Make a webhook",
        parameters=[ACCOUNT],
        request=NewWebhookBody,
        responses=answers(201, NewWebhookShown, 409),
        examples=[_NEW, _PAIR, CREATED_EXAMPLE],
        tags=_TAGS,
    )
    def post(self, request: Request) -> Response:
        """From now on it is told what happens. Its secret is in this answer; later it has a route of its own."""
        values = read_body(NewWebhookBody, request.data)
        secret = choose_secret(values.pop("secret", None), values.pop("secretType", None))
        return _create(account_with_webhooks(request), to_terms(values), request.path, secret)


class OneWebhookView(WebhookView):
    """One webhook, by our id or the caller's own (`uid`)."""

    rights: ClassVar = dict.fromkeys(("GET", "PUT", "PATCH", "DELETE"), Right.ADMINISTER)

    @extend_schema(
        operation_id="webhooks_read",
        summary="Read a webhook",
        parameters=[ACCOUNT],
        responses=answers(200, WebhookShown),
        examples=[SHOWN_EXAMPLE],
        tags=_TAGS,
    )
    def get(self, request: Request, webhook: str) -> Response:
        """All of it but what is secret."""
        return Response(show_webhook(find_webhook(request, webhook)))

    @extend_schema(
        operation_id="webhooks_replace",
        summary="Replace a webhook, or make one of this uid",
        parameters=[ACCOUNT],
        request=WebhookBody,
        responses=answers(200, WebhookShown, 409) | answers(201, NewWebhookShown, words="There was none of this uid."),
        examples=[_REPLACED, SHOWN_EXAMPLE, CREATED_EXAMPLE],
        tags=_TAGS,
    )
    def put(self, request: Request, webhook: str) -> Response:
        """What is left out gets its default. Secret values that are left out of `headers` and `auth` stay."""
        values = read_body(WebhookBody, request.data)
        is_own_id = webhook.startswith(OWN_PREFIX)
        if not is_own_id:
            values.setdefault("uid", webhook)
        row = look_up_webhook(request, webhook)
        if row is not None:
            return Response(show_webhook(change_subscription(row, lambda before: to_terms(values, before=before))))
        if is_own_id:
            raise not_found("webhook")
        if values["uid"] != webhook:
            raise invalid("uid", "of a webhook that is made by PUT is the one in the path")
        collection = request.path.rpartition("/")[0]
        return _create(account_with_webhooks(request), to_terms(values), collection, choose_secret(None, None))

    @extend_schema(
        operation_id="webhooks_change",
        summary="Change parts of a webhook",
        parameters=[ACCOUNT],
        request=WebhookBody,
        responses=answers(200, WebhookShown, 409),
        examples=[_DISABLED, _PAUSED, _FASTER, SHOWN_EXAMPLE],
        tags=_TAGS,
    )
    def patch(self, request: Request, webhook: str) -> Response:
        """What is left out stays; null gives a field its default. It counts from the next attempt on."""
        values = read_body(WebhookBody, request.data, partial=True)
        row = change_subscription(find_webhook(request, webhook), partial(change_terms, values))
        return Response(show_webhook(row))

    @extend_schema(
        operation_id="webhooks_delete",
        summary="Delete a webhook",
        parameters=[ACCOUNT],
        responses=answers(204),
        tags=_TAGS,
    )
    def delete(self, request: Request, webhook: str) -> Response:
        """What is on its way to it is cancelled; the log of its deliveries stays."""
        delete_subscription(find_webhook(request, webhook))
        return Response(status=204)


def _select(request: Request) -> QuerySet[Subscription]:
    """The webhooks that the list's parameters ask for. Raises a Problem (422)."""
    rows = webhooks_in_view(request)
    for name, column in _FILTERS.items():
        if (text := _read_text(request, name)) is not None:
            rows = rows.filter(**{column: text})
    if (event_type := _read_text(request, "eventType")) is not None:
        rows = rows.filter(event_types__overlap=patterns_matching(event_type))
    if "enabled" in request.query_params:
        rows = rows.filter(enabled=read_flag(request, "enabled"))
    if "paused" in request.query_params:
        rows = rows.filter(paused_at__isnull=not read_flag(request, "paused"))
    return rows


def _read_text(request: Request, name: str) -> str | None:
    text = request.query_params.get(name)
    if text is not None and "\x00" in text:
        raise invalid(name, "contains NUL (U+0000), which no stored text has")
    return text


def _create(account_id: UUID, terms: Terms, collection: str, secret: str) -> Response:
    row = create_subscription(account_id, terms, secret=secret)
    shown = show_new_webhook(row, secret=parse_secret(secret).shown)
    return Response(shown, status=201, headers={"Location": f"{collection}/{row.shown_id}"})
