"""A receiver on raw sockets that does whatever a test tells it to, byte by byte, and counts what it was sent."""

from __future__ import annotations

import socket
import ssl
import struct
import threading
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from types import TracebackType

OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"


@dataclass(frozen=True, kw_only=True, slots=True)
class Received:
    """One request as it came over the wire."""

    request_line: str
    headers: list[tuple[str, str]]
    body: bytes
    connection_number: int

    def header(self, name: str) -> str | None:
        return next((value for key, value in self.headers if key.lower() == name), None)


@dataclass(kw_only=True)
class Conversation:
    """One accepted connection, as a play sees it."""

    connection: socket.socket
    number: int
    receiver: HostileReceiver
    _buffer: bytes = field(default=b"", init=False)

    def read_request(self) -> Received | None:
        """The next whole request; None when the sender closed instead."""
        while b"\r\n\r\n" not in self._buffer:
            if not self._read_more():
                return None
        head, _, rest = self._buffer.partition(b"\r\n\r\n")
        request_line, *lines = head.decode("latin-1").split("\r\n")
        headers = [(name, value.strip()) for name, _, value in (line.partition(":") for line in lines)]
        length = next((int(value) for name, value in headers if name.lower() == "content-length"), 0)
        self._buffer = rest
        while len(self._buffer) < length:
            if not self._read_more():
                return None
        body, self._buffer = self._buffer[:length], self._buffer[length:]
        received = Received(request_line=request_line, headers=headers, body=body, connection_number=self.number)
        self.receiver.received.append(received)
        return received

    def send(self, data: bytes) -> bool:
        """Send; False when the sender is gone."""
        try:
            self.connection.sendall(data)
        except OSError:
            return False
        return True

    def drip(self, data: bytes, *, every_seconds: float) -> None:
        """One byte at a time, until all is sent, the sender is gone, or the receiver stops."""
        for byte in data:
            if self.pause(every_seconds) or not self.send(bytes([byte])):
                return

    def pause(self, seconds: float) -> bool:
        """Wait; True when the receiver stops meanwhile."""
        return self.receiver.stopping.wait(seconds)

    def hang(self) -> None:
        """Say nothing more until the receiver stops."""
        self.receiver.stopping.wait()

    def reset(self) -> None:
        """Close with RST instead of FIN."""
        self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.connection.close()

    def _read_more(self) -> bool:
        try:
            data = self.connection.recv(65536)
        except OSError:
            return False
        self._buffer += data
        return bool(data)


Play = Callable[[Conversation], None]


class HostileReceiver:
    """Listens on a free port of the loopback and performs `play` with every connection, each in a thread."""

    def __init__(
        self, play: Play, *, tls: ssl.SSLContext | None = None, receive_buffer_bytes: int | None = None
    ) -> None:
        self.received: list[Received] = []
        self.connections = 0
        self.stopping = threading.Event()
        self._play = play
        self._tls = tls
        self._listener = socket.socket()
        if receive_buffer_bytes is not None:
            self._listener.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_buffer_bytes)
        self._listener.bind(("127.0.0.1", 0))
        self._listener.listen(1024)
        self.port: int = self._listener.getsockname()[1]
        self._open: list[socket.socket] = []
        self._threads = [threading.Thread(target=self._accept)]

    def url(self, path: str = "/", *, host: str = "127.0.0.1") -> str:
        return f"{'http' if self._tls is None else 'https'}://{host}:{self.port}{path}"

    def __enter__(self) -> HostileReceiver:
        self._threads[0].start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stopping.set()
        # Closing alone would leave a blocked accept or recv where it is.
        for opened in (self._listener, *self._open):
            with suppress(OSError):
                opened.shutdown(socket.SHUT_RDWR)
        for thread in list(self._threads):
            thread.join()
        self._listener.close()

    def wait_for_conversations(self) -> None:
        """Until every play so far is over, and its connection closed."""
        for thread in self._threads[1:]:
            thread.join()

    def _accept(self) -> None:
        while not self.stopping.is_set():
            try:
                connection, _ = self._listener.accept()
            except OSError:
                return
            self.connections += 1
            self._open.append(connection)
            thread = threading.Thread(target=self._converse, args=(connection, self.connections))
            self._threads.append(thread)
            thread.start()

    def _converse(self, connection: socket.socket, number: int) -> None:
        with connection:
            if self._tls is None:
                self._play(Conversation(connection=connection, number=number, receiver=self))
                return
            with suppress(OSError), self._tls.wrap_socket(connection, server_side=True) as secured:
                self._open.append(secured)
                self._play(Conversation(connection=secured, number=number, receiver=self))


def answer(data: bytes, *, then: Play = Conversation.hang) -> Play:
    """A play: read one request, send `data` whatever it is, and do `then`."""

    def play(conversation: Conversation) -> None:
        if conversation.read_request() is not None:
            conversation.send(data)
            then(conversation)

    return play


def close(conversation: Conversation) -> None:
    """A play: close (which leaving it does)."""


def answer_every(data: bytes) -> Play:
    """A play: a well-behaved receiver that keeps the connection."""

    def play(conversation: Conversation) -> None:
        while conversation.read_request() is not None:
            conversation.send(data)

    return play
