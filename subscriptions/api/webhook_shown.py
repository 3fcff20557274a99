"""How does the API show a webhook? All that was agreed on, but for what is secret."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers

from subscriptions.api.webhook_bodies import OverridesBody
from subscriptions.auth import Auth, kind_of, public_values
from subscriptions.custom_headers import CustomHeader
from subscriptions.models import AuthKind, Circuit, CircuitState, Subscription
from subscriptions.terms import read_terms
from webhookhub import ids
from webhookhub.api.problems import camel
from webhookhub.api.schema import example, example_page
from webhookhub.moments import iso_moment

_HEALTHY = "healthy"
_UNWELL = (CircuitState.OPEN, CircuitState.HALF_OPEN, CircuitState.RECOVERING)
# Stored as an empty text, shown as null.
_EMPTY = ("user_agent", "request_id_parameter")


def show_webhook(row: Subscription) -> dict[str, Any]:
    """The webhook as the API answers it, in the form that a PUT takes. Raises EncryptionKeyError."""
    return _show(row, getattr(row, "circuit", None))


def show_new_webhook(row: Subscription, *, secret: str) -> dict[str, Any]:
    """The same of one that was just made, with its secret. Nothing was sent to its endpoint yet."""
    return _show(row, None) | {"secret": secret}


def _show(row: Subscription, circuit: Circuit | None) -> dict[str, Any]:
    terms = read_terms(row)
    return {
        "id": row.shown_id,
        "uid": terms.uid,
        "account": ids.show("account", row.account_id),
        "url": terms.url,
        "description": terms.description,
        "events": list(terms.event_types) or None,
        "entityType": terms.entity_type or None,
        "action": terms.action or None,
        "filter": terms.payload_filter,
        "enabled": terms.enabled,
        "paused": terms.paused_at is not None,
        "health": _show_health(circuit),
        "profile": terms.profile,
        "overrides": {
            camel(name): None if name in _EMPTY and value == "" else value for name, value in terms.overrides.items()
        },
        "headers": show_headers(terms.headers),
        "auth": show_auth(terms.auth),
        "rateLimitPerSecond": terms.rate_limit_per_second,
        "concurrencyLimit": terms.concurrency_limit,
        "metadata": terms.metadata,
        "createdAt": iso_moment(row.created_at),
        "updatedAt": iso_moment(row.updated_at),
    }


def _show_health(circuit: Circuit | None) -> dict[str, Any]:
    if circuit is None or circuit.state not in _UNWELL:
        return {"state": _HEALTHY, "since": None, "reason": None, "nextProbeAt": None}
    is_open = circuit.state == CircuitState.OPEN
    return {
        "state": circuit.state,
        "since": iso_moment(circuit.since),
        "reason": circuit.reason or None,
        "nextProbeAt": iso_moment(circuit.probe_at) if is_open and circuit.probe_at is not None else None,
    }


def show_headers(headers: Iterable[CustomHeader]) -> dict[str, Any]:
    """Names and values; of a secret value only that there is one."""
    return {header.name: {"secret": True} if header.is_secret else header.value for header in headers}


def show_auth(auth: Auth) -> dict[str, str]:
    """Its kind and what is not secret."""
    return {"type": kind_of(auth).value} | {camel(name): value for name, value in public_values(auth).items()}


class AuthShown(serializers.Serializer):  # type: ignore[type-arg]  # generic for the type checker only
    """The kind, and what is not secret of it."""

    type = serializers.ChoiceField(choices=AuthKind.values)
    username = serializers.CharField(required=False)
    name = serializers.CharField(required=False)
    tokenUrl = serializers.CharField(required=False)
    clientId = serializers.CharField(required=False)
    scope = serializers.CharField(required=False)


class HealthShown(serializers.Serializer):  # type: ignore[type-arg]  # generic for the type checker only
    """How its endpoint does: `open`: it failed, and what there is for it is held; `half_open`: one delivery is sent to it as a
    probe; `recovering`: it gets what was held, in steps.
    """

    state = serializers.ChoiceField(choices=[_HEALTHY, *(state.value for state in _UNWELL)])
    since = serializers.DateTimeField(allow_null=True, help_text="null while it is healthy.")
    reason = serializers.CharField(allow_null=True, help_text="What it failed by last.")
    nextProbeAt = serializers.DateTimeField(
        allow_null=True, help_text="Of one that is `open`: when a delivery that is held is sent as a probe."
    )


@extend_schema_field(
    {
        "type": "object",
        "additionalProperties": {
            "oneOf": [
                {"type": "string"},
                {
                    "type": "object",
                    "properties": {"secret": {"type": "boolean", "enum": [True]}},
                    "required": ["secret"],
                    "additionalProperties": False,
                },
            ]
        },
    }
)
class HeadersShownField(serializers.Field[Any, Any, Any, Any]):
    """Names and values; `{"secret": true}` in place of one that is not shown."""


class WebhookShown(serializers.Serializer):  # type: ignore[type-arg]  # generic for the type checker only
    """A webhook."""

    id = serializers.CharField(help_text="`sub_…`")
    uid = serializers.CharField(allow_null=True)
    account = serializers.CharField()
    url = serializers.CharField()
    description = serializers.CharField()
    events = serializers.ListField(child=serializers.CharField(), allow_null=True)
    entityType = serializers.CharField(allow_null=True)
    action = serializers.CharField(allow_null=True)
    filter = serializers.DictField(allow_null=True)
    enabled = serializers.BooleanField()
    paused = serializers.BooleanField()
    health = HealthShown()
    profile = serializers.CharField()
    overrides = OverridesBody()
    headers = HeadersShownField()
    auth = AuthShown()
    rateLimitPerSecond = serializers.IntegerField(allow_null=True)
    concurrencyLimit = serializers.IntegerField(allow_null=True)
    metadata = serializers.DictField()
    createdAt = serializers.DateTimeField()
    updatedAt = serializers.DateTimeField()


class NewWebhookShown(WebhookShown):
    """A webhook that was just made; its secret is shown here and by the secret's own route."""

    secret = serializers.CharField(help_text="What receivers verify with; of a key pair the public key, `whpk_…`.")


_SHOWN = {
    "id": "sub_01932b671fa07c2e9d4b6a8f10c35e72",
    "uid": "orders",
    "account": "acc_01932b671f0a7d65b1e2c7d90f4a3b18",
    "url": "https://client.com/webhooks/orders",
    "description": "",
    "events": ["order.created", "order.shipped"],
    "entityType": None,
    "action": None,
    "filter": None,
    "enabled": True,
    "paused": False,
    "health": {"state": "healthy", "since": None, "reason": None, "nextProbeAt": None},
    "profile": "standard",
    "overrides": {},
    "headers": {"X-Environment": "production", "X-Api-Key": {"secret": True}},
    "auth": {"type": "none"},
    "rateLimitPerSecond": 50,
    "concurrencyLimit": None,
    "metadata": {"team": "logistics"},
    "createdAt": "2024-11-14T15:59:59.000Z",
    "updatedAt": "2024-11-14T15:59:59.000Z",
}
SHOWN_EXAMPLE = example("A webhook", _SHOWN)
CREATED_EXAMPLE = example("A new webhook", _SHOWN | {"secret": "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"}, 201)
PAGE_EXAMPLE = example_page(_SHOWN)
