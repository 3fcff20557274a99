"""One request, and its result within the time that the contract gives it."""

from __future__ import annotations

import time
from ipaddress import ip_network
from queue import Empty, SimpleQueue
from typing import Any

from deliveries.transport import Answer, NoAnswer, Request, Result, Transport, TransportOptions

# The contract: a result comes at the latest this long after the request's own time limit.
GRACE_SECONDS = 0.2
# What the hostile receivers get to waste; long enough for a connection on a busy machine.
SHORT_SECONDS = 0.6
LOOPBACK = (ip_network("127.0.0.0/8"), ip_network("::1/128"))


def loopback_options(**options: Any) -> TransportOptions:
    return TransportOptions(**{"allow_cidrs": LOOPBACK, **options})


def make_request(url: str, **fields: Any) -> Request:
    defaults: dict[str, Any] = {"headers": (("X-Test", "1"),), "body": b"{}", "timeout_seconds": 5.0}
    return Request(url=url, **{**defaults, **fields})


def send(transport: Transport, url: str, **fields: Any) -> Result:
    """Send one request and wait for its result, which must be in time."""
    request = make_request(url, **fields)
    results: SimpleQueue[Result] = SimpleQueue()
    started_at = time.monotonic()
    transport.start(request, results.put)
    try:
        result = results.get(timeout=request.timeout_seconds + 5)
    except Empty:
        raise AssertionError("no result at all") from None
    taken = time.monotonic() - started_at
    assert taken <= request.timeout_seconds + GRACE_SECONDS, f"{result} took {taken:.3f} s"
    return result


def send_for_answer(transport: Transport, url: str, **fields: Any) -> Answer:
    result = send(transport, url, **fields)
    assert isinstance(result, Answer), result
    return result


def send_in_vain(transport: Transport, url: str, **fields: Any) -> NoAnswer:
    result = send(transport, url, **fields)
    assert isinstance(result, NoAnswer), result
    return result
