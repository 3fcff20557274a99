"""What does `scripts/run` do, from an empty machine to a hub that has delivered its demo events?"""

from __future__ import annotations

import argparse
import os
import secrets
import socket
import sys
import time
from collections.abc import Mapping

from scripts.local.console import run_command, say
from scripts.local.embedded import HOST
from scripts.local.environment import RUN, enter
from scripts.local.errors import StepError
from scripts.local.hub import hub_environment
from scripts.local.roles import BEAT, DELIVERIES, RECEIVER, WEB, WORKER
from scripts.local.servers import LocalServers, local_servers
from scripts.local.state import StateFolder, default_state_folder
from scripts.local.supervisor import Supervisor

DEFAULT_PORT = 8000
HIGHEST_PORT = 65_535
POLL_SECONDS = 0.5
DEMO = ("-m", "scripts.local.demo")
ADMIN_USER = "admin"
ADMIN_PASSWORD_BYTES = 12
API_KEY_BYTES = 32


def main() -> int:
    """Bring the hub up, let the demo happen, and stop all of it: at once with --once, else when it is told to.

    Raises StepError.
    """
    options = _parse_options()
    wanted_port = _read_port(os.environ)
    state = StateFolder(default_state_folder(os.environ))
    # Before the packages are installed: a folder that cannot be is better said at once.
    state.make()
    enter(RUN)
    started_at = time.monotonic()
    with local_servers(state) as servers:
        say(f"PostgreSQL and the broker are up ({time.monotonic() - started_at:.1f} s). Their data is in {state.path}.")
        environment = _demo_environment(state, servers, wanted_port=wanted_port)
        with Supervisor(state, environment=environment) as hub:
            _start(hub, base_url=environment["WEBHOOKHUB_BASE_URL"])
            state.announce_hub(environment | {"WEBHOOKHUB_PYTHON": sys.executable})
            if hub.run_aloud(*DEMO, "emit") != 0:
                raise StepError(f"Not every demo event was delivered and verified. Logs are in {state.logs}.")
            _say_where_to_look(environment, state)
            if not options.once:
                _wait_for_ctrl_c(hub, servers)
            say("Stopping ...")
    return 0


def _parse_options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="scripts/run",
        description="Starts WebhookHub, its servers, a demo and a receiver on this machine. Ctrl-C stops all of it.",
        epilog="WEBHOOKHUB_STATE names the folder of its data, WEBHOOKHUB_PORT the web port (8000). "
        "Where DATABASE_URL or CELERY_BROKER_URL is set, that server is used and none is started in its place.",
    )
    parser.add_argument(
        "--once", action="store_true", help="stop when the demo events are delivered; 0 if all of them were"
    )
    return parser.parse_args()


def _read_port(environment: Mapping[str, str]) -> int:
    text = environment.get("WEBHOOKHUB_PORT") or str(DEFAULT_PORT)
    if not text.isascii() or not text.isdigit() or not 0 < int(text) <= HIGHEST_PORT:
        raise StepError(f"WEBHOOKHUB_PORT is {text!r}; it has to be a number from 1 to {HIGHEST_PORT}.")
    return int(text)


def _demo_environment(state: StateFolder, servers: LocalServers, *, wanted_port: int) -> dict[str, str]:
    """The hub's environment and what `scripts.local.demo` and `scripts.local.receiver` are told."""
    port = _free_port_from(wanted_port)
    if port != wanted_port:
        say(f"Port {wanted_port} is taken: the hub uses {port}.")
    return hub_environment(state, servers) | {
        "GRANIAN_HOST": HOST,
        "GRANIAN_PORT": str(port),
        "WEBHOOKHUB_BASE_URL": f"http://{HOST}:{port}",
        "WEBHOOKHUB_ALLOWED_HOSTS": f"{HOST},localhost",
        "WEBHOOKHUB_DEMO_RECEIVER_URL": f"http://{HOST}:{_free_port_from(port + 1)}",
        "WEBHOOKHUB_DEMO_ADMIN_USER": ADMIN_USER,
        "WEBHOOKHUB_DEMO_ADMIN_PASSWORD": state.secret(
            "admin-password", draw=lambda: secrets.token_urlsafe(ADMIN_PASSWORD_BYTES)
        ),
        "WEBHOOKHUB_DEMO_API_KEY": state.secret("demo-api-key", draw=lambda: f"whk_{secrets.token_hex(API_KEY_BYTES)}"),
    }


def _free_port_from(first: int) -> int:
    for port in range(first, HIGHEST_PORT + 1):
        with socket.socket() as probe:
            # A port whose last connections are still closing counts as free, one with a listener does not.
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind((HOST, port))
            except OSError:
                continue
            return port
    raise StepError(f"No port from {first} to {HIGHEST_PORT} is free. Name a lower one in WEBHOOKHUB_PORT.")


def _start(hub: Supervisor, *, base_url: str) -> None:
    hub.run_step("Migrating the database", "manage.py", "migrate", "--no-input")
    hub.start(RECEIVER)
    hub.run_step("Preparing the demo account", *DEMO, "prepare")
    for role in (DELIVERIES, WORKER, BEAT, WEB):
        hub.start(role)
    hub.wait_for_page("Starting the web server and the workers", url=f"{base_url}/readyz")


def _say_where_to_look(environment: Mapping[str, str], state: StateFolder) -> None:
    base_url = environment["WEBHOOKHUB_BASE_URL"]
    say(f"""
  admin      {base_url}/admin/   user {ADMIN_USER}, password {environment["WEBHOOKHUB_DEMO_ADMIN_PASSWORD"]}
  API key    {environment["WEBHOOKHUB_DEMO_API_KEY"]}
  receiver   {environment["WEBHOOKHUB_DEMO_RECEIVER_URL"]}/
  logs       {state.logs}
""")


def _wait_for_ctrl_c(hub: Supervisor, servers: LocalServers) -> None:
    say("The hub is up. scripts/manage COMMAND runs manage.py against it; Ctrl-C stops everything.")
    try:
        while True:
            hub.check()
            servers.check()
            time.sleep(POLL_SECONDS)
    except KeyboardInterrupt:
        return


if __name__ == "__main__":
    run_command(main)
