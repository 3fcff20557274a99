"""How does one libcurl handle make one POST, and what does its end mean?"""

from __future__ import annotations

import re
import socket
import time
from collections.abc import Callable
from typing import Any, Protocol

import certifi
import pycurl

from deliveries.transport import failures
from deliveries.transport.exchange import Answer, HeaderPairs, NoAnswer, Request, Result, Timings
from deliveries.transport.failures import Failure
from deliveries.transport.headers import check_names, check_values, has_whole_head, parse_header_block
from deliveries.transport.options import TransportOptions
from deliveries.transport.resolve import Addresses, Resolution
from webhookhub.targets import Target

MILLISECONDS = 1000
# Lines that take libcurl's own additions away (a header without a value is not sent): the request decides its headers.
# Expect is the worst of them: a receiver that ignores it costs a second.
_WITHOUT_DEFAULTS = ("Accept:", "Content-Type:", "Expect:")

# libcurl's words for a callback's verdict, with their type.
_SEEKFUNC_FAIL: int = pycurl.SEEKFUNC_FAIL
_SOCKET_BAD: int = pycurl.SOCKET_BAD
_PREREQFUNC_OK: int = pycurl.PREREQFUNC_OK
_PREREQFUNC_ABORT: int = pycurl.PREREQFUNC_ABORT
# libcurl has one code for a connection that broke and for these two.
_MALFORMED = re.compile("response headers|chunk")
_FAILURES = {
    pycurl.E_UNSUPPORTED_PROTOCOL: failures.NOT_HTTP,  # HTTP/0.9
    pycurl.E_FTP_WEIRD_SERVER_REPLY: failures.NOT_HTTP,  # the old name of libcurl's "weird server reply"
    pycurl.E_URL_MALFORMAT: failures.BAD_URL,
    pycurl.E_COULDNT_RESOLVE_PROXY: failures.NO_PROXY,
    pycurl.E_COULDNT_RESOLVE_HOST: failures.NOT_RESOLVED,
    pycurl.E_COULDNT_CONNECT: failures.REFUSED,
    pycurl.E_OPERATION_TIMEDOUT: failures.TIMED_OUT,
    pycurl.E_GOT_NOTHING: failures.CLOSED,
    pycurl.E_PARTIAL_FILE: failures.CLOSED,
    pycurl.E_SEND_ERROR: failures.CLOSED,
    pycurl.E_RECV_ERROR: failures.CLOSED,
    pycurl.E_SEND_FAIL_REWIND: failures.CLOSED,  # a reused connection was closed; sending again could deliver twice
    pycurl.E_SSL_CONNECT_ERROR: failures.NO_TLS,
    pycurl.E_SSL_CIPHER: failures.NO_TLS,
    pycurl.E_PEER_FAILED_VERIFICATION: failures.BAD_CERTIFICATE,
    100: failures.NOT_HTTP,  # CURLE_TOO_LARGE, which pycurl has no name for: headers without end
}


class Exchange:
    """One request on its way: what was asked, by when, and who waits for the result. Moments are `time.monotonic()`."""

    __slots__ = (
        "deadline",
        "done",
        "ended",
        "request",
        "resolution",
        "sent_at",
        "started_at",
        "target",
        "waits_for",
        "waits_until",
    )

    target: Target
    waits_until: float

    def __init__(self, request: Request, done: Callable[[Result], None]) -> None:
        self.request = request
        self.done = done
        self.started_at = self.sent_at = time.monotonic()
        self.deadline = self.started_at + request.timeout_seconds
        self.resolution: Resolution | None = None
        self.waits_for: Failure | None = None
        self.ended = False


class Sockets(Protocol):
    """Who decides about sockets while libcurl makes and reuses them."""

    def is_allowed(self, address: str) -> bool: ...
    def is_stale(self, local_address: str, local_port: int) -> bool: ...
    def take_new(self, number: int, purpose: int) -> int: ...


class _HandedSocket(socket.socket):
    """A socket that libcurl gets: pycurl takes a duplicate of its descriptor, so that this one may go unnoticed."""

    def __del__(self) -> None:
        self.close()


