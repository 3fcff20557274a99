"""Prints by how many bytes the peak memory of this process grows while ten receivers attack: TRANSPORT ATTACK."""

from __future__ import annotations

import resource
import sys
from queue import SimpleQueue
from typing import cast

from deliveries.transport import Result, Transport, TransportName, open_transport
from tests.acceptance.transport.sending import loopback_options, make_request
from tests.receivers.hostile import OK, Conversation, HostileReceiver, answer_every

AT_ONCE = 10
ROUNDS = 3
_BLOCK = b"x" * 65_536
# What opens the answer, and what then follows without end.
ATTACKS = {
    "endless_body": (b"HTTP/1.1 200 OK\r\n\r\n", _BLOCK),
    "gigabyte_body": (b"HTTP/1.1 200 OK\r\nContent-Length: 1000000000\r\n\r\n", _BLOCK),
    "endless_headers": (b"HTTP/1.1 200 OK\r\n", b"X-Header: some value or other\r\n" * 1000),
    "endless_chunks": (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n", b"10000\r\n" + _BLOCK + b"\r\n"),
}


def send_round(transport: Transport, url: str) -> None:
    results: SimpleQueue[Result] = SimpleQueue()
    for _ in range(AT_ONCE):
        transport.start(make_request(url), results.put)
    for _ in range(AT_ONCE):
        results.get(timeout=20)


def peak_bytes() -> int:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024


def measure(transport_name: TransportName, attack: str) -> int:
    opening, endless = ATTACKS[attack]

    def pour(conversation: Conversation) -> None:
        conversation.read_request()
        conversation.send(opening)
        while conversation.send(endless):
            pass

    transport = open_transport(transport_name, loopback_options())
    with HostileReceiver(answer_every(OK)) as harmless, HostileReceiver(pour) as hostile:
        send_round(transport, harmless.url())  # what any request costs is not the attack's
        before = peak_bytes()
        for _ in range(ROUNDS):
            send_round(transport, hostile.url())
        grown = peak_bytes() - before
        transport.close(1)
    return grown


if __name__ == "__main__":
    sys.stdout.write(str(measure(cast("TransportName", sys.argv[1]), sys.argv[2])))
