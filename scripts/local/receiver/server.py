"""How is the receiver reached? Its endpoints take POSTs; the live page, its stream and /received.json show what came."""

from __future__ import annotations

import json
import secrets
from collections.abc import Callable
from datetime import UTC, datetime
from functools import lru_cache
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import urlsplit

from scripts.local.receiver.arrivals import Arrival, Arrivals, Request, to_json
from scripts.local.receiver.endpoints import Agreement, EndpointName

PAGE_FOLDER = Path(__file__).parent / "page"
PAGE_FILES = {
    "/": ("index.html", "text/html; charset=utf-8"),
    "/page.css": ("page.css", "text/css; charset=utf-8"),
    "/page.js": ("page.js", "text/javascript; charset=utf-8"),
}
# What arrives is shown on the page and may be hostile: nothing but the page's own two files runs or loads.
PAGE_HEADERS = {
    "Content-Security-Policy": "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; "
    "base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
    "X-Content-Type-Options": "nosniff",
    "Cache-Control": "no-cache",
}
LARGEST_BODY_BYTES = 4_194_304
LONGEST_NUMBER = 12
# A client that sends nothing for so long is cut off; keep-alive connections of the hub included, which opens new ones.
IDLE_SECONDS = 60
# Often enough that a browser notices a dead receiver, and that a thread notices a closed tab.
HEARTBEAT_SECONDS = 10.0

Agreements = Callable[[EndpointName], Agreement]


class Receiver(ThreadingHTTPServer):
    """The server. Port 0 takes a free one."""

    daemon_threads = True
    # The default of 5 refuses connections when a batch of deliveries arrives at once.
    request_queue_size = 128

    def __init__(self, address: tuple[str, int], agreements: Agreements) -> None:
        super().__init__(address, _Exchange)
        # Read at the first request of an endpoint, when they have surely been drawn.
        self.agreement = lru_cache(maxsize=None)(agreements)
        self.arrivals = Arrivals()
        # Tells a page that the receiver was restarted, and that arrivals are counted from 1 again.
        self.run = secrets.token_hex(4)

    @property
    def url(self) -> str:
        """Without a slash at its end."""
        return f"http://127.0.0.1:{self.server_port}"


class _Exchange(BaseHTTPRequestHandler):
    server: Receiver
    protocol_version = "HTTP/1.1"
    server_version = "DemoReceiver"
    sys_version = ""
    timeout = IDLE_SECONDS
    # Head and body are written one after the other: Nagle's algorithm would hold the body back for 40 ms.
    disable_nagle_algorithm = True

    def do_POST(self) -> None:
        """Take a webhook."""
        endpoint = _find_endpoint(self.path)
        if endpoint is None:
            self._refuse(HTTPStatus.NOT_FOUND, f"the endpoints are {', '.join(f'/{name}' for name in EndpointName)}")
            return
        length = _read_number(self.headers.get("Content-Length", ""))
        if length is None or self.headers.get("Transfer-Encoding"):
            self._refuse(HTTPStatus.LENGTH_REQUIRED, "send a Content-Length")
            return
        if length > LARGEST_BODY_BYTES:
            self._refuse(HTTPStatus.REQUEST_ENTITY_TOO_LARGE, f"at most {LARGEST_BODY_BYTES} bytes are taken")
            return
        body = self.rfile.read(length)
        if len(body) < length:
            # The sender broke off: there is nobody to answer, and nothing that could be verified.
            self.close_connection = True
            return
        headers = {name.lower(): value for name, value in self.headers.items()}
        request = Request(endpoint=endpoint, target=self.path, headers=headers, body=body)
        arrival = self.server.arrivals.receive(request, self.server.agreement(endpoint), now=datetime.now(UTC))
        self._answer(HTTPStatus(arrival.status), f"{arrival.reason}\n".encode(), content_type="text/plain")

    def do_GET(self) -> None:
        """Show what came."""
        path = urlsplit(self.path).path
        if path in PAGE_FILES:
            name, content_type = PAGE_FILES[path]
            self._answer(HTTPStatus.OK, (PAGE_FOLDER / name).read_bytes(), content_type=content_type)
        elif path == "/received.json":
            received = [to_json(arrival) for arrival in self.server.arrivals.after(0)]
            self._answer(HTTPStatus.OK, json.dumps(received).encode(), content_type="application/json")
        elif path == "/stream":
            self._stream()
        elif _find_endpoint(self.path):
            self._refuse(HTTPStatus.METHOD_NOT_ALLOWED, "webhooks come by POST; what came is shown at /")
        else:
            self._refuse(HTTPStatus.NOT_FOUND, "the live page is at /")

    def _stream(self) -> None:
        """Server-sent events: what came since the page's last one, then each arrival as it comes, until the page closes."""
        run, _, number = self.headers.get("Last-Event-ID", "").partition("-")
        last = (_read_number(number) or 0) if run == self.server.run else 0
        self.close_connection = True
        self._send_head(HTTPStatus.OK, {"Content-Type": "text/event-stream", "Connection": "close"})
        try:
            self.wfile.write(f"retry: 1000\nevent: run\ndata: {self.server.run}\n\n".encode())
            while True:
                arrivals = self.server.arrivals.wait_after(last, timeout_seconds=HEARTBEAT_SECONDS)
                self.wfile.write(b"".join(map(self._frame, arrivals)) or b": still here\n\n")
                last = arrivals[-1].number if arrivals else last
        except OSError:
            # The page was closed.
            return

    def _frame(self, arrival: Arrival) -> bytes:
        # JSON has no line breaks outside its strings and none unescaped in them, so it is one line of data.
        return f"id: {self.server.run}-{arrival.number}\ndata: {json.dumps(to_json(arrival))}\n\n".encode()

    def _refuse(self, status: HTTPStatus, reason: str) -> None:
        # The body was not read: what follows on this connection would be taken for a request.
        self.close_connection = True
        self._answer(status, f"{status.phrase}: {reason}\n".encode(), content_type="text/plain", Connection="close")

    def _answer(self, status: HTTPStatus, body: bytes, *, content_type: str, **headers: str) -> None:
        self._send_head(status, {"Content-Type": content_type, "Content-Length": str(len(body)), **headers})
        self.wfile.write(body)

    def _send_head(self, status: HTTPStatus, headers: dict[str, str]) -> None:
        self.send_response(status)
        for name, value in (PAGE_HEADERS | headers).items():
            self.send_header(name, value)
        self.end_headers()

    def log_message(self, format: str, *args: object) -> None:
        """Say nothing: the page shows every request, and the log would grow without bounds."""


def _find_endpoint(target: str) -> EndpointName | None:
    try:
        return EndpointName(urlsplit(target).path.removeprefix("/"))
    except ValueError:
        return None


def _read_number(text: str) -> int | None:
    return int(text) if text.isdecimal() and len(text) <= LONGEST_NUMBER else None
