"""A token endpoint on real sockets: it grants client credentials (RFC 6749, section 4.4), and remembers who asked for what."""

from __future__ import annotations

import base64
import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, unquote_plus

HOST = "127.0.0.1"
CLIENT_ID, CLIENT_SECRET = "the hub", "hush: a/secret+of &ours"


@dataclass(frozen=True, kw_only=True, slots=True)
class Asked:
    """One request for a token."""

    client: str
    """`id:secret`, decoded as RFC 6749 says in section 2.3.1."""
    form: dict[str, list[str]]


class TokenEndpoint(ThreadingHTTPServer):
    """Grants `token-1`, `token-2` and so on to the one client that it knows."""

    daemon_threads = True
    block_on_close = False
    request_queue_size = 128

    def __init__(self) -> None:
        super().__init__((HOST, 0), _Conversation)
        self.lifetime_seconds = 3600
        self.is_down = False
        """Whether it answers 503."""
        self.asked: list[Asked] = []
        self._lock = threading.Lock()
        self._may_answer = threading.Event()
        self._may_answer.set()

    @property
    def url(self) -> str:
        return f"http://{HOST}:{self.server_port}/token"

    def hold(self) -> None:
        """Answer nobody until `release`."""
        self._may_answer.clear()

    def release(self) -> None:
        """Answer all who wait, and everybody after them."""
        self._may_answer.set()

    def answer(self, client: str, form: dict[str, list[str]]) -> tuple[int, dict[str, Any]]:
        """Status and body for this client."""
        with self._lock:
            self.asked.append(Asked(client=client, form=form))
            number = len(self.asked)
        self._may_answer.wait()
        if self.is_down:
            return 503, {"error": "temporarily_unavailable", "error_description": CLIENT_SECRET}
        if client != f"{CLIENT_ID}:{CLIENT_SECRET}":
            return 401, {"error": "invalid_client", "error_description": client}
        return 200, {"access_token": f"token-{number}", "token_type": "Bearer", "expires_in": self.lifetime_seconds}

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Whoever asks may be killed meanwhile: that is no error here."""


class _Conversation(BaseHTTPRequestHandler):
    server: TokenEndpoint
    protocol_version = "HTTP/1.1"
    wbufsize = -1
    disable_nagle_algorithm = True

    def do_POST(self) -> None:
        """Answer as the endpoint says."""
        form = parse_qs(self.rfile.read(int(self.headers["Content-Length"])).decode())
        _, _, credentials = self.headers["Authorization"].partition(" ")
        client_id, _, client_secret = base64.b64decode(credentials).decode().partition(":")
        status, members = self.server.answer(f"{unquote_plus(client_id)}:{unquote_plus(client_secret)}", form)
        body = json.dumps(members).encode()
        self.send_response_only(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Cache-Control", "no-store")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)
        self.wfile.flush()

    def log_message(self, format: str, *args: object) -> None:
        """Say nothing: the test reports."""


@contextmanager
def token_endpoint() -> Iterator[TokenEndpoint]:
    """A token endpoint on a port of its own, for as long as the block runs."""
    with TokenEndpoint() as endpoint:
        thread = threading.Thread(target=endpoint.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)
        thread.start()
        try:
            yield endpoint
        finally:
            endpoint.release()
            endpoint.shutdown()
            thread.join()
