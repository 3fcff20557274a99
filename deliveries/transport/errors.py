"""What can a transport refuse?

TransportError
├── TransportClosed
└── NotSendable (carries the FailureKind of its NoAnswer)
    ├── BadUrl
    ├── BadHeader
    ├── DestinationBlocked
    └── NameNotResolved
"""

from __future__ import annotations

from typing import ClassVar

from deliveries.transport.exchange import FailureKind
from deliveries.transport.failures import BLOCKED


class TransportError(Exception):
    """Something about sending failed; see the subclasses."""


class TransportClosed(TransportError):
    """The transport was closed and takes no further requests."""


class NotSendable(TransportError):
    """The request was refused before a byte of it was sent. The message is fit for subscribers."""

    kind: ClassVar[FailureKind]


class BadUrl(NotSendable):
    """The URL can never be sent to."""

    kind = FailureKind.BAD_URL


class BadHeader(NotSendable):
    """A header's name or value would break the request apart."""

    kind = FailureKind.BAD_URL


class DestinationBlocked(NotSendable):
    """The host, or one of its addresses, must not be reached."""

    kind = FailureKind.BLOCKED

    def __init__(self) -> None:
        super().__init__(BLOCKED.message)


class NameNotResolved(NotSendable):
    """The host has no address, or the name servers did not answer in time."""

    kind = FailureKind.DNS
