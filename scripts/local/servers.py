"""Which PostgreSQL and which broker: the ones named in the environment, else embedded ones started here. For example

with local_servers(StateFolder(Path("/tmp/state"))) as servers:
    connect(servers.database_url, servers.broker_url)
    servers.postgresql.restart()                           # the same port, the same data
    servers.valkey.kill()
    servers.valkey.start()
    second_url = servers.postgresql.create_database("second")
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

from scripts.local.errors import ServerStartError
from scripts.local.postgresql import PostgresServer
from scripts.local.state import StateFolder
from scripts.local.valkey import ValkeyServer

DATABASE = "webhookhub"

__all__ = ["LocalServers", "PostgresServer", "ValkeyServer", "local_servers"]


@dataclass(frozen=True, kw_only=True, slots=True)
class LocalServers:
    """The two URLs, and the embedded servers behind them where there are such."""

    # Both hold a password.
    database_url: str = field(repr=False)
    broker_url: str = field(repr=False)
    embedded_postgresql: PostgresServer | None
    embedded_valkey: ValkeyServer | None

    @property
    def postgresql(self) -> PostgresServer:
        """The embedded PostgreSQL. Raises ServerStartError where DATABASE_URL named another."""
        if self.embedded_postgresql is None:
            raise ServerStartError("DATABASE_URL names the database: there is no embedded PostgreSQL.")
        return self.embedded_postgresql

    @property
    def valkey(self) -> ValkeyServer:
        """The embedded Valkey. Raises ServerStartError where CELERY_BROKER_URL named another."""
        if self.embedded_valkey is None:
            raise ServerStartError("CELERY_BROKER_URL names the broker: there is no embedded Valkey.")
        return self.embedded_valkey

    def check(self) -> None:
        """Raise ProcessDiedError when an embedded server has ended by itself."""
        for server in (self.embedded_postgresql, self.embedded_valkey):
            if server is not None:
                server.check()


@contextlib.contextmanager
def local_servers(state: StateFolder, *, environment: Mapping[str, str] = os.environ) -> Iterator[LocalServers]:
    """Both servers, from `environment` (DATABASE_URL, CELERY_BROKER_URL) or started in `state`, which stays locked.

    On leaving, the broker stops before the database. Call it from the main thread.
    Raises AlreadyRunningError, BinariesMissingError, ServerStartError.
    """
    with state.locked(), contextlib.ExitStack() as running:
        database_url, postgresql = environment.get("DATABASE_URL", ""), None
        if not database_url:
            postgresql = running.enter_context(PostgresServer(state))
            database_url = postgresql.create_database(DATABASE)
        broker_url, valkey = environment.get("CELERY_BROKER_URL", ""), None
        if not broker_url:
            valkey = running.enter_context(ValkeyServer(state))
            broker_url = valkey.url
        yield LocalServers(
            database_url=database_url,
            broker_url=broker_url,
            embedded_postgresql=postgresql,
            embedded_valkey=valkey,
        )
