"""Who is let in? An ASGI application in front of Django's: it takes events itself, and no body that is too large."""

from __future__ import annotations

import asyncio
import gc
from collections.abc import Awaitable, Callable, Iterable, MutableMapping
from concurrent.futures import ThreadPoolExecutor
from typing import Any, Final
from urllib.parse import parse_qs

from django.db import connection

from webhookhub.api.problems import Problem, unknown_parameter
from webhookhub.conf import hub_settings
from webhookhub.ingest.answer import Answer, answer, answer_problem
from webhookhub.ingest.group import GroupCommit
from webhookhub.ingest.request import (
    IngestRequest,
    Publisher,
    check_length,
    find_publisher,
    known_publisher,
    read_publication,
    too_large,
)

Scope = MutableMapping[str, Any]
Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
Application = Callable[[Scope, Receive, Send], Awaitable[None]]

# Path, and whether it takes a batch.
ROUTES: Final = {"/api/v1/events": False, "/api/v1/events/batch": True}
# What either takes in its query.
_PARAMETERS: Final = {False: ("account",), True: ("account", "partial")}
_TIMED_OUT = "the body did not come"
# A body that has not come by then never will; whoever sends it that slowly holds a place that others want.
BODY_TIMEOUT_SECONDS = 30.0
CLOSE_TIMEOUT_SECONDS = 10.0
# Requests that Django works at: each has a thread and a database connection, of which PostgreSQL has a hundred for everybody.
# Sixteen of them may be tests of webhooks that wait for a receiver (`deliveries.try_out`).
MOST_BEHIND = 32
# Objects made and not yet freed before a collection: what a request makes it frees itself, and Django's many never go.
GC_THRESHOLD = 50_000


class Door:
    """`Door(get_asgi_application())`: events are recorded here, everything else goes on to `inner`."""

    def __init__(self, inner: Application) -> None:
        settings = hub_settings()
        self._inner = inner
        self._request_max_bytes = settings.request_max_bytes
        self._data_max_bytes = settings.event_data_max_bytes
        self._group = GroupCommit(most_waiting_events=settings.ingest_queue_max)
        # Keys that are not in memory are looked up one after the other, each once however many requests wait for it.
        self._lookups = ThreadPoolExecutor(1, thread_name_prefix="lookup")
        self._looked_up: dict[tuple[str, str | None], asyncio.Future[Publisher]] = {}
        self._places = asyncio.Semaphore(MOST_BEHIND)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """The ASGI 3 interface."""
        if scope["type"] == "lifespan":
            await self._live(receive, send)
        elif scope["type"] != "http":
            await self._inner(scope, receive, send)
        elif scope["method"] == "POST" and scope["path"] in ROUTES:
            await _send(send, await self._publish(scope, receive))
        else:
            await self._pass_on(scope, receive, send)

    @property
    def waiting_events(self) -> int:
        """Those that were accepted and are not recorded yet."""
        return self._group.waiting_events

    def close(self) -> None:
        """Commit and ring what was taken, and let go of the database."""
        self._group.close(CLOSE_TIMEOUT_SECONDS)
        self._lookups.submit(_close_connection)
        self._lookups.shutdown()

    async def _publish(self, scope: Scope, receive: Receive) -> Answer:
        try:
            request, content_length = _read_head(scope)
            publisher = await self._find_publisher(request)
            request.check_media_type()
            check_length(content_length, self._request_max_bytes)
            body = await _read_body(receive, self._request_max_bytes)
            publication = read_publication(request, publisher, body, data_max_bytes=self._data_max_bytes)
            return answer(publication, await self._group.commit(publication))
        except Problem as problem:
            return answer_problem(problem)

    async def _pass_on(self, scope: Scope, receive: Receive, send: Send) -> None:
        """To Django."""
        try:
            check_length(_header(scope, b"content-length"), self._request_max_bytes)
        except Problem as problem:
            await _send(send, answer_problem(problem))
            return
        passage = _Passage(receive, send, limit=self._request_max_bytes, places=self._places)
        try:
            await self._inner(scope, passage.receive, passage.send)
        finally:
            passage.leave()

    async def _find_publisher(self, request: IngestRequest) -> Publisher:
        """From memory if it is there, else looked up. Raises Problem."""
        if (publisher := known_publisher(request)) is not None:
            return publisher
        wanted = (request.key, request.account)
        if (looked_up := self._looked_up.get(wanted)) is None:
            loop = asyncio.get_running_loop()
            looked_up = self._looked_up[wanted] = loop.run_in_executor(self._lookups, find_publisher, request)
            looked_up.add_done_callback(lambda _: self._looked_up.pop(wanted, None))
        return await asyncio.shield(looked_up)

    async def _live(self, receive: Receive, send: Send) -> None:
        """The server starts and ends: what was accepted is rung for before it goes."""
        while True:
            match (await receive())["type"]:
                case "lifespan.startup":
                    gc.freeze()
                    gc.set_threshold(GC_THRESHOLD)
                    await send({"type": "lifespan.startup.complete"})
                case "lifespan.shutdown":
                    await asyncio.to_thread(self.close)
                    await send({"type": "lifespan.shutdown.complete"})
                    return


