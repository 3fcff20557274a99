"""A receiver of our own: answers 200 to every POST, and remembers when each event came.

`python -m scripts.benchmark.receiver PORT PROCESSES SECONDS HOST...`; each answer takes so many seconds. With one process, `GET /receipts` tells the moments, as
JSON: for each event's id the `time.monotonic_ns()` at which the last byte of its first request had come.
"""

from __future__ import annotations

import asyncio
import json
import os
import re
import socket
import sys
import time
from collections.abc import Sequence

BACKLOG = 1024
_END_OF_HEAD = b"\r\n\r\n"
_CONTENT_LENGTH = re.compile(rb"\r\ncontent-length: *(\d+)", re.IGNORECASE)
_EVENT_ID = re.compile(rb"\r\nwebhook-id: *(\S+)", re.IGNORECASE)


class Receiving(asyncio.Protocol):
    """One connection: as little HTTP as a benchmark's own requests need."""

    def __init__(self, receipts: dict[str, int], answer_seconds: float) -> None:
        self._receipts = receipts
        self._answer_seconds = answer_seconds
        self._received = b""
        self._transport: asyncio.Transport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport

    def data_received(self, data: bytes) -> None:
        """Answer every request that is whole; what has come of the next one is kept."""
        now_ns = time.monotonic_ns()
        self._received += data
        while (head_end := self._received.find(_END_OF_HEAD)) >= 0:
            length = _CONTENT_LENGTH.search(self._received, 0, head_end)
            end = head_end + len(_END_OF_HEAD) + (int(length[1]) if length else 0)
            if len(self._received) < end:
                return
            head, self._received = self._received[:head_end], self._received[end:]
            self._answer(head, now_ns)

    def _answer(self, head: bytes, now_ns: int) -> None:
        assert self._transport is not None
        body = b""
        if head.startswith(b"GET /receipts"):
            body = json.dumps(self._receipts).encode()
        elif event_id := _EVENT_ID.search(head):
            self._receipts.setdefault(event_id[1].decode(), now_ns)
        said = b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%b" % (len(body), body)
        if self._answer_seconds:
            asyncio.get_running_loop().call_later(self._answer_seconds, self._transport.write, said)
        else:
            self._transport.write(said)


async def serve(listening: Sequence[socket.socket], *, answer_seconds: float) -> None:
    """Answer at these sockets until the process ends."""
    receipts: dict[str, int] = {}
    loop = asyncio.get_running_loop()
    servers = [await loop.create_server(lambda: Receiving(receipts, answer_seconds), sock=one) for one in listening]
    await asyncio.gather(*(server.serve_forever() for server in servers))


def main() -> None:
    port, processes, answer_seconds, *hosts = sys.argv[1:]
    listening = [socket.create_server((host, int(port)), backlog=BACKLOG) for host in dict.fromkeys(hosts)]
    for _ in range(int(processes) - 1):
        # Whoever of them is free accepts; they all end with the session that the first one leads.
        if os.fork() == 0:
            break
    asyncio.run(serve(listening, answer_seconds=float(answer_seconds)))


if __name__ == "__main__":
    main()
