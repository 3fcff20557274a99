"""Requests to an ASGI application in this process, as a server would make them."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from webhookhub.ingest.door import Door, Message, Receive, Scope, Send


@dataclass(frozen=True, kw_only=True, slots=True)
class Response:
    """What came back."""

    status: int
    headers: Mapping[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        """The body's value."""
        return json.loads(self.body)


async def nothing_behind(scope: Scope, receive: Receive, send: Send) -> None:
    """An application that answers 404 to everything, after it has read the body."""
    while (message := await receive())["type"] == "http.request" and message.get("more_body"):
        pass
    if message["type"] == "http.request":
        await send({"type": "http.response.start", "status": 404, "headers": []})
        await send({"type": "http.response.body", "body": b"nothing here"})


async def call(
    door: Door,
    path: str,
    body: bytes | Sequence[bytes],
    *,
    query: str = "",
    method: str = "POST",
    **headers: str,
) -> Response:
    """One request; a body in several parts arrives in several messages. Underscores in names of headers are hyphens."""
    parts = [body] if isinstance(body, bytes) else list(body)
    messages: list[Message] = [
        {"type": "http.request", "body": part, "more_body": number < len(parts)}
        for number, part in enumerate(parts, start=1)
    ]
    sent: list[Message] = []

    async def receive() -> Message:
        return messages.pop(0) if messages else await asyncio.Event().wait() and {}

    async def send(message: Message) -> None:
        sent.append(message)

    raw_headers = [(name.replace("_", "-").lower().encode(), value.encode()) for name, value in headers.items()]
    scope = {"type": "http", "method": method, "path": path, "query_string": query.encode(), "headers": raw_headers}
    await door(scope, receive, send)
    head, *rest = sent
    return Response(
        status=head["status"],
        headers={name.decode(): value.decode() for name, value in head["headers"]},
        body=b"".join(message["body"] for message in rest),
    )
