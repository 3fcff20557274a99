"""Which host and port does this URL mean? Parsed once, strictly, so that nothing later can read it another way."""

from __future__ import annotations

import re
from collections.abc import Container
from dataclasses import dataclass
from functools import lru_cache
from ipaddress import AddressValueError, IPv4Address, IPv6Address
from urllib.parse import SplitResult, quote, urlsplit

import idna

from webhookhub.addresses import Address
from webhookhub.errors import BadUrlError

MAX_URL_LENGTH = 2048
MAX_HOST_LENGTH = 253  # RFC 1035, without the root's dot
DEFAULT_PORTS = {"http": 80, "https": 443}
ANY_PORT = range(1, 65_536)

# urlsplit drops tabs and newlines in silence, and browsers read a backslash as a slash.
_FORBIDDEN = re.compile(r"[\x00-\x20\x7f-\x9f\\]")
# Underscores are no host name by RFC 952, but they are names in the DNS and in compose files.
_LABEL = re.compile(r"[a-z0-9_]([a-z0-9_-]{0,61}[a-z0-9_])?")
# What inet_aton reads as a number: a host that ends so is an IPv4 address or nothing (WHATWG URL, "ends in a number").
_NUMBER = re.compile(r"[0-9]+|0x[0-9a-f]*")
_PERCENT = re.compile(r"%[0-9A-Fa-f]{2}|%")
_PATH_SAFE = "/%:@!$&'()*+,;=~"


@dataclass(frozen=True, kw_only=True, slots=True)
class Target:
    """Where a URL points, in ASCII."""

    url: str
    """The same URL in normal form; this is what is requested."""
    origin: str
    """Its beginning: scheme, host, and the port unless it is the scheme's own."""
    scheme: str
    host: str
    """Lower case, IDNA-encoded, without brackets or trailing dot."""
    port: int
    address: Address | None
    """Set when the host is an address and not a name."""


@lru_cache(maxsize=4096)
def parse_url(url: str, *, ports: Container[int] = ANY_PORT) -> Target:
    """Parse and normalise `url`; raises BadUrlError with a message for whoever typed it.

    http or https, at most 2,048 characters, no user information, fragment, zone id, spaces or control characters.
    """
    if len(url) > MAX_URL_LENGTH:
        raise BadUrlError(f"URL is longer than {MAX_URL_LENGTH} characters")
    if _FORBIDDEN.search(url):
        raise BadUrlError("URL contains a space, a backslash or a control character")
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError as error:
        raise BadUrlError("URL is malformed") from error
    if parts.scheme not in DEFAULT_PORTS:
        raise BadUrlError("URL must begin with http:// or https://")
    if "@" in parts.netloc:
        raise BadUrlError("URL must not contain a user name or password")
    if "#" in url:
        raise BadUrlError("URL must not contain a fragment (#)")
    port = DEFAULT_PORTS[parts.scheme] if port is None else port
    if port not in ports:
        raise BadUrlError(f"port {port} is not allowed")
    return _target(parts, port=port)


def _target(parts: SplitResult, *, port: int) -> Target:
    host, address = _parse_host(parts)
    shown = f"[{host}]" if isinstance(address, IPv6Address) else host
    if port != DEFAULT_PORTS[parts.scheme]:
        shown = f"{shown}:{port}"
    path = _encode(parts.path or "/")
    query = f"?{_encode(parts.query, also_safe='?')}" if parts.query else ""
    origin = f"{parts.scheme}://{shown}"
    url = f"{origin}{path}{query}"
    if len(url) > 3 * MAX_URL_LENGTH:
        raise BadUrlError(f"URL is longer than {3 * MAX_URL_LENGTH} characters when encoded")
    return Target(url=url, origin=origin, scheme=parts.scheme, host=host, port=port, address=address)


def _parse_host(parts: SplitResult) -> tuple[str, Address | None]:
    try:
        host = parts.hostname or ""
        if "[" in parts.netloc:
            if "%" in host:
                raise BadUrlError("URL must not contain a zone id")
            address = IPv6Address(host)
            return address.compressed, address
        host = _encode_name(host)
        if _NUMBER.fullmatch(host.rpartition(".")[2]):
            return host, IPv4Address(host)
    except AddressValueError as error:
        raise BadUrlError("URL has a malformed address") from error
    return host, None


def _encode_name(host: str) -> str:
    """Return `host` as the DNS knows it: ASCII, lower case, without the root's dot."""
    if not host.isascii():
        try:
            host = idna.encode(host, uts46=True).decode()
        except idna.IDNAError as error:
            raise BadUrlError("URL has a malformed host name") from error
    host = host.removesuffix(".")
    if len(host) > MAX_HOST_LENGTH or not all(_LABEL.fullmatch(label) for label in host.split(".")):
        raise BadUrlError("URL has a malformed host name")
    return host


def _encode(text: str, *, also_safe: str = "") -> str:
    encoded = quote(text, safe=_PATH_SAFE + also_safe)
    # One form for all (RFC 3986, 6.2.2.1), because libraries differ on lower case and on a lone percent sign.
    return _PERCENT.sub(lambda match: match[0].upper() if len(match[0]) == 3 else "%25", encoded)
