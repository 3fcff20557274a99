"""How does the receiver start? `python -m scripts.local.receiver` listens where WEBHOOKHUB_DEMO_RECEIVER_URL says."""

from __future__ import annotations

import os
from functools import partial
from urllib.parse import urlsplit

from scripts.local.console import run_command, say
from scripts.local.errors import StepError
from scripts.local.receiver.endpoints import read_agreement
from scripts.local.receiver.server import Receiver
from scripts.local.state import StateFolder, default_state_folder

EXAMPLE_URL = "http://127.0.0.1:8001"


def main() -> int:
    address = _read_address(os.environ.get("WEBHOOKHUB_DEMO_RECEIVER_URL", ""))
    state = StateFolder(default_state_folder(os.environ))
    state.make()
    with Receiver(address, partial(read_agreement, state)) as receiver:
        say(f"The receiver shows what arrives at {receiver.url}/")
        receiver.serve_forever()
    return 0


def _read_address(url: str) -> tuple[str, int]:
    try:
        parts = urlsplit(url)
        host, port = parts.hostname, parts.port
    except ValueError:
        host = port = None
    if host is None or port is None:
        raise StepError(f"WEBHOOKHUB_DEMO_RECEIVER_URL is {url!r}; it has to be a URL such as {EXAMPLE_URL}")
    return host, port


if __name__ == "__main__":
    run_command(main)
