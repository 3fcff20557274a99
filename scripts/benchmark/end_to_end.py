"""How many events a second go all the way, from a POST to the receiver's answer on record, and how soon does one arrive?"""

from __future__ import annotations

import json
import math
import random
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, closing, contextmanager
from dataclasses import dataclass
from http.client import HTTPConnection
from urllib.parse import urlsplit

from django.db import connection

from scripts.benchmark.errors import PublisherFailed
from scripts.benchmark.latency import percentile
from scripts.benchmark.pace import Pace, count_backlog
from scripts.benchmark.publishers import (
    BATCH_CONNECTIONS,
    BATCH_EVENTS,
    BATCH_PATH,
    CONNECTIONS,
    EVENT_PATH,
    batch_bodies,
    event_bodies,
    publish,
)
from scripts.benchmark.receivers import NotingReceiver, noting_receiver, running_receiver
from scripts.benchmark.recorded import check_all_delivered, wait_until_recorded
from scripts.benchmark.rows import add_subscriptions, clear_rows
from scripts.benchmark.scenario import MILLISECONDS, Bench, Figures, Scenario
from scripts.benchmark.usage import cpu_us, postgresql_cpu_seconds
from scripts.benchmark.web import WebServer, running_web
from scripts.benchmark.worker import Worker
from scripts.local.console import Progress
from scripts.local.roles import DELIVERIES, WORKER
from webhookhub.api_keys import create_api_key

WARM_UP_SHARE = 0.2
IDLE_EVENTS = 200
IDLE_PAUSE_SECONDS = (0.02, 0.06)
POLL_SECONDS = 0.2
# What each event costs whom, in this order.
COSTS = ("web_cpu_us", "fan_out_cpu_us", "delivery_cpu_us", "postgresql_cpu_us")


@dataclass(frozen=True, kw_only=True, slots=True)
class Load:
    """What is published, and from how many connections."""

    title: str
    path: str
    bodies: Sequence[bytes]
    events_a_request: int
    connections: int


def run(bench: Bench, size: int) -> Figures:
    """Publish one at a time, then as fast as it is delivered: singly, and in batches, whose figures begin with `batch_`."""
    singles = Load(
        title="single events",
        path=EVENT_PATH,
        bodies=event_bodies(bench.endpoints),
        events_a_request=1,
        connections=CONNECTIONS,
    )
    batches = Load(
        title="batches",
        path=BATCH_PATH,
        bodies=batch_bodies(bench.endpoints),
        events_a_request=BATCH_EVENTS,
        connections=BATCH_CONNECTIONS,
    )
    with _workers(bench) as workers, running_web(bench.folder) as web:
        idle_ms = _measure_idle(bench, web, min(size, IDLE_EVENTS))
        in_batches = {
            f"batch_{name}": value for name, value in _measure_load(bench, web, workers, batches, size).items()
        }
        return _measure_load(bench, web, workers, singles, size) | {"idle_p50_ms": percentile(idle_ms, 50)} | in_batches


@contextmanager
def _workers(bench: Bench) -> Iterator[list[Worker]]:
    with ExitStack() as running:
        yield [
            running.enter_context(Worker(WORKER, folder=bench.folder, processes=2)),
            running.enter_context(Worker(DELIVERIES, folder=bench.folder, processes=bench.processes)),
        ]


def _measure_idle(bench: Bench, web: WebServer, count: int) -> list[float]:
    """Milliseconds from a POST to the receiver's call, one client with one event at a time."""
    clear_rows()
    with noting_receiver(bench.folder, endpoints=bench.endpoints) as receiver:
        account = add_subscriptions(receiver.urls)[0].account
        poster = _Poster(web, create_api_key(account, "benchmark"))
        bodies = event_bodies(bench.endpoints)
        poster.post_all(bodies[:20] * 5)
        progress = Progress("one at a time")
        sent_at = poster.post_all([bodies[number % len(bodies)] for number in range(count)])
        receipts = _wait_for(bench, receiver, list(sent_at))
        progress.done()
        return [(receipts[event_id] - moment) * MILLISECONDS for event_id, moment in sent_at.items()]


