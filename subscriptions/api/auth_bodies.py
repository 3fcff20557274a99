"""What may a request say of a webhook's credentials? One of five kinds, each with its own fields."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

from drf_spectacular.utils import PolymorphicProxySerializer, extend_schema_field
from rest_framework import serializers

from subscriptions.models import AuthKind
from webhookhub.api.bodies import Body, Text

_KEPT: dict[str, Any] = {"required": False, "help_text": "Left out: the one that is stored."}


class NoAuthBody(Body):
    type = serializers.ChoiceField(choices=[AuthKind.NONE.value])


class BasicAuthBody(Body):
    type = serializers.ChoiceField(choices=[AuthKind.BASIC.value])
    username = Text(allow_blank=True)
    password = Text(**_KEPT, allow_blank=True)


class BearerAuthBody(Body):
    type = serializers.ChoiceField(choices=[AuthKind.BEARER.value])
    token = Text(**_KEPT)


class HeaderAuthBody(Body):
    type = serializers.ChoiceField(choices=[AuthKind.HEADER.value])
    name = Text()
    value = Text(**_KEPT)


class OAuth2AuthBody(Body):
    type = serializers.ChoiceField(choices=[AuthKind.OAUTH2.value])
    tokenUrl = Text(source="token_url")
    clientId = Text(source="client_id")
    clientSecret = Text(source="client_secret", **_KEPT)
    scope = Text(required=False, allow_blank=True)


_AUTH_BODIES: dict[str, type[Body]] = {
    AuthKind.NONE.value: NoAuthBody,
    AuthKind.BASIC.value: BasicAuthBody,
    AuthKind.BEARER.value: BearerAuthBody,
    AuthKind.HEADER.value: HeaderAuthBody,
    AuthKind.OAUTH2.value: OAuth2AuthBody,
}


class GivenAuth(NamedTuple):
    """What somebody says of the credentials, by the names of their fields."""

    kind: AuthKind
    values: dict[str, str]


@extend_schema_field(PolymorphicProxySerializer("Auth", dict(_AUTH_BODIES), resource_type_field_name="type"))
class AuthField(serializers.Field[Any, Any, Any, Any]):
    """How requests prove who sends them, besides the signature."""

    def to_internal_value(self, data: Any) -> GivenAuth:
        """Raises ValidationError that names the field."""
        if not isinstance(data, Mapping):
            raise serializers.ValidationError("has to be an object with a type")
        kind = data.get("type")
        if not isinstance(kind, str) or kind not in _AUTH_BODIES:
            raise serializers.ValidationError({"type": [f"is one of {', '.join(_AUTH_BODIES)}"]})
        body = _AUTH_BODIES[kind](data=data)
        body.is_valid(raise_exception=True)
        values = dict(body.validated_data)
        return GivenAuth(kind=AuthKind(values.pop("type")), values=values)
