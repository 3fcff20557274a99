"""How is an access token asked for, and what does the answer say? Client credentials (RFC 6749, section 4.4), and nothing else."""

from __future__ import annotations

import base64
import re
from dataclasses import dataclass, field
from typing import Any, assert_never
from urllib.parse import quote_plus, urlencode

import orjson

from deliveries.transport import Answer, NoAnswer, Request, Result
from subscriptions.auth import OAuth2Auth

# Long for a machine that looks up a client; whoever waits for the token has an attempt to make meanwhile.
TIMEOUT_SECONDS = 10.0
# Of the answer; a token of 8 kB already fills the headers that most servers take.
MAX_ANSWER_BYTES = 64 * 1024
LONGEST_TOKEN = 8 * 1024
# A token that ends sooner could not be used before another had to be fetched.
SHORTEST_LIFETIME_SECONDS = 10.0
LONGEST_LIFETIME_SECONDS = 30 * 86_400.0

_OK = 200
# Goes into a header as one word (RFC 6750, section 2.1, allows fewer).
_TOKEN = re.compile(r"[!-~]+")
# RFC 6749, section 5.2, and what section 4 has besides. Other words are not repeated: who knows what they hold.
_ERRORS = frozenset(
    {
        *("invalid_request", "invalid_client", "invalid_grant", "unauthorized_client", "unsupported_grant_type"),
        *("invalid_scope", "access_denied", "server_error", "temporarily_unavailable"),
    }
)


@dataclass(frozen=True, kw_only=True, slots=True)
class Granted:
    """A token."""

    token: str = field(repr=False)
    lifetime_seconds: float | None
    """From when it was asked for; None: nobody said."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Denied:
    """No token. The reason is for subscribers, and holds nothing that the token endpoint could have made up."""

    reason: str


def build_token_request(auth: OAuth2Auth, *, user_agent: str) -> Request:
    """The POST that asks for a token; the client proves itself by HTTP basic, which every server must take (section 2.3.1)."""
    form = {"grant_type": "client_credentials"} | ({"scope": auth.scope} if auth.scope else {})
    # Encoded as in a form first, so that a colon in the id is none in the header.
    client = f"{quote_plus(auth.client_id)}:{quote_plus(auth.client_secret)}"
    headers = (
        ("Authorization", "Basic " + base64.b64encode(client.encode()).decode()),
        ("Content-Type", "application/x-www-form-urlencoded"),
        ("Accept", "application/json"),
        ("User-Agent", user_agent),
    )
    return Request(url=auth.token_url, headers=headers, body=urlencode(form).encode(), timeout_seconds=TIMEOUT_SECONDS)


def read_token_answer(result: Result) -> Granted | Denied:
    """What came of it."""
    match result:
        case Answer(status_code=status_code, body=body):
            members = _read_members(body)
            return _read_grant(members) if status_code == _OK else _read_refusal(status_code, members)
        case NoAnswer(message=message):
            return Denied(reason=message)
        case _:
            assert_never(result)


def _read_members(body: bytes) -> dict[str, Any]:
    try:
        members = orjson.loads(body)
    except orjson.JSONDecodeError:
        return {}
    return members if isinstance(members, dict) else {}


def _read_refusal(status_code: int, members: dict[str, Any]) -> Denied:
    error = members.get("error")
    known = f" ({error})" if isinstance(error, str) and error in _ERRORS else ""
    return Denied(reason=f"the token endpoint answered {status_code}{known}")


def _read_grant(members: dict[str, Any]) -> Granted | Denied:
    token, kind = members.get("access_token"), members.get("token_type")
    if not isinstance(token, str) or len(token) > LONGEST_TOKEN or not _TOKEN.fullmatch(token):
        return Denied(reason="the token endpoint answered 200 without an access_token that fits into a header")
    # Required, and compared without regard to case (section 5.1); a server that leaves it out means the usual one.
    if kind is not None and (not isinstance(kind, str) or kind.lower() != "bearer"):
        return Denied(reason="the token endpoint gave a token of another type than bearer")
    return Granted(token=token, lifetime_seconds=_read_lifetime(members.get("expires_in")))


def _read_lifetime(value: object) -> float | None:
    # Some write the number as a text.
    if isinstance(value, str) and value.isascii() and value.isdigit() and len(value) <= 12:
        value = int(value)
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    return min(max(float(value), SHORTEST_LIFETIME_SECONDS), LONGEST_LIFETIME_SECONDS)
