"""Does every scenario of the benchmark run to its end, and write what is promised? Not how fast: that is not a test's business."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import psycopg2
import pytest

from scripts.benchmark.database import SUFFIX
from scripts.local.state import CHECKOUT

pytestmark = pytest.mark.acceptance

DRAINED = {"deliveries_per_second", "worker_cpu_us", "postgresql_cpu_us", "worker_peak_mb"}
PROMISED = {
    "drain": DRAINED,
    "naive": DRAINED,
    "limit": {"transport_per_second", "sql_per_second"},
    "emit": {"idle_p50_ms", "idle_p99_ms", "loaded_p50_ms", "loaded_p99_ms"},
    "slow": {"healthy_throughput_ratio", "healthy_p99_ratio"},
    "scale": {"workers_1_per_second", "workers_2_per_second", "workers_4_per_second", "ratio_2", "ratio_4"},
    "memory": {"worker_peak_mb"},
    "ingest": {"events_per_second", "batch_events_per_second", "plain_events_per_second"},
    "end-to-end": {"events_per_second", "backlog_growth_per_second", "idle_p50_ms", "p50_ms", "p99_ms"},
    "lists": {"deliveries_ms", "deliveries_by_status_ms", "events_ms", "slowest_ms", "slowest_admin_ms"},
    "retention": {"p50_ms", "p99_ms", "p50_while_dropping_ms", "p99_while_dropping_ms", "p99_ratio"},
}
SIZE = 40
ENDPOINTS = 4


def run_benchmark(*arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-P", "-m", "scripts.benchmark", *arguments]
    environment = os.environ | {"PYTHONPATH": str(CHECKOUT)}
    return subprocess.run(command, capture_output=True, text=True, env=environment, timeout=120, check=False)


def databases() -> set[str]:
    with psycopg2.connect(os.environ["DATABASE_URL"]) as connection, connection.cursor() as cursor:
        cursor.execute("SELECT datname FROM pg_database")
        return {name for (name,) in cursor.fetchall()}


@pytest.mark.parametrize("scenario", PROMISED)
def test_a_scenario_writes_the_promised_figures_as_json(scenario: str, tmp_path: Path) -> None:
    file = tmp_path / "figures.json"
    done = run_benchmark(scenario, "--size", str(SIZE), "--endpoints", str(ENDPOINTS), "--json", str(file))
    assert done.returncode == 0, done.stdout + done.stderr
    report: dict[str, Any] = json.loads(file.read_text())
    assert set(report) == {"machine", "scenarios"}
    assert set(report["scenarios"]) == {scenario}
    figures = report["scenarios"][scenario]
    assert figures["size"] == SIZE
    assert figures.keys() >= PROMISED[scenario]
    # A backlog may shrink.
    counted = PROMISED[scenario] - {"backlog_growth_per_second"}
    assert all(figures[key] >= 0 for key in counted if figures[key] is not None)
    assert {"cpu", "cores", "python", "postgresql", "broker", "receiver"} <= report["machine"].keys()


def test_a_benchmark_leaves_no_database_behind() -> None:
    own = urlsplit(os.environ["DATABASE_URL"]).path.strip("/") + SUFFIX
    done = run_benchmark("drain", "--size", str(SIZE), "--endpoints", str(ENDPOINTS))
    assert done.returncode == 0, done.stdout + done.stderr
    assert own not in databases()


def test_an_unknown_scenario_is_refused_with_the_names_of_those_there_are() -> None:
    done = run_benchmark("drian")
    assert done.returncode == 2
    assert "there is no scenario 'drian'" in done.stderr
    assert "naive, slow, scale, memory, lists" in done.stderr
