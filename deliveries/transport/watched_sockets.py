"""Which of libcurl's sockets are ready? Remembers what is watched, to ask the kernel only for changes."""

from __future__ import annotations

import os
import selectors
import socket
from collections.abc import Callable
from contextlib import suppress

import pycurl

_NOTHING = 0
_SOCKOPT_OK: int = pycurl.SOCKOPT_OK


class WatchedSockets:
    """The sockets of one multi handle, in use and idle.

    libcurl stops and starts watching a socket with every request on it. Leaving an idle one registered saves two system
    calls a request, and tells at once when the receiver closes it.
    """

    def __init__(self, is_allowed: Callable[[str], bool]) -> None:
        self.is_allowed = is_allowed
        self.selector = selectors.DefaultSelector()
        self._wanted: dict[int, int] = {}
        self._registered: dict[int, int] = {}
        # By socket, the local end of each idle connection that the receiver closed.
        self._stale: dict[int, tuple[str, int]] = {}

    def watch(self, what: int, number: int, multi: object, data: object) -> None:
        """Take libcurl's wish (M_SOCKETFUNCTION). POLL_IN and POLL_OUT are 1 and 2, as the selector's events are."""
        if what == pycurl.POLL_REMOVE:
            self._wanted[number] = _NOTHING
            # Left registered for reading only: an idle socket can always be written to.
            what = selectors.EVENT_READ
        else:
            self._wanted[number] = what
        registered = self._registered.get(number)
        if registered == what:
            return
        self._registered[number] = what
        if registered is None:
            self.selector.register(number, what)
        else:
            self.selector.modify(number, what)

    def is_wanted(self, number: int) -> bool:
        """Whether libcurl waits for this ready socket. If not, the receiver closed an idle connection: note that."""
        if self._wanted.get(number):
            return True
        self._forget(number)
        # Closed even by libcurl, when an event before this one led to it.
        with suppress(OSError), socket.socket(fileno=os.dup(number)) as copy:
            self._stale[number] = copy.getsockname()[:2]
        return False

    def is_stale(self, local_address: str, local_port: int) -> bool:
        """Whether the receiver closed the idle connection with this local end; libcurl names it so before reuse."""
        return bool(self._stale) and (local_address, local_port) in self._stale.values()

    def take_new(self, number: int, purpose: int) -> int:
        """Take libcurl's new socket (SOCKOPTFUNCTION). Whatever had its number is closed: libcurl does not say so."""
        self._forget(number)
        self._stale.pop(number, None)
        return _SOCKOPT_OK

    def _forget(self, number: int) -> None:
        if self._registered.pop(number, None) is not None:
            self.selector.unregister(number)
