"""Does somebody wind the clock, and does what is due get done? celery-beat's entries, and how far behind the sweep is."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from typing import Any

from django.apps import apps
from django.db import connection
from django.utils import timezone

from deliveries.doctor.finding import Finding, Severity
from webhookhub import doorbell
from webhookhub.conf import hub_settings

AREA = "schedule"
SWEEP, MAINTENANCE = "deliveries.sweep", "deliveries.maintain_partitions"
# celery-beat writes down every three minutes when it last rang.
BEAT_SILENT = timedelta(minutes=5)
# A sweep that is not behind has looked at every row whose moment came so long ago.
LATE_SECONDS = 60
# A sweep every two seconds, and nobody who takes them, for some minutes.
LONG_QUEUE = 100
_START_BEAT = "start the role `beat`, once: python -m celery -A config beat"
_START_WORKER = "start the role `worker`: python -m celery -A config worker -Q fanout,maintenance"


def examine_schedule() -> list[Finding]:
    """What celery-beat and the sweep leave behind in the database and the broker. Raises DatabaseError."""
    wrong = [*_beat(), *_queue(), *_overdue()]
    return wrong or [Finding(area=AREA, severity=Severity.OK, what="celery-beat rings, and what is due is looked at")]


def _beat() -> Iterator[Finding]:
    if not apps.is_installed("django_celery_beat"):
        return
    entries: dict[str, Any] = {
        entry.task: entry
        for entry in apps.get_model("django_celery_beat", "PeriodicTask")._default_manager.order_by("last_run_at")
    }
    for task in (SWEEP, MAINTENANCE):
        if task not in entries:
            yield _bad(f"celery-beat has no entry for {task}: it never started", _START_BEAT)
        elif not entries[task].enabled:
            yield _bad(
                f"celery-beat's entry for {task} is switched off", "enable it in the admin, under Periodic tasks"
            )
    sweep = entries.get(SWEEP)
    if sweep is not None and sweep.enabled:
        yield from _silence(sweep)


def _silence(sweep: Any) -> Iterator[Finding]:
    last = sweep.last_run_at or sweep.date_changed
    if (silent := timezone.now() - last) > BEAT_SILENT:
        yield _bad(f"celery-beat last rang for the sweep {silent.total_seconds() / 60:.0f} minutes ago", _START_BEAT)


def _queue() -> Iterator[Finding]:
    if (waiting := doorbell.waiting(doorbell.MAINTENANCE)) > LONG_QUEUE:
        yield _bad(f"{waiting} messages wait in the queue `{doorbell.MAINTENANCE}`: nobody takes them", _START_WORKER)


def _overdue() -> Iterator[Finding]:
    late_seconds = LATE_SECONDS + hub_settings().sweep_seconds
    with connection.cursor() as cursor:
        cursor.execute(_OLDEST)
        late = [(table, seconds) for table, seconds in cursor.fetchall() if (seconds or 0) > late_seconds]
    for table, seconds in late:
        what = f"{table} has a row that the sweep should have looked at {seconds} s ago"
        yield _bad(what, f"see that beat rings, and {_START_WORKER}")


def _bad(what: str, remedy: str) -> Finding:
    return Finding(area=AREA, severity=Severity.ERROR, what=what, remedy=remedy)


_OLDEST = """
    SELECT 'webhookhub_event', extract(epoch FROM now() - min(wake_at))::int FROM webhookhub_event
     UNION ALL
    SELECT 'webhookhub_delivery', extract(epoch FROM now() - min(wake_at))::int FROM webhookhub_delivery
"""
