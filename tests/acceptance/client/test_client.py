"""The client against a real hub: what it says arrives, what it asks is answered, and refusals are errors of their own."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta

import pytest

from scripts.local.roles import BEAT, DELIVERIES, WORKER
from tests.acceptance.conftest import MakeHub
from tests.acceptance.hub import Hub
from tests.acceptance.web import Caller, start_web
from tests.receivers.recording import ACCEPTED, Answer, RecordingReceiver
from tests.repo.test_examples import run_example
from webhookhub.client import (
    AcceptedEvent,
    Client,
    Conflict,
    Delivery,
    Forbidden,
    Invalid,
    NewEvent,
    NotFound,
    RefusedEvent,
    Unauthorized,
    verify,
)

pytestmark = pytest.mark.acceptance

FAILING = Answer(status=500)
# Retries that no test waits for.
LATE = {"intervalsSeconds": [3_600], "maxIntervalSeconds": None}


@pytest.fixture(scope="module")
def whole(make_hub: MakeHub) -> Hub:
    """A hub with everything but its web server."""
    hub = make_hub()
    for role in (WORKER, DELIVERIES, BEAT):
        hub.start(role)
    return hub


@pytest.fixture(scope="module")
def url(whole: Hub) -> str:
    return start_web(whole)


@pytest.fixture
def account(whole: Hub) -> str:
    return str(whole.application("make_account", name="of the client's tests"))


@pytest.fixture
def hub(whole: Hub, url: str, account: str) -> Iterator[Client]:
    """A client with the key of an account's administrator."""
    with Client(url, whole.application("make_key", account=account)) as client:
        yield client


@pytest.fixture
def settled(whole: Hub, hub: Client) -> Callable[..., list[Delivery]]:
    """Waits until so many deliveries meet the filters, and returns them: `settled(2, status="delivered")`."""

    def wait(count: int, **filters: object) -> list[Delivery]:
        whole.wait_until(lambda: len(list(hub.deliveries(**filters))) == count, f"{count} deliveries with {filters}")
        return list(hub.deliveries(**filters))

    return wait


def test_what_is_published_arrives_and_verifies(
    hub: Client, recorder: RecordingReceiver, settled: Callable[..., list[Delivery]]
) -> None:
    endpoint = recorder.endpoint()
    webhook = hub.subscribe(endpoint.url, events=["order.*"])
    before = datetime.now(tz=UTC) - timedelta(minutes=1)
    event = hub.publish("order.shipped", {"orderId": "Zoë 1"}, correlation_id="checkout-4711")
    settled(1, status="delivered", webhook=webhook["id"])
    (request,) = endpoint.requests
    received = verify(request.body, request.header, webhook["secret"])
    assert (received["id"], received["data"]) == (event.id, {"orderId": "Zoë 1"})
    assert (event.type, event.is_replayed) == ("order.shipped", False)
    assert before < event.created_at < datetime.now(tz=UTC) + timedelta(minutes=1)
    assert request.header["x-correlation-id"] == "checkout-4711"


def test_an_id_of_ones_own_is_published_once(hub: Client) -> None:
    first = hub.publish("order.shipped", {"orderId": 1}, id="order-1")
    again = hub.publish("order.shipped", {"orderId": 1}, idempotency_key="order-1")
    assert (again.id, again.is_replayed) == (first.id, True)
    with pytest.raises(Conflict) as refused:
        hub.publish("order.shipped", {"orderId": 2}, id="order-1")
    assert refused.value.code == "idempotency_conflict"
    assert [event["id"] for event in hub.events()] == [first.id]


def test_all_labels_of_an_event_are_kept(hub: Client) -> None:
    labels = {"entity_type": "product", "action": "UPDATE", "subject": "https://example.com/7", "correlation_id": "c"}
    event = hub.get_event(hub.publish("product.updated", None, **labels).id)
    assert (event["entityType"], event["action"], event["subject"], event["correlationId"]) == tuple(labels.values())
    assert event["data"] is None


