"""What was sent or answered is removed over the API before its time, and says so from then on."""

from __future__ import annotations

from collections.abc import Callable
from uuid import UUID

import pytest
from pytest_django import DjangoAssertNumQueries

from deliveries.deliver import deliver
from deliveries.fan_out import fan_out
from deliveries.models import Delivery, DeliveryAttempt, Status
from deliveries.wire import Wire
from subscriptions.models import Subscription
from subscriptions.subscribe import set_enabled, subscribe
from tests.integration.api.conftest import ApiOf, Client, make_keys_unused
from tests.integration.api.log_rows import attempt, get, record_events
from tests.integration.receiver import Receiver
from tests.integration.rows import answered, change, database_now, make_pending
from webhookhub.events import NewEvent, emit
from webhookhub.ids import show
from webhookhub.models import Account, Event
from webhookhub.roles import Role


def data_path(event_id: UUID) -> str:
    return f"/api/v1/events/{show('event', event_id)}/data"


def response_path(delivery_id: UUID, number: int = 1) -> str:
    return f"/api/v1/deliveries/{show('delivery', delivery_id)}/attempts/{number}/response"


def test_an_event_stays_without_its_data(api: Client, account: Account) -> None:
    event_id = emit("order.shipped", {"name": "Zoë"}, account=account, correlation_id="c-1")
    for _ in range(2):
        assert api.delete(data_path(event_id)).status_code == 204
    found = get(api, f"events/{show('event', event_id)}")
    assert (found["expunged"], found["data"], found["correlationId"]) == (True, None, "c-1")
    listed = get(api, "events")["items"]
    assert (listed, get(api, "events", withContent="false")["items"][0]["expunged"]) == ([found], True)
    assert Event.objects.get().data == ""


def test_later_attempts_send_nothing_and_end_the_delivery(
    api: Client, pending: list[UUID], wire: Wire, receiver: Receiver
) -> None:
    attempt(pending[0], 500)
    assert api.delete(data_path(Delivery.objects.get().event_id)).status_code == 204
    change(pending, due_at=database_now())
    deliver(pending)
    found = get(api, f"deliveries/{show('delivery', pending[0])}")
    assert (found["status"], found["failureReason"]) == ("failed", "payload expunged")
    assert (found["attemptCount"], len(found["attempts"]), found["nextAttemptAt"]) == (1, 1, None)
    assert found["finishedAt"] is not None
    assert (receiver.started, Delivery.objects.get().wake_at) == ([], None)
    assert found["data"] is None


def test_a_batch_goes_out_without_what_was_expunged(
    api: Client, subscription: Subscription, wire: Wire, receiver: Receiver
) -> None:
    identifiers = make_pending(subscription, 2)
    api.delete(data_path(Delivery.objects.get(id=identifiers[0]).event_id))
    deliver(identifiers)
    statuses = dict(Delivery.objects.values_list("id", "status"))
    assert [statuses[one] for one in identifiers] == [Status.FAILED, Status.DELIVERED]
    assert len(receiver.started) == 1


def test_an_expunged_delivery_to_a_disabled_webhook_is_not_held(
    api: Client, subscription: Subscription, pending: list[UUID], wire: Wire
) -> None:
    api.delete(data_path(Delivery.objects.get().event_id))
    set_enabled(subscription, False)
    deliver(pending)
    assert Delivery.objects.get().status == Status.FAILED


def test_an_event_that_is_expunged_before_it_is_fanned_out_reaches_nobody(
    api: Client, account: Account, subscription: Subscription, wire: Wire, receiver: Receiver
) -> None:
    event_id = emit("order.shipped", {"name": "Zoë"}, account=account)
    api.delete(data_path(event_id))
    fan_out([event_id])
    deliver(list(Delivery.objects.values_list("id", flat=True)))
    assert get(api, f"events/{show('event', event_id)}")["fanOut"] == "matched"
    assert (Delivery.objects.get().failure_reason, receiver.started) == ("payload expunged", [])


def test_an_answer_is_forgotten_and_the_attempt_says_so(
    api: Client, subscription: Subscription, pending: list[UUID]
) -> None:
    attempt(pending[0], answered(500, ("Set-Cookie", "secret"), body=b"secret"))
    for _ in range(2):
        assert api.delete(response_path(pending[0])).status_code == 204
    (found,) = get(api, f"deliveries/{show('delivery', pending[0])}")["attempts"]
    assert (found["responseBody"], found["responseHeaders"], found["responseExpunged"]) == ("", [], True)
    assert (found["statusCode"], found["outcome"]) == (500, "status")
    row = DeliveryAttempt.objects.get()
    assert "secret" not in row.response_body + row.response_headers


def test_other_attempts_keep_their_answers(api: Client, pending: list[UUID]) -> None:
    for body in (b"first", b"second"):
        change(pending, due_at=database_now())
        attempt(pending[0], answered(500, body=body))
    api.delete(response_path(pending[0], 2))
    found = get(api, f"deliveries/{show('delivery', pending[0])}")["attempts"]
    assert [(one["responseBody"], one["responseExpunged"]) for one in found] == [("first", False), ("", True)]


@pytest.mark.parametrize("number", [0, 2, 5_000_000_000, 10**30])
def test_an_attempt_that_there_is_not_is_not_found(api: Client, pending: list[UUID], number: int) -> None:
    attempt(pending[0])
    assert api.delete(response_path(pending[0], number)).status_code == 404


def test_only_administrators_of_the_account_remove_anything(
    api: Client, api_of: ApiOf, foreign_account: Account, subscribed: Callable[..., Subscription]
) -> None:
    foreign = subscribe(foreign_account, "http://127.0.0.1:9/")
    for owner, client, status_code in (
        (subscribed(), api_of(Role.READER), 403),
        (subscribed(), api_of(Role.PUBLISHER), 403),
        (foreign, api, 404),
    ):
        (delivery_id,) = make_pending(owner)
        attempt(delivery_id, answered(200, body=b"kept"))
        delivery = Delivery.objects.get(id=delivery_id)
        for path in (data_path(delivery.event_id), response_path(delivery_id)):
            assert client.delete(path).status_code == status_code
    assert not Event.objects.filter(data="").exists()
    assert not DeliveryAttempt.objects.filter(response_expunged=True).exists()


def test_removing_takes_six_queries_at_most(
    operator: Client,
    account: Account,
    subscription: Subscription,
    django_assert_max_num_queries: DjangoAssertNumQueries,
) -> None:
    (event_id,) = record_events(account, NewEvent(type="order.shipped", data={}))
    delivery = Delivery.objects.get()
    attempt(delivery.id)
    for path in (data_path(event_id), response_path(delivery.id)):
        make_keys_unused()
        with django_assert_max_num_queries(6):
            assert operator.delete(f"{path}?account={account.shown_id}").status_code == 204
