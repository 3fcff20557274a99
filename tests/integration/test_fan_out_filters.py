"""fan_out: a payload filter lets through what it asks for, and costs nothing where there is none."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any
from uuid import UUID

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from deliveries.fan_out import FannedOut, fan_out
from deliveries.models import Delivery
from subscriptions.models import Subscription
from tests.integration.plans import Explain
from webhookhub.events import NewEvent, emit, emit_many
from webhookhub.models import Account, Event

Subscribed = Callable[..., Subscription]


@pytest.fixture
def filtered(subscribed: Subscribed) -> Subscribed:
    """Subscribes with a payload filter: `filtered({"total": {"$gt": 5}}, event_types=["order.*"])`."""

    def subscribe(payload_filter: Any, **wanted: Any) -> Subscription:
        subscription = subscribed(**wanted)
        Subscription.objects.filter(id=subscription.id).update(payload_filter=payload_filter)
        return subscription

    return subscribe


def told(event_id: object) -> set[object]:
    return set(Delivery.objects.filter(event_id=event_id).values_list("subscription_id", flat=True))


class ExplainRead(Explain):
    """The plans of the statements that read events' data."""

    def __call__(self, execute: Any, sql: str, params: Any, many: bool, context: dict[str, Any]) -> Any:
        if "SELECT id, data" in sql:
            return super().__call__(execute, sql, params, many, context)
        return execute(sql, params, many, context)


def data_read(captured: CaptureQueriesContext) -> list[str]:
    """The statements that read events' data."""
    return [query["sql"] for query in captured.captured_queries if "SELECT id, data" in query["sql"]]


def test_each_event_goes_to_those_whose_filter_lets_its_data_through_and_to_those_without_one(
    account: Account, subscribed: Subscribed, filtered: Subscribed
) -> None:
    everything, large = subscribed(), filtered({"total": {"$gte": 100}})
    large_or_late = filtered({"$or": [{"total": {"$gte": 100}}, {"late": True}]}, event_types=["order.*"])
    orders: dict[Any, set[Any]] = {
        emit("order.paid", {"total": 250}, account=account): {everything.id, large.id, large_or_late.id},
        emit("order.paid", {"total": 50}, account=account): {everything.id},
        emit("order.paid", {"total": 50, "late": True}, account=account): {everything.id, large_or_late.id},
        emit("refund.paid", {"total": 100.0}, account=account): {everything.id, large.id},
        emit("order.paid", [{"total": 50}, {"total": 150}], account=account): {
            everything.id,
            large.id,
            large_or_late.id,
        },
        emit("order.paid", "no object", account=account): {everything.id},
    }
    fan_out(list(orders))
    assert {event_id: told(event_id) for event_id in orders} == orders


def test_an_event_that_no_filter_lets_through_is_done_and_has_no_deliveries(
    account: Account, filtered: Subscribed
) -> None:
    filtered({"total": {"$gte": 100}})
    assert fan_out([emit("order.paid", {"total": 1}, account=account)]) == FannedOut(events=1, deliveries=0)
    assert Event.objects.get().wake_at is None


def test_a_change_of_the_filter_counts_from_the_next_event_on(account: Account, filtered: Subscribed) -> None:
    subscription = filtered({"n": 1})
    assert fan_out([emit("a", {"n": 2}, account=account)]).deliveries == 0
    Subscription.objects.filter(id=subscription.id).update(payload_filter={"n": 2})
    assert fan_out([emit("a", {"n": 2}, account=account)]).deliveries == 1
    Subscription.objects.filter(id=subscription.id).update(payload_filter=None)
    assert fan_out([emit("a", {"n": 3}, account=account)]).deliveries == 1


@pytest.mark.parametrize("stored", [{"$regex": "x"}, {"a": {}}, ["a"], "a", False])
def test_a_stored_filter_that_cannot_be_read_lets_nothing_through_and_is_logged_once(
    stored: object, account: Account, subscribed: Subscribed, filtered: Subscribed, log: pytest.LogCaptureFixture
) -> None:
    broken, sound = filtered(stored), subscribed()
    event_ids = emit_many([NewEvent(type="a", data={"a": n}) for n in range(3)], account=account)
    for event_id in event_ids:
        fan_out([event_id])
    assert set(Delivery.objects.values_list("subscription_id", flat=True)) == {sound.id}
    (line,) = [record for record in log.records if record.message == "unusable filter"]
    assert line.__dict__["subscription"] == broken.shown_id


def test_data_that_were_expunged_interest_no_filter(
    account: Account, subscribed: Subscribed, filtered: Subscribed
) -> None:
    plain, _ = subscribed(), filtered({"secret": {"$exists": False}})
    event_id = emit("a", {}, account=account)
    Event.objects.update(data="")
    fan_out([event_id])
    assert told(event_id) == {plain.id}


def test_a_filter_reads_data_as_javascript_wrote_them(account: Account, filtered: Subscribed) -> None:
    filtered({"$and": [{"big": 2**53 + 1}, {"half": {"$startsWith": "x"}}]})
    event_id = emit("a", {"big": 2**53 + 1, "half": "x\ud83d"}, account=account)
    assert fan_out([event_id]).deliveries == 1


def test_data_are_read_in_one_statement_and_only_of_events_that_somebody_with_a_filter_may_want(
    account: Account, subscribed: Subscribed, filtered: Subscribed
) -> None:
    subscribed()
    events = [NewEvent(type=type, data={"n": n}) for n, type in enumerate(["order.paid", "order.shipped"] * 3)]

    def fan_out_warm() -> tuple[list[UUID], CaptureQueriesContext]:
        fan_out([emit("order.paid", {}, account=account)])
        event_ids = emit_many(events, account=account)
        with CaptureQueriesContext(connection) as captured:
            fan_out(event_ids)
        return event_ids, captured

    _, plain = fan_out_warm()
    assert data_read(plain) == []
    filtered({"n": {"$gte": 0}}, event_types=["order.shipped"])
    event_ids, captured = fan_out_warm()
    (statement,) = data_read(captured)
    assert [event_id.hex in statement for event_id in event_ids] == [False, True] * 3
    assert len(captured) == len(plain) + 1


def test_an_account_without_filters_pays_nothing_for_another_s(
    subscribed: Subscribed, account: Account, filtered: Subscribed
) -> None:
    bob = Account.objects.create(name="Bob's shop")
    Subscription.objects.filter(id=filtered({"n": 1}).id).update(account=bob)
    subscribed()
    with CaptureQueriesContext(connection) as captured:
        fan_out([emit("a", {"n": 1}, account=account)])
    assert data_read(captured) == []
    assert Delivery.objects.count() == 1


def test_many_events_are_read_in_lots(account: Account, filtered: Subscribed, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("deliveries.fan_out.DATA_A_READ", 2)
    filtered({"n": {"$lt": 4}})
    event_ids = emit_many([NewEvent(type="a", data={"n": n}) for n in range(5)], account=account)
    with CaptureQueriesContext(connection) as captured:
        fan_out(event_ids)
    assert len(data_read(captured)) == 3
    assert told(event_ids[4]) == set()
    assert Delivery.objects.count() == 4


def test_data_are_read_from_the_partition_of_the_event_alone(account: Account, filtered: Subscribed) -> None:
    filtered({"n": 1})
    event_id = emit("a", {"n": 1}, account=account)
    with connection.execute_wrapper(explain := ExplainRead()):
        fan_out([event_id])
    assert len(explain.plans) == 1
    assert len(explain.partitions_of("webhookhub_event")) == 1
