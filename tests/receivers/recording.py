"""A receiver on real sockets: it answers by script, and remembers every request as it was on the wire."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from itertools import count
from socket import socket
from typing import Any

HOST = "127.0.0.1"


@dataclass(frozen=True, kw_only=True, slots=True)
class Answer:
    """What the receiver says to one request."""

    status: int = 204
    headers: tuple[tuple[str, str], ...] = ()
    body: bytes = b""
    delay_seconds: float = 0
    is_held: bool = False
    """Whether the answer waits until the test calls `release`."""


ACCEPTED = Answer()
HELD = Answer(is_held=True)


@dataclass(frozen=True, kw_only=True, slots=True)
class Request:
    """One POST as it arrived."""

    webhook_id: str
    number: int
    """1 for the first request with this webhook-id at this endpoint."""
    headers: tuple[tuple[str, str], ...]
    body: bytes
    arrived_at: float
    """Seconds since 1970."""

    @property
    def header(self) -> dict[str, str]:
        """The headers by their names in lower case."""
        return {name.lower(): value for name, value in self.headers}


class Endpoint:
    """One path of the receiver. Every webhook-id goes through the answers by itself; the last one is then repeated."""

    def __init__(self, url: str, answers: tuple[Answer, ...]) -> None:
        self.url = url
        self._answers = answers
        self._lock = threading.Lock()
        self._requests: list[Request] = []
        self._counts: dict[str, int] = {}
        self._waiting = 0
        self._at_once = 0
        self.most_at_once = 0
        """The most requests that had arrived at any time, and that nobody had begun to answer."""
        self._released = threading.Event()
        self._instead: Answer | None = None
        # What was answered instead, by webhook-id and number.
        self._answered_instead: dict[tuple[str, int], Answer] = {}

    @property
    def requests(self) -> list[Request]:
        """What has arrived so far, in that order."""
        with self._lock:
            return list(self._requests)

    @property
    def waiting(self) -> int:
        """Requests that have arrived and have no answer yet."""
        return self._waiting

    def answer_to(self, request: Request) -> Answer:
        """What is said to this request: by the script, unless something else was at its time."""
        instead = self._answered_instead.get((request.webhook_id, request.number))
        if instead is not None:
            return instead
        return self._answers[min(request.number, len(self._answers)) - 1]

    def break_down(self, answer: Answer) -> None:
        """From now on answer this to everything, whatever the script says."""
        self._instead = answer

    def mend(self) -> None:
        """Answer by the script again."""
        self._instead = None

    def release(self) -> None:
        """Let the held answers go, and hold none any more."""
        self._released.set()

    @contextmanager
    def receive(self, headers: tuple[tuple[str, str], ...], body: bytes) -> Iterator[Answer]:
        """Remember the request, and give the answer when its time has come."""
        request = self._remember(headers, body)
        answer = self.answer_to(request)
        try:
            if answer.is_held:
                self._released.wait()
            # An endpoint that takes its time is what is wanted here.
            time.sleep(answer.delay_seconds)
            with self._lock:
                self._at_once -= 1
            yield answer
        finally:
            with self._lock:
                self._waiting -= 1

    def _remember(self, headers: tuple[tuple[str, str], ...], body: bytes) -> Request:
        webhook_id = next((value for name, value in headers if name.lower() == "webhook-id"), "")
        with self._lock:
            self._waiting += 1
            self._at_once += 1
            self.most_at_once = max(self.most_at_once, self._at_once)
            self._counts[webhook_id] = number = self._counts.get(webhook_id, 0) + 1
            request = Request(webhook_id=webhook_id, number=number, headers=headers, body=body, arrived_at=time.time())
            self._requests.append(request)
            if self._instead is not None:
                self._answered_instead[webhook_id, number] = self._instead
            return request


class RecordingReceiver(ThreadingHTTPServer):
    """A server with any number of scripted endpoints, one thread for each connection."""

    daemon_threads = True
    # Senders that were killed leave connections behind; nobody waits for their threads.
    block_on_close = False
    request_queue_size = 512

    def __init__(self) -> None:
        super().__init__((HOST, 0), _Conversation)
        self._endpoints: dict[str, Endpoint] = {}
        self._numbers = count(1)

    def endpoint(self, *answers: Answer) -> Endpoint:
        """A new path that answers so; without answers it accepts everything."""
        path = f"/endpoints/{next(self._numbers)}"
        endpoint = self._endpoints[path] = Endpoint(f"http://{HOST}:{self.server_port}{path}", answers or (ACCEPTED,))
        return endpoint

    def find(self, path: str) -> Endpoint:
        """The endpoint of a path. A test that sends anywhere else has gone wrong: KeyError."""
        return self._endpoints[path.partition("?")[0]]

    def release(self) -> None:
        """Let all held answers go."""
        for endpoint in self._endpoints.values():
            endpoint.release()

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Senders are killed in the middle of a request here: that is no error of the receiver."""


class _Conversation(BaseHTTPRequestHandler):
    server: RecordingReceiver
    protocol_version = "HTTP/1.1"
    # Head and body of an answer leave together, and no packet waits for the last one's acknowledgement.
    wbufsize = -1
    disable_nagle_algorithm = True

    def do_POST(self) -> None:
        """Answer as the endpoint's script says."""
        self._take()

    def do_GET(self) -> None:
        """Nobody should; it is remembered like any other request, so that a followed redirect shows."""
        self._take()

    def _take(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length", "0")))
        endpoint = self.server.find(self.path)
        with endpoint.receive(tuple(self.headers.items()), body) as answer, suppress(ConnectionError):
            self.send_response_only(answer.status)
            for name, value in answer.headers:
                self.send_header(name, value)
            if answer.status != 204:
                self.send_header("Content-Length", str(len(answer.body)))
            self.end_headers()
            self.wfile.write(answer.body)
            self.wfile.flush()

    def log_message(self, format: str, *args: object) -> None:
        """Say nothing: the test reports."""


@contextmanager
def recording_receiver() -> Iterator[RecordingReceiver]:
    """A receiver on a port of its own, for as long as the block runs."""
    with RecordingReceiver() as receiver:
        thread = threading.Thread(target=receiver.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)
        thread.start()
        try:
            yield receiver
        finally:
            receiver.release()
            receiver.shutdown()
            thread.join()


@contextmanager
def refusing_url() -> Iterator[str]:
    """A URL on whose port nobody listens, and nobody else can begin to."""
    with socket() as bound:
        bound.bind((HOST, 0))
        yield f"http://{HOST}:{bound.getsockname()[1]}/"
