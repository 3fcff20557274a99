"""How the doctor judges what it was told, with nobody asked."""

from __future__ import annotations

from typing import Any

import pytest

from deliveries.doctor.broker import judge_broker
from deliveries.doctor.database import judge_clocks
from deliveries.doctor.finding import Severity, parse_version
from deliveries.doctor.machine import LEAST
from scripts.local.state import CHECKOUT
from webhookhub.doorbell import BrokerFacts

SOUND = BrokerFacts(product="redis", version="7.2.4")
OK, WARNING, ERROR = Severity.OK, Severity.WARNING, Severity.ERROR


@pytest.mark.parametrize(
    ("apart_seconds", "severity"),
    [(0.2, OK), (-0.9, OK), (1.1, WARNING), (-4.9, WARNING), (5.1, ERROR), (-3600.0, ERROR)],
)
def test_clocks_that_are_apart_are_worse_the_further_they_are(apart_seconds: float, severity: Severity) -> None:
    assert judge_clocks(apart_seconds).severity is severity


@pytest.mark.parametrize(("apart_seconds", "direction"), [(2.0, "2.0 s ahead of"), (-2.0, "2.0 s behind")])
def test_it_is_said_whose_clock_is_ahead(apart_seconds: float, direction: str) -> None:
    assert direction in judge_clocks(apart_seconds).what


@pytest.mark.parametrize(
    ("text", "version"),
    [("3.12.1", (3, 12, 1)), ("8.4.0-DEV", (8, 4, 0)), ("5.2rc1", (5, 2)), ("7", (7,)), ("unknown", ())],
)
def test_a_version_is_its_numbers(text: str, version: tuple[int, ...]) -> None:
    assert parse_version(text) == version


@pytest.mark.parametrize(
    ("changes", "severity", "said"),
    [
        ({"version": "6.0.9"}, ERROR, "older than 6.2"),
        ({"product": "RabbitMQ", "version": "3.8.1"}, ERROR, "older than 3.10"),
        ({"eviction_policy": "allkeys-lru"}, ERROR, "allkeys-lru"),
        ({"is_persistent": False}, WARNING, "restarts"),
        ({"memory_used_bytes": 81, "memory_max_bytes": 100}, WARNING, "81 of 100 bytes"),
        ({"clients": 9_000, "clients_max": 10_000}, WARNING, "9000 of 10000 clients"),
        ({"takes_messages": False}, ERROR, "takes no messages"),
    ],
)
def test_a_broker_that_may_lose_or_refuse_messages_is_told_of_with_a_remedy(
    changes: dict[str, Any], severity: Severity, said: str
) -> None:
    (finding,) = judge_broker(SOUND._replace(**changes))
    assert finding.severity is severity
    assert said in finding.what
    assert finding.remedy


@pytest.mark.parametrize("used", [0, 79])
def test_a_sound_broker_is_told_nothing_of(used: int) -> None:
    assert list(judge_broker(SOUND._replace(memory_used_bytes=used, memory_max_bytes=100))) == []
    assert list(judge_broker(SOUND._replace(memory_used_bytes=10**12, memory_max_bytes=0))) == []


@pytest.mark.parametrize("name", [name for name, _, _ in LEAST])
def test_a_package_that_the_doctor_looks_for_is_one_that_the_hub_requires(name: str) -> None:
    assert f"\n{name}==" in (CHECKOUT / "requirements.txt").read_text()
