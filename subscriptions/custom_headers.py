"""Which headers of its own may a webhook carry, and which of their values are never shown again?"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import NamedTuple

import orjson

from subscriptions.errors import HeaderError
from webhookhub.encryption import decrypt, encrypt

MOST_HEADERS = 32
LONGEST_NAME = 128
LONGEST_VALUE = 4096
# Of all names and values together: common servers read 8 to 16 kB of headers and refuse what has more.
MOST_BYTES = 8192

_TOKEN = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")  # RFC 9110, section 5.6.2
# RFC 9110, section 5.5, without what is not ASCII: receivers disagree about its encoding.
_VALUE = re.compile(r"(?:[!-~](?:[ -~]*[!-~])?)?")
# Names that credentials usually have.
_SECRET = re.compile(r"authorization|cookie|token|secret|key|password|credential", re.IGNORECASE)

_RESERVED = {
    # What the body and the connection are, says whoever sends (RFC 9110, sections 7.2, 8 and 10.1.1).
    *("host", "content-type", "content-length", "content-encoding", "expect", "accept-encoding", "date"),
    # Hop by hop (RFC 9110, section 7.6.1; RFC 9113, section 8.2.2).
    *("connection", "keep-alive", "te", "trailer", "trailers", "transfer-encoding", "upgrade", "http2-settings"),
    "x-correlation-id",
}
_RESERVED_PREFIXES = ("webhook-", "x-webhook-", "proxy-")


@dataclass(frozen=True, kw_only=True, slots=True)
class CustomHeader:
    """One header that every request of a webhook carries."""

    name: str
    """As it is sent; two that differ in case alone are one."""
    value: str = field(repr=False)
    is_secret: bool
    """Whether the value is kept from whoever reads the webhook."""


class GivenHeader(NamedTuple):
    """What somebody says of a header."""

    value: str | None
    """None: the value that is stored."""
    is_secret: bool | None = None
    """None: as it was, and at first as its name looks."""


def merge_headers(stored: Iterable[CustomHeader], given: Mapping[str, GivenHeader | None]) -> tuple[CustomHeader, ...]:
    """The stored headers with the given ones in their places, or behind them; one that is None is taken away.

    Raises HeaderError.
    """
    merged = {header.name.lower(): header for header in stored}
    before = dict(merged)
    _check_twice(given)
    for name, one in given.items():
        if one is None:
            merged.pop(name.lower(), None)
        else:
            merged[name.lower()] = _header(name, one, before.get(name.lower()))
    return tuple(merged.values())


def replace_headers(
    stored: Iterable[CustomHeader], given: Mapping[str, GivenHeader | None]
) -> tuple[CustomHeader, ...]:
    """The given headers alone; of the stored ones only values that were not given anew. Raises HeaderError."""
    names = {name.lower() for name in given}
    return merge_headers((header for header in stored if header.name.lower() in names), given)


def _check_twice(names: Iterable[str]) -> None:
    seen: set[str] = set()
    for name in names:
        if name.lower() in seen:
            raise _problem(name, "stands twice; names that differ in case alone are one header")
        seen.add(name.lower())


def _header(name: str, given: GivenHeader, stored: CustomHeader | None) -> CustomHeader:
    is_secret = given.is_secret
    if is_secret is None:
        is_secret = stored.is_secret if stored is not None else bool(_SECRET.search(name))
    if given.value is not None:
        return CustomHeader(name=name, value=given.value, is_secret=is_secret)
    # A value that was kept from readers is not brought to light by whoever does not know it.
    if stored is None or not is_secret:
        raise _problem(name, "has no value")
    return CustomHeader(name=name, value=stored.value, is_secret=True)


def check_headers(headers: Iterable[CustomHeader]) -> None:
    """Raises HeaderError, which names the header and what would be right."""
    headers = list(headers)
    if len(headers) > MOST_HEADERS:
        raise HeaderError(f"there are {len(headers)} headers; at most {MOST_HEADERS} are sent", field="headers")
    for header in headers:
        field = f"headers.{header.name[:LONGEST_NAME]}"
        check_name(header.name, field=field)
        check_value(header.value, field=field)
    size = sum(len(header.name) + len(header.value) for header in headers)
    if size > MOST_BYTES:
        raise HeaderError(f"names and values have {size} bytes; at most {MOST_BYTES} are sent", field="headers")
    _check_twice(header.name for header in headers)


def check_name(name: str, *, field: str) -> None:
    """Raises HeaderError for what is no name of a header, or one that is not the webhook's to set."""
    if not _TOKEN.fullmatch(name) or len(name) > LONGEST_NAME:
        message = f"{name[:40]!r} is no header name: up to {LONGEST_NAME} letters, digits and !#$%&'*+-.^_`|~"
        raise HeaderError(message, field=field)
    lower = name.lower()
    if lower == "user-agent":
        raise HeaderError("is set by overrides.userAgent", field=field)
    if lower in _RESERVED or lower.startswith(_RESERVED_PREFIXES):
        raise HeaderError(f"{lower} is set by the hub itself, or belongs to the connection", field=field)


def check_value(value: str, *, field: str) -> None:
    """Raises HeaderError for what would break out of its header, or not arrive as it was given."""
    if len(value) > LONGEST_VALUE:
        raise HeaderError(f"has {len(value)} characters; at most {LONGEST_VALUE} are sent", field=field)
    if not _VALUE.fullmatch(value):
        raise HeaderError("takes visible ASCII characters with spaces inside", field=field)


def seal_headers(headers: Iterable[CustomHeader]) -> str:
    """What is stored of them, encrypted; nothing where there are none. Raises EncryptionKeyError."""
    document = {header.name: {"value": header.value, "secret": header.is_secret} for header in headers}
    return encrypt(orjson.dumps(document).decode()) if document else ""


def unseal_headers(sealed: str) -> tuple[CustomHeader, ...]:
    """What was sealed, in its order. Raises EncryptionKeyError."""
    if not sealed:
        return ()
    return tuple(
        CustomHeader(name=name, value=one["value"], is_secret=one["secret"])
        for name, one in orjson.loads(decrypt(sealed)).items()
    )


def _problem(name: str, message: str) -> HeaderError:
    return HeaderError(message, field=f"headers.{name[:LONGEST_NAME]}")
