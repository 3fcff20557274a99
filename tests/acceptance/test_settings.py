"""What a process says of its settings when it starts."""

from __future__ import annotations

import json

import pytest

from config.environment import PREFIX
from scripts.local.roles import DELIVERIES
from tests.acceptance.conftest import MakeHub

pytestmark = pytest.mark.acceptance


def test_a_misspelt_variable_is_named_by_every_process_at_its_start(make_hub: MakeHub) -> None:
    hub = make_hub(**{PREFIX + "RETENTION_DAY": "3"})
    worker = hub.start(DELIVERIES)
    hub.wait_until(lambda: " ready." in worker.log.read_text(), "the worker's start")
    said = [json.loads(line) for line in worker.log.read_text().splitlines() if line.startswith("{")]
    (warning,) = [line for line in said if line["event"] == "unknown variable"]
    assert (warning["variable"], warning["meant"]) == (PREFIX + "RETENTION_DAY", "WEBHOOKHUB_RETENTION_DAYS")

    checked = hub.manage("check", "--fail-level", "WARNING")
    assert checked.returncode == 1
    assert "Did you mean WEBHOOKHUB_RETENTION_DAYS?" in checked.stderr
