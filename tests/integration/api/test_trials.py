"""Trying out a webhook: a test event that goes to it alone, in one attempt, and an answer with all that came of it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any
from uuid import UUID

import orjson
import pytest
from standardwebhooks import Webhook

from deliveries import try_out
from deliveries.claim import claim
from deliveries.deliver import deliver
from deliveries.fan_out import fan_out
from deliveries.models import Delivery, DeliveryAttempt, Status
from deliveries.sweep import sweep
from deliveries.wire import Wire
from subscriptions.auth import Auth, BasicAuth, BearerAuth, HeaderAuth
from subscriptions.custom_headers import CustomHeader, seal_headers
from subscriptions.models import Subscription
from subscriptions.rotation import reveal_secret
from subscriptions.subscribe import pause, set_enabled
from tests.integration.api.conftest import ApiOf, Client
from tests.integration.conftest import Listen
from tests.integration.receiver import Receiver, wait_until
from tests.integration.rows import let_pass, read_attempts, read_delivery, run_at_once
from webhookhub.conf import hub_settings
from webhookhub.ids import read
from webhookhub.models import Account, Event, EventType
from webhookhub.roles import Role

AskFor = Callable[..., Any]


def route(webhook: Subscription) -> str:
    return f"/api/v1/webhooks/{webhook.shown_id}/test"


@pytest.fixture
def ask_for(api: Client, listen: Listen, wire: Wire) -> AskFor:
    """Asks for a test while a worker is about: `ask_for(webhook, {"eventType": "order.shipped"})`."""

    def ask(webhook: Subscription, body: dict[str, Any] | None = None) -> Any:
        listen("deliveries")
        answer, _ = run_at_once([lambda: api.post(route(webhook), body or {}), lambda: work(listen)])
        return answer

    return ask


@pytest.fixture
def no_patience(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever waits gives up at once."""
    monkeypatch.setattr(try_out, "GRACE_SECONDS", -60)


def work(listen: Listen) -> None:
    """Do as a worker does with the next message."""
    heard: list[UUID] = []
    wait_until(lambda: heard.extend(one for message in listen("deliveries") for one in message.ids) or bool(heard))
    deliver(heard)


def test_the_answer_has_the_request_as_the_receiver_got_it(
    ask_for: AskFor, subscription: Subscription, receiver: Receiver
) -> None:
    answer = ask_for(subscription, {"eventType": "order.shipped", "data": {"n": 1.0, "ö": []}})
    assert answer.status_code == 200
    shown = answer.json()
    (request,) = receiver.started
    assert shown["request"]["url"] == request.url
    assert shown["request"]["body"].encode() == request.body
    assert '"data":{"n":1,"ö":[]}' in shown["request"]["body"]
    assert [header["name"] for header in shown["request"]["headers"]] == [name for name, _ in request.headers]
    headers = {header["name"].lower(): header["value"] for header in shown["request"]["headers"]}
    assert (headers["webhook-id"], shown["eventType"]) == (shown["event"], "order.shipped")
    Webhook(reveal_secret(subscription)).verify(shown["request"]["body"], headers)


def test_the_answer_has_what_the_receiver_said(ask_for: AskFor, subscription: Subscription) -> None:
    shown = ask_for(subscription).json()
    attempt = shown["attempt"]
    assert (shown["success"], attempt["outcome"], attempt["statusCode"], attempt["number"]) == (
        True,
        "delivered",
        200,
        1,
    )
    assert attempt["totalMs"] is not None
    assert {"responseHeaders", "responseBody"} < attempt.keys()
    assert read_delivery(read("delivery", shown["delivery"])).status == Status.DELIVERED


@pytest.mark.parametrize("status_code", [500, 403, 302])
def test_a_receiver_that_refuses_is_an_answer_and_no_error_of_ours(
    ask_for: AskFor, subscription: Subscription, receiver: Receiver, status_code: int
) -> None:
    receiver.status_code = status_code
    answer = ask_for(subscription)
    assert (answer.status_code, answer.json()["success"]) == (200, False)
    assert answer.json()["attempt"]["statusCode"] == status_code


