"""Events over the API: read back as they were published, listed with filters, each with those who were told."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any
from uuid import UUID

import pytest
from pytest_django import DjangoAssertNumQueries

from deliveries.fan_out import fan_out
from deliveries.models import Delivery
from subscriptions.models import Subscription
from subscriptions.subscribe import subscribe
from tests.integration.api.conftest import ApiOf, Client, make_keys_unused
from tests.integration.api.log_rows import (
    attempt,
    delivery_to,
    get,
    ids_of,
    ids_on,
    record_ago,
    record_events,
    shown,
    walk,
)
from tests.integration.rows import change, database_now
from webhookhub import ids
from webhookhub.events import NewEvent, emit, emit_many
from webhookhub.ids import show
from webhookhub.models import Account, Event
from webhookhub.moments import iso_moment
from webhookhub.roles import Role

Subscribed = Callable[..., Subscription]
DATA = {
    "text": 'Zoë "Z" Müller\n🛒 \u2028',
    "numbers": [0, -1, 1.5, 1e21, 1e-7, 9007199254740991],
    "nothing": None,
    "nested": {"2": [], "1": {}, "yes": True},
}


def path_of(event_id: UUID, rest: str = "") -> str:
    return f"events/{show('event', event_id)}{rest}"


def test_an_event_reads_back_as_it_was_published(api: Client, account: Account) -> None:
    published = api.post(
        "/api/v1/events",
        {
            "type": "order.shipped",
            "data": DATA,
            "entityType": "order",
            "action": "UPDATE",
            "subject": "https://shop.example.com/orders/1",
            "correlationId": "checkout-1",
        },
    )
    assert published.status_code == 202
    found = get(api, f"events/{published.json()['id']}")
    assert found == {
        "id": published.json()["id"],
        "account": account.shown_id,
        "type": "order.shipped",
        "entityType": "order",
        "action": "UPDATE",
        "subject": "https://shop.example.com/orders/1",
        "correlationId": "checkout-1",
        "createdAt": published.json()["createdAt"],
        "fanOut": "waiting",
        "expunged": False,
        "data": DATA,
    }
    assert get(api, "events")["items"] == [found]


def test_data_may_be_any_json(api: Client, account: Account) -> None:
    for data in (None, 0, "", [], {}, "text", [1, "2"], False):
        found = get(api, path_of(emit("order.shipped", data, account=account)))
        assert (found["data"], found["expunged"]) == (data, False)


def test_what_an_event_was_published_without_is_null(api: Client, account: Account) -> None:
    found = get(api, path_of(emit("order.shipped", {}, account=account)))
    assert [found[name] for name in ("entityType", "action", "subject", "correlationId")] == [None] * 4


def test_data_are_left_out_on_request(api: Client, account: Account) -> None:
    event_id = emit("order.shipped", DATA, account=account)
    assert "data" not in get(api, path_of(event_id), withContent="false")
    (listed,) = get(api, "events", withContent="false")["items"]
    assert "data" not in listed


def test_an_event_waits_until_it_is_fanned_out_and_is_matched_or_not_then(
    api: Client, account: Account, subscribed: Subscribed
) -> None:
    subscribed(event_types=["order.shipped"])
    event_ids = emit_many(
        [NewEvent(type=event_type, data={}) for event_type in ("order.shipped", "order.paid")], account=account
    )
    assert [event["fanOut"] for event in get(api, "events", order="asc")["items"]] == ["waiting", "waiting"]
    fan_out(event_ids)
    assert [event["fanOut"] for event in get(api, "events", order="asc")["items"]] == ["matched", "unmatched"]
    assert get(api, path_of(event_ids[1]))["fanOut"] == "unmatched"


@pytest.fixture
def of_one_moment(account: Account, subscribed: Subscribed) -> list[UUID]:
    """Two events that were recorded at the same moment. One webhook wants both, another the first alone, nobody a third."""
    subscribed(event_types=["order.shipped", "order.paid"])
    subscribed(event_types=["order.shipped"])
    now, low = database_now(), ids.sibling_bounds(ids.new_id())[0]
    event_ids = []
    for number, event_type in enumerate(("order.shipped", "order.paid", "order.lost")):
        event = Event(type=event_type, account=account, data="{}", created_at=now, wake_at=now)
        event.id = UUID(int=low.int + number)
        event.save(force_insert=True)
        event_ids.append(event.id)
    fan_out(event_ids)
    return event_ids


def test_of_events_of_the_same_moment_each_is_matched_by_its_own_deliveries(
    api: Client, of_one_moment: list[UUID]
) -> None:
    listed = get(api, "events", order="asc")["items"]
    assert [event["fanOut"] for event in listed] == ["matched", "matched", "unmatched"]
    numbers = [len(get(api, path_of(event_id, "/deliveries"))["items"]) for event_id in of_one_moment]
    assert numbers == [2, 1, 0]


@pytest.mark.parametrize("order", ["asc", "desc"])
@pytest.mark.parametrize("wanted", [{}, {"type": "order.shipped"}, {"correlationId": "c"}])
def test_pages_lead_forwards_and_back_through_the_same_rows(
    api: Client, account: Account, order: str, wanted: Mapping[str, str]
) -> None:
    events = [NewEvent(type="order.shipped", data={}, correlation_id="c") for _ in range(10)]
    identifiers = shown("event", emit_many(events, account=account))
    pages = walk(api, "events", limit=4, order=order, **wanted)
    assert ids_on(pages) == identifiers[:: 1 if order == "asc" else -1]
    back = [pages[-1]]
    while back[-1]["previous"] is not None:
        back.append(get(api, "events", limit=4, order=order, **wanted, cursor=back[-1]["previous"]))
    assert [ids_of(page) for page in back] == [ids_of(page) for page in pages[::-1]]


EVENTS = [
    NewEvent(type="order.shipped", data={}, correlation_id="c-1"),
    NewEvent(type="order.paid", data={}, correlation_id="c-1"),
    NewEvent(type="product.updated", data={}, entity_type="product", action="UPDATE"),
    NewEvent(type="product.deleted", data={}, entity_type="product", action="DELETE", correlation_id="c-2"),
]


CASES: list[tuple[dict[str, Any], list[int]]] = [
    ({"type": "order.paid"}, [1]),
    ({"type": "order.paid,order.shipped"}, [1, 0]),
    ({"type": ["order.paid", "product.updated,order.none"]}, [2, 1]),
    ({"type": "order"}, []),
    ({"correlationId": "c-1"}, [1, 0]),
    ({"correlationId": "c-1", "type": "order.shipped"}, [0]),
    ({"entityType": "product"}, [3, 2]),
    ({"action": "DELETE"}, [3]),
    ({"entityType": "product", "action": "UPDATE"}, [2]),
    ({"correlationId": "c-2", "action": "UPDATE"}, []),
]


def test_each_filter_finds_what_it_says_for_the_account_and_for_operators(
    api: Client, operator: Client, account: Account
) -> None:
    event_ids = emit_many(EVENTS, account=account)
    for client in (api, operator):
        for wanted, numbers in CASES:
            found = ids_of(get(client, "events", **wanted))
            assert found == shown("event", (event_ids[number] for number in numbers)), wanted


def test_a_window_of_time_has_its_beginning_and_not_its_end(api: Client, account: Account) -> None:
    first, second, third = (record_ago(account, seconds) for seconds in (30, 20, 10))
    since, until = (iso_moment(ids.moment_of(one)) for one in (second, third))
    assert ids_of(get(api, "events", since=since, until=until)) == shown("event", [second])
    assert ids_of(get(api, "events", until=since)) == shown("event", [first])


def test_a_search_that_has_looked_at_enough_goes_on_from_there(
    api: Client, account: Account, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("webhookhub.event_search.CANDIDATES", 3)
    events = [NewEvent(type="order.paid" if number == 4 else "order.shipped", data={}) for number in range(10)]
    event_ids = emit_many(events, account=account)
    pages = walk(api, "events", type="order.paid")
    assert ids_on(pages) == shown("event", [event_ids[4]])
    assert (len(pages), pages[0]["items"]) == (4, [])


WRONG = [("type", ""), ("type", ","), ("correlationId", ""), ("since", "now"), ("limit", "x"), ("withContent", "1")]


def test_a_parameter_that_is_wrong_is_named(api: Client) -> None:
    for name, value in WRONG:
        refused = api.get("/api/v1/events", {name: value})
        assert refused.status_code == 422, (name, value)
        assert [error["field"] for error in refused.json()["errors"]] == [name]


def test_of_another_account_nothing_is_listed_found_or_told(api: Client, foreign_account: Account) -> None:
    subscribe(foreign_account, "http://127.0.0.1:9/")
    (foreign,) = record_events(foreign_account, NewEvent(type="order.shipped", data={}, correlation_id="c"))
    for wanted in ({}, {"type": "order.shipped"}, {"correlationId": "c"}):
        assert get(api, "events", **wanted)["items"] == []
    for rest in ("", "/deliveries"):
        refused = api.get(f"/api/v1/{path_of(foreign, rest)}")
        assert (refused.status_code, refused.json()["code"]) == (404, "not_found")
    assert api.get("/api/v1/events", {"account": foreign_account.shown_id}).status_code == 404


@pytest.mark.parametrize("named", ["evt_0192f0c1", "x", "evt_" + "0" * 32, "sub_0192f0c1d5a37abc8123456789abcdef"])
def test_what_is_no_event_is_not_found(api: Client, named: str) -> None:
    for rest in ("", "/deliveries"):
        assert api.get(f"/api/v1/events/{named}{rest}").status_code == 404


def test_a_reader_looks_and_a_publisher_does_not(api_of: ApiOf, account: Account) -> None:
    event_id = emit("order.shipped", {}, account=account)
    for path in ("events", path_of(event_id), path_of(event_id, "/deliveries")):
        get(api_of(Role.READER), path)
        assert api_of(Role.PUBLISHER).get(f"/api/v1/{path}").status_code == 403


def test_an_events_deliveries_name_everybody_who_was_told_and_how_that_went_last(
    api: Client, account: Account, subscribed: Subscribed
) -> None:
    receivers = [subscribed(f"http://127.0.0.1:9/{number}") for number in range(3)]
    event_id, _other = record_events(account, *(NewEvent(type="order.shipped", data={}) for _ in range(2)))
    fine, failing, deleted = (delivery_to(receiver, event_id) for receiver in receivers)
    attempt(fine, 200)
    attempt(failing, 500)
    change([failing], due_at=database_now())
    attempt(failing, 503)
    attempt(deleted, 410)
    receivers[2].delete()
    found = {item["id"]: item for item in get(api, path_of(event_id, "/deliveries"))["items"]}
    assert set(found) == set(shown("delivery", [fine, failing, deleted]))
    last = {name: (one["lastAttempt"]["number"], one["lastAttempt"]["statusCode"]) for name, one in found.items()}
    assert last == dict(zip(shown("delivery", [fine, failing, deleted]), [(1, 200), (2, 503), (1, 410)], strict=True))
    assert [found[show("delivery", one)]["webhookUrl"] for one in (fine, deleted)] == ["http://127.0.0.1:9/0", None]


def test_a_delivery_that_was_not_attempted_has_no_last_attempt(api: Client, pending: list[UUID]) -> None:
    event_id = Delivery.objects.get().event_id
    (item,) = get(api, path_of(event_id, "/deliveries"))["items"]
    assert (item["id"], item["lastAttempt"]) == (show("delivery", pending[0]), None)


def test_an_events_deliveries_are_filtered_and_come_in_pages(
    api: Client, account: Account, subscribed: Subscribed
) -> None:
    receivers = [subscribed() for _ in range(5)]
    (event_id,) = record_events(account)
    path = path_of(event_id, "/deliveries")
    rejected = delivery_to(receivers[2], event_id)
    attempt(rejected, 404)
    assert ids_of(get(api, path, statusCodeClass="4xx")) == shown("delivery", [rejected])
    assert ids_of(get(api, path, webhook=receivers[2].shown_id, status="pending")) == shown("delivery", [rejected])
    pages = walk(api, path, limit=2)
    assert [len(page["items"]) for page in pages] == [2, 2, 1]
    assert sorted(ids_on(pages)) == sorted(shown("delivery", Delivery.objects.values_list("id", flat=True)))


@pytest.mark.parametrize("count", [2, 40])
@pytest.mark.parametrize("wanted", [{}, {"type": "order.shipped"}, {"correlationId": "c"}])
def test_a_list_takes_six_queries_at_most_whatever_its_length(
    operator: Client,
    account: Account,
    subscription: Subscription,
    django_assert_max_num_queries: DjangoAssertNumQueries,
    count: int,
    wanted: Mapping[str, str],
) -> None:
    record_events(account, *(NewEvent(type="order.shipped", data={}, correlation_id="c") for _ in range(count)))
    make_keys_unused()
    with django_assert_max_num_queries(6):
        page = get(operator, "events", account=account.shown_id, limit=200, **wanted)
    assert {event["fanOut"] for event in page["items"]} == {"matched"}
    assert len(page["items"]) == count


@pytest.mark.parametrize("count", [1, 20])
def test_an_event_and_its_deliveries_take_six_queries_at_most(
    operator: Client,
    account: Account,
    subscribed: Subscribed,
    django_assert_max_num_queries: DjangoAssertNumQueries,
    count: int,
) -> None:
    receivers = [subscribed() for _ in range(count)]
    Subscription.objects.filter(id=receivers[0].id).update(uid="shop")
    (event_id,) = record_events(account)
    for delivery_id in Delivery.objects.values_list("id", flat=True):
        attempt(delivery_id, 200)
    for path, wanted in (
        (path_of(event_id), {}),
        (path_of(event_id, "/deliveries"), {"limit": 200}),
        (path_of(event_id, "/deliveries"), {"webhook": "shop"}),
    ):
        make_keys_unused()
        with django_assert_max_num_queries(6):
            get(operator, path, account=account.shown_id, **wanted)
