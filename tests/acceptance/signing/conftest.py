from __future__ import annotations

import os
import shutil
import subprocess
import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

RECEIVER = Path(__file__).parents[2] / "receivers" / "verify.js"
WRITE_BACK = Path(__file__).parent / "write_back.js"


class Receiver(ThreadingHTTPServer):
    """Accepts everything and keeps what really arrived: (headers, body)."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _KeepRequest)
        self.received: list[tuple[dict[str, str], bytes]] = []

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_port}/"


class _KeepRequest(BaseHTTPRequestHandler):
    server: Receiver

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        self.server.received.append((dict(self.headers.items()), body))
        self.send_response(204)
        self.end_headers()

    def log_message(self, format: str, *args: object) -> None:
        pass


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    with Receiver() as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield server
        server.shutdown()
        thread.join()


@pytest.fixture(scope="session")
def node() -> str:
    path = shutil.which("node")
    if path is None:
        pytest.skip("Node is not installed: whether JavaScript writes our bodies back unchanged is not tested")
    return path


@contextmanager
def running(*command: str, **environment: str) -> Iterator[subprocess.Popen[bytes]]:
    """The process, talked to line by line over its pipes, and ended with the block."""
    pipe = subprocess.PIPE
    with subprocess.Popen(command, stdin=pipe, stdout=pipe, env={**os.environ, **environment}) as process:
        try:
            yield process
        finally:
            process.kill()


@pytest.fixture
def start_node_receiver(node: str) -> Iterator[Callable[[str], str]]:
    """Starts a receiver with this secret, written as JavaScript developers write it, and returns its URL."""
    with ExitStack() as processes:

        def start(secret: str) -> str:
            process = processes.enter_context(running(node, str(RECEIVER), WEBHOOK_SECRET=secret))
            return f"http://127.0.0.1:{int(_read_line(process))}/"

        yield start


@pytest.fixture(scope="session")
def write_back(node: str) -> Iterator[Callable[[str], str]]:
    """`JSON.stringify(JSON.parse(text))`, by one Node process for the whole run."""
    with running(node, str(WRITE_BACK)) as process:

        def ask(text: str) -> str:
            assert process.stdin is not None
            process.stdin.write(text.encode() + b"\n")
            process.stdin.flush()
            return _read_line(process)

        yield ask


def _read_line(process: subprocess.Popen[bytes]) -> str:
    assert process.stdout is not None
    line = process.stdout.readline()
    assert line, "Node ended; its last words are on stderr"
    return line.decode().removesuffix("\n")
