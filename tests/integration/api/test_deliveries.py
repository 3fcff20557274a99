"""The log over the API: lists of deliveries with filters and pages, one delivery with its attempts."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import timedelta
from typing import Any
from uuid import UUID

import pytest
from pytest_django import DjangoAssertNumQueries

from deliveries.cancel import cancel
from deliveries.fan_out import fan_out
from deliveries.models import Delivery, DeliveryAttempt
from deliveries.replay import replay
from deliveries.transport import Answer, FailureKind, NoAnswer, Timings
from subscriptions.models import Subscription
from subscriptions.subscribe import subscribe
from tests.integration.api.conftest import ApiOf, Client, make_keys_unused
from tests.integration.api.log_rows import (
    attempt,
    deliveries_of,
    delivery_to,
    get,
    ids_of,
    ids_on,
    record_ago,
    record_events,
    shown,
    walk,
)
from tests.integration.limited import limit, make_line
from tests.integration.rows import answered, change, claim_one, database_now, make_pending
from webhookhub import ids
from webhookhub.events import NewEvent
from webhookhub.ids import show
from webhookhub.models import Account, Event
from webhookhub.moments import iso_moment
from webhookhub.roles import Role

Subscribed = Callable[..., Subscription]
REFUSED = NoAnswer(kind=FailureKind.REFUSED, message="refused by the receiver", timings=Timings(total_ms=3.5))


def path_of(delivery_id: UUID, rest: str = "") -> str:
    return f"deliveries/{show('delivery', delivery_id)}{rest}"


def test_a_list_has_the_newest_first_and_the_oldest_on_request(api: Client, subscription: Subscription) -> None:
    identifiers = shown("delivery", make_pending(subscription, 3))
    assert ids_of(get(api, "deliveries")) == identifiers[::-1]
    assert ids_of(get(api, "deliveries", order="asc")) == identifiers


@pytest.mark.parametrize("order", ["asc", "desc"])
@pytest.mark.parametrize("wanted", [{}, {"status": "pending"}, {"eventType": "order.shipped"}, {"webhook": "shop"}])
def test_pages_lead_forwards_and_back_through_the_same_rows(
    api: Client, subscription: Subscription, order: str, wanted: Mapping[str, str]
) -> None:
    Subscription.objects.update(uid="shop")
    identifiers = shown("delivery", make_pending(subscription, 10))
    pages = walk(api, "deliveries", limit=4, order=order, **wanted)
    assert [len(page["items"]) for page in pages] == [4, 4, 2]
    assert [page["done"] for page in pages] == [False, False, True]
    assert ids_on(pages) == identifiers[:: 1 if order == "asc" else -1]
    back = [pages[-1]]
    while back[-1]["previous"] is not None:
        back.append(get(api, "deliveries", limit=4, order=order, **wanted, cursor=back[-1]["previous"]))
    assert [ids_of(page) for page in back] == [ids_of(page) for page in pages[::-1]]


@pytest.fixture
def varied(account: Account, subscribed: Subscribed) -> dict[str, UUID]:
    """Deliveries of the account, each of another kind; two webhooks want each event of theirs."""
    shop = subscribed(event_types=["order.*"])
    Subscription.objects.filter(id=shop.id).update(uid="shop")
    store = subscribed(event_types=["product.*"])
    named = [
        ("delivered", shop, 200),
        ("waiting", shop, 503),
        ("rejected", store, 404),
        ("refused", store, REFUSED),
        ("moved", store, 301),
        ("untried", shop, None),
        ("cancelled", store, None),
    ]
    found = {}
    for name, subscription, result in named:
        event_type = f"{'order' if subscription == shop else 'product'}.{name}"
        (event_id,) = record_events(account, NewEvent(type=event_type, data={}, correlation_id=f"case-{name}"))
        found[name] = delivery_to(subscription, event_id)
        if result is not None:
            attempt(found[name], result)
    cancel([found["cancelled"]])
    return found


ORDERS = {"delivered", "waiting", "untried"}
PRODUCTS = {"rejected", "refused", "moved", "cancelled"}
PENDING = {"waiting", "refused", "moved", "rejected", "untried"}


CASES: list[tuple[dict[str, Any], set[str]]] = [
    ({"status": "delivered"}, {"delivered"}),
    ({"status": "cancelled"}, {"cancelled"}),
    ({"status": ["delivered", "cancelled"]}, {"delivered", "cancelled"}),
    ({"status": "pending,cancelled"}, PENDING | {"cancelled"}),
    ({"webhook": "shop"}, ORDERS),
    ({"webhook": "nobody's"}, set()),
    ({"webhook": "sub_0192f0c1"}, set()),
    ({"eventType": "order.waiting"}, {"waiting"}),
    ({"eventType": "order.waiting,product.moved"}, {"waiting", "moved"}),
    ({"correlationId": "case-moved"}, {"moved"}),
    ({"correlationId": "case-mov"}, set()),
    ({"statusCodeClass": "2xx"}, {"delivered"}),
    ({"statusCodeClass": "3xx"}, {"moved"}),
    ({"statusCodeClass": "4xx"}, {"rejected"}),
    ({"statusCodeClass": "5xx"}, {"waiting"}),
    ({"statusCodeClass": "none"}, {"refused"}),
    ({"statusCodeClass": ["none", "5xx"]}, {"refused", "waiting"}),
    ({"statusCode": "404"}, {"rejected"}),
    ({"lastOutcome": "refused"}, {"refused"}),
    ({"attemptsAtLeast": "9"}, set()),
    ({"statusCode": ["404,503", "200"]}, {"rejected", "waiting", "delivered"}),
    ({"webhook": "shop", "status": "pending"}, {"waiting", "untried"}),
    ({"webhook": "shop", "status": "delivered"}, {"delivered"}),
    ({"webhook": "shop", "eventType": "order.untried"}, {"untried"}),
    ({"webhook": "shop", "correlationId": "case-moved"}, set()),
    ({"status": "pending", "eventType": "product.moved"}, {"moved"}),
    ({"eventType": "order.waiting", "statusCodeClass": "5xx"}, {"waiting"}),
    ({"eventType": "order.waiting", "correlationId": "case-moved"}, set()),
    ({"status": "delivered", "correlationId": "case-delivered"}, {"delivered"}),
]


def test_each_filter_finds_what_it_says_for_the_account_and_for_operators(
    api: Client, operator: Client, varied: dict[str, UUID]
) -> None:
    names = {show("delivery", identifier): name for name, identifier in varied.items()}
    for client in (api, operator):
        for wanted, expected in CASES:
            found = ids_of(get(client, "deliveries", **wanted))
            assert found == sorted(found, reverse=True)
            assert {names[identifier] for identifier in found} == expected, wanted


@pytest.mark.usefixtures("subscription")
def test_a_window_of_time_has_its_beginning_and_not_its_end(api: Client, account: Account) -> None:
    events = [record_ago(account, seconds) for seconds in (30, 20, 10)]
    first, second, third = (show("delivery", deliveries_of(event_id)[0]) for event_id in events)
    since, until = (iso_moment(ids.moment_of(event_id)) for event_id in events[1:])
    assert ids_of(get(api, "deliveries", since=since, until=until)) == [second]
    assert ids_of(get(api, "deliveries", since=since)) == [third, second]
    assert ids_of(get(api, "deliveries", until=since)) == [first]


@pytest.mark.parametrize("wanted", [{}, {"eventType": "order.shipped"}, {"webhook": "shop"}, {"status": "pending"}])
@pytest.mark.parametrize("order", ["asc", "desc"])
def test_a_search_that_has_looked_at_enough_goes_on_from_there(
    api: Client, subscribed: Subscribed, account: Account, monkeypatch: pytest.MonkeyPatch, order: str, wanted: Any
) -> None:
    monkeypatch.setattr("deliveries.search.CANDIDATES", 4)
    shop = subscribed()
    Subscription.objects.update(uid="shop")
    event_ids = record_events(account, *(NewEvent(type="order.shipped", data={}) for _ in range(14)))
    rare = delivery_to(shop, event_ids[7])
    attempt(rare, 500)
    pages = walk(api, "deliveries", order=order, statusCodeClass="5xx", **wanted)
    assert ids_on(pages) == shown("delivery", [rare])
    assert len(pages) > 3
    assert pages[0]["items"] == []
    every = ids_on(walk(api, "deliveries", order=order, limit=1, **wanted))
    assert sorted(every) == sorted(shown("delivery", Delivery.objects.values_list("id", flat=True)))


@pytest.mark.parametrize("order", ["asc", "desc"])
def test_the_deliveries_of_one_event_to_many_webhooks_are_looked_through_in_parts(
    api: Client, account: Account, subscribed: Subscribed, monkeypatch: pytest.MonkeyPatch, order: str
) -> None:
    monkeypatch.setattr("deliveries.search.CANDIDATES", 4)
    for _ in range(14):
        subscribed()
    rare = deliveries_of(record_events(account)[0])[7]
    attempt(rare, 500)
    pages = walk(api, "deliveries", order=order, statusCodeClass="5xx")
    assert ids_on(pages) == shown("delivery", [rare])
    assert len(pages) > 3


@pytest.mark.parametrize("wanted", [{}, {"eventType": "order.shipped"}, {"eventType": "order.paid"}])
@pytest.mark.parametrize("limit", [1, 5, 100])
def test_events_of_the_same_moment_lose_no_delivery_and_show_none_twice(
    api: Client, account: Account, subscribed: Subscribed, monkeypatch: pytest.MonkeyPatch, limit: int, wanted: Any
) -> None:
    monkeypatch.setattr("deliveries.search.CANDIDATES", 4)
    for _ in range(3):
        subscribed()
    now, low = database_now(), ids.sibling_bounds(ids.new_id())[0]
    for number in range(4):
        event_type = ("order.shipped", "order.paid")[number % 2]
        Event.objects.create(
            id=UUID(int=low.int + number), account=account, type=event_type, data="{}", created_at=now, wake_at=now
        )
    fan_out([])
    expected = Delivery.objects.filter(event__type=wanted.get("eventType", "order.shipped"))
    if not wanted:
        expected = Delivery.objects.all()
    for order in ("asc", "desc"):
        found = ids_on(walk(api, "deliveries", limit=limit, order=order, **wanted))
        assert found == shown(
            "delivery", expected.order_by("id" if order == "asc" else "-id").values_list("id", flat=True)
        )


def test_the_log_of_a_deleted_webhook_stays_readable(api: Client, subscription: Subscription) -> None:
    (delivery_id,) = make_pending(subscription)
    attempt(delivery_id)
    named = subscription.shown_id
    subscription.delete()
    (item,) = get(api, "deliveries", webhook=named)["items"]
    assert (item["id"], item["webhook"], item["webhookUrl"]) == (show("delivery", delivery_id), named, None)
    assert len(get(api, path_of(delivery_id))["attempts"]) == 1


def test_a_delivery_stays_readable_when_its_event_is_past_its_retention(api: Client, pending: list[UUID]) -> None:
    Event.objects.all().delete()
    found = get(api, path_of(pending[0]))
    assert (found["eventType"], found["correlationId"], found["recordedAt"]) == (None, None, None)


def test_of_another_account_nothing_is_listed_found_or_told(
    api: Client, foreign_account: Account, subscribed: Subscribed
) -> None:
    foreign = subscribe(foreign_account, "https://bob.example.com/")
    Subscription.objects.update(uid="bobs")
    (delivery_id,) = make_pending(foreign)
    attempt(delivery_id)
    for wanted in (
        {},
        {"webhook": foreign.shown_id},
        {"webhook": "bobs"},
        {"status": "delivered"},
        {"eventType": "order.shipped"},
        {"statusCode": "200"},
    ):
        assert get(api, "deliveries", **wanted)["items"] == []
    for rest in ("", "/attempts"):
        refused = api.get(f"/api/v1/{path_of(delivery_id, rest)}")
        assert (refused.status_code, refused.json()["code"]) == (404, "not_found")
    assert api.get("/api/v1/deliveries", {"account": foreign_account.shown_id}).status_code == 404


def test_an_operator_sees_all_accounts_or_the_one_that_is_named(
    operator: Client, foreign_account: Account, subscription: Subscription
) -> None:
    (own,), (foreign,) = (
        make_pending(subscription),
        make_pending(subscribe(foreign_account, "https://bob.example.com/")),
    )
    assert ids_of(get(operator, "deliveries")) == shown("delivery", sorted([own, foreign], reverse=True))
    assert ids_of(get(operator, "deliveries", account=foreign_account.shown_id)) == shown("delivery", [foreign])
    assert get(operator, path_of(foreign))["account"] == foreign_account.shown_id


def test_an_operator_is_told_when_a_uid_is_that_of_several_webhooks(
    operator: Client, foreign_account: Account, subscription: Subscription
) -> None:
    subscribe(foreign_account, "https://bob.example.com/")
    Subscription.objects.update(uid="shop")
    refused = operator.get("/api/v1/deliveries", {"webhook": "shop"})
    assert (refused.status_code, refused.json()["errors"][0]["field"]) == (422, "webhook")


def test_a_reader_looks_and_a_publisher_does_not(api_of: ApiOf, pending: list[UUID]) -> None:
    for path in ("deliveries", path_of(pending[0]), path_of(pending[0], "/attempts")):
        get(api_of(Role.READER), path)
        assert api_of(Role.PUBLISHER).get(f"/api/v1/{path}").status_code == 403


WRONG = [
    ("status", "done"),
    ("status", ""),
    ("statusCodeClass", "6xx"),
    ("statusCode", "99"),
    ("statusCode", "2٠0"),
    ("webhook", ""),
    ("correlationId", "a\x00b"),
    ("since", "yesterday"),
    ("since", "2026-01-31T12:00:00"),
    ("limit", "251"),
    ("limit", "0"),
    ("order", "random"),
    ("cursor", "nonsense"),
    ("withContent", "maybe"),
    ("eventType", ",".join(f"t{number}" for number in range(51))),
]


def test_a_parameter_that_is_wrong_is_named(api: Client) -> None:
    for name, value in WRONG:
        refused = api.get("/api/v1/deliveries", {name: value})
        assert refused.status_code == 422, (name, value)
        assert [error["field"] for error in refused.json()["errors"]] == [name]


def test_a_window_that_ends_before_it_begins_is_refused(api: Client) -> None:
    refused = api.get("/api/v1/deliveries", {"since": "2026-02-01T00:00:00Z", "until": "2026-01-01T00:00:00Z"})
    assert (refused.status_code, refused.json()["errors"][0]["field"]) == (422, "until")


def test_a_delivery_says_all_that_is_known_of_it(api: Client, account: Account, subscription: Subscription) -> None:
    Subscription.objects.update(uid="shop")
    data = {"orderId": "ord_1", "total": 10.5}
    (event_id,) = record_events(account, NewEvent(type="order.shipped", data=data, correlation_id="checkout-1"))
    (delivery_id,) = deliveries_of(event_id)
    attempt(delivery_id, 200)
    row, event = Delivery.objects.get(), Event.objects.get()
    found = get(api, path_of(delivery_id))
    assert found.pop("attempts") != []
    assert row.finished_at is not None
    assert found == {
        "id": show("delivery", delivery_id),
        "account": account.shown_id,
        "event": show("event", event_id),
        "eventType": "order.shipped",
        "correlationId": "checkout-1",
        "recordedAt": iso_moment(event.created_at),
        "webhook": subscription.shown_id,
        "webhookUid": "shop",
        "webhookUrl": "http://127.0.0.1:9/",
        "trigger": "event",
        "manual": False,
        "status": "delivered",
        "failureReason": None,
        "attemptCount": 1,
        "nextAttemptAt": None,
        "expiresAt": iso_moment(row.expires_at),
        "finishedAt": iso_moment(row.finished_at),
        "lastOutcome": "delivered",
        "lastStatusCode": 200,
        "data": data,
    }
    (listed,) = get(api, "deliveries")["items"]
    assert listed == {name: value for name, value in found.items() if name != "data"}
    (listed,) = get(api, "deliveries", withContent="true")["items"]
    assert listed == found


def test_an_attempt_says_what_was_answered_and_how_long_it_took(api: Client, pending: list[UUID]) -> None:
    answer = Answer(
        status_code=503,
        headers=(("Content-Type", "text/plain"), ("Set-Cookie", "a=1; path=/"), ("X-Empty", "")),
        body=b"come back later",
        truncated=True,
        timings=Timings(dns_ms=1.5, connect_ms=2.5, tls_ms=3.5, first_byte_ms=9.25, total_ms=10.75),
        peer_address="203.0.113.7",
        connection_reused=False,
    )
    attempt(pending[0], answer)
    started_at = DeliveryAttempt.objects.get().started_at
    (found,) = get(api, path_of(pending[0]))["attempts"]
    assert found == {
        "id": show("attempt", ids.attempt_id(pending[0], 1)),
        "delivery": show("delivery", pending[0]),
        "number": 1,
        "startedAt": iso_moment(started_at),
        "outcome": "status",
        "statusCode": 503,
        "error": None,
        "dnsMs": 1.5,
        "connectMs": 2.5,
        "tlsMs": 3.5,
        "firstByteMs": 9.25,
        "totalMs": 10.75,
        "peerAddress": "203.0.113.7",
        "connectionReused": False,
        "responseHeaders": [
            {"name": "Content-Type", "value": "text/plain"},
            {"name": "Set-Cookie", "value": "a=1; path=/"},
            {"name": "X-Empty", "value": ""},
        ],
        "responseBody": "come back later",
        "responseTruncated": True,
        "responseExpunged": False,
    }


def test_a_refused_connection_has_no_status_and_says_what_was_wrong(api: Client, pending: list[UUID]) -> None:
    attempt(pending[0], REFUSED)
    (found,) = get(api, path_of(pending[0]))["attempts"]
    assert (found["outcome"], found["statusCode"], found["error"]) == ("refused", None, "refused by the receiver")
    assert (found["totalMs"], found["responseBody"], found["responseHeaders"]) == (3.5, "", [])


def test_content_is_left_out_on_request(api: Client, pending: list[UUID]) -> None:
    attempt(pending[0], answered(500, body=b"secret"))
    content = {"responseHeaders", "responseBody"}
    with_content = get(api, path_of(pending[0]))
    without = get(api, path_of(pending[0]), withContent="false")
    assert (with_content["data"], "data" in without) == ({"n": 0}, False)
    assert set(with_content["attempts"][0]) - set(without["attempts"][0]) == content
    (attempt_shown,) = get(api, path_of(pending[0], "/attempts"), withContent="false")["items"]
    assert content.isdisjoint(attempt_shown)


def test_a_delivery_waits_until_its_retry_and_no_longer_once_it_is_delivered(api: Client, pending: list[UUID]) -> None:
    attempt(pending[0], 500)
    waiting = get(api, path_of(pending[0]))
    due_at = Delivery.objects.get().due_at
    assert (waiting["status"], waiting["nextAttemptAt"]) == ("pending", iso_moment(due_at))
    assert due_at > database_now() + timedelta(minutes=59)
    change(pending, due_at=database_now())
    claim_one(pending[0])
    on_the_wire = get(api, path_of(pending[0]))
    assert (on_the_wire["attemptCount"], on_the_wire["nextAttemptAt"]) == (2, None)
    assert [one["number"] for one in on_the_wire["attempts"]] == [1]


def test_a_delivery_that_waits_for_a_limit_says_which_and_when_its_turn_comes_where_that_can_be_told(
    api: Client, subscription: Subscription
) -> None:
    limit(subscription, rate=10)
    (timed,) = make_line(subscription, 1)
    found = get(api, path_of(timed))
    due_at = iso_moment(Delivery.objects.get().due_at)
    assert (found["status"], found["lastOutcome"], found["nextAttemptAt"]) == ("pending", "rate_limited", due_at)

    limit(subscription, cap=1)
    (untold,) = make_line(subscription, 1)
    found = get(api, path_of(untold))
    assert (found["status"], found["lastOutcome"], found["nextAttemptAt"]) == ("pending", "concurrency_limited", None)


def test_a_delivery_that_failed_and_then_succeeded_is_delivered_and_waits_for_nothing(
    api: Client, pending: list[UUID]
) -> None:
    attempt(pending[0], 500)
    change(pending, due_at=database_now())
    attempt(pending[0], 200)
    found = get(api, path_of(pending[0]))
    assert (found["status"], found["nextAttemptAt"], found["attemptCount"]) == ("delivered", None, 2)
    assert [one["statusCode"] for one in found["attempts"]] == [500, 200]


@pytest.mark.parametrize("status_code", [403, 500])
def test_an_exhausted_delivery_has_one_attempt_and_one_for_each_interval(
    api: Client, pending: list[UUID], status_code: int
) -> None:
    for _ in range(1 + 5):
        change(pending, due_at=database_now())
        attempt(pending[0], status_code)
    found = get(api, path_of(pending[0]))
    assert (found["status"], found["failureReason"], found["nextAttemptAt"]) == ("failed", "exhausted", None)
    assert [one["statusCode"] for one in found["attempts"]] == [status_code] * (1 + 5)


def test_a_replay_is_manual(api: Client, subscription: Subscription, pending: list[UUID]) -> None:
    attempt(pending[0])
    replayed = replay(pending, request="r-1")
    (replayed_id,) = replayed.new
    found = get(api, path_of(replayed_id))
    assert (found["trigger"], found["manual"]) == ("replay", True)
    assert found["event"] == get(api, path_of(pending[0]))["event"]


def test_attempts_come_in_pages_in_both_orders(api: Client, pending: list[UUID]) -> None:
    for _ in range(5):
        change(pending, due_at=database_now())
        attempt(pending[0], 500)
    path = path_of(pending[0], "/attempts")
    for order, numbers in (("desc", [5, 4, 3, 2, 1]), ("asc", [1, 2, 3, 4, 5])):
        pages = walk(api, path, limit=2, order=order)
        assert [[one["number"] for one in page["items"]] for page in pages] == [numbers[:2], numbers[2:4], numbers[4:]]
        back = get(api, path, limit=2, order=order, cursor=pages[-1]["previous"])
        assert back["items"] == pages[1]["items"]


def test_a_cursor_of_another_list_is_refused(api: Client, subscription: Subscription, pending: list[UUID]) -> None:
    make_pending(subscription, 3)
    cursor = get(api, "deliveries", limit=1)["next"]
    refused = api.get(f"/api/v1/{path_of(pending[0], '/attempts')}", {"cursor": cursor})
    assert (refused.status_code, refused.json()["errors"][0]["field"]) == (422, "cursor")


@pytest.mark.parametrize("count", [2, 40])
@pytest.mark.parametrize(
    "wanted",
    [
        {},
        {"webhook": "shop"},
        {"status": "pending"},
        {"eventType": "order.shipped"},
        {"webhook": "shop", "correlationId": "c"},
        {"webhook": "shop", "eventType": "order.shipped", "withContent": "true"},
    ],
)
def test_a_list_takes_six_queries_at_most_whatever_its_length(
    operator: Client,
    account: Account,
    subscription: Subscription,
    django_assert_max_num_queries: DjangoAssertNumQueries,
    count: int,
    wanted: Mapping[str, str],
) -> None:
    Subscription.objects.update(uid="shop")
    record_events(account, *(NewEvent(type="order.shipped", data={}, correlation_id="c") for _ in range(count)))
    make_keys_unused()
    with django_assert_max_num_queries(6):
        page = get(operator, "deliveries", account=account.shown_id, limit=200, **wanted)
    assert len(page["items"]) == count


def test_one_delivery_takes_six_queries_at_most(
    operator: Client,
    account: Account,
    pending: list[UUID],
    django_assert_max_num_queries: DjangoAssertNumQueries,
) -> None:
    attempt(pending[0], 500)
    for rest in ("", "/attempts"):
        make_keys_unused()
        with django_assert_max_num_queries(6):
            get(operator, path_of(pending[0], rest), account=account.shown_id)
