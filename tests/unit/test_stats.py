"""summarise: attempts counted by outcome and class, and how long they took."""

from __future__ import annotations

import random

import pytest

from deliveries.stats import summarise


def test_without_attempts_all_is_zero() -> None:
    found = summarise([])
    assert (found.total, found.by_outcome, set(found.by_status_code_class.values())) == (0, {}, {0})
    assert (found.median_ms, found.p95_ms) == (None, None)


def test_attempts_are_counted_by_outcome_and_class() -> None:
    found = summarise(
        [
            ("delivered", 200, 1.0),
            ("delivered", 204, 2.0),
            ("status", 301, 3.0),
            ("status", 500, 4.0),
            ("gone", 410, 5.0),
            ("refused", None, 0.5),
            ("worker_lost", None, None),
        ]
    )
    assert found.total == 7
    assert found.by_outcome == {"delivered": 2, "status": 2, "gone": 1, "refused": 1, "worker_lost": 1}
    assert found.by_status_code_class == {"2xx": 2, "3xx": 1, "4xx": 1, "5xx": 1, "none": 2}


@pytest.mark.parametrize(
    ("durations", "median", "p95"),
    [
        ([7.0], 7.0, 7.0),
        ([1.0, 2.0], 1.0, 2.0),
        ([1.0, 2.0, 3.0], 2.0, 3.0),
        ([float(n) for n in range(1, 101)], 50.0, 95.0),
        ([float(n) for n in range(1, 21)], 10.0, 19.0),  # 95 % of 20 are 19
    ],
)
def test_median_and_p95_are_durations_that_there_were(durations: list[float], median: float, p95: float) -> None:
    random.Random(0).shuffle(durations)
    found = summarise([("delivered", 200, duration) for duration in durations] + [("worker_lost", None, None)])
    assert (found.median_ms, found.p95_ms) == (median, p95)
