"""Who answers the deliveries? nginx where it is installed, else a receiver of our own; and one that never answers."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import signal
import socket
import sys
from collections.abc import Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass
from http.client import HTTPConnection
from pathlib import Path
from urllib.parse import urlsplit

from scripts.benchmark.errors import ReceiverNotStarted
from scripts.local.embedded import find_free_port
from scripts.local.processes import spawn, stop, wait_until
from scripts.local.roles import SERVER_STOP
from scripts.local.state import CHECKOUT

START_TIMEOUT_SECONDS = 15.0
NANOSECONDS = 1e9
# Connections that an endpoint which never answers holds; the kernel takes them, no process does.
SILENT_BACKLOG = 4096
# Of our own receiver where it only answers: one of them answers about as many requests as a worker process sends.
OWN_PROCESSES = 2
# Where Debian puts nginx is not on every user's PATH.
NGINX_PATH = os.pathsep.join((os.environ.get("PATH", os.defpath), "/usr/sbin", "/usr/local/sbin"))


@dataclass(frozen=True, kw_only=True, slots=True)
class Receiver:
    """Something that answers 200 to every POST."""

    urls: tuple[str, ...]
    """Each its own host, as far as this system lets us, so that no two share connections."""


class NotingReceiver(Receiver):
    """One that can be asked when it received each event."""

    def receipts(self) -> dict[str, float]:
        """The moment (`time.monotonic`) of each event's first receipt, by the id that the receiver saw."""
        host = urlsplit(self.urls[0]).netloc
        with closing(HTTPConnection(host, timeout=START_TIMEOUT_SECONDS)) as connection:
            connection.request("GET", "/receipts")
            moments_ns: dict[str, int] = json.load(connection.getresponse())
        return {event_id: moment_ns / NANOSECONDS for event_id, moment_ns in moments_ns.items()}


def receiver_name() -> str:
    """What `running_receiver` starts."""
    return "nginx, 1 process" if _find_nginx() else f"asyncio, {OWN_PROCESSES} processes"


@contextlib.contextmanager
def running_receiver(folder: Path, *, endpoints: int) -> Iterator[Receiver]:
    """The fastest receiver there is, answering at so many endpoints. Raises ReceiverNotStarted."""
    hosts, port = _hosts(endpoints), find_free_port()
    if nginx := _find_nginx():
        conf = _write_nginx_conf(folder, hosts, port)
        command = [nginx, "-p", str(folder), "-e", str(folder / "nginx.log"), "-c", str(conf)]
    else:
        command = _own_command(hosts, port, processes=OWN_PROCESSES)
    with _running(command, hosts, port, log=folder / "receiver.log") as receiver:
        yield receiver


@contextlib.contextmanager
def noting_receiver(folder: Path, *, endpoints: int) -> Iterator[NotingReceiver]:
    """A receiver that notes when each event came. Raises ReceiverNotStarted."""
    hosts, port = _hosts(endpoints), find_free_port()
    with _running(_own_command(hosts, port, processes=1), hosts, port, log=folder / "receiver.log") as receiver:
        yield NotingReceiver(urls=receiver.urls)


@contextlib.contextmanager
def slow_receiver(folder: Path, *, endpoints: int, answer_seconds: float) -> Iterator[Receiver]:
    """A receiver that takes its time for every answer, however many it is asked for at once. Raises ReceiverNotStarted."""
    hosts, port = _hosts(endpoints), find_free_port()
    command = _own_command(hosts, port, processes=1, answer_seconds=answer_seconds)
    with _running(command, hosts, port, log=folder / "receiver.log") as receiver:
        yield receiver


@contextlib.contextmanager
def silent_endpoint() -> Iterator[str]:
    """The URL of an endpoint that accepts connections and requests, and stays silent."""
    with socket.create_server(("127.0.0.1", 0), backlog=SILENT_BACKLOG) as listening:
        yield f"http://127.0.0.1:{listening.getsockname()[1]}/webhook"


def _own_command(hosts: Sequence[str], port: int, *, processes: int, answer_seconds: float = 0) -> list[str]:
    options = (str(port), str(processes), str(answer_seconds))
    return [sys.executable, "-P", "-m", "scripts.benchmark.receiver", *options, *hosts]


@contextlib.contextmanager
def _running(command: Sequence[str], hosts: Sequence[str], port: int, *, log: Path) -> Iterator[Receiver]:
    process = spawn(
        command,
        death_signal=signal.SIGTERM,
        log=log,
        environment=os.environ | {"PYTHONPATH": str(CHECKOUT)},
        folder=CHECKOUT,
    )
    try:
        wait_until(
            lambda: process.poll() is not None or answers_at(hosts[-1], port), timeout_seconds=START_TIMEOUT_SECONDS
        )
        if process.poll() is not None or not answers_at(hosts[-1], port):
            raise ReceiverNotStarted(f"The receiver does not answer at port {port}: {log.read_text()[-2000:]}")
        yield Receiver(urls=tuple(f"http://{host}:{port}/webhook/{number}" for number, host in enumerate(hosts)))
    finally:
        stop(process, steps=SERVER_STOP)


def _hosts(count: int) -> list[str]:
    # Only Linux answers at all of 127.0.0.0/8 without being asked to.
    if sys.platform != "linux":
        return ["127.0.0.1"] * count
    return [f"127.0.{number // 250}.{number % 250 + 1}" for number in range(count)]


def _find_nginx() -> str | None:
    return shutil.which("nginx", path=NGINX_PATH)


def _write_nginx_conf(folder: Path, hosts: Sequence[str], port: int) -> Path:
    temporary_paths = "".join(
        f"    {kind}_temp_path {folder}/{kind};\n" for kind in ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")
    )
    listen = "".join(f"        listen {host}:{port};\n" for host in dict.fromkeys(hosts))
    conf = folder / "nginx.conf"
    conf.write_text(
        f"daemon off;\nworker_processes 1;\npid {folder}/nginx.pid;\nerror_log {folder}/nginx.log;\n"
        "events { worker_connections 8192; }\n"
        "http {\n    access_log off;\n    keepalive_requests 100000000;\n    keepalive_timeout 75;\n"
        f"{temporary_paths}    server {{\n{listen}        location / {{ return 200; }}\n    }}\n}}\n"
    )
    return conf


def answers_at(host: str, port: int) -> bool:
    try:
        socket.create_connection((host, port), timeout=1).close()
    except OSError:
        return False
    return True
