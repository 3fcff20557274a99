"""What goes over the wire and what comes back: the values every transport takes and gives."""

from __future__ import annotations

from collections.abc import Callable
from enum import Enum
from typing import NamedTuple, Protocol

HeaderPairs = tuple[tuple[str, str], ...]


class Request(NamedTuple):
    """One POST, complete: a transport sends these headers and bytes, and adds framing only.

    That is Host, Content-Length, and `Accept-Encoding: identity` unless another is given."""

    url: str
    headers: HeaderPairs
    body: bytes
    timeout_seconds: float
    """From `start` to the last byte of the answer, name resolution included."""


class Timings(NamedTuple):
    """Milliseconds since `start`, except `dns_ms`, `connect_ms` and `tls_ms`, which are durations.

    None means that this step did not happen, as on a reused connection."""

    dns_ms: float | None = None
    connect_ms: float | None = None
    tls_ms: float | None = None
    first_byte_ms: float | None = None
    total_ms: float | None = None


class FailureKind(Enum):
    """Why there is no whole answer. The values are stored and shown."""

    BLOCKED = "blocked"  # an address that must not be reached; nothing was sent
    BAD_URL = "bad_url"  # the URL or a header can never be sent
    DNS = "dns"
    REFUSED = "refused"  # refused or unreachable; nothing was sent
    RESET = "reset"  # closed before or in the middle of the answer; the receiver may have acted
    TLS = "tls"
    TIMEOUT = "timeout"
    BAD_RESPONSE = "bad_response"  # what came back is not HTTP
    PROXY = "proxy"  # the operator's egress proxy failed, not the receiver
    TOKEN = "token"  # noqa: S105 - no password; no access token was to be had, and nothing was sent
    OTHER = "other"


class Answer(NamedTuple):
    """A final status line with its headers, and the body as far as it is kept."""

    status_code: int
    headers: HeaderPairs
    body: bytes
    truncated: bool
    """The body was longer than what is kept. The status stands."""
    timings: Timings
    peer_address: str | None
    connection_reused: bool


class NoAnswer(NamedTuple):
    """There is no whole answer; `status_code` is set when the status line had already come."""

    kind: FailureKind
    message: str
    """For subscribers: short, and never naming an internal address."""
    timings: Timings
    status_code: int | None = None
    peer_address: str | None = None
    connection_reused: bool = False


Result = Answer | NoAnswer


class Transport(Protocol):
    """Sends requests concurrently from a thread of its own."""

    def start(self, request: Request, done: Callable[[Result], None]) -> None:
        """Begin `request`; `done` is called exactly once, from the transport's thread.

        It is called at the latest 0.2 s after `request.timeout_seconds`. May be called from any thread, and from inside
        `done`. Raises `TransportClosed` after `close`.
        """

    def close(self, timeout_seconds: float) -> None:
        """Wait that long for what is on the wire, then end the rest as `NoAnswer`. A second call does nothing."""
