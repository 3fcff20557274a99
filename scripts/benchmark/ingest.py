"""How many events a second does the front door take, singly and in batches, beside the plain way to write such a view?"""

from __future__ import annotations

from collections.abc import Sequence

from django.db import connection

from scripts.benchmark.errors import WrongResult
from scripts.benchmark.publishers import (
    BATCH_CONNECTIONS,
    BATCH_EVENTS,
    BATCH_PATH,
    EVENT_PATH,
    Published,
    batch_bodies,
    event_bodies,
    publish,
)
from scripts.benchmark.rows import add_subscriptions, clear_rows
from scripts.benchmark.scenario import Bench, Figures, Scenario
from scripts.benchmark.usage import cpu_us, postgresql_cpu_seconds
from scripts.benchmark.web import PLAIN_COMMAND, WebServer, running_web
from scripts.local.console import Progress
from scripts.local.roles import WEB
from webhookhub.api_keys import create_api_key

# Enough for every connection to be open and every cache to be filled.
WARM_UP_SHARE = 0.1
# The plain way takes longer for each.
PLAIN_SHARE = 0.25


def run(bench: Bench, size: int) -> Figures:
    """Nobody fans out meanwhile: this is what acceptance costs alone; `end-to-end` has everything on the machine."""
    clear_rows()
    account = add_subscriptions([f"http://127.0.0.1:9/{number}" for number in range(bench.endpoints)])[0].account
    key = create_api_key(account, "benchmark")
    singles = event_bodies(bench.endpoints)
    with running_web(bench.folder) as web:
        loader = _Loader(bench, web, key)
        loader.load("warming up", singles, max(1, int(size * WARM_UP_SHARE)))
        web_before, postgresql_before = web.cpu_seconds(), postgresql_cpu_seconds()
        single = loader.load("single events", singles, size)
        web_after, postgresql_after = web.cpu_seconds(), postgresql_cpu_seconds()
        batches = loader.load_batches("batches", batch_bodies(bench.endpoints), size // BATCH_EVENTS + 1)
    with running_web(bench.folder, command=PLAIN_COMMAND) as web:
        loader = _Loader(bench, web, key)
        loader.load("warming up the plain way", singles, max(1, int(size * WARM_UP_SHARE * PLAIN_SHARE)))
        plain = loader.load("the plain way", singles, max(1, int(size * PLAIN_SHARE)))
    return {
        "events_per_second": single.requests / single.seconds,
        "batch_events_per_second": batches.requests * BATCH_EVENTS / batches.seconds,
        "plain_events_per_second": plain.requests / plain.seconds,
        "web_cpu_us": cpu_us(web_before, web_after, count=size),
        "postgresql_cpu_us": cpu_us(postgresql_before, postgresql_after, count=size),
        "web_command": " ".join(WEB.command),
        "plain_command": " ".join(PLAIN_COMMAND),
    }


class _Loader:
    """Publishes to one web server, and looks whether everything was recorded."""

    def __init__(self, bench: Bench, web: WebServer, key: str) -> None:
        self._bench = bench
        self._web = web
        self._key = key

    def load(self, title: str, bodies: Sequence[bytes], count: int) -> Published:
        """Single events."""
        progress = Progress(title)
        before = count_events()
        published = publish(self._web.url + EVENT_PATH, self._key, bodies, folder=self._bench.folder, count=count)
        _check_recorded(before, published.requests)
        progress.done()
        self._bench.check_deadline(title)
        return published

    def load_batches(self, title: str, bodies: Sequence[bytes], count: int) -> Published:
        """Batches of BATCH_EVENTS."""
        progress = Progress(title)
        before = count_events()
        published = publish(
            self._web.url + BATCH_PATH,
            self._key,
            bodies,
            folder=self._bench.folder,
            count=count,
            connections=BATCH_CONNECTIONS,
        )
        _check_recorded(before, published.requests * BATCH_EVENTS)
        progress.done()
        self._bench.check_deadline(title)
        return published


def count_events() -> int:
    """Events in the table."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT count(*) FROM webhookhub_event")
        return int(cursor.fetchone()[0])


def _check_recorded(before: int, expected: int) -> None:
    """Raises WrongResult where fewer are recorded than were accepted; requests that were cut off may add some."""
    if (recorded := count_events() - before) < expected:
        raise WrongResult(f"{expected:,} events were accepted, {recorded:,} are recorded.")


SCENARIO = Scenario(
    summary="events published over HTTP from 64 connections, singly and in batches of 100, and accepted",
    default_size=40_000,
    run=run,
)
