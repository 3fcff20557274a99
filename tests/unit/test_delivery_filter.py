"""DeliveryFilter: the parameters of a list or a job, read into a value and written back."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest

from deliveries.filters import DeliveryFilter
from deliveries.models import Status
from webhookhub.errors import BadFilterError
from webhookhub.parameters import MOST_VALUES

EVERYTHING = {
    "status": ["pending", "failed"],
    "webhook": "sub_0192f0c1d5a37abc8123456789abcdef",
    "eventType": ["order.paid", "order.shipped"],
    "correlationId": "a, b",
    "statusCodeClass": ["5xx", "none"],
    "statusCode": [429, 503],
    "lastOutcome": ["timeout", "crowded"],
    "attemptsAtLeast": 3,
    "since": "2026-01-15T10:00:00.000Z",
    "until": "2026-01-15T11:00:00.250Z",
}


def test_without_parameters_it_means_all() -> None:
    assert DeliveryFilter.from_parameters({}) == DeliveryFilter()
    assert DeliveryFilter().to_json() == {}


def test_what_is_written_is_read_back() -> None:
    read = DeliveryFilter.from_parameters(EVERYTHING)
    assert read == DeliveryFilter(
        statuses=(Status.PENDING, Status.FAILED),
        webhook="sub_0192f0c1d5a37abc8123456789abcdef",
        event_types=("order.paid", "order.shipped"),
        correlation_id="a, b",
        status_code_classes=("5xx", "none"),
        status_codes=(429, 503),
        last_outcomes=("timeout", "crowded"),
        attempts_at_least=3,
        since=datetime(2026, 1, 15, 10, tzinfo=UTC),
        until=datetime(2026, 1, 15, 11, 0, 0, 250_000, tzinfo=UTC),
    )
    assert read.to_json() == EVERYTHING


@pytest.mark.parametrize(
    "given", ["pending,failed", ["pending", "failed"], ["pending,failed"], ["pending,", "failed", "pending"]]
)
def test_several_values_are_repeated_or_stand_between_commas(given: str | list[str]) -> None:
    assert DeliveryFilter.from_parameters({"status": given}).statuses == (Status.PENDING, Status.FAILED)


def test_a_plus_that_was_not_encoded_is_read_as_one() -> None:
    read = DeliveryFilter.from_parameters({"since": "2026-01-15T11:00:00 01:00"})
    assert read.since == datetime(2026, 1, 15, 10, tzinfo=UTC)


def test_other_parameters_are_passed_over() -> None:
    assert DeliveryFilter.from_parameters({"limit": "10", "account": "acc_1"}) == DeliveryFilter()


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("status", "done"),
        # Left out, it means all; who sends it empty meant something else.
        ("status", []),
        ("status", ""),
        ("eventType", ","),
        ("webhook", ""),
        ("webhook", ["a", "b"]),
        ("correlationId", "a\x00"),
        ("statusCodeClass", "1xx"),
        ("statusCode", 600),
        ("statusCode", "0200"),
        ("statusCode", "²00"),
        ("statusCode", "-20"),
        ("lastOutcome", "fine"),
        ("attemptsAtLeast", "-1"),
        ("attemptsAtLeast", "many"),
        ("attemptsAtLeast", "1000001"),
        ("since", "2026-01-15"),
        ("until", "2026-01-15T10:00:00"),
        ("eventType", [f"t{number}" for number in range(MOST_VALUES + 1)]),
    ],
)
def test_what_cannot_be_read_is_refused_by_name(name: str, value: Any) -> None:
    with pytest.raises(BadFilterError) as refused:
        DeliveryFilter.from_parameters({name: value})
    assert refused.value.field == name


def test_a_window_has_to_end_after_it_begins() -> None:
    moment = "2026-01-15T10:00:00Z"
    with pytest.raises(BadFilterError, match="after since"):
        DeliveryFilter.from_parameters({"since": moment, "until": moment})
