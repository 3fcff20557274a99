"""How to send without libcurl: requests, with a thread for each request on the wire and the same rules."""

from __future__ import annotations

import http.client
import logging
import ssl
import threading
import time
from collections.abc import Callable, Iterator
from queue import SimpleQueue

import certifi
from requests import PreparedRequest, Response
from requests.exceptions import ProxyError, RequestException
from urllib3 import HTTPHeaderDict
from urllib3.exceptions import HTTPError, IncompleteRead, NewConnectionError
from urllib3.exceptions import ProxyError as PoolProxyError
from urllib3.util import SKIP_HEADER

from deliveries.transport import failures
from deliveries.transport.errors import NameNotResolved, NotSendable, TransportClosed
from deliveries.transport.exchange import Answer, HeaderPairs, Request, Result
from deliveries.transport.failures import Failure
from deliveries.transport.flight import Flight, Watchdog
from deliveries.transport.headers import check_names, check_values, parse_header_block
from deliveries.transport.options import TransportOptions
from deliveries.transport.resolve import Addresses, Resolution, Resolver
from deliveries.transport.urls import read_target
from deliveries.transport.vetted_adapter import VettedAdapter
from webhookhub.targets import Target

logger = logging.getLogger(__name__)

_READ_AT_ONCE = 16 * 1024

# Most specific first: a closed connection is also a bad status line, a certificate's error also one of TLS.
_FAILURES: tuple[tuple[type[BaseException], Failure], ...] = (
    (ProxyError, failures.NO_PROXY),
    (PoolProxyError, failures.NO_PROXY),
    (ssl.SSLCertVerificationError, failures.BAD_CERTIFICATE),
    (ssl.SSLEOFError, failures.CLOSED),
    (ssl.SSLError, failures.NO_TLS),
    (TimeoutError, failures.TIMED_OUT),
    (http.client.RemoteDisconnected, failures.CLOSED),
    (ValueError, failures.NOT_HTTP),  # a length, of the body or of a chunk, that is no number
    (IncompleteRead, failures.CLOSED),
    (http.client.IncompleteRead, failures.CLOSED),
    (http.client.HTTPException, failures.NOT_HTTP),
    (NewConnectionError, failures.REFUSED),
    (ConnectionError, failures.CLOSED),
)
_Work = Flight | None


