"""May a webhook be sent to this URL, as far as the URL itself tells? What its name resolves to is seen at every attempt."""

from __future__ import annotations

from ipaddress import IPv4Address, IPv6Address
from urllib.parse import urlsplit

from subscriptions.errors import UnsuitableUrlError
from webhookhub.addresses import is_allowed
from webhookhub.conf import HubSettings, hub_settings
from webhookhub.errors import BadUrlError
from webhookhub.targets import Target, parse_url

# One wording for all that may not be reached, so that nobody learns which addresses the hub could reach.
NOT_ALLOWED = "the destination is not allowed: webhooks are sent to public addresses"
_LOOPBACK = (IPv4Address("127.0.0.1"), IPv6Address("::1"))


def read_url(url: str, *, field: str = "url") -> str:
    """The URL as it is stored: scheme and host in lower case and ASCII, all else as it was given.

    Raises UnsuitableUrlError, which says what would be right.
    """
    settings = hub_settings()
    try:
        target = parse_url(url)
    except BadUrlError as error:
        message = f"{error}; an address such as https://example.com/webhooks would be right"
        raise UnsuitableUrlError(message, field=field) from None
    if settings.https_only and target.scheme != "https":
        raise UnsuitableUrlError("URL must begin with https://", field=field)
    if not _is_open(target, settings):
        raise UnsuitableUrlError(NOT_ALLOWED, field=field)
    parts = urlsplit(url)
    return target.origin + parts.path + (f"?{parts.query}" if parts.query else "")


def _is_open(target: Target, settings: HubSettings) -> bool:
    if target.address is not None:
        return is_allowed(target.address, allow_cidrs=settings.allow_cidrs)
    # RFC 6761, section 6.3: these names are the loopback, whatever a name server says.
    if target.host == "localhost" or target.host.endswith(".localhost"):
        return any(is_allowed(address, allow_cidrs=settings.allow_cidrs) for address in _LOOPBACK)
    return True
