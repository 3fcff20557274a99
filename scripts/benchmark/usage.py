"""What does a process cost? CPU time and memory of whole sessions, and of PostgreSQL, from Linux's /proc."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from django.db import connection

from scripts.benchmark.scenario import MICROSECONDS

_PROC = Path("/proc")
_TICKS_A_SECOND = os.sysconf("SC_CLK_TCK")
_KILOBYTES_A_MEGABYTE = 1000


@dataclass(frozen=True, kw_only=True, slots=True)
class _Process:
    """A line of /proc/PID/stat (proc(5))."""

    pid: int
    parent: int
    session: int
    own_ticks: int
    reaped_ticks: int
    """Of children that have ended."""


def session_cpu_seconds(leader: int) -> float | None:
    """CPU seconds of all processes of a session since they began; None where there is no /proc."""
    if sys.platform != "linux":
        return None
    return sum(process.own_ticks + process.reaped_ticks for process in _session(leader)) / _TICKS_A_SECOND


def session_peak_mb(leader: int) -> list[float]:
    """The largest resident size that each process of a session ever had, in megabytes, the largest first."""
    if sys.platform != "linux":
        return []
    return sorted((_peak_kilobytes(process.pid) / _KILOBYTES_A_MEGABYTE for process in _session(leader)), reverse=True)


def postgresql_cpu_seconds() -> float | None:
    """CPU seconds of all of PostgreSQL since it began, other databases included: nobody else should use it meanwhile.

    None where it runs on another machine, or there is no /proc.
    """
    if (postmaster := _find_postmaster()) is None:
        return None
    processes = list(_processes())
    ticks = sum(process.own_ticks for process in processes if postmaster in (process.pid, process.parent))
    ticks += sum(process.reaped_ticks for process in processes if process.pid == postmaster)
    return ticks / _TICKS_A_SECOND


def cpu_us(before: float | None, after: float | None, *, count: int) -> float | None:
    """CPU microseconds for each of `count`, from the CPU seconds before and after; None where one is not known."""
    return None if before is None or after is None else (after - before) / count * MICROSECONDS


def _find_postmaster() -> int | None:
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_backend_pid(), current_database()")
        backend, database = cursor.fetchone()
    try:
        title = (_PROC / str(backend) / "cmdline").read_bytes()
    except OSError:
        return None
    # The same number on another machine is another process: only our own backend names our database.
    if not title.startswith(b"postgres:") or database.encode() not in title:
        return None
    return next((process.parent for process in _processes() if process.pid == backend), None)


def _session(leader: int) -> Iterable[_Process]:
    return (process for process in _processes() if process.session == leader)


def _processes() -> Iterator[_Process]:
    for folder in _PROC.iterdir():
        if not folder.name.isdecimal():
            continue
        try:
            text = (folder / "stat").read_text()
        except (FileNotFoundError, ProcessLookupError):
            # It ended while we looked around.
            continue
        # The name in the second field may hold spaces and parentheses: count from its end.
        _state, parent, _group, session, *rest = text.rpartition(")")[2].split()
        own_user, own_system, reaped_user, reaped_system = map(int, rest[7:11])
        yield _Process(
            pid=int(folder.name),
            parent=int(parent),
            session=int(session),
            own_ticks=own_user + own_system,
            reaped_ticks=reaped_user + reaped_system,
        )


def _peak_kilobytes(pid: int) -> int:
    for line in (_PROC / str(pid) / "status").read_text().splitlines():
        if line.startswith("VmHWM:"):
            return int(line.split()[1])
    return 0
