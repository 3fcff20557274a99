"""A client of our own: POSTs bodies from several connections at once, and says what came of it as one JSON line.

`python -m scripts.benchmark.publisher URL CONNECTIONS KEY FILE COUNT PAUSE`: FILE has a body a line; PAUSE, where it is not
empty, is a file that says for how many milliseconds a connection waits before a request.
"""

from __future__ import annotations

import asyncio
import itertools
import json
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit

ACCEPTED = b"HTTP/1.1 202"
# Requests for which a pause that was read holds.
PAUSE_READ_EVERY = 8


class Pause:
    """How long to wait before a request, as a file says."""

    def __init__(self, file: Path | None) -> None:
        self._file = file
        self._asked = 0
        self._seconds = 0.0

    def seconds(self) -> float:
        """Read anew every PAUSE_READ_EVERY requests."""
        if self._file is not None and self._asked % PAUSE_READ_EVERY == 0:
            self._seconds = int(self._file.read_text()) / 1000
        self._asked += 1
        return self._seconds


async def publish(host: str, port: int, requests: Iterator[bytes], pause: Pause) -> tuple[int, int]:
    """Send the requests one after the other on one connection; returns how many, and how many were not accepted."""
    reader, writer = await asyncio.open_connection(host, port)
    sent = failures = 0
    for request in requests:
        if pause_seconds := pause.seconds():
            await asyncio.sleep(pause_seconds)
        writer.write(request)
        head = await reader.readuntil(b"\r\n\r\n")
        length = next(line for line in head.lower().split(b"\r\n") if line.startswith(b"content-length:"))
        await reader.readexactly(int(length.partition(b":")[2]))
        sent += 1
        failures += not head.startswith(ACCEPTED)
    writer.close()
    return sent, failures


def format_request(path: str, host: str, key: str, body: bytes) -> bytes:
    """The bytes of one POST."""
    head = (
        f"POST {path} HTTP/1.1\r\nHost: {host}\r\nAuthorization: Bearer {key}\r\n"
        f"Content-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n"
    )
    return head.encode() + body


async def main(url: str, connections: int, key: str, file: Path, count: int, pause: Pause) -> None:
    """Publish and say how it went."""
    parts = urlsplit(url)
    host, port = str(parts.hostname), int(parts.port or 80)
    bodies = file.read_bytes().split(b"\n")
    # One iterator for all connections: each takes the next request when it is free.
    requests = itertools.islice(itertools.cycle(format_request(parts.path, host, key, body) for body in bodies), count)
    started_at = time.monotonic()
    results = await asyncio.gather(*[publish(host, port, requests, pause) for _ in range(connections)])
    duration_us = int((time.monotonic() - started_at) * 1e6)
    sent, failures = (sum(column) for column in zip(*results, strict=True))
    print(json.dumps({"requests": sent, "duration_us": duration_us, "failures": failures}))


if __name__ == "__main__":
    given_url, given_connections, given_key, given_file, given_count, given_pause = sys.argv[1:]
    asyncio.run(
        main(
            given_url,
            int(given_connections),
            given_key,
            Path(given_file),
            int(given_count),
            Pause(Path(given_pause) if given_pause else None),
        )
    )
