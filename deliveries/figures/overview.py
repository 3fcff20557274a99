"""How is the hub now? What is outstanding, who is alive, what waits in the queues, and how far behind the figures are."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from django.db import connection

from deliveries.figures.backlog import Backlog, read_backlog
from webhookhub import doorbell
from webhookhub.models import ProcessKind
from webhookhub.presence import SeenProcess, read_processes


@dataclass(frozen=True, kw_only=True, slots=True)
class Overview:
    """The hub at one moment."""

    backlog: Backlog
    queues: Mapping[str, int] | None
    """Messages that wait in each queue; None where the broker is away."""
    processes: Sequence[SeenProcess]
    tally_lag_seconds: float
    """For how long what was counted has been waiting to be added to the figures; 0 where nothing is."""

    def alive(self, kind: ProcessKind) -> list[SeenProcess]:
        """The processes of this kind that were there a moment ago."""
        return [process for process in self.processes if process.kind == kind and process.is_alive]

    def workers_of(self, queue: str) -> list[SeenProcess]:
        """The workers that take messages from this queue."""
        return [worker for worker in self.alive(ProcessKind.WORKER) if queue in worker.queues]

    @property
    def last_sweep_seconds_ago(self) -> float | None:
        """None where there has never been one."""
        return next((one.seen_seconds_ago for one in self.processes if one.kind == ProcessKind.BEAT), None)

    @property
    def waiting_events(self) -> int:
        """Events that web processes have yet to record, as each said within the last seconds."""
        return sum(process.waiting_events for process in self.alive(ProcessKind.WEB))


def read_overview() -> Overview:
    """Asked of PostgreSQL and the broker. Raises DatabaseError where PostgreSQL is away."""
    return Overview(
        backlog=read_backlog(),
        queues=doorbell.read_depths(),
        processes=read_processes(),
        tally_lag_seconds=_read_tally_lag_seconds(),
    )


def _read_tally_lag_seconds() -> float:
    with connection.cursor() as cursor:
        cursor.execute(
            """SELECT greatest(extract(epoch FROM now() - recorded_at), 0)
                 FROM webhookhub_tally ORDER BY id LIMIT 1"""
        )
        found = cursor.fetchone()
    return 0.0 if found is None else float(found[0])