class _Passage:
    """The way of one request to Django: no more of its body than the limit, and waited for no longer than the door does.

    Django works at so many requests at a time; one that is not whole yet takes no place.
    """

    def __init__(self, receive: Receive, send: Send, *, limit: int, places: asyncio.Semaphore) -> None:
        self._receive = receive
        self._send = send
        self._limit = limit
        self._places = places
        self._end = asyncio.get_running_loop().time() + BODY_TIMEOUT_SECONDS
        self._size = 0
        self._is_whole = self._is_refused = self._has_place = False

    async def receive(self) -> Message:
        """What Django is given to read; where the request is refused, that the client has gone."""
        if self._is_refused:
            return {"type": "http.disconnect"}
        if self._is_whole:
            # The news that the client has gone, which may take as long as it likes.
            return await self._receive()
        try:
            message = await self._receive_part()
        except Problem as problem:
            self._is_refused = True
            await _send(self._send, answer_problem(problem))
            return {"type": "http.disconnect"}
        if self._is_whole and message["type"] == "http.request":
            self._has_place = await self._places.acquire()
        return message

    async def send(self, message: Message) -> None:
        """What Django answers, unless the request was refused before."""
        if not self._is_refused:
            await self._send(message)

    def leave(self) -> None:
        """Django is done with it."""
        if self._has_place:
            self._places.release()

    async def _receive_part(self) -> Message:
        """More of the body. Raises Problem: it is too large, or does not come."""
        try:
            async with asyncio.timeout_at(self._end):
                message = await self._receive()
        except TimeoutError:
            raise _incomplete() from None
        self._size += len(message.get("body", b""))
        self._is_whole = not message.get("more_body", False)
        if self._size > self._limit:
            raise too_large(self._limit)
        return message


def _close_connection() -> None:
    """That of the thread this runs in: each has its own."""
    connection.close()


def _read_head(scope: Scope) -> tuple[IngestRequest, bytes]:
    """What a request says before its body, and how long it says that the body is. Raises Problem."""
    authorization = content_type = content_length = b""
    idempotency_key = None
    for name, value in scope["headers"]:
        match name:
            case b"authorization":
                authorization = value
            case b"content-type":
                content_type = value
            case b"content-length":
                content_length = value
            case b"idempotency-key":
                idempotency_key = value.decode("latin-1")
    query = scope["query_string"]
    parameters = parse_qs(query.decode("latin-1"), keep_blank_values=True) if query else {}
    is_batch = ROUTES[scope["path"]]
    for name in parameters:
        if name not in _PARAMETERS[is_batch]:
            raise unknown_parameter(name, _PARAMETERS[is_batch])
    request = IngestRequest.read(
        authorization.decode("latin-1"),
        content_type=content_type.decode("latin-1"),
        idempotency_key=idempotency_key,
        account=parameters.get("account", [None])[0],
        partial=parameters.get("partial", ["false"])[-1],
        is_batch=is_batch,
    )
    return request, content_length


def _header(scope: Scope, wanted: bytes) -> bytes:
    headers: Iterable[tuple[bytes, bytes]] = scope["headers"]
    return next((value for name, value in headers if name == wanted), b"")


async def _read_body(receive: Receive, limit: int) -> bytes:
    """The whole body. Raises Problem: it is too large, or does not come."""
    task = asyncio.current_task()
    assert task is not None
    # A tenth of what asyncio.timeout costs, on the way of every event.
    timer = asyncio.get_running_loop().call_later(BODY_TIMEOUT_SECONDS, task.cancel, _TIMED_OUT)
    try:
        return await _collect(receive, limit)
    except asyncio.CancelledError as error:
        if error.args != (_TIMED_OUT,):
            raise
        task.uncancel()
        raise _incomplete() from None
    finally:
        timer.cancel()


def _incomplete() -> Problem:
    detail = f"The body did not come within {BODY_TIMEOUT_SECONDS:.0f} s."
    return Problem(408, "incomplete_body", detail, headers={"Connection": "close"})


async def _collect(receive: Receive, limit: int) -> bytes:
    chunks: list[bytes] = []
    size = 0
    while True:
        message = await receive()
        if message["type"] == "http.disconnect":
            raise Problem(400, "incomplete_body", "The body ended before it was complete.")
        chunk: bytes = message.get("body", b"")
        size += len(chunk)
        if size > limit:
            raise too_large(limit)
        if not message.get("more_body", False):
            return b"".join([*chunks, chunk]) if chunks else chunk
        chunks.append(chunk)


async def _send(send: Send, response: Answer) -> None:
    headers = [(name.encode(), value.encode()) for name, value in response.headers]
    headers.append((b"content-length", str(len(response.body)).encode()))
    await send({"type": "http.response.start", "status": response.status, "headers": headers})
    await send({"type": "http.response.body", "body": response.body})
