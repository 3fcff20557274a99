"""How does a webhook's request prove to the receiver who sends it? Credentials as closed values, stored encrypted."""

from __future__ import annotations

import base64
from dataclasses import asdict, dataclass, field
from typing import assert_never

import orjson

from subscriptions.models import AuthKind
from webhookhub.encryption import decrypt, encrypt


@dataclass(frozen=True, kw_only=True, slots=True)
class NoAuth:
    """The signature is proof enough."""


@dataclass(frozen=True, kw_only=True, slots=True)
class BasicAuth:
    """RFC 7617."""

    username: str
    password: str = field(repr=False)


@dataclass(frozen=True, kw_only=True, slots=True)
class BearerAuth:
    """RFC 6750, with a token that does not change."""

    token: str = field(repr=False)


@dataclass(frozen=True, kw_only=True, slots=True)
class HeaderAuth:
    """A header of the receiver's own choice."""

    name: str
    value: str = field(repr=False)


@dataclass(frozen=True, kw_only=True, slots=True)
class OAuth2Auth:
    """A bearer token that is fetched with client credentials (RFC 6749, section 4.4)."""

    token_url: str
    client_id: str
    client_secret: str = field(repr=False)
    scope: str = ""


Auth = NoAuth | BasicAuth | BearerAuth | HeaderAuth | OAuth2Auth

_KINDS: dict[AuthKind, type[BasicAuth | BearerAuth | HeaderAuth | OAuth2Auth]] = {
    AuthKind.BASIC: BasicAuth,
    AuthKind.BEARER: BearerAuth,
    AuthKind.HEADER: HeaderAuth,
    AuthKind.OAUTH2: OAuth2Auth,
}


def kind_of(auth: Auth) -> AuthKind:
    """The name under which it is stored."""
    return next((kind for kind, form in _KINDS.items() if isinstance(auth, form)), AuthKind.NONE)


def seal(auth: Auth) -> str:
    """What is stored of it, encrypted; nothing where there is nothing to keep. Raises EncryptionKeyError."""
    return "" if isinstance(auth, NoAuth) else encrypt(orjson.dumps(asdict(auth)).decode())


def unseal(kind: str, sealed: str) -> Auth:
    """What was sealed. Raises EncryptionKeyError."""
    if kind == AuthKind.NONE:
        return NoAuth()
    return _KINDS[AuthKind(kind)](**orjson.loads(decrypt(sealed)))


def static_header(auth: Auth) -> tuple[str, str] | None:
    """The header that every request carries; None where there is none, or where it has to be fetched first."""
    match auth:
        case NoAuth() | OAuth2Auth():
            return None
        case BasicAuth(username=username, password=password):
            return "Authorization", "Basic " + base64.b64encode(f"{username}:{password}".encode()).decode()
        case BearerAuth(token=token):
            return "Authorization", f"Bearer {token}"
        case HeaderAuth(name=name, value=value):
            return name, value
        case _:
            assert_never(auth)
