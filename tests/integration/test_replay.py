"""replay: the same event once more, to the same webhook or to others, as a new delivery with a schedule of its own."""

from __future__ import annotations

import random
from collections.abc import Callable
from datetime import timedelta
from threading import Barrier
from uuid import UUID

import pytest
from pytest_django import DjangoAssertNumQueries

from deliveries.claim import claim
from deliveries.models import Delivery, Status
from deliveries.objections import Objection
from deliveries.record import record_landings
from deliveries.replay import replay, replay_event
from subscriptions.models import Subscription
from subscriptions.subscribe import set_enabled
from tests.integration.conftest import Listen
from tests.integration.rows import (
    answered,
    claim_one,
    database_now,
    land,
    make_pending,
    read_attempts,
    read_delivery,
    run_at_once,
)
from webhookhub.ids import new_id
from webhookhub.models import Account, Event


@pytest.fixture
def failed(pending: list[UUID], listen: Listen) -> UUID:
    """A delivery whose receiver wanted no more of it."""
    settle(pending[0], 410)
    listen("deliveries")
    return pending[0]


def settle(delivery_id: UUID, status_code: int) -> None:
    record_landings([land(claim_one(delivery_id), answered(status_code))], rng=random.Random())


def replay_one(delivery_id: UUID, request: str = "1") -> Delivery:
    replayed = replay([delivery_id], request=request)
    (delivery,) = replayed.deliveries
    assert replayed.refused == {}
    return delivery


def expunge(delivery_id: UUID) -> None:
    Event.objects.filter(id=read_delivery(delivery_id).event_id).update(data="")


def recorded(account: Account, data: str = "{}") -> Event:
    """An event that nobody wanted."""
    return Event.objects.create(account=account, type="order.shipped", data=data, created_at=database_now())


def test_a_replay_is_a_new_delivery_of_the_same_event_with_the_same_id_on_the_wire(
    failed: UUID, listen: Listen
) -> None:
    before = read_delivery(failed)
    delivery = replay_one(failed, "of-mine")
    assert delivery.id != failed
    assert (delivery.event_id, delivery.subscription_id) == (before.event_id, before.subscription_id)
    assert (delivery.trigger, delivery.status, delivery.attempt_count) == ("replay:of-mine", Status.PENDING, 0)
    assert [message.ids for message in listen("deliveries")] == [[delivery.id]]
    one = claim_one(delivery.id)
    assert (one.attempt_number, one.fact.shown_id) == (1, before.event.shown_id)
    assert read_delivery(failed).status == Status.FAILED


def test_a_receiver_that_accepts_hears_a_replay_once(failed: UUID) -> None:
    delivery = replay_one(failed)
    settle(delivery.id, 200)
    assert claim([delivery.id]) == []
    assert (len(read_attempts(delivery.id)), len(read_attempts(failed))) == (1, 1)


def test_a_replay_that_fails_has_all_of_its_retries(failed: UUID) -> None:
    delivery = replay_one(failed)
    settle(delivery.id, 500)
    row = read_delivery(delivery.id)
    assert (row.status, row.attempt_count) == (Status.PENDING, 1)
    assert row.due_at > database_now()


def test_a_replay_expires_as_a_delivery_that_begins_now(subscription: Subscription, failed: UUID) -> None:
    subscription.overrides = {"expires_after_seconds": 3_600}
    subscription.save()
    assert abs(replay_one(failed).expires_at - database_now() - timedelta(hours=1)) < timedelta(minutes=1)


def test_the_same_request_again_makes_nothing_new(failed: UUID, listen: Listen) -> None:
    delivery = replay_one(failed)
    settle(delivery.id, 200)
    listen("deliveries")
    again = replay([failed], request="1")
    assert [(row.id, row.status) for row in again.deliveries] == [(delivery.id, Status.DELIVERED)]
    assert again.new == set()
    assert listen("deliveries") == []
    assert replay_one(failed, "2").id != delivery.id


def test_one_request_made_twice_at_once_makes_one_delivery(failed: UUID) -> None:
    barrier = Barrier(2)

    def ask() -> set[UUID]:
        barrier.wait()
        return replay([failed], request="1").new

    assert sorted(map(len, run_at_once([ask] * 2))) == [0, 1]
    assert Delivery.objects.count() == 2


