"""Who is alive? Every process of the hub has a row in PostgreSQL, and says in it from time to time that it is there.

Right for any number of machines, and without anything that workers would have to tell each other. The clock is the
database's, so nobody is dead because clocks differ.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import partial

from django.db import DatabaseError, connection

from webhookhub.models import ProcessKind

logger = logging.getLogger("webhookhub.presence")

SEEN_EVERY_SECONDS = 10.0
# Three times missed, and a moment for a slow database.
ALIVE_FOR_SECONDS = 35.0
# Beat is seen by its sweeps alone, and those may be a minute apart: two of them missed, and a moment.
BEAT_ALIVE_FOR_SECONDS = 130.0
# For so long a process that was not told to end is shown as missing.
REMEMBERED_SECONDS = 600.0
CLOSE_SECONDS = 5.0

BEAT_NAME = "beat"


@dataclass(frozen=True, kw_only=True, slots=True)
class SeenProcess:
    """A process of the hub as it said of itself."""

    kind: ProcessKind
    name: str
    queues: tuple[str, ...]
    children: int
    waiting_events: int
    started_at: datetime
    seen_seconds_ago: float

    @property
    def is_alive(self) -> bool:
        """Whether it was there a moment ago; one that was told to end is not known any more."""
        alive_for_seconds = BEAT_ALIVE_FOR_SECONDS if self.kind == ProcessKind.BEAT else ALIVE_FOR_SECONDS
        return self.seen_seconds_ago <= alive_for_seconds


def read_processes() -> list[SeenProcess]:
    """All that are alive, and those that went without a word lately; workers by their names."""
    with connection.cursor() as cursor:
        cursor.execute(
            """SELECT kind, name, queues, children, waiting_events, started_at,
                      greatest(extract(epoch FROM clock_timestamp() - seen_at), 0)
                 FROM webhookhub_process
                WHERE kind = 'beat' OR seen_at > now() - %s * interval '1 second'
                ORDER BY kind, name""",
            [REMEMBERED_SECONDS],
        )
        return [
            SeenProcess(
                kind=ProcessKind(kind),
                name=name,
                queues=tuple(queues),
                children=children,
                waiting_events=waiting_events,
                started_at=started_at,
                seen_seconds_ago=float(seen_seconds_ago),
            )
            for kind, name, queues, children, waiting_events, started_at, seen_seconds_ago in cursor.fetchall()
        ]


def see(
    kind: ProcessKind,
    name: str,
    *,
    is_new: bool,
    queues: Sequence[str] = (),
    children: int = 0,
    waiting_events: int = 0,
) -> None:
    """Write that this process is there. One that is new takes the place of whoever had its name before."""
    with connection.cursor() as cursor:
        cursor.execute(
            _SEE,
            {
                "kind": kind.value,
                "name": name,
                "is_new": is_new,
                "queues": list(queues),
                "children": children,
                "waiting_events": waiting_events,
            },
        )


def see_beat() -> None:
    """A sweep runs, so there is a beat that asked for it."""
    see(ProcessKind.BEAT, BEAT_NAME, is_new=False)


def forget(kind: ProcessKind, name: str) -> None:
    """It has ended as it was told to. Those that ended otherwise a while ago are forgotten too."""
    with connection.cursor() as cursor:
        cursor.execute(
            """DELETE FROM webhookhub_process
                WHERE kind = %s AND name = %s
                   OR kind <> 'beat' AND seen_at < now() - %s * interval '1 second'""",
            [kind.value, name, REMEMBERED_SECONDS],
        )


class Presence:
    """Says that this process is there, from a thread of its own, until it ends."""

    def __init__(
        self,
        kind: ProcessKind,
        name: str,
        *,
        queues: Sequence[str] = (),
        children: int = 0,
        waiting_events: Callable[[], int] = lambda: 0,
    ) -> None:
        self._kind, self._name, self._queues, self._children = kind, name, queues, children
        self._waiting_events = waiting_events
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._run, name="presence", daemon=True)

    def start(self) -> None:
        """Be seen from now on."""
        self._thread.start()

    def end(self) -> None:
        """Be forgotten, at once where the database answers."""
        self._ended.set()
        if self._thread.is_alive():
            self._thread.join(CLOSE_SECONDS)

    def _run(self) -> None:
        self._write(partial(self._see, is_new=True))
        while not self._ended.wait(SEEN_EVERY_SECONDS):
            self._write(partial(self._see, is_new=False))
        self._write(partial(forget, self._kind, self._name))

    def _see(self, *, is_new: bool) -> None:
        see(
            self._kind,
            self._name,
            is_new=is_new,
            queues=self._queues,
            children=self._children,
            waiting_events=self._waiting_events(),
        )

    def _write(self, write: Callable[[], None]) -> None:
        """A connection for each: none is kept for ten seconds, nor inherited by a process that a worker forks."""
        try:
            write()
        except DatabaseError as error:
            logger.warning("database away", extra={"seen": self._name, "reason": str(error)[:200]})
        finally:
            connection.close()


_SEE = """
    INSERT INTO webhookhub_process AS process (kind, name, queues, children, waiting_events, started_at, seen_at)
    VALUES (%(kind)s, %(name)s, %(queues)s::text[], %(children)s, %(waiting_events)s, clock_timestamp(), clock_timestamp())
        ON CONFLICT (kind, name) DO UPDATE
       SET queues = excluded.queues, children = excluded.children, waiting_events = excluded.waiting_events,
           started_at = CASE WHEN %(is_new)s THEN excluded.started_at ELSE process.started_at END,
           seen_at = excluded.seen_at
"""
