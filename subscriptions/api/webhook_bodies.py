"""What may a request say of a webhook? Its fields, each in its own type, and the terms that come of them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import MISSING, fields, replace
from typing import Any

from django.utils import timezone
from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers

from subscriptions.api.auth_bodies import AuthField, GivenAuth
from subscriptions.auth import NO_AUTH, read_auth
from subscriptions.custom_headers import LONGEST_VALUE, MOST_HEADERS, GivenHeader, merge_headers, replace_headers
from subscriptions.profiles import BodyForm
from subscriptions.signing_secrets import SecretKind
from subscriptions.terms import HIGHEST_CONCURRENCY, HIGHEST_RATE_PER_SECOND, MOST_PATTERNS, Terms
from webhookhub.api.bodies import Body, Choice, Flag, Metadata, Text, Whole

# What stands beside the ids of webhooks in paths.
ROUTES = frozenset({"test-filter"})

_OPTIONAL: dict[str, Any] = {"required": False}
_NULLABLE: dict[str, Any] = {"required": False, "allow_null": True}
_TEXT: dict[str, Any] = {**_NULLABLE, "allow_blank": True}


class Number(serializers.FloatField):
    """A number; a text with digits in it is none."""

    def to_internal_value(self, data: Any) -> float:
        """Raises ValidationError for anything but a number that a computer counts with."""
        if isinstance(data, bool) or not isinstance(data, int | float):
            raise serializers.ValidationError("has to be a number")
        try:
            return super().to_internal_value(data)
        except OverflowError:
            raise serializers.ValidationError("is too large") from None


class OverridesBody(Body):
    """What this webhook does otherwise than its profile; the profile's bounds hold."""

    timeoutSeconds = Number(source="timeout_seconds", **_OPTIONAL, help_text="For one attempt; 0.1 to 60.")
    successStatuses = Text(source="success_statuses", **_OPTIONAL, help_text="`2xx` or `200,204`.")
    retryOn = Text(source="retry_on", **_OPTIONAL, help_text="`any`, or `no_answer,408,503`.")
    stopOnGone = Flag(source="stop_on_gone", **_OPTIONAL, help_text="Whether 410 ends a delivery.")
    intervalsSeconds = serializers.ListField(
        source="intervals_seconds", child=Number(), **_OPTIONAL, help_text="The waits before attempts 2, 3, and so on."
    )
    maxIntervalSeconds = Number(
        source="max_interval_seconds", **_NULLABLE, help_text="Then go on with growing waits up to this; null: stop."
    )
    backoffFactor = Number(source="backoff_factor", **_OPTIONAL, help_text="By which each further wait grows.")
    maxAttempts = Whole(source="max_attempts", **_NULLABLE, help_text="The first one included; null: no limit.")
    expiresAfterSeconds = Number(source="expires_after_seconds", **_OPTIONAL, help_text="From a delivery's creation.")
    jitterRatio = Number(source="jitter_ratio", **_OPTIONAL, help_text="0.1: waits vary by 10 %.")
    retryAfterCapSeconds = Number(
        source="retry_after_cap_seconds", **_OPTIONAL, help_text="The longest Retry-After that is heard; 0: none."
    )
    bodyForm = Choice(list(BodyForm), source="body_form", **_OPTIONAL)
    userAgent = Text(source="user_agent", **_TEXT, help_text="null: the hub's own.")
    requestIdParameter = Text(
        source="request_id_parameter", **_TEXT, help_text="A query parameter with the delivery's id; null: none."
    )

    def to_internal_value(self, data: Any) -> Any:
        """By the names of a profile's row, which has an empty text for none."""
        values = super().to_internal_value(data)
        for name in ("user_agent", "request_id_parameter"):
            if name in values:
                values[name] = values[name] or ""
        return values


class HeaderBody(Body):
    """A header whose value is kept from readers, or not."""

    value = Text(**_OPTIONAL, allow_blank=True, help_text="Left out: the value that is stored.")
    secret = Flag(**_OPTIONAL)


@extend_schema_field(
    {
        "type": "object",
        "maxProperties": MOST_HEADERS,
        "additionalProperties": {
            "nullable": True,
            "oneOf": [
                {"type": "string", "maxLength": LONGEST_VALUE},
                {
                    "type": "object",
                    "properties": {
                        "value": {"type": "string", "maxLength": LONGEST_VALUE},
                        "secret": {"type": "boolean"},
                    },
                    "additionalProperties": False,
                },
            ],
        },
    }
)
class HeadersField(serializers.Field[Any, Any, Any, Any]):
    """Names and values; `{"value": …, "secret": true}` for one that is not shown again, null for one to take away."""

    def to_internal_value(self, data: Any) -> dict[str, GivenHeader | None]:
        """Raises ValidationError that names the header."""
        if not isinstance(data, Mapping):
            raise serializers.ValidationError("has to be an object of names and values")
        return {name: self._read(name, value) for name, value in data.items()}

    def _read(self, name: str, value: Any) -> GivenHeader | None:
        match value:
            case None:
                return None
            case str():
                return GivenHeader(value=value)
            case Mapping():
                body = HeaderBody(data=value)
                if not body.is_valid():
                    raise serializers.ValidationError({name[:60]: body.errors})
                return GivenHeader(value=body.validated_data.get("value"), is_secret=body.validated_data.get("secret"))
            case _:
                raise serializers.ValidationError({name[:60]: ['has to be a text, or {"value": …, "secret": true}']})


