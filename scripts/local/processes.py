"""How does a process start so that it never outlives its parent, and how is it stopped, now or at the next start?"""

from __future__ import annotations

import contextlib
import ctypes
import os
import signal
import subprocess
import sys
import time
import warnings
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from scripts.local.accounts import UnixAccount

# prctl(2): the kernel sends this process a signal when the thread that started it ends.
PR_SET_PDEATHSIG = 1
POLL_SECONDS = 0.02
LOG_TAIL_LINES = 12
# Loaded before any fork: loading a library between fork and exec can deadlock.
_LIBC = ctypes.CDLL(None, use_errno=True) if sys.platform == "linux" else None

StopSteps = Sequence[tuple[signal.Signals, float]]
"""Signals in order of severity, each with the seconds to wait for it to work."""


def spawn(
    command: Sequence[str | Path],
    *,
    death_signal: signal.Signals,
    log: Path | None,
    environment: Mapping[str, str] | None = None,
    folder: Path | None = None,
    account: UnixAccount | None = None,
    stdin: int = subprocess.DEVNULL,
) -> subprocess.Popen[bytes]:
    """Start `command` in a session of its own, its output appended to `log` (None: to where ours goes).

    Call it from the main thread: on Linux the child gets `death_signal` when the *thread* that started it ends.
    """
    with contextlib.nullcontext() if log is None else log.open("ab") as output, warnings.catch_warnings():
        # Python 3.12 warns of any fork beside threads.
        warnings.simplefilter("ignore", DeprecationWarning)
        return subprocess.Popen(
            [str(part) for part in command],
            stdin=stdin,
            stdout=output,
            stderr=None if output is None else subprocess.STDOUT,
            env=environment,
            cwd=folder,
            start_new_session=True,
            preexec_fn=_die_with_parent(death_signal),  # noqa: PLW1509 - it takes no lock that a thread may hold
            user=None if account is None else account.uid,
            group=None if account is None else account.gid,
            extra_groups=None if account is None else [],
        )


def stop(process: subprocess.Popen[bytes], *, steps: StopSteps) -> None:
    """Send each signal of `steps` until the process has ended; SIGKILL to its whole session is always the last."""
    for number, grace_seconds in steps:
        if process.poll() is not None:
            break
        process.send_signal(number)
        try:
            process.wait(grace_seconds)
        except subprocess.TimeoutExpired:
            continue
    kill_session(process.pid)
    process.wait()


def kill_session(pid: int) -> None:
    """Kill what is left of the session that `pid` leads: workers of a worker that did not end in time."""
    try:
        os.killpg(pid, signal.SIGKILL)
    except (ProcessLookupError, PermissionError):
        # macOS answers EPERM where only zombies are left in the group.
        return


def remember(process: subprocess.Popen[bytes], pid_file: Path) -> None:
    """Write down which process this is, so that `stop_leftover` finds it after a kill -9 of its parent."""
    pid_file.write_text(f"{process.pid} {started_at(process.pid)}")


def stop_leftover(pid_file: Path, *, steps: StopSteps) -> None:
    """Stop the process that an earlier parent remembered in `pid_file`, if that very process still lives."""
    if not pid_file.exists():
        return
    pid_text, _, remembered = pid_file.read_text().partition(" ")
    pid = int(pid_text)

    def has_ended() -> bool:
        # A pid alone proves nothing: it may belong to somebody else by now.
        return started_at(pid) != remembered

    for number, grace_seconds in steps:
        if has_ended():
            break
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, number)
        wait_until(has_ended, timeout_seconds=grace_seconds)
    if not has_ended():
        kill_session(pid)
    pid_file.unlink()


def started_at(pid: int) -> str:
    """When the process began, in the words of the system; empty for one that has ended, zombies included."""
    if sys.platform != "linux":
        command = ["ps", "-o", "lstart=", "-p", str(pid)]
        return subprocess.run(command, capture_output=True, text=True, check=False).stdout.strip()
    try:
        # The name in the second field may hold spaces and parentheses: count from its end (proc(5)).
        state, *fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except (FileNotFoundError, ProcessLookupError):
        return ""
    return "" if state == "Z" else fields[18]


def wait_until(is_true: Callable[[], bool], *, timeout_seconds: float) -> bool:
    """Whether `is_true` came true before the time was over."""
    deadline = time.monotonic() + timeout_seconds
    while not (answer := is_true()) and time.monotonic() < deadline:
        time.sleep(POLL_SECONDS)
    return answer


def read_tail(log: Path) -> str:
    """The last lines of a log, for a message about the process that wrote it."""
    return "\n".join(log.read_text(errors="replace").splitlines()[-LOG_TAIL_LINES:])


def _die_with_parent(death_signal: signal.Signals) -> Callable[[], None] | None:
    """What the child does between fork and exec, after it has taken its account (a change of account undoes it)."""
    if _LIBC is None:
        # macOS has nothing like it: there `stop_leftover` does the work at the next start.
        return None
    libc, parent = _LIBC, os.getpid()

    def ask_for_death_signal() -> None:
        libc.prctl(PR_SET_PDEATHSIG, int(death_signal), 0, 0, 0)
        if os.getppid() != parent:
            # The parent ended before the request was made: no signal would ever come.
            os._exit(1)

    return ask_for_death_signal
