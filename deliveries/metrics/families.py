"""Which metrics are there? Their names, what each means, and its values at this moment."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping, Sequence
from itertools import accumulate

from prometheus_client.metrics_core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily, Metric
from prometheus_client.registry import Collector

from deliveries.figure_models import BOUNDS_SECONDS
from deliveries.figures.counters import Counters, Histogram, read_counters
from deliveries.figures.endpoints import count_circuits
from deliveries.figures.overview import Overview, read_overview
from subscriptions.models import CircuitState
from webhookhub import doorbell
from webhookhub.models import ProcessKind


class HubCollector(Collector):
    """Reads the hub once for each scrape."""

    def collect(self) -> Iterator[Metric]:
        """All metrics. Raises DatabaseError where PostgreSQL is away."""
        overview = read_overview()
        yield from _backlog(overview)
        yield from _queues(overview)
        yield from _processes(overview)
        yield _circuits(count_circuits())
        yield from _counters(read_counters())


def _backlog(overview: Overview) -> Iterator[Metric]:
    backlog = overview.backlog
    outstanding = GaugeMetricFamily(
        "webhookhub_deliveries_outstanding",
        "Deliveries that are neither over nor cancelled; above ten thousand an estimate.",
        labels=["state"],
    )
    outstanding.add_metric(["pending"], backlog.pending)
    outstanding.add_metric(["held"], backlog.held)
    yield outstanding
    yield _gauge("deliveries_due", "Deliveries that could go now; ten thousand and more are that many.", backlog.due)
    yield _gauge(
        "oldest_due_seconds", "For how long the oldest delivery that could go is waiting.", backlog.oldest_due_seconds
    )
    yield _gauge("events_waiting", "Events to be fanned out; ten thousand and more are that many.", backlog.events)
    yield _gauge(
        "oldest_event_seconds", "For how long the oldest of these events is waiting.", backlog.oldest_event_seconds
    )
    yield _gauge("sweep_lag_seconds", "For how long the first row is waiting for the sweep.", backlog.overdue_seconds)
    yield _gauge(
        "tally_lag_seconds",
        "For how long attempts are waiting to be added to counters and histograms.",
        overview.tally_lag_seconds,
    )


def _queues(overview: Overview) -> Iterator[Metric]:
    yield _gauge("broker_up", "1 while the broker answers.", overview.queues is not None)
    messages = GaugeMetricFamily(
        "webhookhub_queue_messages", "Messages that wait; one is for up to a hundred deliveries.", labels=["queue"]
    )
    for queue, waiting in (overview.queues or {}).items():
        messages.add_metric([queue], waiting)
    yield messages
    workers = GaugeMetricFamily("webhookhub_workers", "Workers alive that take from the queue.", labels=["queue"])
    for queue in doorbell.QUEUES:
        workers.add_metric([queue], len(overview.workers_of(queue)))
    yield workers


def _processes(overview: Overview) -> Iterator[Metric]:
    processes = GaugeMetricFamily(
        "webhookhub_processes", "Processes alive, and missing: gone without a word.", labels=["kind", "state"]
    )
    for kind in ProcessKind:
        known = [process for process in overview.processes if process.kind == kind]
        alive = sum(process.is_alive for process in known)
        processes.add_metric([kind.value, "alive"], alive)
        processes.add_metric([kind.value, "missing"], len(known) - alive)
    yield processes
    yield _gauge("ingest_waiting_events", "Events that web processes have yet to record.", overview.waiting_events)
    last_sweep = GaugeMetricFamily("webhookhub_last_sweep_timestamp_seconds", "When a sweep last ran, in Unix time.")
    if overview.last_sweep_seconds_ago is not None:
        last_sweep.add_metric([], time.time() - overview.last_sweep_seconds_ago)
    yield last_sweep


def _circuits(counts: Mapping[CircuitState, int]) -> GaugeMetricFamily:
    circuits = GaugeMetricFamily(
        "webhookhub_circuits",
        "Webhooks whose circuit is not simply closed, as their endpoints failed.",
        labels=["state"],
    )
    for state, count in counts.items():
        circuits.add_metric([state.value], count)
    return circuits


def _counters(counters: Counters) -> Iterator[Metric]:
    attempts = CounterMetricFamily("webhookhub_attempts", "Attempts recorded, by their outcome.", labels=["outcome"])
    for code, value in counters.attempts.items():
        attempts.add_metric([code.value], value)
    yield attempts
    ended = CounterMetricFamily(
        "webhookhub_deliveries_ended", "Deliveries that arrived, or failed for good.", labels=["status"]
    )
    for status, value in counters.ended.items():
        ended.add_metric([status.value], value)
    yield ended
    yield CounterMetricFamily(
        "webhookhub_connections_reused", "Attempts on a connection that was open.", value=counters.connections_reused
    )
    yield _histogram("attempt_duration_seconds", "From a request's begin to the end of its answer.", counters.durations)
    yield _histogram(
        "first_attempt_latency_seconds", "From an event's record to its first attempts.", counters.latencies
    )


def _gauge(name: str, meaning: str, value: float) -> GaugeMetricFamily:
    return GaugeMetricFamily(f"webhookhub_{name}", meaning, value=value)


def _histogram(name: str, meaning: str, histogram: Histogram) -> HistogramMetricFamily:
    bounds = [str(bound) for bound in BOUNDS_SECONDS] + ["+Inf"]
    cumulative: Sequence[tuple[str, float]] = list(zip(bounds, accumulate(histogram.counts), strict=True))
    return HistogramMetricFamily(f"webhookhub_{name}", meaning, buckets=cumulative, sum_value=histogram.sum_seconds)