def test_a_batch_is_recorded_as_a_whole_or_in_parts(hub: Client) -> None:
    events = [NewEvent(type="a", data=1), {"type": "not a type", "data": 2}, NewEvent(type="c", data=3, id="three")]
    with pytest.raises(Invalid) as refused:
        hub.publish_batch(events)
    assert refused.value.errors[0].field == "events[1].type"
    assert list(hub.events()) == []

    results = hub.publish_batch(events, partial=True, idempotency_key="of the batch")
    assert [type(result) for result in results] == [AcceptedEvent, RefusedEvent, AcceptedEvent]
    assert isinstance(results[1], RefusedEvent)
    assert (type(results[1].problem), results[1].problem.status) == (Invalid, 422)
    again = hub.publish_batch(events, partial=True, idempotency_key="of the batch")
    assert [one.is_replayed for one in again if isinstance(one, AcceptedEvent)] == [True, True]
    # Of these two, one was recorded under its own id.
    hub.publish_batch(event for event in events if isinstance(event, NewEvent))
    assert [event["type"] for event in hub.events()] == ["a", "c", "a"]


def test_lists_go_on_over_all_pages_with_their_filters(hub: Client) -> None:
    since = datetime.now(tz=UTC) - timedelta(minutes=1)
    accepted = hub.publish_batch(NewEvent(type=f"type.{number % 2}", data=number) for number in range(7))
    newest_first = [event.id for event in reversed(accepted)]
    assert [event["id"] for event in hub.events(limit=3)] == newest_first
    assert [event["id"] for event in hub.events(limit=2, order="asc", since=since)] == newest_first[::-1]
    assert [event["data"] for event in hub.events(limit=2, type="type.0")] == [6, 4, 2, 0]
    assert all("data" not in event for event in hub.events(type=["type.0", "type.1"], with_content=False))
    assert list(hub.events(since=since, until=since + timedelta(seconds=1))) == []
    made = [hub.subscribe("https://example.com/", uid=f"hook-{number}")["id"] for number in range(3)]
    assert [webhook["id"] for webhook in hub.webhooks(limit=2, enabled=True)] == made[::-1]
    with pytest.raises(Invalid) as refused:
        list(hub.events(limit=0))
    assert refused.value.errors[0].field == "limit"
    with pytest.raises(ValueError, match="no time zone"):
        list(hub.deliveries(since=since.replace(tzinfo=None)))


def test_a_webhook_is_made_read_changed_and_deleted(hub: Client) -> None:
    made = hub.subscribe(
        "https://example.com/",
        entity_type="product",
        action="UPDATE",
        secret="whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw",
        uid="products",
        rate_limit_per_second=5,
        overrides={"timeoutSeconds": 7},
        description=None,
    )
    assert (made["entityType"], made["action"], made["events"]) == ("product", "UPDATE", None)
    assert (made["secret"], made["rateLimitPerSecond"]) == ("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw", 5)
    assert hub.get_webhook("products")["id"] == made["id"]
    with pytest.raises(Conflict) as refused:
        hub.subscribe("https://example.com/", entity_type="product", action="UPDATE")
    assert refused.value.code == "pair_taken"

    changed = hub.change_webhook("products", enabled=False, rate_limit_per_second=None)
    assert (changed["enabled"], changed["rateLimitPerSecond"]) == (False, None)
    assert changed["overrides"] == {"timeoutSeconds": 7}
    hub.delete_webhook("products")
    with pytest.raises(NotFound):
        hub.get_webhook("products")


def test_a_test_of_a_webhook_tells_what_its_receiver_said(hub: Client, recorder: RecordingReceiver) -> None:
    endpoint = recorder.endpoint(Answer(status=201, body=b"thanks"))
    webhook = hub.subscribe(endpoint.url)
    trial = hub.test_webhook(webhook["id"], event_type="order.shipped", data={"n": 1})
    assert (trial["success"], trial["eventType"]) == (True, "order.shipped")
    assert trial["attempt"] is not None
    assert trial["attempt"]["responseBody"] == "thanks"
    assert verify(endpoint.requests[0].body, endpoint.requests[0].header, webhook["secret"])["data"] == {"n": 1}


