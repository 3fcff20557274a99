"""How does a command hand its terminal to another program, and still clean up after it?"""

from __future__ import annotations

import signal
import subprocess
from collections.abc import Mapping, Sequence

# For pytest to tear down its fixtures after Ctrl-C.
GRACE_SECONDS = 30.0


def run_in_foreground(command: Sequence[str], *, environment: Mapping[str, str]) -> int:
    """Run `command` with our terminal, so that a debugger can be used in it. Returns its exit code."""
    with subprocess.Popen(command, env=environment) as process:
        try:
            return process.wait()
        except KeyboardInterrupt as interrupt:
            # The terminal sends Ctrl-C to both of us; anything else came to us alone.
            if interrupt.args != (signal.SIGINT,):
                process.send_signal(signal.SIGINT)
            try:
                return process.wait(GRACE_SECONDS)
            except subprocess.TimeoutExpired:
                process.kill()
                raise
