"""How does the embedded Valkey run, so that it loses nothing that a broker must keep?"""

from __future__ import annotations

import signal
import socket
import subprocess
import tempfile
from pathlib import Path

from scripts.local.binaries import VALKEY
from scripts.local.embedded import HOST, EmbeddedServer

CONNECT_TIMEOUT_SECONDS = 1.0
VALKEY_SETTINGS = {
    "bind": HOST,
    "appendonly": "yes",
    "appendfsync": "everysec",
    # The append-only file is the one copy on disk: no snapshots beside it.
    "save": '""',
    # Evicting a key of the broker would lose tasks and the bindings of its queues.
    "maxmemory-policy": "noeviction",
    "daemonize": "no",
}


class ValkeyServer(EmbeddedServer):
    """Valkey, which speaks Redis's protocol, with a password of its own and its data on disk."""

    name = "valkey"
    wheel = VALKEY
    death_signal = signal.SIGTERM
    stop_steps = ((signal.SIGTERM, 10.0),)

    @property
    def url(self) -> str:
        return f"redis://:{self.password}@{HOST}:{self.port}/0"

    def _fill_data(self, folder: Path) -> None:
        """Leave it empty: Valkey makes its files itself."""

    def _spawn(self) -> subprocess.Popen[bytes]:
        settings = VALKEY_SETTINGS | {"port": str(self.port), "dir": str(self.data), "requirepass": self.password}
        # Through standard input: a command line is everybody's to read, a file would be one more copy of the password.
        with tempfile.TemporaryFile() as configuration:
            configuration.write("".join(f"{key} {value}\n" for key, value in settings.items()).encode())
            configuration.seek(0)
            return self._spawn_binary("valkey-server", "-", stdin=configuration.fileno())

    def _answers(self) -> bool:
        try:
            with socket.create_connection((HOST, self.port), timeout=CONNECT_TIMEOUT_SECONDS) as connection:
                connection.sendall(f"AUTH {self.password}\r\nPING\r\n".encode())
                with connection.makefile("rb") as replies:
                    return replies.readline() == b"+OK\r\n" and replies.readline() == b"+PONG\r\n"
        except OSError:
            return False