def test_there_is_one_attempt_whatever_the_profile_says(
    ask_for: AskFor, subscription: Subscription, receiver: Receiver, listen: Listen
) -> None:
    # Three more attempts at once.
    Subscription.objects.filter(id=subscription.id).update(profile="entity-change")
    receiver.status_code = 500
    delivery_id = read("delivery", ask_for(subscription).json()["delivery"])
    row = read_delivery(delivery_id)
    assert (row.status, row.failure_reason, row.wake_at) == (Status.FAILED, "exhausted", None)
    assert (claim([delivery_id]), len(read_attempts(delivery_id)), listen("deliveries")) == ([], 1, [])


@pytest.mark.usefixtures("no_patience")
def test_a_test_whose_worker_was_lost_is_not_attempted_again(api: Client, subscription: Subscription) -> None:
    delivery_id = read("delivery", api.post(route(subscription)).json()["delivery"])
    assert len(claim([delivery_id])) == 1
    let_pass(hub_settings().lease_seconds)
    sweep()
    row = read_delivery(delivery_id)
    assert (row.status, row.failure_reason, row.last_outcome) == (Status.FAILED, "exhausted", "worker_lost")


def test_no_other_webhook_hears_of_a_test_nor_this_one_twice(
    ask_for: AskFor, subscribed: Callable[..., Subscription], subscription: Subscription, listen: Listen
) -> None:
    subscribed(event_types=["*"])
    event_id = read("event", ask_for(subscription).json()["event"])
    fan_out([event_id])
    let_pass(3_600)
    sweep()
    assert listen("fanout") == []
    assert [delivery.subscription_id for delivery in Delivery.objects.all()] == [subscription.id]


@pytest.mark.parametrize(
    ("example", "body", "data"),
    [
        ({"orderId": "ord_1"}, {"eventType": "order.shipped"}, {"orderId": "ord_1"}),
        ({"orderId": "ord_1"}, {"eventType": "order.shipped", "data": None}, None),
        ({"orderId": "ord_1"}, {"eventType": "order.lost"}, try_out.TEST_DATA),
        (None, {"eventType": "order.shipped"}, try_out.TEST_DATA),
        (None, {}, try_out.TEST_DATA),
    ],
)
@pytest.mark.usefixtures("no_patience")
def test_without_data_the_event_type_s_example_is_sent(
    api: Client, subscription: Subscription, example: Any, body: dict[str, Any], data: Any
) -> None:
    EventType.objects.create(name="order.shipped", example=example)
    answer = api.post(route(subscription), body)
    event = Event.objects.get(id=read("event", answer.json()["event"]))
    assert orjson.loads(event.data) == data
    assert event.type == body.get("eventType", "webhookhub.test")


@pytest.mark.usefixtures("no_patience")
def test_a_webhook_for_an_entity_is_shown_what_it_would_hear_of_one(
    api: Client, subscribed: Callable[..., Subscription]
) -> None:
    webhook = subscribed(entity_type="product")
    event = Event.objects.get(id=read("event", api.post(route(webhook)).json()["event"]))
    assert (event.entity_type, event.action, event.subject) == ("product", "UPDATE", "https://example.com/tests/1")


@pytest.mark.parametrize(
    ("auth", "name"),
    [
        (BasicAuth(username="hub", password="hush-hush"), "Authorization"),
        (BearerAuth(token="hush-hush"), "Authorization"),
        (HeaderAuth(name="X-Api-Key", value="hush-hush"), "X-Api-Key"),
    ],
)
def test_credentials_are_masked(
    ask_for: AskFor, subscribed: Callable[..., Subscription], receiver: Receiver, auth: Auth, name: str
) -> None:
    webhook = subscribed(auth=auth)
    shown = ask_for(webhook).json()["request"]
    assert {"name": name, "value": "***"} in shown["headers"]
    assert "***" not in dict(receiver.started[0].headers).values()
    assert "hush-hush" not in str(shown)


def test_of_custom_headers_the_secret_ones_are_masked(ask_for: AskFor, subscription: Subscription) -> None:
    headers = [
        CustomHeader(name="X-Plain", value="shown", is_secret=False),
        CustomHeader(name="X-Token", value="hush-hush", is_secret=True),
    ]
    Subscription.objects.filter(id=subscription.id).update(encrypted_headers=seal_headers(headers))
    shown = ask_for(subscription).json()["request"]["headers"]
    assert [one for one in shown if one["name"] in ("X-Plain", "X-Token")] == [
        {"name": "X-Plain", "value": "shown"},
        {"name": "X-Token", "value": "***"},
    ]


