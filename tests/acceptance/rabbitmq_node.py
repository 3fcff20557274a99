"""How does a RabbitMQ run that a test may end, beside the machine's own and without a trace of it?"""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import socket
import subprocess
from collections.abc import Iterator
from pathlib import Path

import amqp
from amqp.exceptions import AMQPError

from scripts.local.embedded import HOST, SERVER_ENVIRONMENT, EmbeddedServer, find_free_port
from scripts.local.errors import BinariesMissingError, ServerStartError
from scripts.local.processes import spawn, stop, wait_until
from scripts.local.state import StateFolder, temporary_state

# Where packages put it. What they have in /usr/sbin becomes the machine's own `rabbitmq` user first.
SERVER_FOLDERS = ("/usr/lib/rabbitmq/bin", "/usr/local/sbin", "/opt/homebrew/sbin", "/usr/sbin")
NODE_NAME = "webhookhub-tests@localhost"
CONNECT_TIMEOUT_SECONDS = 1.0
EPMD_TIMEOUT_SECONDS = 10.0


class RabbitMQNode(EmbeddedServer):
    """A RabbitMQ of the machine's installation, with everything that it writes in a state folder."""

    name = "rabbitmq"
    death_signal = signal.SIGTERM
    # Its script hears of the signal, and lets the node end in the orderly way.
    stop_steps = ((signal.SIGTERM, 30.0),)

    def __init__(self, state: StateFolder, *, epmd_port: int) -> None:
        super().__init__(state)
        self._server = find_program("rabbitmq-server")
        self._epmd_port = epmd_port

    @property
    def url(self) -> str:
        return f"amqp://guest:guest@{HOST}:{self.port}//"

    def drop_connections(self) -> None:
        """Close every client's connection, and go on."""
        self._control("close_all_connections", "a test")

    def limit_memory(self, share: float) -> None:
        """From this share of the machine's memory on it takes no messages: 0 is at once, 0.4 is usual."""
        self._control("set_vm_memory_high_watermark", str(share))

    def _control(self, *command: str) -> None:
        subprocess.run(
            [find_program("rabbitmqctl"), "-q", "-n", NODE_NAME, *command],
            env=self._environment(),
            cwd=self.data,
            user=None if self._account is None else self._account.uid,
            group=None if self._account is None else self._account.gid,
            capture_output=True,
            check=True,
        )

    def _fill_data(self, folder: Path) -> None:
        """Leave it empty: RabbitMQ makes its files itself."""

    def _spawn(self) -> subprocess.Popen[bytes]:
        return spawn(
            [self._server],
            death_signal=self.death_signal,
            log=self.log,
            environment=self._environment(),
            folder=self.data,
            account=self._account,
        )

    def _environment(self) -> dict[str, str]:
        """Every place where the node would otherwise read or write what is the machine's; absent files are empty ones."""
        absent = str(self.data / "absent")
        return {
            **SERVER_ENVIRONMENT,
            "PATH": os.environ["PATH"],
            # With the cookie, which is made at the first start.
            "HOME": str(self.data),
            "ERL_EPMD_ADDRESS": HOST,
            "ERL_EPMD_PORT": str(self._epmd_port),
            "ERL_CRASH_DUMP_SECONDS": "0",
            "RABBITMQ_NODENAME": NODE_NAME,
            "RABBITMQ_NODE_IP_ADDRESS": HOST,
            "RABBITMQ_NODE_PORT": str(self.port),
            "RABBITMQ_DIST_PORT": str(find_free_port()),
            "RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS": "-kernel inet_dist_use_interface {127,0,0,1}",
            "RABBITMQ_MNESIA_BASE": str(self.data / "mnesia"),
            "RABBITMQ_LOG_BASE": str(self.data / "log"),
            "RABBITMQ_PID_FILE": str(self.data / "pid"),
            "RABBITMQ_CONF_ENV_FILE": absent,
            "RABBITMQ_CONFIG_FILE": absent,
            "RABBITMQ_CONFIG_FILES": absent,
            "RABBITMQ_ADVANCED_CONFIG_FILE": absent,
            "RABBITMQ_ENABLED_PLUGINS_FILE": absent,
        }

    def _answers(self) -> bool:
        try:
            with amqp.Connection(f"{HOST}:{self.port}", connect_timeout=CONNECT_TIMEOUT_SECONDS):
                return True
        except (OSError, AMQPError):
            return False


@contextlib.contextmanager
def private_rabbitmq_node() -> Iterator[RabbitMQNode]:
    """A node that has started, and is gone at the end with all that it wrote. Raises BinariesMissingError."""
    with temporary_state() as state:
        state.make()
        with private_epmd(state) as epmd_port, RabbitMQNode(state, epmd_port=epmd_port) as node:
            yield node


@contextlib.contextmanager
def private_epmd(state: StateFolder) -> Iterator[int]:
    """The port of a name server for Erlang nodes: without it the first node would start one that nobody ends."""
    port = find_free_port()
    process = spawn(
        [find_program("epmd"), "-address", HOST, "-port", str(port)],
        death_signal=signal.SIGTERM,
        log=state.logs / "epmd.log",
        environment=SERVER_ENVIRONMENT,
        folder=Path("/"),
    )
    try:
        if not wait_until(lambda: listens(port), timeout_seconds=EPMD_TIMEOUT_SECONDS):
            raise ServerStartError(f"epmd does not listen on port {port}")
        yield port
    finally:
        stop(process, steps=())


def listens(port: int) -> bool:
    try:
        with socket.create_connection((HOST, port), timeout=CONNECT_TIMEOUT_SECONDS):
            return True
    except OSError:
        return False


def find_program(name: str) -> str:
    """The path of a program of RabbitMQ or Erlang. Raises BinariesMissingError."""
    folders = os.pathsep.join((*SERVER_FOLDERS, os.environ["PATH"]))
    if (found := shutil.which(name, path=folders)) is None:
        raise BinariesMissingError(f"{name} is not installed")
    return found
