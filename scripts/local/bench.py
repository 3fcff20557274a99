"""On which servers does `scripts/bench` measure? On ones of its own, on disk, that are gone afterwards."""

from __future__ import annotations

import sys

from scripts.local.console import run_command
from scripts.local.environment import RUN, enter
from scripts.local.foreground import run_in_foreground
from scripts.local.hub import hub_environment
from scripts.local.servers import local_servers
from scripts.local.state import temporary_state


def main() -> int:
    enter(RUN)
    with temporary_state() as state, local_servers(state) as servers:
        command = [sys.executable, "-P", "-m", "scripts.benchmark", *sys.argv[1:]]
        return run_in_foreground(command, environment=hub_environment(state, servers))


if __name__ == "__main__":
    run_command(main)