@pytest.mark.usefixtures("no_patience")
def test_without_a_worker_the_answer_says_where_to_look_later(
    api: Client, subscription: Subscription, listen: Listen
) -> None:
    answer = api.post(route(subscription))
    assert answer.status_code == 202
    shown = answer.json()
    assert (shown["success"], shown["request"], shown["attempt"]) == (None, None, None)
    assert [message.ids for message in listen("deliveries")] == [[read("delivery", shown["delivery"])]]
    assert read_delivery(read("delivery", shown["delivery"])).trigger == "test"


@pytest.mark.usefixtures("no_patience")
def test_a_test_that_no_worker_took_within_minutes_is_never_sent(api: Client, subscription: Subscription) -> None:
    delivery_id = read("delivery", api.post(route(subscription)).json()["delivery"])
    let_pass(301)
    assert claim([delivery_id]) == []
    sweep()
    assert read_delivery(delivery_id).failure_reason == "expired"


def test_where_many_wait_already_the_next_one_is_told_at_once(
    api: Client, subscription: Subscription, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(try_out, "GRACE_SECONDS", 3_600)
    for _ in range(try_out.MOST_WAITING):
        assert try_out._places.acquire(blocking=False)
    try:
        assert api.post(route(subscription)).status_code == 202
    finally:
        try_out._places.release(try_out.MOST_WAITING)


@pytest.mark.usefixtures("no_patience")
def test_whoever_waited_leaves_the_place_to_the_next(api: Client, subscription: Subscription) -> None:
    for _ in range(try_out.MOST_WAITING + 1):
        api.post(route(subscription))
    assert try_out._places.acquire(blocking=False)
    try_out._places.release()


def test_a_paused_webhook_is_a_conflict(api: Client, subscription: Subscription) -> None:
    pause(subscription)
    answer = api.post(route(subscription))
    assert (answer.status_code, answer.json()["code"], Event.objects.count()) == (409, "webhook_paused", 0)


def test_a_disabled_webhook_is_a_conflict(api: Client, subscription: Subscription, listen: Listen) -> None:
    set_enabled(subscription, False)
    answer = api.post(route(subscription))
    assert (answer.status_code, answer.json()["code"]) == (409, "webhook_disabled")
    assert (Event.objects.count(), listen("deliveries")) == (0, [])


@pytest.mark.parametrize(
    ("body", "status", "field"),
    [
        ({"eventType": "with spaces"}, 422, "eventType"),
        ({"eventType": ""}, 422, "eventType"),
        ({"eventType": 7}, 422, "eventType"),
        ({"data": "x" * 300_000}, 413, "data"),
        ({"url": "https://example.com/"}, 422, "url"),
    ],
)
def test_what_cannot_be_sent_is_refused(
    api: Client, subscription: Subscription, body: dict[str, Any], status: int, field: str
) -> None:
    answer = api.post(route(subscription), body)
    assert (answer.status_code, answer.json()["errors"][0]["field"]) == (status, field)
    assert not Event.objects.exists()


@pytest.mark.usefixtures("no_patience")
def test_a_webhook_is_found_by_its_own_id_too_and_never_another_account_s(
    api: Client, api_of: ApiOf, foreign_account: Account, subscription: Subscription
) -> None:
    Subscription.objects.filter(id=subscription.id).update(uid="of-mine")
    assert api.post("/api/v1/webhooks/of-mine/test").status_code == 202
    stranger = api_of(Role.ADMINISTRATOR, foreign_account)
    for named in ("of-mine", subscription.shown_id, "sub_nonsense"):
        assert stranger.post(f"/api/v1/webhooks/{named}/test").status_code == 404
    assert Delivery.objects.count() == 1


@pytest.mark.parametrize("role", [Role.PUBLISHER, Role.READER])
def test_readers_and_publishers_try_out_nothing(api_of: ApiOf, subscription: Subscription, role: Role) -> None:
    assert api_of(role).post(route(subscription)).status_code == 403


def test_an_account_whose_plan_has_no_webhooks_tries_out_nothing(
    api: Client, account: Account, subscription: Subscription
) -> None:
    Account.objects.filter(id=account.id).update(has_webhooks=False)
    answer = api.post(route(subscription))
    assert (answer.status_code, answer.json()["code"]) == (403, "plan_without_webhooks")
    assert not DeliveryAttempt.objects.exists()
