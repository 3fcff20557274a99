"""find_deliveries: everything that a filter means is found once, however small the steps."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from uuid import UUID

import pytest

from deliveries.fan_out import fan_out
from deliveries.filters import DeliveryFilter
from deliveries.models import UNDELIVERED, Delivery, Status
from deliveries.search import find_deliveries
from subscriptions.models import Subscription
from tests.integration.rows import change
from webhookhub.events import NewEvent, emit_many
from webhookhub.models import Account

NEVER = 1_000


@pytest.fixture
def recorded(account: Account, subscribed: Callable[..., Subscription]) -> list[UUID]:
    """Deliveries of six events to three webhooks each, in the order of their ids."""
    for _ in range(3):
        subscribed()
    events = [NewEvent(type="order.shipped", data={}, correlation_id="c-1") for _ in range(6)]
    fan_out(emit_many(events, account=account))
    return list(Delivery.objects.order_by("id").values_list("id", flat=True))


@pytest.mark.parametrize("ascending", [True, False])
@pytest.mark.parametrize("is_of_one_account", [True, False])
@pytest.mark.parametrize(
    "parameters",
    [
        {},
        {"status": ["pending", "failed"]},
        {"status": ["pending", "delivered"]},
        {"eventType": "order.shipped"},
        {"correlationId": "c-1"},
        {"attemptsAtLeast": 0},
    ],
)
def test_steps_of_any_size_find_everything_once(
    recorded: list[UUID],
    account: Account,
    monkeypatch: pytest.MonkeyPatch,
    parameters: Mapping[str, object],
    *,
    is_of_one_account: bool,
    ascending: bool,
) -> None:
    monkeypatch.setattr("deliveries.search.CANDIDATES", 4)
    wanted = DeliveryFilter.from_parameters(parameters)
    for limit in (1, 2, 3, 4, 7, NEVER):
        found: list[UUID] = []
        after: UUID | None = None
        while True:
            step = find_deliveries(
                wanted,
                account_id=account.id if is_of_one_account else None,
                after=after,
                limit=limit,
                ascending=ascending,
            )
            assert len(step.ids) <= limit
            found += step.ids
            if (after := step.stopped_at) is None:
                break
        assert found == (recorded if ascending else recorded[::-1])


@pytest.mark.parametrize("ascending", [True, False])
def test_what_nobody_was_told_is_found_in_the_order_of_ids_whatever_its_status(
    recorded: list[UUID], monkeypatch: pytest.MonkeyPatch, *, ascending: bool
) -> None:
    statuses = [Status.PENDING, Status.FAILED, Status.HELD, Status.DELIVERED, Status.CANCELLED]
    for number, identifier in enumerate(recorded):
        change([identifier], status=statuses[number % len(statuses)])
    expected = [identifier for number, identifier in enumerate(recorded) if number % len(statuses) < 3]
    monkeypatch.setattr("deliveries.search.CANDIDATES", 2)
    for limit in (1, 2, 3, 5, NEVER):
        found: list[UUID] = []
        after: UUID | None = None
        while True:
            step = find_deliveries(
                DeliveryFilter(statuses=UNDELIVERED), account_id=None, after=after, limit=limit, ascending=ascending
            )
            assert len(step.ids) <= limit
            found += step.ids
            if (after := step.stopped_at) is None:
                break
        assert found == (expected if ascending else expected[::-1])


@pytest.mark.parametrize(
    ("parameters", "expected"),
    [
        ({"lastOutcome": "timeout"}, [0, 1]),
        ({"lastOutcome": ["timeout", "crowded"]}, [0, 1, 2]),
        ({"attemptsAtLeast": "3"}, [1, 2]),
        ({"attemptsAtLeast": "3", "lastOutcome": "timeout"}, [1]),
        ({"attemptsAtLeast": "9"}, []),
    ],
)
def test_deliveries_are_found_by_how_the_last_attempt_went_and_by_their_number(
    recorded: list[UUID], account: Account, parameters: Mapping[str, object], expected: list[int]
) -> None:
    for identifier, outcome, attempts in zip(recorded, ("timeout", "timeout", "crowded"), (2, 3, 4), strict=False):
        change([identifier], last_outcome=outcome, attempt_count=attempts)
    wanted = DeliveryFilter.from_parameters(parameters)
    for account_id in (account.id, None):
        found = find_deliveries(wanted, account_id=account_id, limit=NEVER)
        assert found.ids == [recorded[number] for number in expected]
