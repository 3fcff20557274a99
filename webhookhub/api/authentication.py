"""Whose request is this? An API key as a bearer token, or as the user of HTTP basic authentication."""

from __future__ import annotations

import base64
import binascii
from typing import Any

from drf_spectacular.extensions import OpenApiAuthenticationExtension
from rest_framework.authentication import BaseAuthentication
from rest_framework.request import Request

from webhookhub.api.problems import Problem
from webhookhub.callers import Caller, find_caller

CHALLENGE = 'Bearer realm="WebhookHub"'
_LONGEST_KEY = 200


class KeyAuthentication(BaseAuthentication):
    """Sets `request.auth` to the Caller. Raises a Problem (401) with one text for every key that is not valid."""

    def authenticate(self, request: Request) -> tuple[None, Caller]:
        """There is no user: a key speaks for an account."""
        key = read_key(request.headers.get("Authorization", ""))
        caller = find_caller(key)
        if caller is None:
            raise unauthorized(key)
        return None, caller

    def authenticate_header(self, request: Request) -> str:
        """What WWW-Authenticate says."""
        return CHALLENGE


def read_key(authorization: str) -> str:
    """The key that an Authorization header carries. Raises a Problem (401)."""
    scheme, _, value = authorization.partition(" ")
    key = ""
    if scheme.lower() == "bearer":
        key = value.strip()
    elif scheme.lower() == "basic":
        try:
            key = base64.b64decode(value.strip(), validate=True).decode().partition(":")[0]
        except (binascii.Error, UnicodeDecodeError, ValueError):
            key = ""
    if not key or len(key) > _LONGEST_KEY or not key.isascii():
        raise unauthorized(key)
    return key


def unauthorized(key: str) -> Problem:
    """One answer for missing, malformed, unknown, revoked and expired keys, so that nobody learns which it was."""
    detail = "A valid API key is needed: `Authorization: Bearer whk_…`, or HTTP basic with the key as user."
    code = "unauthorized"
    if key.startswith(("whsec_", "whsk_", "whpk_")):
        code, detail = "signing_secret_as_key", "This is a webhook's signing secret; the API takes a key: whk_…"
    return Problem(401, code, detail, headers={"WWW-Authenticate": CHALLENGE})


class KeyAuthenticationScheme(OpenApiAuthenticationExtension):  # type: ignore[no-untyped-call]  # carries no types
    """How the OpenAPI document names it."""

    target_class = KeyAuthentication
    name = ["bearer", "basic"]  # noqa: RUF012 - the extension asks for a list

    def get_security_requirement(self, auto_schema: Any) -> list[dict[str, list[Any]]]:
        """Either of them: two names in one object would ask for both at once."""
        return [{name: []} for name in self.name]

    def get_security_definition(self, auto_schema: Any) -> list[dict[str, str]]:
        """Both ways to hand over a key."""
        return [
            {"type": "http", "scheme": "bearer", "description": "An API key: `whk_…`"},
            {"type": "http", "scheme": "basic", "description": "The API key as user, and no password."},
        ]
