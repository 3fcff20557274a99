"""What is wrong with a hub that runs, and what is to be done about it? Judged from one look at it, with nobody asked."""

from __future__ import annotations

from collections.abc import Iterator

from deliveries.doctor.finding import Finding, Severity
from deliveries.operating.look import Hour, Look
from deliveries.sweep import LONG_QUEUE
from webhookhub import doorbell
from webhookhub.conf import HubSettings
from webhookhub.models import ProcessKind

# A hub that keeps up has the oldest on its way within a second or two.
WAITS_SECONDS = 60.0
WAITS_LONG_SECONDS = 600.0
# Many sweeps in a row that never ran; where they follow closely, a busy worker may be late by some of them.
MISSED_SWEEPS = 5
SWEEP_SILENT_SECONDS = 30.0
LATE_SECONDS = 120.0
TALLY_LATE_SECONDS = 60.0
# Fewer attempts say little about all of them.
LEAST_ATTEMPTS = 20
LEAST_SUCCESS_RATE = 0.5
INGEST_SHARE = 0.5


def find_wrong(look: Look, settings: HubSettings) -> list[Finding]:
    """What is not as it should be, the worst first. Pure."""
    found = [
        *_broker(look),
        *_workers(look),
        *_sweep(look, settings),
        *_deliveries(look),
        *_missing(look),
        *_tallies(look),
        *_attempts(look.hour),
        *_ingest(look, settings),
    ]
    return sorted(found, key=lambda finding: finding.severity is not Severity.ERROR)


def _broker(look: Look) -> Iterator[Finding]:
    if look.overview.queues is None:
        remedy = "see that it runs, and that CELERY_BROKER_URL is right; what was accepted goes out when it is back"
        yield _error("broker", "it cannot be reached", remedy)


def _workers(look: Look) -> Iterator[Finding]:
    unserved = [queue for queue in doorbell.QUEUES if not look.overview.workers_of(queue)]
    if unserved:
        what = f"no worker takes messages from {', '.join(unserved)}"
        yield _error("workers", what, f"start one: python -m celery -A config worker -Q {','.join(unserved)}")


def _sweep(look: Look, settings: HubSettings) -> Iterator[Finding]:
    remedy = "see that beat runs, and a worker with -Q maintenance: retries, expiries and lost messages wait for them"
    seconds_ago = look.overview.last_sweep_seconds_ago
    if seconds_ago is None:
        yield _error("sweep", "there has never been one", remedy)
    elif seconds_ago > max(MISSED_SWEEPS * settings.sweep_seconds, SWEEP_SILENT_SECONDS):
        yield _error("sweep", f"the last one was {seconds_ago:,.0f} s ago", remedy)
    elif look.overview.backlog.overdue_seconds > LATE_SECONDS and not _is_any_queue_long(look):
        what = f"it is {look.overview.backlog.overdue_seconds:,.0f} s behind"
        yield _warning(
            "sweep", what, "see what keeps the worker with -Q maintenance busy: its log has a line for each sweep"
        )


def _is_any_queue_long(look: Look) -> bool:
    """Where one is, the sweep holds back."""
    return any(waiting >= LONG_QUEUE for waiting in (look.overview.queues or {}).values())


def _deliveries(look: Look) -> Iterator[Finding]:
    backlog = look.overview.backlog
    if backlog.oldest_due_seconds > WAITS_SECONDS:
        remedy = "start more workers with -Q deliveries,deliveries.slow; where one webhook is slow, limit or disable it"
        yield _waiting("deliveries", "the oldest that could go", backlog.oldest_due_seconds, remedy)
    if backlog.oldest_event_seconds > WAITS_SECONDS:
        yield _waiting(
            "events", "the oldest to be fanned out", backlog.oldest_event_seconds, "start more workers with -Q fanout"
        )


def _waiting(area: str, who: str, seconds: float, remedy: str) -> Finding:
    severity = Severity.ERROR if seconds > WAITS_LONG_SECONDS else Severity.WARNING
    return Finding(area=area, severity=severity, what=f"{who} has been waiting for {seconds:,.0f} s", remedy=remedy)


def _missing(look: Look) -> Iterator[Finding]:
    for process in look.overview.processes:
        if process.kind != ProcessKind.BEAT and not process.is_alive:
            what = f"{process.kind} {process.name} went without a word {process.seen_seconds_ago:,.0f} s ago"
            yield _warning("workers", what, "see why it was killed, and that another has taken its place")


def _tallies(look: Look) -> Iterator[Finding]:
    if look.overview.tally_lag_seconds > TALLY_LATE_SECONDS:
        what = f"they are {look.overview.tally_lag_seconds:,.0f} s behind"
        yield _warning(
            "figures",
            what,
            "see that beat's schedule has deliveries.fold_tallies, and what the worker's log says of it",
        )


def _attempts(hour: Hour) -> Iterator[Finding]:
    if hour.attempts >= LEAST_ATTEMPTS and hour.accepted < LEAST_SUCCESS_RATE * hour.attempts:
        what = f"of {hour.attempts:,} in the last hour {hour.accepted:,} succeeded"
        yield _warning(
            "attempts", what, "look at the most failing webhooks; where all fail alike, at this machine's way out"
        )


def _ingest(look: Look, settings: HubSettings) -> Iterator[Finding]:
    room = INGEST_SHARE * settings.ingest_queue_max * len(look.overview.alive(ProcessKind.WEB))
    if room and look.overview.waiting_events > room:
        what = f"{look.overview.waiting_events:,} accepted events are not recorded yet"
        yield _warning("publishing", what, "see what keeps PostgreSQL busy; more web processes take more")


def _error(area: str, what: str, remedy: str) -> Finding:
    return Finding(area=area, severity=Severity.ERROR, what=what, remedy=remedy)


def _warning(area: str, what: str, remedy: str) -> Finding:
    return Finding(area=area, severity=Severity.WARNING, what=what, remedy=remedy)
