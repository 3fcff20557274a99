"""The command behind `scripts/bench`: makes a database, runs scenarios in it, prints and writes their figures."""

from __future__ import annotations

import argparse
import contextlib
import importlib
import json
import os
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import django
from django.core.management import call_command

from scripts.benchmark.broker import benchmark_broker
from scripts.benchmark.database import benchmark_database
from scripts.benchmark.machine import describe_machine
from scripts.benchmark.report import print_figures, print_machine, print_title
from scripts.benchmark.scenario import DEADLINE_SECONDS, Bench, Figures, Scenario
from scripts.local.console import Progress, run_command, say

NAMES = ("drain", "emit", "ingest", "end-to-end", "limit", "naive", "slow", "scale", "memory", "lists", "retention")
# What the deliveries go to listens on the loopback, which is refused otherwise.
ALLOW_CIDRS = "127.0.0.0/8"
# As many as a delivery worker has by default.
DEFAULT_PROCESSES = 3
DEFAULT_ENDPOINTS = 100


def main() -> int:
    """Run the scenarios that the command line names, or all. Raises BenchmarkError where one cannot be measured."""
    options = _parse_options()
    with _prepared() as folder:
        machine = describe_machine() | {"worker_processes": options.processes, "endpoints": options.endpoints}
        print_machine(machine)
        scenarios: dict[str, Figures] = {}
        for name in options.scenarios or NAMES:
            scenario = load_scenario(name)
            size = options.size or scenario.default_size
            print_title(name, scenario, size)
            bench = Bench(
                folder=folder,
                processes=options.processes,
                endpoints=options.endpoints,
                ends_at=time.monotonic() + DEADLINE_SECONDS,
            )
            scenarios[name] = {"size": size} | _rounded(scenario.run(bench, size))
            print_figures(scenarios[name])
        if options.json is not None:
            options.json.write_text(json.dumps({"machine": machine, "scenarios": scenarios}, indent=2) + "\n")
            say(f"\nWritten to {options.json}")
    return 0


def load_scenario(name: str) -> Scenario:
    """The scenario in the module of this name. Loaded late: models can be imported only once Django is set up."""
    scenario: Scenario = importlib.import_module(f"scripts.benchmark.{name.replace('-', '_')}").SCENARIO
    return scenario


def _rounded(figures: Figures) -> Figures:
    return {name: round(value, 2) if isinstance(value, float) else value for name, value in figures.items()}


def _parse_options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="scripts/bench", description="Measures the hub on this machine.")
    add = parser.add_argument
    add("scenarios", nargs="*", type=_name, metavar="SCENARIO", help=f"{', '.join(NAMES)}; without any, all")
    add("--json", type=Path, metavar="FILE", help="write the figures to FILE too")
    add("--size", type=_positive, metavar="N", help="deliveries (events) of each scenario, instead of its own number")
    add("--processes", type=_positive, default=DEFAULT_PROCESSES, metavar="N", help="processes of each worker (3)")
    add("--endpoints", type=_positive, default=DEFAULT_ENDPOINTS, metavar="N", help="that deliveries go to (100)")
    return parser.parse_args()


def _name(text: str) -> str:
    if text not in NAMES:
        raise argparse.ArgumentTypeError(f"there is no scenario {text!r}; there are {', '.join(NAMES)}")
    return text


def _positive(text: str) -> int:
    number = int(text)
    if number < 1:
        raise argparse.ArgumentTypeError("it must be at least 1")
    return number


@contextlib.contextmanager
def _prepared() -> Iterator[Path]:
    """Everything between an environment with two URLs and a Django that works in a database of the benchmark's own."""
    with (
        tempfile.TemporaryDirectory(prefix="webhookhub-benchmark-") as folder,
        benchmark_database(os.environ["DATABASE_URL"]) as database_url,
        benchmark_broker(os.environ["CELERY_BROKER_URL"], owner=database_url) as broker_url,
    ):
        os.environ |= {
            "DJANGO_SETTINGS_MODULE": "config.settings",
            "DATABASE_URL": database_url,
            "CELERY_BROKER_URL": broker_url,
            "WEBHOOKHUB_ALLOW_CIDRS": ALLOW_CIDRS,
            # Of what the hub's own functions do in this process; the workers write their logs as always.
            "WEBHOOKHUB_LOG_LEVEL": "WARNING",
        }
        progress = Progress("making a database")
        django.setup()
        call_command("migrate", verbosity=0)
        progress.done()
        yield Path(folder)


if __name__ == "__main__":
    run_command(main)
