"""Who speaks HTTP? Two transports with one contract: they send what they are given, once, to where that is allowed."""

from __future__ import annotations

from pkgutil import resolve_name
from typing import Literal

from deliveries.transport.errors import BadHeader, BadUrl, DestinationBlocked, NotSendable, TransportClosed
from deliveries.transport.exchange import Answer, FailureKind, NoAnswer, Request, Result, Timings, Transport
from deliveries.transport.options import TransportOptions

__all__ = [
    "Answer",
    "BadHeader",
    "BadUrl",
    "DestinationBlocked",
    "FailureKind",
    "NoAnswer",
    "NotSendable",
    "Request",
    "Result",
    "Timings",
    "Transport",
    "TransportClosed",
    "TransportName",
    "TransportOptions",
    "libcurl_version",
    "open_transport",
]

TransportName = Literal["curl", "requests"]

# By name, so that each is imported only where it is chosen: `requests` is for places that have no libcurl.
_TRANSPORTS = {
    "curl": "deliveries.transport.curl:CurlTransport",
    "requests": "deliveries.transport.requests_transport:RequestsTransport",
}


def open_transport(name: TransportName, options: TransportOptions) -> Transport:
    """Return a transport of this kind; its threads begin with its first request."""
    transport: Transport = resolve_name(_TRANSPORTS[name])(options)
    return transport


def libcurl_version() -> str:
    """The version of the libcurl that the transport `curl` sends with."""
    return str(resolve_name("pycurl").version_info()[1])
