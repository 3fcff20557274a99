"""A process for the tests to kill: it holds the local servers of the folder named on its command line.

Prints one line of JSON when they are up, and stops them when its standard input ends.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

from scripts.local import processes
from scripts.local.console import run_command, say
from scripts.local.servers import local_servers
from scripts.local.state import StateFolder


def main() -> int:
    if "--without-death-signal" in sys.argv:
        # As on macOS, whose kernel has nothing of the kind.
        processes._LIBC = None
    with local_servers(StateFolder(Path(sys.argv[1])), environment={}) as servers:
        urls = {"database_url": servers.database_url, "broker_url": servers.broker_url}
        say(json.dumps(urls | {"pids": [servers.postgresql.pid, servers.valkey.pid]}))
        sys.stdin.read()
    return 0


if __name__ == "__main__":
    run_command(main)
