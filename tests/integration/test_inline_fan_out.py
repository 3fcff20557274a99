"""inline_fan_out: what is published gets the very deliveries that `fan_out` would make, where few want it and it is known who."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any
from uuid import UUID

import pytest
from django.db import connection, transaction
from django.test.utils import CaptureQueriesContext

from deliveries import inline_fan_out
from deliveries.fan_out import FannedOut, fan_out
from deliveries.inline_fan_out import MOST_DELIVERIES, InlineFanOut
from deliveries.models import Delivery, Status
from subscriptions.models import Subscription
from subscriptions.subscribe import set_enabled, subscribe
from tests.integration.conftest import Listen
from webhookhub.conf import hub_settings
from webhookhub.event_rows import NewEvent, to_row
from webhookhub.events import emit
from webhookhub.ids import new_id
from webhookhub.ingest.sink import Inserted, Unrung
from webhookhub.models import Account, Event

Subscribed = Callable[..., Subscription]


@pytest.fixture
def sink() -> InlineFanOut:
    """As a process has it that has just been started."""
    return InlineFanOut()


def insert(sink: InlineFanOut, account: Account, *types: str, **labels: Any) -> tuple[list[UUID], Inserted]:
    """Insert an event of each type; their ids, and what came of it."""
    rows = [to_row(NewEvent(type=one, data={}, **labels), hub_settings().event_data_max_bytes) for one in types]
    with transaction.atomic():
        return [row.id for row in rows], sink.insert([(account.id, row) for row in rows])


def publish(sink: InlineFanOut, account: Account, *types: str, **labels: Any) -> Inserted:
    """Insert an event of each type, and ring for what came of it."""
    event_ids, inserted = insert(sink, account, *types, **labels)
    sink.ring(
        Unrung(
            events=[one for one in event_ids if one not in inserted.deliveries],
            deliveries=[delivery for its in inserted.deliveries.values() for delivery in its],
        )
    )
    return inserted


def waiting() -> int:
    return Event.objects.exclude(wake_at=None).count()


def told(event_ids: Sequence[UUID]) -> set[object]:
    return set(Delivery.objects.filter(event_id__in=event_ids).values_list("subscription_id", flat=True))


def test_the_first_event_of_an_account_waits_for_fan_out_and_the_next_has_its_deliveries(
    sink: InlineFanOut, subscription: Subscription, listen: Listen
) -> None:
    assert publish(sink, subscription.account, "a") == Inserted(events=1, deliveries={})
    assert (waiting(), [rung.task for rung in listen("fanout")]) == (1, ["deliveries.fan_out"])
    ((event_id, delivery_ids),) = publish(sink, subscription.account, "b").deliveries.items()
    assert [(one.id, one.event_id) for one in Delivery.objects.all()] == [(delivery_ids[0], event_id)]
    assert waiting() == 1
    assert listen("fanout") == []
    assert [rung.ids for rung in listen("deliveries")] == [list(delivery_ids)]


def test_its_deliveries_are_those_that_fan_out_would_make(
    sink: InlineFanOut, account: Account, subscribed: Subscribed
) -> None:
    subscribed(event_types=["order.*", "order.shipped"])
    hasty = subscribed(entity_type="order", action="UPDATE")
    Subscription.objects.filter(id=hasty.id).update(overrides={"expires_after_seconds": 20})
    subscribed(event_types=["order"])
    set_enabled(subscribed(), False)
    subscribe(Account.objects.create(name="Bob's shop"), "http://127.0.0.1:9/")
    labels = {"entity_type": "order", "action": "UPDATE"}
    publish(sink, account, "order.shipped", **labels)
    (event_id,) = publish(sink, account, "order.shipped", **labels).deliveries
    other_id = emit("order.shipped", {}, account=account, **labels)
    fan_out([other_id])

    def seen(event_id: UUID) -> list[dict[str, Any]]:
        rows = Delivery.objects.filter(event_id=event_id).order_by("subscription_id")
        fields = [field.name for field in Delivery._meta.fields if field.name not in ("id", "event")]
        moments = ("due_at", "wake_at", "expires_at")
        return [
            {name: getattr(row, name) for name in fields if name not in moments}
            | {name: getattr(row, name) - row.due_at for name in moments}
            for row in rows
        ]

    assert seen(event_id) == seen(other_id)
    assert [row["status"] for row in seen(event_id)] == [Status.PENDING] * 2


def test_a_subscription_that_was_committed_before_the_event_is_told(
    sink: InlineFanOut, subscription: Subscription, subscribed: Subscribed
) -> None:
    account = subscription.account
    publish(sink, account, "a")
    newer = subscribed()
    event_ids, inserted = insert(sink, account, "b")
    assert inserted.deliveries == {}
    fan_out(event_ids)
    assert told(event_ids) == {subscription.id, newer.id}


def test_a_subscription_that_is_gone_is_not_told(sink: InlineFanOut, subscription: Subscription) -> None:
    publish(sink, subscription.account, "a")
    subscription.delete()
    event_ids, _ = insert(sink, subscription.account, "b")
    fan_out(event_ids)
    assert told(event_ids) == set()


def test_what_nobody_wants_is_done_and_nobody_is_rung(
    sink: InlineFanOut, account: Account, subscribed: Subscribed, listen: Listen
) -> None:
    subscribed(event_types=["order.*"])
    publish(sink, account, "order.paid")
    listen("fanout")
    (deliveries,) = publish(sink, account, "invoice.paid").deliveries.values()
    assert (deliveries, waiting()) == ([], 1)
    assert (listen("fanout"), listen("deliveries")) == ([], [])


def test_what_more_want_than_a_publisher_should_wait_for_is_left_to_fan_out(
    sink: InlineFanOut, account: Account, subscribed: Subscribed
) -> None:
    subscriptions = [subscribed(event_types=["all", "most"]) for _ in range(MOST_DELIVERIES)]
    subscriptions.append(subscribed(event_types=["all"]))
    publish(sink, account, "all")
    _, inserted = insert(sink, account, "all", "most")
    assert [len(its) for its in inserted.deliveries.values()] == [MOST_DELIVERIES]
    assert fan_out([new_id()]) == FannedOut(events=2, deliveries=2 * (MOST_DELIVERIES + 1))


def test_what_somebody_wants_by_its_data_is_left_to_fan_out(
    sink: InlineFanOut, account: Account, subscribed: Subscribed
) -> None:
    filtered = subscribed(event_types=["order.paid"])
    Subscription.objects.filter(id=filtered.id).update(payload_filter={"total": {"$gt": 5}})
    subscribed(event_types=["order.shipped"])
    publish(sink, account, "order.paid")
    event_ids, inserted = insert(sink, account, "order.paid", "order.shipped")
    assert set(inserted.deliveries) == {event_ids[1]}


def test_an_account_whose_plan_has_no_webhooks_any_more_is_told_nothing(
    sink: InlineFanOut, subscription: Subscription
) -> None:
    publish(sink, subscription.account, "a")
    Account.objects.update(has_webhooks=False)
    event_ids, _ = insert(sink, subscription.account, "b")
    fan_out(event_ids)
    assert told(event_ids) == set()


def test_of_accounts_that_do_not_exist_nothing_is_inserted(sink: InlineFanOut, subscription: Subscription) -> None:
    account = subscription.account
    publish(sink, account, "a")
    account.delete()
    _, inserted = insert(sink, account, "b", "c")
    assert (inserted.events, Event.objects.count(), Delivery.objects.count()) == (0, 1, 0)


def test_inserted_twice_nothing_is_there_twice(sink: InlineFanOut, subscription: Subscription) -> None:
    publish(sink, subscription.account, "a")
    row = to_row(NewEvent(type="b", data=1), hub_settings().event_data_max_bytes)
    first, second = (sink.insert([(subscription.account_id, row)]) for _ in range(2))
    assert first == second
    assert (Event.objects.count(), Delivery.objects.count()) == (2, 1)


def test_an_account_with_many_subscriptions_is_not_kept_in_memory_and_not_asked_about_again(
    sink: InlineFanOut, account: Account, subscribed: Subscribed, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(inline_fan_out, "MOST_SUBSCRIPTIONS", 1)
    subscribed(event_types=["a"])
    subscribed(event_types=["b"])
    publish(sink, account, "a")
    with CaptureQueriesContext(connection) as queries:
        assert publish(sink, account, "a").deliveries == {}
    assert [query["sql"] for query in queries if "webhookhub_subscription" in query["sql"]] == []


def test_a_database_that_is_away_while_it_learns_costs_nobody_the_ring(
    sink: InlineFanOut, subscription: Subscription, listen: Listen
) -> None:
    event_ids, _ = insert(sink, subscription.account, "a")
    connection.close()
    port, connection.settings_dict["PORT"] = connection.settings_dict["PORT"], "1"
    try:
        sink.ring(Unrung(events=event_ids))
    finally:
        connection.settings_dict["PORT"] = port
    assert [rung.ids for rung in listen("fanout")] == [event_ids]