class _Poster:
    """One client on one connection."""

    def __init__(self, web: WebServer, key: str) -> None:
        self._host = urlsplit(web.url).netloc
        self._headers = {"Authorization": f"Bearer {key}", "Content-Type": "application/json"}

    def post_all(self, bodies: Sequence[bytes]) -> dict[str, float]:
        """POST each after a short pause; the moment (`time.monotonic`) of each request, by its event's id."""
        sent_at = {}
        with closing(HTTPConnection(self._host, timeout=10)) as http:
            for body in bodies:
                time.sleep(random.uniform(*IDLE_PAUSE_SECONDS))
                moment = time.monotonic()
                http.request("POST", EVENT_PATH, body=body, headers=self._headers)
                response = http.getresponse()
                answer = json.load(response)
                if response.status != 202:
                    raise PublisherFailed(f"An event was answered {response.status}: {answer}")
                sent_at[answer["id"]] = moment
        return sent_at


def _wait_for(bench: Bench, receiver: NotingReceiver, event_ids: Sequence[str]) -> dict[str, float]:
    while not frozenset(event_ids) <= (receipts := receiver.receipts()).keys():
        bench.check_deadline("waiting for the receiver")
        time.sleep(POLL_SECONDS)
    return receipts


def _measure_load(bench: Bench, web: WebServer, workers: Sequence[Worker], load: Load, size: int) -> Figures:
    """Publish as fast as it is delivered, until `size` events are accepted; then wait for the rest."""
    clear_rows()
    with running_receiver(bench.folder, endpoints=bench.endpoints) as receiver:
        account = add_subscriptions(receiver.urls)[0].account
        key = create_api_key(account, "benchmark")
        _publish(bench, web, key, load, max(1, int(size * WARM_UP_SHARE)))
        wait_until_recorded(bench, "warming up", workers[-1])
        costs = [web.cpu_seconds, *(worker.cpu_seconds for worker in workers), postgresql_cpu_seconds]
        before = [cost() for cost in costs]
        events_before = _count_events()
        progress = Progress(load.title)
        started_at = time.monotonic()
        pace = _publish(bench, web, key, load, size)
        published_at = time.monotonic()
        backlog = count_backlog()
        # The last requests of all connections come on top of `size`.
        accepted = _count_events() - events_before
        progress.done()
        ended_at = wait_until_recorded(bench, "the rest", workers[-1])
        spent = [cpu_us(start, cost(), count=accepted) for start, cost in zip(before, costs, strict=True)]
        check_all_delivered(_count_events())
        median_ms, p99_ms = _latencies_ms(size)
    costs_us: Figures = dict(zip(COSTS, spent, strict=True))
    figures: Figures = {
        "events_per_second": (accepted - backlog) / (published_at - started_at),
        "accepted_per_second": accepted / (published_at - started_at),
        "backlog_growth_per_second": pace.growth_per_second(),
        "backlog_at_the_end": backlog,
        "seconds_until_recorded": ended_at - started_at,
        "p50_ms": median_ms,
        "p99_ms": p99_ms,
    }
    return figures | costs_us


def _publish(bench: Bench, web: WebServer, key: str, load: Load, events: int) -> Pace:
    with Pace(bench.folder) as pace:
        publish(
            web.url + load.path,
            key,
            load.bodies,
            folder=bench.folder,
            count=math.ceil(events / load.events_a_request),
            connections=load.connections,
            pause=pace.file,
        )
    return pace


def _count_events() -> int:
    with connection.cursor() as cursor:
        cursor.execute("SELECT count(*) FROM webhookhub_event")
        return int(cursor.fetchone()[0])


def _latencies_ms(newest: int) -> tuple[float, float]:
    """Median and 99th percentile of the newest events: from being accepted to the receiver's answer."""
    with connection.cursor() as cursor:
        cursor.execute(
            """SELECT percentile_cont(ARRAY[0.5, 0.99]) WITHIN GROUP (ORDER BY 1000 * extract(epoch FROM
                          attempt.started_at + attempt.total_ms * interval '1 ms' - event.created_at))
                 FROM (SELECT id, created_at FROM webhookhub_event ORDER BY id DESC LIMIT %s) AS event
                 JOIN webhookhub_delivery AS delivery ON delivery.event_id = event.id
                 JOIN webhookhub_delivery_attempt AS attempt ON attempt.delivery_id = delivery.id""",
            [newest],
        )
        median, p99 = cursor.fetchone()[0]
    return float(median), float(p99)


SCENARIO = Scenario(
    summary="events published over HTTP, singly and in batches of 100, delivered and recorded, with everything on this machine",
    default_size=40_000,
    run=run,
)
