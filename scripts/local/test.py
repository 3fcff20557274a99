"""On which servers do the tests run? On those the environment names, else on ones of their own, never on the hub's."""

from __future__ import annotations

import sys
from pathlib import Path

from scripts.local.chromium import install_chromium, open_pages
from scripts.local.console import run_command
from scripts.local.environment import DEVELOPMENT, enter
from scripts.local.foreground import run_in_foreground
from scripts.local.hub import hub_environment
from scripts.local.servers import local_servers
from scripts.local.state import temporary_state

# Without arguments, all tests: two at a time, as most of the acceptance tests' time is waiting. Those of a file share a hub.
ALL_TESTS = ("-n", "2", "--dist", "loadfile")


def main() -> int:
    enter(DEVELOPMENT)
    if open_pages(sys.argv[1:], folder=Path.cwd()):
        install_chromium()
    with temporary_state() as state, local_servers(state) as servers:
        command = [sys.executable, "-P", "-m", "pytest", *(sys.argv[1:] or ALL_TESTS)]
        return run_in_foreground(command, environment=hub_environment(state, servers))


if __name__ == "__main__":
    run_command(main)
