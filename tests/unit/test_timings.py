"""cut_time: what the time of an attempt was spent on."""

from __future__ import annotations

import pytest

from deliveries.admin.story import cut_time
from deliveries.models import DeliveryAttempt

FRESH = {"dns_ms": 10.0, "connect_ms": 20.0, "tls_ms": 30.0, "first_byte_ms": 90.0, "total_ms": 100.0}


@pytest.mark.parametrize(
    ("timings", "expected"),
    [
        (FRESH, {"DNS": 10, "connect": 20, "TLS": 30, "first byte": 30, "rest": 10}),
        ({"first_byte_ms": 40.0, "total_ms": 50.0}, {"first byte": 40, "rest": 10}),
        ({"dns_ms": 10.0, "total_ms": 10.0}, {"DNS": 10}),
        ({"dns_ms": 10.0, "connect_ms": 5.0, "total_ms": 100.0}, {"DNS": 10, "connect": 5, "first byte": 85}),
        ({"dns_ms": 70.0, "connect_ms": 50.0, "total_ms": 100.0}, {"DNS": 70, "connect": 30}),
        ({"total_ms": 0.0}, {}),
        ({}, {}),
    ],
)
def test_the_parts_of_an_attempt_make_up_its_whole(timings: dict[str, float], expected: dict[str, float]) -> None:
    stretches = cut_time(DeliveryAttempt(**timings))
    assert {one.name: one.milliseconds for one in stretches} == expected
    assert sum(one.length for one in stretches) == pytest.approx(100 if expected else 0)
