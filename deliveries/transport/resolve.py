"""Which addresses has this name, and may all of them be reached? With a deadline, because getaddrinfo has none."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from ipaddress import ip_address
from queue import SimpleQueue

from deliveries.transport.errors import DestinationBlocked, NameNotResolved, NotSendable
from deliveries.transport.failures import NOT_RESOLVED
from deliveries.transport.options import TransportOptions
from webhookhub.addresses import is_allowed
from webhookhub.targets import Target

# A name that does not resolve is asked for again after this long; a burst to one dead host is then one question.
FAILURE_CACHE_SECONDS = 1.0
MAX_CACHED_NAMES = 10_000

Addresses = tuple[str, ...]
Resolution = Addresses | NotSendable
WhenResolved = Callable[[Resolution], None]


@dataclass(frozen=True, kw_only=True, slots=True)
class _Cached:
    resolution: Resolution
    expires_at: float


class Resolver:
    """Vetted addresses of names, from a short cache or from a few daemon threads.

    A lookup cannot be cancelled. Whoever waits gives up by a clock of their own; the thread stays busy until the
    system's resolver returns, and everybody who asks for the same name meanwhile waits for the same answer.
    """

    def __init__(self, options: TransportOptions) -> None:
        self._options = options
        self._lock = threading.Lock()
        self._cache: dict[str, _Cached] = {}
        self._verdicts: dict[str, bool] = {}
        self._waiting: dict[str, list[WhenResolved]] = {}
        self._names: SimpleQueue[str | None] = SimpleQueue()
        self._threads = 0

    def known(self, target: Target) -> Resolution | None:
        """Return what is known without asking anybody: a vetted literal address, or a cached answer."""
        if target.address is not None:
            return (target.host,) if self.is_allowed(target.host) else DestinationBlocked()
        cached = self._cache.get(target.host)
        if cached is None or cached.expires_at < time.monotonic():
            return None
        return cached.resolution

    def look_up(self, host: str, when_resolved: WhenResolved) -> None:
        """Ask the system's resolver; `when_resolved` is called once, from a resolver thread."""
        with self._lock:
            waiting = self._waiting.setdefault(host, [])
            waiting.append(when_resolved)
            if len(waiting) > 1:
                return
            # One thread per name in flight, up to the limit; beyond it names queue.
            if self._threads < min(len(self._waiting), self._options.resolve_threads):
                self._threads += 1
                threading.Thread(target=self._serve, name="resolver", daemon=True).start()
        self._names.put(host)

    def close(self) -> None:
        """Let the threads end; callbacks that still wait may never be called."""
        with self._lock:
            for _ in range(self._threads):
                self._names.put(None)

    def _serve(self) -> None:
        while (host := self._names.get()) is not None:
            self._settle(host, self._resolve(host))

    def _settle(self, host: str, resolution: Resolution) -> None:
        failed = isinstance(resolution, NameNotResolved)
        keep_seconds = FAILURE_CACHE_SECONDS if failed else self._options.resolve_cache_seconds
        with self._lock:
            self._cache.pop(host, None)
            self._cache[host] = _Cached(resolution=resolution, expires_at=time.monotonic() + keep_seconds)
            if len(self._cache) > MAX_CACHED_NAMES:
                del self._cache[next(iter(self._cache))]
            waiting = self._waiting.pop(host)
        for when_resolved in waiting:
            when_resolved(resolution)

    def _resolve(self, host: str) -> Resolution:
        try:
            answers = socket.getaddrinfo(absolute_name(host), None, type=socket.SOCK_STREAM)
        except (OSError, UnicodeError):
            return NameNotResolved(NOT_RESOLVED.message)
        return self._vet(tuple(dict.fromkeys(str(answer[4][0]) for answer in answers)))

    def _vet(self, addresses: Addresses) -> Resolution:
        # One bad answer condemns the name: a mixture is how a hostile name server gets past a check of the first.
        if all(self.is_allowed(address) for address in addresses):
            return addresses
        return DestinationBlocked()

    def is_allowed(self, address: str) -> bool:
        """Whether the options let a socket be connected to `address`; what cannot be read is refused."""
        verdict = self._verdicts.get(address)
        if verdict is None:
            verdict = self._judge(address)
            # Only a shortcut, so that forgetting all of it is harmless.
            if len(self._verdicts) >= MAX_CACHED_NAMES:
                self._verdicts.clear()
            self._verdicts[address] = verdict
        return verdict

    def _judge(self, address: str) -> bool:
        try:
            return is_allowed(ip_address(address), allow_cidrs=self._options.allow_cidrs)
        except ValueError:
            return False


def absolute_name(host: str) -> str:
    """Return `host` with the root's dot, so that no search domain is tried after it.

    A name without any dot stays as it is: such names live in the hosts file, where the dot would hide them.
    """
    return f"{host}." if "." in host else host