class WebhookBody(Body):
    """A webhook as it is wanted. What is left out, or null, has the default of a new one."""

    url = Text(max_length=2048, help_text="http or https, public, without user name and fragment.")
    uid = Text(**_NULLABLE, max_length=256, help_text="Your own id for it, unique in the account.")
    description = Text(**_TEXT, max_length=200)
    events = serializers.ListField(
        source="event_types",
        child=Text(max_length=128),
        allow_empty=False,
        max_length=MOST_PATTERNS,
        **_NULLABLE,
        help_text="Event types: in full, `order.*`, or `*`. Left out: all, or with `entityType` those alone.",
    )
    entityType = Text(source="entity_type", **_TEXT, max_length=128, help_text="Another way to say what is wanted.")
    action = Text(**_TEXT, max_length=32, help_text="What is done to it; left out: anything. The pair is unique.")
    filter = serializers.DictField(source="payload_filter", **_NULLABLE, help_text="Which data it wants.")
    enabled = Flag(**_OPTIONAL, help_text="Whether it is told; what is on its way is held meanwhile.")
    paused = Flag(**_OPTIONAL, help_text="Whether deliveries to it are held, new ones too, until it is resumed.")
    profile = Text(**_NULLABLE, max_length=50, help_text="The delivery profile, by its name.")
    overrides = OverridesBody(**_NULLABLE)
    headers = HeadersField(**_NULLABLE, help_text="Sent with every request. PATCH merges, null takes one away.")
    auth = AuthField(**_NULLABLE)
    rateLimitPerSecond = Whole(
        source="rate_limit_per_second",
        **_NULLABLE,
        min_value=1,
        max_value=HIGHEST_RATE_PER_SECOND,
        help_text="Attempts; null: no limit.",
    )
    concurrencyLimit = Whole(
        source="concurrency_limit",
        **_NULLABLE,
        min_value=1,
        max_value=HIGHEST_CONCURRENCY,
        help_text="Requests on the wire at a time; null: the hub's own limit.",
    )
    metadata = Metadata(**_NULLABLE, help_text="Whatever you like, up to 4 kB; replaced as a whole.")

    def validate_uid(self, uid: str | None) -> str | None:
        """Raises ValidationError for what a path would take for something else."""
        if uid in ROUTES:
            raise serializers.ValidationError("is the name of a route; take another")
        return uid


class NewWebhookBody(WebhookBody):
    """A new webhook."""

    secret = Text(**_NULLABLE, help_text="Signs its requests; left out: one is made. It has a route of its own later.")
    secretType = Choice(
        list(SecretKind),
        **_NULLABLE,
        help_text="Of the one that is made: `hmac` (the default), or `ed25519` for a key pair, whose public key is shown.",
    )


# What a field is when it is left out.
_DEFAULTS: dict[str, Any] = {
    one.name: one.default_factory() if one.default_factory is not MISSING else one.default for one in fields(Terms)
}


def to_terms(values: Mapping[str, Any], *, before: Terms | None = None) -> Terms:
    """The terms that a whole body says. `before` lends what is kept secret, and nothing else. Raises SubscriptionError."""
    headers = replace_headers(before.headers if before else (), values.get("headers") or {})
    return Terms(**_plain(values, before), headers=headers, auth=_auth(values, before))


def change_terms(values: Mapping[str, Any], before: Terms) -> Terms:
    """The terms with the changes that a part of a body says. Raises SubscriptionError."""
    changes = _plain(values, before)
    if "headers" in values:
        given = values["headers"]
        changes["headers"] = () if given is None else merge_headers(before.headers, given)
    if "auth" in values:
        changes["auth"] = _auth(values, before)
    return replace(before, **changes)


def _plain(values: Mapping[str, Any], before: Terms | None) -> dict[str, Any]:
    plain = {
        name: _DEFAULTS[name] if value is None else value
        for name, value in values.items()
        if name not in ("headers", "auth", "paused")
    }
    if "paused" in values:
        since = before.paused_at if before is not None else None
        plain["paused_at"] = (since or timezone.now()) if values["paused"] else None
    return plain


def _auth(values: Mapping[str, Any], before: Terms | None) -> Any:
    given: GivenAuth | None = values.get("auth")
    if given is None:
        return NO_AUTH
    return read_auth(given.kind, given.values, stored=before.auth if before else NO_AUTH)