def test_what_was_delivered_can_be_replayed_too(pending: list[UUID]) -> None:
    settle(pending[0], 200)
    assert replay_one(pending[0]).status == Status.PENDING


def test_two_deliveries_of_one_event_to_one_webhook_are_replayed_by_one(failed: UUID) -> None:
    earlier = replay_one(failed)
    replayed = replay([failed, earlier.id], request="2")
    assert len(replayed.deliveries) == len(replayed.new) == 1


def test_a_disabled_webhook_is_sent_nothing(failed: UUID, subscription: Subscription, listen: Listen) -> None:
    set_enabled(subscription, False)
    assert replay([failed], request="1").refused == {failed: Objection.WEBHOOK_DISABLED}
    assert (Delivery.objects.count(), listen("deliveries")) == (1, [])


def test_a_deleted_webhook_is_nobody_to_tell(failed: UUID, subscription: Subscription) -> None:
    subscription.delete()
    assert replay([failed], request="1").refused == {failed: Objection.WEBHOOK_DELETED}


def test_of_an_event_whose_data_were_expunged_nothing_is_left_to_send(failed: UUID) -> None:
    expunge(failed)
    assert replay([failed], request="1").refused == {failed: Objection.PAYLOAD_EXPUNGED}


def test_of_an_event_that_is_gone_nothing_is_left_to_send(failed: UUID) -> None:
    Event.objects.all().delete()
    assert replay([failed], request="1").refused == {failed: Objection.EVENT_GONE}


def test_each_of_several_stands_in_the_answer(subscription: Subscription) -> None:
    fine, expunged = make_pending(subscription, 2)
    expunge(expunged)
    unknown = new_id()
    replayed = replay([unknown, expunged, fine], request="1")
    assert [row.event_id for row in replayed.deliveries] == [read_delivery(fine).event_id]
    assert replayed.refused == {unknown: Objection.NOT_FOUND, expunged: Objection.PAYLOAD_EXPUNGED}


def test_an_event_that_nobody_wanted_goes_to_a_webhook_that_was_added_later(
    account: Account, subscribed: Callable[..., Subscription], listen: Listen
) -> None:
    event = recorded(account)
    assert replay_event(event, request="1") is Objection.NO_WEBHOOK_MATCHES
    wants = subscribed(event_types=["order.*"])
    subscribed(event_types=["product.*"])
    set_enabled(subscribed(event_types=["*"]), False)
    made = replay_event(event, request="1")
    assert isinstance(made, list)
    assert [(row.subscription_id, row.event_id, row.trigger) for row in made] == [(wants.id, event.id, "replay:1")]
    assert [message.ids for message in listen("deliveries")] == [[made[0].id]]


def test_a_filter_on_the_data_is_asked_too(account: Account, subscribed: Callable[..., Subscription]) -> None:
    chosen, other = subscribed(), subscribed()
    Subscription.objects.filter(id=other.id).update(payload_filter={"total": {"$gt": 100}})
    made = replay_event(recorded(account, '{"total":99}'), request="1")
    assert isinstance(made, list)
    assert [row.subscription_id for row in made] == [chosen.id]


def test_an_event_goes_to_a_webhook_that_is_named_whether_or_not_it_wants_it(
    account: Account, subscribed: Callable[..., Subscription]
) -> None:
    subscribed()
    named = subscribed(event_types=["product.*"])
    made = replay_event(recorded(account), request="1", to=named)
    assert isinstance(made, list)
    assert [row.subscription_id for row in made] == [named.id]


def test_an_event_does_not_go_to_a_disabled_webhook_though_it_is_named(
    account: Account, subscription: Subscription
) -> None:
    set_enabled(subscription, False)
    assert replay_event(recorded(account), request="1", to=subscription) is Objection.WEBHOOK_DISABLED


def test_an_event_whose_data_were_expunged_is_not_sent_to_anybody(account: Account, subscription: Subscription) -> None:
    assert replay_event(recorded(account, ""), request="1", to=subscription) is Objection.PAYLOAD_EXPUNGED


def test_a_replay_is_two_statements_however_many_there_are(
    subscription: Subscription, django_assert_num_queries: DjangoAssertNumQueries
) -> None:
    identifiers = make_pending(subscription, 50)
    with django_assert_num_queries(2):
        assert len(replay(identifiers, request="1").new) == 50
