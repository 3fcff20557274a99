"""In which words do the transports say why there is no answer? The same for both, plain, and fit for subscribers."""

from __future__ import annotations

from dataclasses import dataclass

from deliveries.transport.exchange import FailureKind


@dataclass(frozen=True, slots=True)
class Failure:
    """A kind with its message."""

    kind: FailureKind
    message: str


# One wording for every refusal: a subscriber must not learn which internal address a name has.
BLOCKED = Failure(FailureKind.BLOCKED, "destination not allowed")
BAD_URL = Failure(FailureKind.BAD_URL, "URL is malformed")
NOT_RESOLVED = Failure(FailureKind.DNS, "host name could not be resolved")
NOT_RESOLVED_IN_TIME = Failure(FailureKind.DNS, "host name could not be resolved in time")
REFUSED = Failure(FailureKind.REFUSED, "connection refused or host unreachable")
CLOSED = Failure(FailureKind.RESET, "connection closed before the answer was complete")
NO_TLS = Failure(FailureKind.TLS, "TLS handshake failed")
BAD_CERTIFICATE = Failure(FailureKind.TLS, "TLS certificate is not valid for this host")
TIMED_OUT = Failure(FailureKind.TIMEOUT, "no complete answer within the time limit")
NOT_HTTP = Failure(FailureKind.BAD_RESPONSE, "the answer is not valid HTTP")
NO_PROXY = Failure(FailureKind.PROXY, "the egress proxy failed")
ALL_BUSY = Failure(FailureKind.OTHER, "not sent: no connection became free in time")
SHUT_DOWN = Failure(FailureKind.OTHER, "the sender was shut down")
UNKNOWN = Failure(FailureKind.OTHER, "the request failed")
