"""How is requests kept from choosing addresses itself, from old connections, and from answers that are no HTTP/1?"""

from __future__ import annotations

import http.client
import socket
import threading
import time
from io import BufferedReader
from typing import Any

from requests.adapters import HTTPAdapter
from urllib3.connection import HTTPConnection, HTTPSConnection
from urllib3.connectionpool import HTTPConnectionPool, HTTPSConnectionPool
from urllib3.exceptions import NewConnectionError
from urllib3.poolmanager import PoolManager, ProxyManager

from deliveries.transport.errors import DestinationBlocked
from deliveries.transport.flight import MILLISECONDS, Flight
from deliveries.transport.options import TransportOptions
from deliveries.transport.resolve import Resolver

MAX_HOSTS_WITH_CONNECTIONS = 256  # urllib3 forgets the connections of hosts beyond this; its default is 10
MAX_HEAD_BYTES = 300 * 1024  # status line and headers; libcurl's own limit
_FINAL_STATUS = 200


class _Head:
    """The lines before a body. http.client takes a connection that is closed among them for their end."""

    def __init__(self, stream: BufferedReader) -> None:
        self.stream = stream
        self._length = 0

    def readline(self, limit: int) -> bytes:
        line = self.stream.readline(limit)
        self._length += len(line)
        if not line.endswith(b"\n") and len(line) < limit:
            raise http.client.RemoteDisconnected("closed in the middle of the headers")
        if self._length > MAX_HEAD_BYTES:
            raise http.client.LineTooLong("headers")
        return line

    def close(self) -> None:
        self.stream.close()


class FinalResponse(http.client.HTTPResponse):
    """Reads the head as strictly as libcurl does, and past interim answers: http.client takes 102 and 103 for final."""

    flight: Flight
    fp: Any

    def begin(self) -> None:
        """Read the head. Raises HTTPException for what RFC 9112 has a client refuse: lengths at odds, broken lines."""
        self.fp = head = _Head(self.fp)
        try:
            super().begin()
        finally:
            if self.fp is head:  # else there is no body, and it was closed
                self.fp = head.stream
        lengths = set(self.msg.get_all("content-length", ()))
        if len(lengths) > 1 or not all(length.strip().isdecimal() for length in lengths):
            raise http.client.HTTPException("malformed Content-Length")
        if self.msg.defects or any("\0" in value for value in self.msg.values()):
            raise http.client.HTTPException("malformed header line")

    def _read_next_chunk_size(self) -> int:
        # To http.client, a connection closed here and a size that is no number are one and the same.
        if not self.fp.peek(1):
            raise http.client.IncompleteRead(b"")
        size: int = super()._read_next_chunk_size()  # type: ignore[misc]  # private, as below
        return size

    def _read_status(self) -> tuple[str, int, str]:
        while True:
            version, status, reason = super()._read_status()  # type: ignore[misc]  # private: the only seam there is
            if status >= _FINAL_STATUS:
                self.flight.status_code = status
                self.flight.first_byte_ms = self.flight.elapsed_ms()
                return version, status, reason
            http.client.parse_headers(self.fp)


class VettedConnection(HTTPConnection):
    """Connects only to the addresses that its flight was given, and tells the flight what it blocks on."""

    adapter: VettedAdapter
    idle_since: float = 0.0
    peer_address: str = ""

    def _new_conn(self) -> socket.socket:
        started_at = time.monotonic()
        flight = self.adapter.flight
        flight.opened = True
        connection = self.adapter.connect(self)
        flight.connect_ms = (time.monotonic() - started_at) * MILLISECONDS
        self.peer_address = str(flight.peer_address)
        flight.use(connection, self.peer_address)
        return connection

    def connect(self) -> None:
        started_at = time.monotonic()
        super().connect()
        flight = self.adapter.flight
        if isinstance(self, HTTPSConnection) and flight.connect_ms is not None:
            flight.tls_ms = (time.monotonic() - started_at) * MILLISECONDS - flight.connect_ms

    def request(self, *args: Any, **options: Any) -> None:
        # A TLS socket is another object than the one under it, and a reused one is new to this flight.
        if self.sock is not None:
            self.adapter.check(self.peer_address)
            self.adapter.flight.use(self.sock, self.peer_address)
        super().request(*args, **options)

    def response_class(self, *args: Any, **options: Any) -> FinalResponse:  # type: ignore[override]  # makes one
        response = FinalResponse(*args, **options)
        response.flight = self.adapter.flight
        return response


