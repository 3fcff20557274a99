"""What changes of a webhook over HTTP do to what is on its way."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest

from deliveries.claim import claim
from deliveries.deliver import deliver
from deliveries.fan_out import fan_out
from deliveries.hold import release
from deliveries.models import Delivery, Status
from subscriptions.models import Subscription
from tests.integration.api.conftest import Client
from tests.integration.conftest import Listen
from tests.integration.receiver import Receiver
from tests.integration.rows import let_pass, make_pending, read_delivery
from webhookhub.events import emit
from webhookhub.models import Account

URL = "http://127.0.0.1:9/"

Made = Callable[..., tuple[str, Subscription]]


pytestmark = pytest.mark.usefixtures("wire")


@pytest.fixture
def made(api: Client) -> Made:
    """Makes a webhook; returns its path and its row."""

    def post(**fields: Any) -> tuple[str, Subscription]:
        answer = api.post("/api/v1/webhooks", {"url": URL} | fields)
        assert answer.status_code == 201, answer.content
        return answer["Location"], Subscription.objects.latest("created_at")

    return post


def fail_once(subscription: Subscription, receiver: Receiver) -> Any:
    """A delivery whose first attempt failed, and whose second is due."""
    (delivery_id,) = make_pending(subscription)
    receiver.status_code = 500
    deliver([delivery_id])
    receiver.status_code = 200
    assert read_delivery(delivery_id).attempt_count == 1
    let_pass(3_600)
    return delivery_id


@pytest.mark.parametrize(
    ("change", "seen"),
    [
        ({"url": "http://127.0.0.1:9/moved"}, lambda request: request.url == "http://127.0.0.1:9/moved"),
        ({"headers": {"X-New": "1"}}, lambda request: ("X-New", "1") in request.headers),
        (
            {"auth": {"type": "bearer", "token": "t0k.en"}},
            lambda request: ("Authorization", "Bearer t0k.en") in request.headers,
        ),
        ({"overrides": {"timeoutSeconds": 3}}, lambda request: request.timeout_seconds == 3),
        ({"overrides": {"bodyForm": "data"}}, lambda request: request.body == b'{"n":0}'),
        ({"profile": "crm"}, lambda request: request.timeout_seconds == 5),
    ],
)
def test_a_change_acts_on_the_very_next_attempt(
    api: Client, made: Made, receiver: Receiver, change: dict[str, Any], seen: Callable[[Any], bool]
) -> None:
    path, subscription = made()
    delivery_id = fail_once(subscription, receiver)
    assert api.patch(path, change).status_code == 200
    deliver([delivery_id])
    first, second = receiver.started
    assert (seen(first), seen(second)) == (False, True)


def test_a_disabled_webhook_is_sent_nothing_and_enabled_again_gets_what_was_held(
    api: Client, made: Made, receiver: Receiver, listen: Listen
) -> None:
    path, subscription = made()
    delivery_id = fail_once(subscription, receiver)
    api.patch(path, {"enabled": False})
    deliver([delivery_id])
    assert (len(receiver.started), read_delivery(delivery_id).status) == (1, Status.HELD)

    listen("maintenance")
    api.put(path, {"url": URL})
    assert [rung.ids for rung in listen("maintenance")] == [[subscription.id]]
    release(subscription.id)
    deliver([delivery_id])
    assert read_delivery(delivery_id).status == Status.DELIVERED


def test_a_paused_webhook_gets_what_is_new_too_when_it_is_resumed(
    api: Client, made: Made, account: Account, receiver: Receiver, listen: Listen
) -> None:
    path, subscription = made()
    waiting = fail_once(subscription, receiver)
    assert api.patch(path, {"paused": True}).json()["paused"] is True
    (new,) = make_pending(subscription)
    deliver([waiting, new])
    assert len(receiver.started) == 1
    assert [read_delivery(one).status for one in (waiting, new)] == [Status.HELD, Status.HELD]

    listen("maintenance")
    assert api.patch(path, {"paused": False}).json()["paused"] is False
    assert [rung.ids for rung in listen("maintenance")] == [[subscription.id]]
    release(subscription.id)
    deliver([waiting, new])
    assert [read_delivery(one).status for one in (waiting, new)] == [Status.DELIVERED, Status.DELIVERED]


def test_pausing_again_keeps_the_moment_of_the_pause(made: Made, api: Client) -> None:
    path, subscription = made()
    api.patch(path, {"paused": True})
    subscription.refresh_from_db()
    since = subscription.paused_at
    assert since is not None
    api.patch(path, {"paused": True, "description": "still"})
    subscription.refresh_from_db()
    assert subscription.paused_at == since


def test_what_is_paused_is_not_released_by_being_enabled_nor_what_is_disabled_by_being_resumed(
    api: Client, made: Made, receiver: Receiver, listen: Listen
) -> None:
    path, subscription = made()
    (delivery_id,) = make_pending(subscription)
    api.patch(path, {"enabled": False, "paused": True})
    deliver([delivery_id])
    listen("maintenance")
    for half, other in (({"enabled": True}, {"enabled": False}), ({"paused": False}, {"paused": True})):
        api.patch(path, half)
        assert (listen("maintenance"), release(subscription.id)) == ([], 0)
        api.patch(path, other)
    assert read_delivery(delivery_id).status == Status.HELD
    assert receiver.started == []


def test_webhooks_are_found_by_whether_they_are_paused(api: Client, made: Made) -> None:
    path, _ = made()
    lists = [f"{path.rpartition('/')[0]}?paused={flag}" for flag in ("true", "false")]
    assert [len(api.get(one).json()["items"]) for one in lists] == [0, 1]
    api.patch(path, {"paused": True})
    assert [len(api.get(one).json()["items"]) for one in lists] == [1, 0]


def test_what_changes_nothing_of_enabled_rings_for_no_release(api: Client, made: Made, listen: Listen) -> None:
    path, _ = made()
    api.patch(path, {"description": "x"})
    api.patch(path, {"enabled": True})
    api.patch(path, {"enabled": False})
    assert listen("maintenance") == []


def test_an_event_for_a_deleted_webhook_is_recorded_and_sent_to_nobody(
    api: Client, made: Made, account: Account, receiver: Receiver
) -> None:
    path, subscription = made()
    delivery_id = fail_once(subscription, receiver)
    assert api.delete(path).status_code == 204
    fan_out([emit("order.shipped", {}, account=account)])
    deliver([delivery_id])
    log = read_delivery(delivery_id)
    assert (log.status, log.failure_reason, log.attempt_count) == (Status.CANCELLED, "subscription deleted", 1)
    assert (Delivery.objects.count(), len(receiver.started)) == (1, 1)


def test_what_was_held_for_a_webhook_is_cancelled_when_it_is_deleted(
    api: Client, made: Made, receiver: Receiver, listen: Listen
) -> None:
    path, subscription = made()
    (delivery_id,) = make_pending(subscription)
    api.patch(path, {"enabled": False})
    deliver([delivery_id])
    assert read_delivery(delivery_id).status == Status.HELD

    listen("maintenance")
    api.delete(path)
    assert [rung.ids for rung in listen("maintenance")] == [[subscription.id]]
    release(subscription.id)
    deliver([delivery_id])
    assert (read_delivery(delivery_id).status, receiver.started) == (Status.CANCELLED, [])


def test_an_override_of_the_expiry_counts_from_the_next_event_on(api: Client, made: Made) -> None:
    path, subscription = made()
    api.patch(path, {"overrides": {"expiresAfterSeconds": 90}})
    (delivery_id,) = make_pending(subscription)
    (one,) = claim([delivery_id])
    assert timedelta(seconds=80) < one.expires_at - one.claimed_at < timedelta(seconds=90)