def test_a_delivery_is_retried_replayed_and_cancelled(
    hub: Client, recorder: RecordingReceiver, settled: Callable[..., list[Delivery]]
) -> None:
    endpoint = recorder.endpoint(FAILING, ACCEPTED, ACCEPTED, ACCEPTED, FAILING)
    webhook = hub.subscribe(endpoint.url, uid="orders", overrides=LATE)
    event = hub.publish("order.shipped", {})
    (waiting,) = settled(1, status="pending", status_code=500)
    assert hub.retry_delivery(waiting["id"])["status"] == "pending"
    (delivered,) = settled(1, status="delivered")
    attempts = hub.get_delivery(delivered["id"])["attempts"]
    assert [attempt["statusCode"] for attempt in attempts] == [500, 204]
    with pytest.raises(Conflict):
        hub.cancel_delivery(delivered["id"])

    replayed = hub.replay_delivery(delivered["id"], idempotency_key="once")
    assert hub.replay_delivery(delivered["id"], idempotency_key="once")["id"] == replayed["id"] != delivered["id"]
    settled(2, status="delivered")
    (third,) = hub.replay_event(event.id, webhook="orders")
    assert (third["webhook"], third["trigger"]) == (webhook["id"], "replay")
    settled(3, status="delivered")
    (fourth,) = hub.replay_event(event.id)
    settled(1, status="pending", status_code=500)
    cancelled = hub.cancel_delivery(fourth["id"], reason="enough of it")
    assert (cancelled["status"], cancelled["failureReason"]) == ("cancelled", "enough of it")
    assert [request.webhook_id for request in endpoint.requests] == [event.id] * 5


def test_keys_that_are_wrong_or_not_enough_are_refused_as_such(hub: Client, url: str, whole: Hub, account: str) -> None:
    with Client(url, "whk_" + "0" * 64) as stranger, pytest.raises(Unauthorized):
        stranger.publish("order.shipped", {})
    administrator = Caller(url, whole.application("make_key", account=account))
    key = administrator.post("/keys", {"name": "of a reader", "role": "reader"}).json()["key"]
    with Client(url, key) as reader:
        assert list(reader.events()) == []
        with pytest.raises(Forbidden) as refused:
            reader.publish("order.shipped", {})
    assert refused.value.code == "role_not_sufficient"


def test_an_operator_speaks_for_the_account_it_names(hub: Client, url: str, whole: Hub, account: str) -> None:
    named = f"acc_{account.replace('-', '')}"
    key = whole.application("make_operator_key")
    with Client(url, key) as everybody, Client(url, key, account=named) as one:
        with pytest.raises(Invalid) as refused:
            everybody.publish("order.shipped", {})
        assert refused.value.errors[0].field == "account"
        published = [everybody.publish("order.shipped", {}, account=named).id, one.publish("order.shipped", {}).id]
        webhook = everybody.subscribe("https://example.com/", account=named)
        assert [event["id"] for event in one.events()] == published[::-1]
        assert [event["id"] for event in everybody.events(account=named)] == published[::-1]
        assert webhook["account"] == named
    assert [event["id"] for event in hub.events()] == published[::-1]


def test_the_readmes_example_subscribes_publishes_and_replays_what_failed(
    hub: Client, whole: Hub, url: str, account: str, recorder: RecordingReceiver, settled: Callable[..., list[Delivery]]
) -> None:
    endpoint = recorder.endpoint(FAILING, ACCEPTED)
    hub.subscribe(endpoint.url, events=["invoice.paid"], overrides={"intervalsSeconds": [], "maxIntervalSeconds": None})
    hub.publish("invoice.paid", {})
    (failed,) = settled(1, status="failed")

    # Its address is a real one, which nobody may send to.
    with whole.without(DELIVERIES):
        names = run_example(
            "hub.publish(",
            base_url=url,
            key=whole.application("make_key", account=account),
            yesterday=datetime.now(tz=UTC) - timedelta(days=1),
        )
        settled(1, webhook=names["webhook"]["id"], event_type="order.shipped")
        hub.delete_webhook(names["webhook"]["id"])

    (delivered,) = settled(1, status="delivered")
    assert (delivered["event"], delivered["trigger"]) == (failed["event"], "replay")
    assert hub.get_event(names["event"].id)["data"] == {"orderId": "ord_123"}