class VettedTLSConnection(VettedConnection, HTTPSConnection):
    """The same over TLS: certificate and SNI go by the host's name as ever."""


class VettedPool(HTTPConnectionPool):
    """A pool of connections that know their adapter, and that are not used again when they are old."""

    ConnectionCls = VettedConnection
    adapter: VettedAdapter

    def _new_conn(self) -> Any:
        connection = super()._new_conn()
        connection.adapter = self.adapter  # type: ignore[attr-defined]  # ConnectionCls is ours
        return connection

    def _get_conn(self, timeout: float | None = None) -> Any:
        connection: Any = super()._get_conn(timeout)
        if time.monotonic() - connection.idle_since > self.adapter.options.idle_connection_seconds:
            connection.close()  # it connects anew when it is used
        return connection

    def _put_conn(self, conn: Any) -> None:
        if conn is not None:
            conn.idle_since = time.monotonic()
        super()._put_conn(conn)


class VettedTLSPool(VettedPool, HTTPSConnectionPool):
    """The same over TLS."""

    ConnectionCls = VettedTLSConnection

    def _validate_conn(self, conn: Any) -> None:
        # As the base class does it, without a warning at each request that verification is off: an operator chose so.
        if conn.is_closed:
            conn.connect()


class VettedAdapter(HTTPAdapter):
    """requests' adapter on the pools above; `flight` is the request that the calling thread is busy with."""

    def __init__(self, options: TransportOptions, resolver: Resolver) -> None:
        self.options = options
        self._resolver = resolver
        self._local = threading.local()
        super().__init__(pool_connections=MAX_HOSTS_WITH_CONNECTIONS, pool_maxsize=options.threads)

    @property
    def flight(self) -> Flight:
        flight: Flight = self._local.flight
        return flight

    @flight.setter
    def flight(self, flight: Flight) -> None:
        self._local.flight = flight

    def init_poolmanager(self, *args: Any, **options: Any) -> None:
        super().init_poolmanager(*args, **options)
        self._use_vetted_pools(self.poolmanager)

    def proxy_manager_for(self, *args: Any, **options: Any) -> ProxyManager:
        manager: ProxyManager = super().proxy_manager_for(*args, **options)
        self._use_vetted_pools(manager)
        return manager

    def _use_vetted_pools(self, manager: PoolManager) -> None:
        adapter = self
        plain = type("Pool", (VettedPool,), {"adapter": adapter})
        secure = type("TLSPool", (VettedTLSPool,), {"adapter": adapter})
        # Replaced, not changed: the mapping it comes with is shared by the whole process.
        manager.pool_classes_by_scheme = {"http": plain, "https": secure}

    def connect(self, connection: HTTPConnection) -> socket.socket:
        """Connect to the first of the flight's addresses that answers, or to the operator's proxy."""
        if self.options.proxy_url is not None:
            return self._connect_to(connection, connection._dns_host, self._connect_by())
        error: OSError = OSError("the name has no address")
        connect_by = self._connect_by()
        for address in self.flight.addresses:
            self.check(address)
            try:
                return self._connect_to(connection, address, connect_by)
            except OSError as refused:
                error = refused
        raise NewConnectionError(connection, "no address could be connected to") from error

    def check(self, address: str) -> None:
        """Raise `DestinationBlocked`: the second line behind the vetted name, before each use of a connection."""
        if self.options.proxy_url is None and not self._resolver.is_allowed(address):
            raise DestinationBlocked

    def _connect_by(self) -> float:
        return min(time.monotonic() + self.options.connect_timeout_seconds, self.flight.deadline)

    def _connect_to(self, connection: HTTPConnection, address: str, connect_by: float) -> socket.socket:
        self.flight.peer_address = address
        seconds_left = max(0.001, connect_by - time.monotonic())
        connected = socket.create_connection((address, connection.port), seconds_left)
        for option in connection.socket_options or ():
            connected.setsockopt(*option)
        connected.settimeout(self.flight.seconds_left())
        self.flight.peer_address = str(connected.getpeername()[0])
        return connected
