"""How does a webhook's request prove to the receiver who sends it? Credentials as closed values, stored encrypted."""

from __future__ import annotations

import base64
import re
from collections.abc import Mapping
from dataclasses import MISSING, asdict, dataclass, field, fields, replace
from typing import assert_never

import orjson

from subscriptions.custom_headers import check_name, check_value
from subscriptions.destinations import read_url
from subscriptions.errors import AuthError
from subscriptions.models import AuthKind
from webhookhub.encryption import decrypt, encrypt

LONGEST_TEXT = 4096
# RFC 6750, section 2.1, and what else goes into a header as one word.
_TOKEN = re.compile(r"[!-~]+")
# RFC 6749, appendix A: client id, client secret and scope are visible ASCII with spaces.
_VISIBLE = re.compile(r"[ -~]*")


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
NO_AUTH = NoAuth()


def kind_of(auth: Auth) -> AuthKind:
    """The name under which it is stored."""
    return next((kind for kind, form in _KINDS.items() if isinstance(auth, form)), AuthKind.NONE)


def seal(auth: Auth) -> str:
    """What is stored of it, encrypted; nothing where there is nothing to keep. Raises EncryptionKeyError."""
    return "" if isinstance(auth, NoAuth) else encrypt(orjson.dumps(asdict(auth)).decode())


def unseal(kind: str, sealed: str) -> Auth:
    """What was sealed. Raises EncryptionKeyError."""
    if kind == AuthKind.NONE:
        return NO_AUTH
    return _KINDS[AuthKind(kind)](**orjson.loads(decrypt(sealed)))


def read_auth(kind: AuthKind, given: Mapping[str, str], *, stored: Auth = NO_AUTH) -> Auth:
    """The credentials of this kind that somebody gives by the names of their fields.

    What is secret may be left out where it is stored already, but for the secret of a client whose token is asked for
    elsewhere now: whoever may change a webhook would have it sent to themselves. Raises AuthError, which names the field.
    """
    if kind == AuthKind.NONE:
        return NO_AUTH
    form = _KINDS[kind]
    kept = stored if isinstance(stored, form) else None
    if isinstance(kept, OAuth2Auth) and read_url(given.get("token_url", ""), field="auth.token_url") != kept.token_url:
        kept = None
    values = dict(given)
    for one in fields(form):
        if one.name not in values and not one.repr and kept is not None:
            values[one.name] = getattr(kept, one.name)
        if one.name not in values and one.default is MISSING:
            raise AuthError(f"is missing; {kind} takes it", field=f"auth.{one.name}")
    return form(**values)


def public_values(auth: Auth) -> dict[str, str]:
    """What may be shown of it: everything but secrets."""
    return {one.name: getattr(auth, one.name) for one in fields(auth) if one.repr}


def check_auth(auth: Auth) -> Auth:
    """The same with its URL in the form that is stored. Raises SubscriptionError, which says what would be right."""
    for name, value in asdict(auth).items():
        if len(value) > LONGEST_TEXT:
            raise AuthError(f"has {len(value)} characters; at most {LONGEST_TEXT} are kept", field=f"auth.{name}")
    match auth:
        case NoAuth():
            pass
        case BasicAuth():
            _check_basic(auth)
        case BearerAuth(token=token):
            _check_text(_TOKEN, token, "visible ASCII characters without spaces", field="auth.token")
        case HeaderAuth(name=name, value=value):
            check_name(name, field="auth.name")
            check_value(value, field="auth.value")
        case OAuth2Auth():
            return _check_oauth2(auth)
        case _:
            assert_never(auth)
    return auth


def _check_basic(auth: BasicAuth) -> None:
    # RFC 7617, section 2: the first colon ends the name.
    if ":" in auth.username:
        raise AuthError("may not contain a colon", field="auth.username")
    for name, value in (("username", auth.username), ("password", auth.password)):
        if not value.isprintable():
            raise AuthError("may not contain control characters", field=f"auth.{name}")


def _check_oauth2(auth: OAuth2Auth) -> OAuth2Auth:
    for name, value in (("client_id", auth.client_id), ("client_secret", auth.client_secret), ("scope", auth.scope)):
        _check_text(_VISIBLE, value, "visible ASCII characters", field=f"auth.{name}")
    if not auth.client_id:
        raise AuthError("is empty", field="auth.client_id")
    return replace(auth, token_url=read_url(auth.token_url, field="auth.token_url"))


def _check_text(pattern: re.Pattern[str], text: str, allowed: str, *, field: str) -> None:
    if not pattern.fullmatch(text):
        raise AuthError(f"takes {allowed}", field=field)


def header_name(auth: Auth) -> str | None:
    """The header that requests get from it; None where they get none."""
    match auth:
        case NoAuth():
            return None
        case HeaderAuth(name=name):
            return name
        case BasicAuth() | BearerAuth() | OAuth2Auth():
            return "Authorization"
        case _:
            assert_never(auth)


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
