"""What administrators do to deliveries and events over the API, and what they are told where it cannot be done."""

from __future__ import annotations

import random
from collections.abc import Callable
from uuid import UUID

import pytest
from pytest_django import DjangoAssertNumQueries

from deliveries.claim import claim
from deliveries.models import Delivery, Status
from deliveries.record import record_landings
from subscriptions.models import Subscription
from subscriptions.subscribe import set_enabled
from tests.integration.api.conftest import ApiOf, Client
from tests.integration.conftest import Listen
from tests.integration.rows import answered, change, claim_one, database_now, land, make_pending, read_delivery
from webhookhub.ids import new_id, show
from webhookhub.models import Account, Event
from webhookhub.roles import Role


@pytest.fixture
def waiting(pending: list[UUID], listen: Listen) -> UUID:
    """A delivery that failed once and waits an hour for its retry."""
    settle(pending[0], 500)
    listen("deliveries")
    return pending[0]


@pytest.fixture
def failed(pending: list[UUID], listen: Listen) -> UUID:
    settle(pending[0], 410)
    listen("deliveries")
    return pending[0]


def settle(delivery_id: UUID, status_code: int) -> None:
    landing = land(claim_one(delivery_id), answered(status_code), intervals_seconds=(3_600, 3_600))
    record_landings([landing], rng=random.Random())


def route(delivery_id: UUID, action: str) -> str:
    return f"/api/v1/deliveries/{show('delivery', delivery_id)}/{action}"


def event_route(event_id: UUID) -> str:
    return f"/api/v1/events/{show('event', event_id)}/replay"


def recorded(account: Account, data: str = "{}") -> Event:
    """An event that nobody wanted."""
    return Event.objects.create(account=account, type="order.shipped", data=data, created_at=database_now())


def test_a_cancelled_delivery_is_shown_as_it_stands(api: Client, waiting: UUID) -> None:
    answer = api.post(route(waiting, "cancel"), {"reason": "wrong prices"})
    assert answer.status_code == 200
    shown = answer.json()
    assert (shown["id"], shown["status"]) == (show("delivery", waiting), "cancelled")
    assert (shown["failureReason"], shown["nextAttemptAt"]) == ("wrong prices", None)
    assert claim([waiting]) == []


def test_cancelling_needs_no_body(api: Client, waiting: UUID) -> None:
    assert api.post(route(waiting, "cancel")).json()["failureReason"] == "cancelled"


def test_a_reason_longer_than_what_is_kept_is_refused(api: Client, waiting: UUID) -> None:
    answer = api.post(route(waiting, "cancel"), {"reason": "x" * 33})
    assert (answer.status_code, answer.json()["errors"][0]["field"]) == (422, "reason")
    assert read_delivery(waiting).status == Status.PENDING


@pytest.mark.parametrize("action", ["cancel", "retry"])
def test_what_is_over_is_neither_cancelled_nor_retried(api: Client, failed: UUID, action: str) -> None:
    answer = api.post(route(failed, action))
    assert (answer.status_code, answer.json()["code"]) == (409, "delivery_final")
    assert "replay" in answer.json()["detail"]
    assert read_delivery(failed).failure_reason == "gone"


def test_a_retry_is_due_now(api: Client, waiting: UUID, listen: Listen) -> None:
    answer = api.post(route(waiting, "retry"))
    assert (answer.status_code, answer.json()["status"], answer.json()["attemptCount"]) == (202, "pending", 1)
    assert [message.ids for message in listen("deliveries")] == [[waiting]]
    assert len(claim([waiting])) == 1


def test_a_retry_of_what_is_on_the_wire_has_nothing_to_do(api: Client, pending: list[UUID]) -> None:
    claim_one(pending[0])
    answer = api.post(route(pending[0], "retry"))
    assert (answer.status_code, answer.json()["code"]) == (409, "on_the_wire")


def test_a_replay_answers_with_the_new_delivery_marked_as_manual(api: Client, failed: UUID, listen: Listen) -> None:
    answer = api.post(route(failed, "replay"))
    assert answer.status_code == 202
    shown = answer.json()
    (made,) = Delivery.objects.exclude(id=failed)
    assert (shown["id"], shown["status"], shown["attemptCount"]) == (made.shown_id, "pending", 0)
    assert (shown["trigger"], shown["manual"]) == ("replay", True)
    assert shown["event"] == show("event", read_delivery(failed).event_id)
    assert [message.ids for message in listen("deliveries")] == [[made.id]]


def test_a_replay_asked_for_twice_under_one_key_is_one(api: Client, failed: UUID) -> None:
    first, second = (api.post(route(failed, "replay"), headers={"Idempotency-Key": "mine"}) for _ in range(2))
    third = api.post(route(failed, "replay"), headers={"Idempotency-Key": "another"})
    fourth = api.post(route(failed, "replay"))
    assert first.json()["id"] == second.json()["id"]
    assert len({answer.json()["id"] for answer in (first, third, fourth)}) == 3


@pytest.mark.parametrize("action", ["retry", "replay"])
def test_a_disabled_webhook_is_a_conflict_and_never_a_silent_success(
    api: Client, waiting: UUID, subscription: Subscription, listen: Listen, action: str
) -> None:
    set_enabled(subscription, False)
    answer = api.post(route(waiting, action))
    assert (answer.status_code, answer.json()["code"]) == (409, "webhook_disabled")
    assert (Delivery.objects.count(), listen("deliveries")) == (1, [])


@pytest.mark.parametrize("action", ["retry", "replay"])
def test_a_deleted_webhook_is_a_conflict(api: Client, waiting: UUID, subscription: Subscription, action: str) -> None:
    subscription.delete()
    assert api.post(route(waiting, action)).json()["code"] == "webhook_deleted"


