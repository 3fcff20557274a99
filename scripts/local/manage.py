"""How does `scripts/manage COMMAND` reach the hub that `scripts/run` has up? With that hub's own environment."""

from __future__ import annotations

import os
import sys

from scripts.local.console import run_command
from scripts.local.state import CHECKOUT, StateFolder, default_state_folder


def main() -> int:
    hub = StateFolder(default_state_folder(os.environ)).announced_hub()
    python = hub["WEBHOOKHUB_PYTHON"]
    os.execve(python, [python, "-P", str(CHECKOUT / "manage.py"), *sys.argv[1:]], os.environ | hub)  # noqa: S606 - our own Python, no shell wanted


if __name__ == "__main__":
    run_command(main)
