"""A door (`webhookhub.ingest.door`) that says that it is there, and how many events wait in its process to be recorded."""

from __future__ import annotations

import os
import socket

from webhookhub.ingest.door import Application, Door, Receive, Send
from webhookhub.models import ProcessKind
from webhookhub.presence import Presence


class SeenDoor(Door):
    """`SeenDoor(get_asgi_application())`, one for each process of a web server."""

    def __init__(self, inner: Application) -> None:
        super().__init__(inner)
        self._presence = Presence(
            ProcessKind.WEB,
            f"{socket.gethostname()}/{os.getpid()}",
            waiting_events=lambda: self.waiting_events,
        )

    def close(self) -> None:
        """Take leave, and do what every door does."""
        self._presence.end()
        super().close()

    async def _live(self, receive: Receive, send: Send) -> None:
        self._presence.start()
        await super()._live(receive, send)