def test_data_that_were_expunged_cannot_be_replayed(api: Client, failed: UUID) -> None:
    Event.objects.update(data="")
    answer = api.post(route(failed, "replay"))
    assert (answer.status_code, answer.json()["code"]) == (409, "payload_expunged")


@pytest.mark.parametrize("action", ["cancel", "retry", "replay"])
def test_what_belongs_to_others_is_not_there(
    api_of: ApiOf, foreign_account: Account, waiting: UUID, action: str
) -> None:
    stranger = api_of(Role.ADMINISTRATOR, foreign_account)
    answer = stranger.post(route(waiting, action))
    assert (answer.status_code, answer.json()["code"]) == (404, "not_found")
    assert stranger.post(route(new_id(), action)).status_code == 404
    assert stranger.post(f"/api/v1/deliveries/nonsense/{action}").status_code == 404
    assert (read_delivery(waiting).status, Delivery.objects.count()) == (Status.PENDING, 1)


@pytest.mark.parametrize("action", ["cancel", "retry", "replay"])
def test_an_operator_may_do_it_for_any_account(operator: Client, waiting: UUID, action: str) -> None:
    assert operator.post(route(waiting, action)).status_code in (200, 202)


@pytest.mark.parametrize("role", [Role.PUBLISHER, Role.READER])
@pytest.mark.parametrize("action", ["cancel", "retry", "replay"])
def test_readers_and_publishers_do_nothing_to_deliveries(api_of: ApiOf, waiting: UUID, role: Role, action: str) -> None:
    answer = api_of(role).post(route(waiting, action))
    assert (answer.status_code, answer.json()["code"]) == (403, "role_not_sufficient")


def test_an_unknown_field_is_refused(api: Client, waiting: UUID) -> None:
    assert api.post(route(waiting, "retry"), {"when": "now"}).status_code == 422


def test_an_event_that_nobody_wanted_is_replayed_to_a_webhook_that_was_added_later(
    api: Client, account: Account, subscribed: Callable[..., Subscription]
) -> None:
    event = recorded(account)
    answer = api.post(event_route(event.id))
    assert (answer.status_code, answer.json()["code"]) == (409, "no_webhook_matches")
    added = subscribed()
    answer = api.post(event_route(event.id))
    assert answer.status_code == 202
    (shown,) = answer.json()["items"]
    assert (shown["webhook"], shown["event"], shown["manual"]) == (added.shown_id, event.shown_id, True)


def test_an_event_is_replayed_to_the_webhook_that_is_named(
    api: Client, account: Account, subscribed: Callable[..., Subscription]
) -> None:
    event = recorded(account)
    subscribed()
    named = subscribed(event_types=["product.*"])
    Subscription.objects.filter(id=named.id).update(uid="of-mine")
    for name in (named.shown_id, "of-mine"):
        (shown,) = api.post(event_route(event.id), {"webhook": name}).json()["items"]
        assert shown["webhook"] == named.shown_id


def test_an_event_goes_to_no_webhook_of_another_account(
    api: Client, account: Account, foreign_account: Account
) -> None:
    foreign = Subscription.objects.create(account=foreign_account, url="https://example.com/")
    answer = api.post(event_route(recorded(account).id), {"webhook": foreign.shown_id})
    assert (answer.status_code, Delivery.objects.count()) == (404, 0)


def test_a_foreign_event_is_not_there(api: Client, foreign_account: Account, subscription: Subscription) -> None:
    answer = api.post(event_route(recorded(foreign_account).id), {"webhook": subscription.shown_id})
    assert (answer.status_code, Delivery.objects.count()) == (404, 0)


def test_an_event_replayed_twice_under_one_key_is_replayed_once(
    api: Client, account: Account, subscription: Subscription
) -> None:
    event = recorded(account)
    answers = [api.post(event_route(event.id), headers={"Idempotency-Key": "mine"}).json() for _ in range(2)]
    assert answers[0] == answers[1]
    assert Delivery.objects.count() == 1


@pytest.mark.parametrize("action", ["cancel", "retry", "replay"])
def test_an_action_takes_few_queries(
    api: Client, waiting: UUID, action: str, django_assert_max_num_queries: DjangoAssertNumQueries
) -> None:
    with django_assert_max_num_queries(6):
        assert api.post(route(waiting, action)).status_code in (200, 202)


def test_replaying_an_event_takes_few_queries_however_many_want_it(
    api: Client,
    account: Account,
    subscribed: Callable[..., Subscription],
    django_assert_max_num_queries: DjangoAssertNumQueries,
) -> None:
    for _ in range(10):
        subscribed()
    first, second = recorded(account), recorded(account)
    assert api.post(event_route(first.id)).status_code == 202
    with django_assert_max_num_queries(6):
        assert len(api.post(event_route(second.id)).json()["items"]) == 10


def test_a_held_delivery_goes_when_its_webhook_takes_it(api: Client, waiting: UUID) -> None:
    change([waiting], status=Status.HELD)
    answer = api.post(route(waiting, "retry"))
    assert (answer.status_code, answer.json()["code"]) == (409, "delivery_held")


def test_cancelling_what_is_held_is_fine(api: Client, waiting: UUID) -> None:
    change([waiting], status=Status.HELD)
    assert api.post(route(waiting, "cancel")).json()["status"] == "cancelled"


def test_what_is_outstanding_can_be_replayed_beside_it(api: Client, subscription: Subscription) -> None:
    (outstanding,) = make_pending(subscription)
    assert api.post(route(outstanding, "replay")).status_code == 202
    assert set(Delivery.objects.values_list("status", flat=True)) == {Status.PENDING}
