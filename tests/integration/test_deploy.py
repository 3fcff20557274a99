"""deploy/: the dashboard, the alerts and the scrape configuration load, and speak of metrics that there are."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from deliveries.metrics.families import HubCollector
from deliveries.metrics.page import PATH
from deliveries.tasks import sweep_task
from scripts.local.state import CHECKOUT

PROMETHEUS = CHECKOUT / "deploy" / "prometheus"
ALERTS = PROMETHEUS / "alerts.yml"
SCRAPE = PROMETHEUS / "prometheus.yml"
DASHBOARD = CHECKOUT / "deploy" / "grafana" / "webhookhub.json"
_SELECTOR = re.compile(r"(webhookhub_\w+)(?:\{([^}]*)\})?")
_MATCHER = re.compile(r'(\w+)(=~|!~|!=|=)"([^"]*)"')


def rules() -> list[dict[str, Any]]:
    return [rule for group in yaml.safe_load(ALERTS.read_text())["groups"] for rule in group["rules"]]


def panels() -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = json.loads(DASHBOARD.read_text())["panels"]
    return found


def expressions() -> Iterator[str]:
    yield from (rule["expr"] for rule in rules())
    yield from (target["expr"] for panel in panels() for target in panel["targets"])


@pytest.mark.usefixtures("db")
def test_every_metric_and_label_of_an_expression_is_there() -> None:
    sweep_task.run()
    labels: dict[str, dict[str, set[str]]] = {}
    for family in HubCollector().collect():
        for sample in family.samples:
            known = labels.setdefault(sample.name, {})
            for name, value in sample.labels.items():
                known.setdefault(name, set()).add(value)
    selectors = [found for expression in expressions() for found in _SELECTOR.findall(expression)]
    assert len(selectors) > 30
    for metric, matchers in selectors:
        assert metric in labels
        for name, _, value in _MATCHER.findall(matchers):
            assert value in labels[metric][name], f"{metric} has no {name} {value}"


def test_an_alert_says_what_is_wrong_and_what_to_do() -> None:
    names = [rule["alert"] for rule in rules()]
    assert len(names) == len(set(names))
    for rule in rules():
        assert rule["labels"]["severity"] in ("warning", "critical")
        assert rule["annotations"].keys() == {"summary", "description"}


def test_panels_of_the_dashboard_lie_beside_each_other_and_have_something_to_show() -> None:
    taken: set[tuple[int, int]] = set()
    for panel in panels():
        place = panel["gridPos"]
        cells = {(place["x"] + x, place["y"] + y) for x in range(place["w"]) for y in range(place["h"])}
        assert place["x"] + place["w"] <= 24
        assert not cells & taken, panel["title"]
        taken |= cells
        assert panel["targets"]
    assert len({panel["id"] for panel in panels()}) == len(panels())


def test_prometheus_asks_for_the_page_that_there_is() -> None:
    (job,) = yaml.safe_load(SCRAPE.read_text())["scrape_configs"]
    assert (job["metrics_path"], job["authorization"]["type"]) == (PATH, "Bearer")


@pytest.mark.parametrize(
    "command",
    [
        ("check", "rules", str(ALERTS)),
        ("check", "config", "--syntax-only", str(SCRAPE)),
        ("test", "rules", str(Path(__file__).with_name("alerts_test.yml"))),
    ],
    ids=lambda command: " ".join(command[:2]),
)
def test_promtool_agrees(command: tuple[str, ...]) -> None:
    if (promtool := shutil.which("promtool")) is None:
        pytest.skip("promtool (of the package prometheus) is not installed")
    done = subprocess.run([promtool, *command], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