class RequestsTransport:
    """Sends through requests, for places without libcurl; see `Transport`. Its threads begin with the first `start`."""

    def __init__(self, options: TransportOptions) -> None:
        self._options = options
        self._resolver = Resolver(options)
        self._adapter = VettedAdapter(options, self._resolver)
        self._watchdog = Watchdog()
        self._queue: SimpleQueue[_Work] = SimpleQueue()
        self._changed = threading.Condition()
        self._unfinished: set[Flight] = set()
        self._threads = 0
        self._closed = False

    def start(self, request: Request, done: Callable[[Result], None]) -> None:
        """See `Transport.start`."""
        flight = Flight(request, done, when_ended=self._forget)
        with self._changed:
            if self._closed:
                raise TransportClosed
            if not self._threads:
                threading.Thread(target=self._watchdog.run, name="requests-watchdog", daemon=True).start()
            self._unfinished.add(flight)
            if self._threads < min(len(self._unfinished), self._options.threads):
                self._threads += 1
                threading.Thread(target=self._serve, name="requests-transport", daemon=True).start()
        self._watchdog.watch(flight)
        self._queue.put(flight)

    def close(self, timeout_seconds: float) -> None:
        """See `Transport.close`."""
        with self._changed:
            if self._closed:
                return
            self._closed = True
            self._changed.wait_for(lambda: not self._unfinished, timeout_seconds)
            rest = list(self._unfinished)
        for flight in rest:
            flight.fail(failures.SHUT_DOWN)
            flight.expire()
        for _ in range(self._threads):
            self._queue.put(None)
        self._watchdog.stop()
        self._resolver.close()
        self._adapter.close()

    def _forget(self, flight: Flight) -> None:
        with self._changed:
            self._unfinished.discard(flight)
            self._changed.notify_all()

    def _serve(self) -> None:
        while (flight := self._queue.get()) is not None:
            if flight.ended or time.monotonic() >= flight.deadline:
                flight.fail(failures.ALL_BUSY)  # if the watchdog has not said so already
                continue
            flight.begun = True
            try:
                flight.end(self._send(flight))
            except NotSendable as refusal:
                flight.fail(Failure(refusal.kind, str(refusal)))
            except (RequestException, HTTPError, http.client.HTTPException, OSError) as error:
                # After its deadline, whatever the socket says is the watchdog's doing.
                flight.fail(failures.TIMED_OUT if flight.expired else explain(error))
            except Exception:  # the thread serves others after this one
                logger.exception("a request failed in a way that nobody thought of")
                flight.fail(failures.UNKNOWN)

    def _send(self, flight: Flight) -> Answer:
        target = read_target(flight.request.url)
        prepared = prepare(flight.request, target)
        flight.addresses = self._addresses(flight, target)
        self._adapter.flight = flight
        proxy_url = self._options.proxy_url
        response = self._adapter.send(
            prepared,
            stream=True,
            timeout=flight.seconds_left(),
            verify=(self._options.ca_bundle or certifi.where()) if self._options.verify_tls else False,
            proxies=None if proxy_url is None else {"http": proxy_url, "https": proxy_url},
        )
        return self._read(flight, response)

    def _addresses(self, flight: Flight, target: Target) -> Addresses:
        if self._options.proxy_url is not None and target.address is None:
            return ()  # the proxy resolves
        resolution = self._resolver.known(target)
        if resolution is None:
            resolution = self._look_up(flight, target)
            flight.dns_ms = flight.elapsed_ms()
        if isinstance(resolution, NotSendable):
            raise resolution
        return resolution

    def _look_up(self, flight: Flight, target: Target) -> Resolution:
        answers: list[Resolution] = []
        answered = threading.Event()

        def take(resolution: Resolution) -> None:
            answers.append(resolution)
            answered.set()

        self._resolver.look_up(target.host, take)
        if answered.wait(min(self._options.resolve_timeout_seconds, flight.seconds_left())):
            return answers[0]
        return NameNotResolved(failures.NOT_RESOLVED_IN_TIME.message)

    def _read(self, flight: Flight, response: Response) -> Answer:
        body, length = bytearray(), 0
        try:
            while chunk := response.raw.read(_READ_AT_ONCE, decode_content=False):
                length += len(chunk)
                body += chunk[: max(0, self._options.max_body_bytes - len(body))]
                if length > self._options.read_limit_bytes:
                    break
            if not flight.let_go():
                raise TimeoutError
        except BaseException:
            response.raw.close()
            raise
        if length > self._options.read_limit_bytes:
            response.raw.close()
        # Read to its end, the connection went back to its pool by itself.
        return Answer(
            status_code=response.status_code,
            headers=self._headers(response),
            body=bytes(body),
            truncated=length > len(body),
            timings=flight.timings(),
            peer_address=flight.peer_address,
            connection_reused=not flight.opened,
        )

    def _headers(self, response: Response) -> HeaderPairs:
        lines = ["HTTP/1.1", *(f"{name}: {value}" for name, value in response.raw.headers.items()), ""]
        block = "\r\n".join(lines).encode("latin-1", "replace")
        return parse_header_block(block, max_bytes=self._options.max_header_bytes)


def prepare(request: Request, target: Target) -> PreparedRequest:
    """Return the request as the adapter takes it: requests' own preparation rewrites URLs. Raises `BadHeader`."""
    names = check_names(tuple(name for name, _ in request.headers))
    check_values(request.headers)
    headers = HTTPHeaderDict(request.headers)
    headers["Content-Length"] = str(len(request.body))
    if "accept-encoding" not in names:
        headers["Accept-Encoding"] = "identity"
    if "user-agent" not in names:
        headers["User-Agent"] = SKIP_HEADER
    prepared = PreparedRequest()
    prepared.method = "POST"
    prepared.url = target.url
    prepared.headers = headers  # type: ignore[assignment]  # any mapping will do, and this one keeps repeated names
    prepared.body = request.body
    return prepared


def explain(error: BaseException) -> Failure:
    """Find the failure behind an exception that requests and urllib3 have wrapped, perhaps several times."""
    causes = list(_causes(error))
    for type_, failure in _FAILURES:
        if any(isinstance(cause, type_) for cause in causes):
            return failure
    return failures.UNKNOWN


def _causes(error: BaseException | None) -> Iterator[BaseException]:
    while error is not None:
        yield error
        error = error.__cause__ or error.__context__
