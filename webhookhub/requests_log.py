"""Which request was that? An id for each, the caller's own or a new one, in its answer and in every line that it brings about.

What the door publishes is told of together, for as many requests as came within a moment: a line each would cost as much as
publishing does.
"""

from __future__ import annotations

import asyncio
import logging
import re
import secrets
import time
from collections.abc import Awaitable, Callable, MutableMapping, Sequence
from contextvars import ContextVar
from typing import Any, Final

from django.http import HttpRequest
from django.http.response import HttpResponseBase

from webhookhub import ids
from webhookhub.conf import hub_settings
from webhookhub.tracing import close_traces, is_on, trace_published

logger = logging.getLogger("webhookhub.requests")

Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
Application = Callable[[MutableMapping[str, Any], Receive, Send], Awaitable[None]]

HEADER: Final = b"x-request-id"
# What a proxy in front makes up: UUIDs, ULIDs, its own. Nothing that could forge a line, or a header.
_GIVEN = re.compile(rb"[A-Za-z0-9._:=+/@-]{1,128}")
_PUBLISHING = frozenset({"/api/v1/events", "/api/v1/events/batch"})
_EVENT_ID = re.compile(rb'"(evt_[0-9a-f]{32})"')
# Requests of one line, and the longest that the first of them waits for the others.
REQUESTS_A_LINE = 100
FLUSH_SECONDS = 0.2

request_id: ContextVar[str] = ContextVar("request_id", default="")


class RequestIds:
    """`RequestIds(application)`: an ASGI application around the hub's own."""

    def __init__(self, inner: Application) -> None:
        self._inner = inner
        # Asked for once: to ask each time would cost as much as all the rest of this.
        self._most_ids = hub_settings().log_ids if logger.isEnabledFor(logging.INFO) else 0
        self._is_tracing = is_on()
        self._published: dict[str, list[str]] = {}

    async def __call__(self, scope: MutableMapping[str, Any], receive: Receive, send: Send) -> None:
        """The ASGI 3 interface."""
        if scope["type"] != "http":
            await self._inner(scope, receive, self._telling_last(send))
            return
        identifier, began = _choose(scope), time.time()
        request_id.set(identifier.decode())
        is_publishing = scope["method"] == "POST" and scope["path"] in _PUBLISHING

        async def send_with_id(message: Message) -> None:
            if message["type"] == "http.response.start":
                message["headers"] = [*message.get("headers", ()), (HEADER, identifier)]
            elif is_publishing and (found := _EVENT_ID.findall(message.get("body", b""))):
                self._note(identifier.decode(), found)
                if self._is_tracing:
                    trace_published((ids.read("event", one.decode()) for one in found), began=began)
            await send(message)

        await self._inner(scope, receive, send_with_id)

    def _telling_last(self, send: Send) -> Send:
        """As `send`, but before the server hears that all is over, what was not told yet is told."""

        async def send_last(message: Message) -> None:
            if message["type"] == "lifespan.shutdown.complete":
                self._flush()
                await asyncio.to_thread(close_traces)
            await send(message)

        return send_last

    def _note(self, identifier: str, events: Sequence[bytes]) -> None:
        """Remember which events the request published; the line comes when there are enough, or soon."""
        if not self._most_ids:
            return
        if not self._published:
            asyncio.get_running_loop().call_later(FLUSH_SECONDS, self._flush)
        self._published.setdefault(identifier, []).extend(one.decode() for one in events[: self._most_ids])
        if len(self._published) >= REQUESTS_A_LINE:
            self._flush()

    def _flush(self) -> None:
        published, self._published = self._published, {}
        if published:
            logger.info("published", extra={"requests": published})


class RequestLog:
    """Django's middleware: one line for each request that Django answers, with its route and not its URL."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponseBase]) -> None:
        self._get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        """Passes the request on, and says how it was answered."""
        began = time.monotonic()
        response = self._get_response(request)
        match = request.resolver_match
        fields = {
            "method": request.method,
            "route": match.route if match is not None else "",
            "status": response.status_code,
            "ms": round((time.monotonic() - began) * 1000, 1),
        }
        logger.info("answered", extra=fields)
        return response


def _choose(scope: MutableMapping[str, Any]) -> bytes:
    """The id that the caller gave, where it is one, else a new one."""
    for name, value in scope["headers"]:
        if name == HEADER and _GIVEN.fullmatch(value):
            return bytes(value)
    return secrets.token_hex(16).encode()
