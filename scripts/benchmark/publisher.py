"""A client of our own: POSTs bodies from several connections at once, and says what came of it as one JSON line.

`python -m scripts.benchmark.publisher URL CONNECTIONS KEY FILE COUNT PAUSE_MILLISECONDS`: FILE has a body a line.
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


async def publish(host: str, port: int, requests: Iterator[bytes], pause_seconds: float) -> tuple[int, int]:
    """Send the requests one after the other on one connection; returns how many, and how many were not accepted."""
    reader, writer = await asyncio.open_connection(host, port)
    sent = failures = 0
    for request in requests:
        writer.write(request)
        head = await reader.readuntil(b"\r\n\r\n")
        length = next(line for line in head.lower().split(b"\r\n") if line.startswith(b"content-length:"))
        await reader.readexactly(int(length.partition(b":")[2]))
        sent += 1
        failures += not head.startswith(ACCEPTED)
        if pause_seconds:
            await asyncio.sleep(pause_seconds)
    writer.close()
    return sent, failures


def format_request(path: str, host: str, key: str, body: bytes) -> bytes:
    """The bytes of one POST."""
    head = (
        f"POST {path} HTTP/1.1\r\nHost: {host}\r\nAuthorization: Bearer {key}\r\n"
        f"Content-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n"
    )
    return head.encode() + body


async def main(url: str, connections: int, key: str, file: Path, count: int, pause_seconds: float) -> None:
    """Publish and say how it went."""
    parts = urlsplit(url)
    host, port = str(parts.hostname), int(parts.port or 80)
    bodies = file.read_bytes().split(b"\n")
    # One iterator for all connections: each takes the next request when it is free.
    requests = itertools.islice(itertools.cycle(format_request(parts.path, host, key, body) for body in bodies), count)
    started_at = time.monotonic()
    results = await asyncio.gather(*[publish(host, port, requests, pause_seconds) for _ in range(connections)])
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
            int(given_pause) / 1000,
        )
    )