class EasyHandle:
    """A libcurl easy handle for one request at a time; used again and again, always by the transport's thread."""

    def __init__(self, options: TransportOptions, sockets: Sockets) -> None:
        self._options = options
        self._sockets = sockets
        self.curl = pycurl.Curl()
        self._header_block = bytearray()
        self._body = bytearray()
        self._set_constant_options()

    def prepare(self, exchange: Exchange) -> None:
        """Set what differs from request to request. Raises `BadHeader`."""
        request, target = exchange.request, exchange.target
        self.exchange = exchange
        self._header_block.clear()
        self._body.clear()
        self._body_length = self._sent_length = 0
        self._blocked = self._stale = self._opened = self._without_socket = False
        self._peer: str | None = None
        exchange.sent_at = now = time.monotonic()
        setopt = self.curl.setopt
        setopt(pycurl.URL, target.url)
        setopt(pycurl.HTTPHEADER, header_lines(request.headers))
        setopt(pycurl.POSTFIELDSIZE, len(request.body))
        # Zero would mean "no limit".
        setopt(pycurl.TIMEOUT_MS, max(1, int((exchange.deadline - now) * MILLISECONDS)))
        if target.address is None and isinstance(exchange.resolution, tuple) and exchange.resolution:
            setopt(pycurl.RESOLVE, [pin(target, exchange.resolution)])

    def _set_constant_options(self) -> None:
        options, setopt = self._options, self.curl.setopt
        setopt(pycurl.POST, 1)
        setopt(pycurl.NOSIGNAL, 1)
        setopt(pycurl.PROTOCOLS, pycurl.PROTO_HTTP | pycurl.PROTO_HTTPS)
        setopt(pycurl.HTTP_VERSION, pycurl.CURL_HTTP_VERSION_1_1)
        setopt(pycurl.FOLLOWLOCATION, 0)
        setopt(pycurl.PATH_AS_IS, 1)
        setopt(pycurl.USERAGENT, "")
        # Empty, not unset: libcurl would read http_proxy from the environment.
        setopt(pycurl.PROXY, options.proxy_url or "")
        setopt(pycurl.NOPROXY, "")
        setopt(pycurl.CONNECTTIMEOUT_MS, int(options.connect_timeout_seconds * MILLISECONDS))
        setopt(pycurl.MAXAGE_CONN, options.idle_connection_seconds)
        setopt(pycurl.FORBID_REUSE, int(options.idle_connection_seconds == 0))  # zero is "no limit" to the line above
        setopt(pycurl.CAINFO, options.ca_bundle or certifi.where())
        setopt(pycurl.SSL_VERIFYPEER, int(options.verify_tls))
        setopt(pycurl.SSL_VERIFYHOST, 2 if options.verify_tls else 0)
        setopt(pycurl.HEADERFUNCTION, self._header_block.extend)
        setopt(pycurl.WRITEFUNCTION, self._keep_body)
        setopt(pycurl.READFUNCTION, self._next_body_part)
        setopt(pycurl.SEEKFUNCTION, self._refuse_to_repeat)
        setopt(pycurl.OPENSOCKETFUNCTION, self._open_socket)
        setopt(pycurl.SOCKOPTFUNCTION, self._sockets.take_new)
        setopt(pycurl.PREREQFUNCTION, self._check_connection)

    def _next_body_part(self, size: int) -> bytes:
        start = self._sent_length
        self._sent_length = start + size
        body = self.exchange.request.body
        return body if len(body) <= size and start == 0 else body[start : start + size]

    def _refuse_to_repeat(self, offset: int, origin: int) -> int:
        # When a reused connection dies, libcurl would rewind the body and send the POST a second time, in silence.
        return _SEEKFUNC_FAIL

    def _keep_body(self, chunk: bytes) -> int | None:
        self._body_length += len(chunk)
        room = self._options.max_body_bytes - len(self._body)
        if room > 0:
            self._body += chunk[:room]
        return 0 if self._body_length > self._options.read_limit_bytes else None

    def _open_socket(self, purpose: int, address: Any) -> socket.socket | int:
        """Second line behind the vetted names: libcurl connects to nothing that was not looked at here."""
        host = str(address.addr[0])
        if self._options.proxy_url is None and not self._sockets.is_allowed(host):
            self._blocked = True
            return _SOCKET_BAD
        self._opened, self._peer = True, host
        try:
            return _HandedSocket(address.family, address.socktype, address.protocol)
        except OSError:
            # Out of file descriptors: our fault. An exception would leave the multi handle and end the loop.
            self._without_socket = True
            return _SOCKET_BAD

    def _check_connection(self, peer: str, local: str, peer_port: int, local_port: int) -> int:
        """Called before each request is written, on reused connections too, which no socket is opened for."""
        if self._options.proxy_url is None and not self._sockets.is_allowed(peer):
            self._blocked = True
            return _PREREQFUNC_ABORT
        if not self._opened and self._sockets.is_stale(local, local_port):
            self._stale = True
            return _PREREQFUNC_ABORT
        self._peer = peer
        return _PREREQFUNC_OK

    def found_stale(self) -> bool:
        """Whether the request ended unsent because the idle connection had been closed; it can safely go again."""
        return self._stale

    def result(self) -> Result:
        """The result of a request that libcurl calls successful."""
        # To libcurl, a connection closed among the headers is merely their end.
        if not has_whole_head(self._header_block):
            return self.interrupted(failures.CLOSED)
        return self._answer()

    def _answer(self) -> Answer:
        return Answer(
            status_code=self.curl.getinfo(pycurl.RESPONSE_CODE),
            headers=parse_header_block(self._header_block, max_bytes=self._options.max_header_bytes),
            body=bytes(self._body),
            truncated=self._body_length > len(self._body),
            timings=self._timings(),
            peer_address=self._peer,
            connection_reused=not self._opened,
        )

    def failure(self, code: int, message: str) -> Result:
        """The result of a request that libcurl ended with error `code`."""
        if code == pycurl.E_WRITE_ERROR and self._body_length > self._options.read_limit_bytes:
            return self._answer()
        return self.interrupted(self._explain(code, message))

    def interrupted(self, failure: Failure) -> NoAnswer:
        """The result of a request that is taken off the wire with this failure."""
        status_code = self.curl.getinfo(pycurl.RESPONSE_CODE)
        return NoAnswer(
            kind=failure.kind,
            message=failure.message,
            # Zero is none, and 1xx was not the answer.
            status_code=status_code if status_code >= 200 else None,
            timings=self._timings(),
            peer_address=self._peer,
            connection_reused=not self._opened and self._peer is not None,
        )

    def _explain(self, code: int, message: str) -> Failure:
        if self._blocked:
            return failures.BLOCKED
        if self._without_socket:
            return failures.UNKNOWN
        if code == pycurl.E_RECV_ERROR and _MALFORMED.search(message):
            return failures.NOT_HTTP
        if self._options.proxy_url is not None and (code == pycurl.E_COULDNT_CONNECT or self._proxy_refused()):
            return failures.NO_PROXY
        return _FAILURES.get(code, failures.UNKNOWN)

    def _proxy_refused(self) -> bool:
        status_code: int = self.curl.getinfo(pycurl.HTTP_CONNECTCODE)
        return status_code not in (0, 200)

    def _timings(self) -> Timings:
        exchange, getinfo = self.exchange, self.curl.getinfo
        waited_ms = (exchange.sent_at - exchange.started_at) * MILLISECONDS
        total_ms = (time.monotonic() - exchange.started_at) * MILLISECONDS
        first_byte_ms = getinfo(pycurl.STARTTRANSFER_TIME) * MILLISECONDS + waited_ms if self._header_block else None
        if not self._opened:
            return Timings(first_byte_ms=first_byte_ms, total_ms=total_ms)
        looked_up = getinfo(pycurl.NAMELOOKUP_TIME)
        connected, secured = getinfo(pycurl.CONNECT_TIME), getinfo(pycurl.APPCONNECT_TIME)
        return Timings(
            dns_ms=waited_ms if exchange.target.address is None else None,
            connect_ms=(connected - looked_up) * MILLISECONDS if connected else None,
            tls_ms=(secured - connected) * MILLISECONDS if secured else None,
            first_byte_ms=first_byte_ms,
            total_ms=total_ms,
        )


def header_lines(headers: HeaderPairs) -> list[str] | list[bytes]:
    """The header lines as libcurl takes them. Raises `BadHeader`.

    An empty value is written `Name;`, because `Name:` would mean "do not send this one".
    """
    names = check_names(tuple([name for name, _ in headers]))
    lines = [f"{name}: {value}" if value else f"{name};" for name, value in headers]
    text = "".join(lines)
    is_plain = text.isascii() and text.isprintable()
    if not is_plain:
        check_values(headers)
    lines += _WITHOUT_DEFAULTS
    if "accept-encoding" not in names:
        # Nothing is decoded here, so that a small body cannot become a large one.
        lines.append("Accept-Encoding: identity")
    return lines if is_plain else [line.encode("latin-1") for line in lines]


def pin(target: Target, addresses: Addresses) -> str:
    """A line for libcurl's name cache (with + it ages like any other entry), so that it asks no name server itself."""
    bracketed = (f"[{address}]" if ":" in address else address for address in addresses)
    return f"+{target.host}:{target.port}:{','.join(bracketed)}"
