"""How does the embedded PostgreSQL run: with which settings, and how are databases made in it?"""

from __future__ import annotations

import signal
import subprocess
from pathlib import Path

from scripts.local.binaries import POSTGRES
from scripts.local.embedded import HOST, SERVER_ENVIRONMENT, EmbeddedServer
from scripts.local.errors import ServerStartError
from scripts.local.processes import read_tail
from scripts.local.state import write_private

DATABASE_OWNER = "webhookhub"
# No collation of the host: the same order of texts on every machine.
INITDB_OPTIONS = (
    "--locale=C",
    "--locale-provider=builtin",
    "--builtin-locale=C.UTF-8",
    "--encoding=UTF8",
    "--auth=scram-sha-256",
)
# Sized for a development machine that also runs the benchmark. Nothing that guards the data is switched off.
POSTGRES_SETTINGS = {
    "listen_addresses": HOST,
    "unix_socket_directories": "",
    "max_connections": "200",
    "shared_buffers": "256MB",
    "effective_cache_size": "1GB",
    "maintenance_work_mem": "128MB",
    "max_wal_size": "4GB",
    "checkpoint_timeout": "15min",
    # Loopback and a local disk: a random page costs hardly more than the next one.
    "random_page_cost": "1.1",
    # Compiling a query takes longer than running one of ours.
    "jit": "off",
    # No transaction of the hub's is idle; one whose client vanished must not keep its locks.
    "idle_in_transaction_session_timeout": "60s",
    "fsync": "on",
    "synchronous_commit": "on",
    "timezone": "UTC",
    "log_timezone": "UTC",
}


class PostgresServer(EmbeddedServer):
    """PostgreSQL, its superuser `webhookhub` and a password of its own."""

    name = "postgresql"
    wheel = POSTGRES
    # SIGINT is PostgreSQL's fast shutdown: open transactions roll back, everything committed is on disk.
    death_signal = signal.SIGINT
    stop_steps = ((signal.SIGINT, 20.0), (signal.SIGQUIT, 5.0))

    def url(self, database: str) -> str:
        return f"postgres://{DATABASE_OWNER}:{self.password}@{HOST}:{self.port}/{database}"

    def create_database(self, name: str) -> str:
        """Make the database if there is none of that name. Returns its URL."""
        self._run_sql(
            "SELECT format('CREATE DATABASE %I', :'name')"
            " WHERE NOT EXISTS (SELECT FROM pg_database WHERE datname = :'name') \\gexec",
            name=name,
        )
        return self.url(name)

    def drop_database(self, name: str) -> None:
        """Drop the database if it is there, whoever is connected to it."""
        self._run_sql('DROP DATABASE IF EXISTS :"name" WITH (FORCE)', name=name)

    def _run_sql(self, statement: str, *, name: str) -> None:
        """Run the statement, in which :'name' and :"name" stand for `name`, quoted by psql."""
        options = ("--no-psqlrc", "--quiet", "--set=ON_ERROR_STOP=1", f"--set=name={name}", "--dbname=postgres")
        server = (f"--host={HOST}", f"--port={self.port}", f"--username={DATABASE_OWNER}")
        done = subprocess.run(
            [self._binary("psql"), *options, *server],
            input=statement,
            env=SERVER_ENVIRONMENT | {"PGPASSWORD": self.password},
            capture_output=True,
            text=True,
            check=False,
        )
        if done.returncode != 0:
            raise ServerStartError(f"PostgreSQL refused: {done.stderr.strip()}")

    def _fill_data(self, folder: Path) -> None:
        password_file = self._state.path / f"{self.name}.password"
        write_private(password_file, self.password)
        self._give(password_file)
        try:
            options = (f"--pgdata={folder}", f"--username={DATABASE_OWNER}", f"--pwfile={password_file}")
            initdb = self._spawn_binary("initdb", *INITDB_OPTIONS, *options)
            if initdb.wait() != 0:
                raise ServerStartError(f"initdb failed. The end of {self.log}:\n{read_tail(self.log)}")
        finally:
            password_file.unlink()

    def _spawn(self) -> subprocess.Popen[bytes]:
        # Whoever wrote this file has ended: `stop_leftover` saw to it. Its pid may be another process's by now,
        # which would keep PostgreSQL from starting.
        self._status_file.unlink(missing_ok=True)
        settings = POSTGRES_SETTINGS | {"port": str(self.port)}
        return self._spawn_binary(
            "postgres", "-D", str(self.data), *(f"--{key}={value}" for key, value in settings.items())
        )

    def _answers(self) -> bool:
        """Whether the server's own status file says so: its first line is the pid, its eighth the state."""
        try:
            lines = self._status_file.read_text().splitlines()
        except FileNotFoundError:
            return False
        return len(lines) >= 8 and lines[0] == str(self.pid) and lines[7].strip() == "ready"

    @property
    def _status_file(self) -> Path:
        return self.data / "postmaster.pid"
