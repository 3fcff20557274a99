"""Webhooks over HTTP: made, read, replaced, changed, listed and deleted by their account's administrators."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any
from uuid import UUID

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from subscriptions.models import Subscription
from subscriptions.rotation import reveal_secret
from tests.integration.api.conftest import ApiOf, Client
from tests.integration.rows import run_at_once
from webhookhub.callers import forget_callers
from webhookhub.models import Account
from webhookhub.roles import Role

WEBHOOKS = "/api/v1/webhooks"
URL = "https://client.com/webhooks/orders"
SECRET = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"

Make = Callable[..., dict[str, Any]]


@pytest.fixture
def make(api: Client) -> Make:
    """Makes a webhook: `make(events=["order.*"])`. Returns what the API says of it."""

    def post(**fields: Any) -> dict[str, Any]:
        answer = api.post(WEBHOOKS, {"url": URL} | fields)
        assert answer.status_code == 201, answer.content
        made: dict[str, Any] = answer.json()
        return made

    return post


def path(webhook: dict[str, Any]) -> str:
    return f"{WEBHOOKS}/{webhook['id']}"


def without(webhook: dict[str, Any], *fields: str) -> dict[str, Any]:
    return {name: value for name, value in webhook.items() if name not in fields}


def wrong_fields(answer: Any) -> list[str]:
    """The fields that a refusal names."""
    assert answer.status_code == 422, answer.content
    return [error["field"] for error in answer.json()["errors"]]


# ------------------------------------------------------------------------------------------------ creation


def test_the_request_of_the_document_is_answered_with_the_new_webhook_and_where_it_is(api: Client) -> None:
    body = """{
      "url": "https://client.com/webhooks/orders",
      "events": ["order.created", "order.shipped"],
      "secret": "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
    }"""
    answer = api.generic("POST", "/api/v1/webhooks", body, content_type="application/json")
    assert answer.status_code == 201
    made = answer.json()
    assert {"url": URL, "events": ["order.created", "order.shipped"], "secret": SECRET}.items() <= made.items()
    read = api.get(answer["Location"])
    assert (read.status_code, read.json()) == (200, without(made, "secret"))


def test_a_new_webhook_is_enabled_for_all_types_without_limits_and_with_a_secret_of_its_own(make: Make) -> None:
    made = make()
    assert made.pop("secret") == reveal_secret(Subscription.objects.get())
    identifiers = {name: made.pop(name) for name in ("id", "account", "createdAt", "updatedAt")}
    assert identifiers["id"].startswith("sub_")
    assert made == {
        "uid": None,
        "url": URL,
        "description": "",
        "events": ["*"],
        "entityType": None,
        "action": None,
        "filter": None,
        "enabled": True,
        "paused": False,
        "health": {"state": "healthy", "since": None, "reason": None, "nextProbeAt": None},
        "profile": "standard",
        "overrides": {},
        "headers": {},
        "auth": {"type": "none"},
        "rateLimitPerSecond": None,
        "concurrencyLimit": None,
        "metadata": {},
    }


def test_all_that_can_be_said_of_a_webhook_is_kept_and_null_is_the_same_as_nothing_said(make: Make) -> None:
    said = {
        "uid": "orders",
        "description": "Orders",
        "events": ["order.*", "invoice.paid"],
        "entityType": "order",
        "action": "UPDATE",
        "filter": {"total": {"$gte": 100}},
        "enabled": False,
        "paused": True,
        "profile": "crm",
        "overrides": {"timeoutSeconds": 7.5, "userAgent": None},
        "headers": {"X-Environment": "test"},
        "auth": {"type": "none"},
        "rateLimitPerSecond": 5,
        "concurrencyLimit": 2,
        "metadata": {"team": "logistics"},
    }
    assert make(**said).items() >= said.items()
    nothing = dict.fromkeys(without(said, "enabled", "paused"))
    changing = ("id", "secret", "createdAt", "updatedAt")
    assert without(make(**nothing), *changing) == without(make(), *changing)


def test_a_webhook_that_names_an_entity_type_alone_wants_nothing_else(make: Make) -> None:
    made = make(entityType="product")
    assert (made["events"], made["entityType"], made["action"]) == (None, "product", None)


def test_a_secret_is_in_no_answer_but_the_first(api: Client, make: Make) -> None:
    made = make(secret=SECRET)
    answers = [
        api.get(path(made)),
        api.get(WEBHOOKS),
        api.patch(path(made), {"description": "x"}),
        api.put(path(made), {"url": URL}),
    ]
    assert all("secret" not in answer.json() and SECRET not in answer.content.decode() for answer in answers)


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({}, "url"),
        ({"url": None}, "url"),
        ({"url": 5}, "url"),
        ({"url": URL, "events": []}, "events"),
        ({"url": URL, "events": "order.*"}, "events"),
        ({"url": URL, "events": ["order shipped"]}, "events"),
        ({"url": URL, "events": ["order.paid", 5]}, "events[1]"),
        ({"url": URL, "events": ["*"] * 101}, "events"),
        ({"url": URL, "entityType": "a b"}, "entityType"),
        ({"url": URL, "action": "UPDATE"}, "entityType"),
        ({"url": URL, "filter": {"$what": 1}}, "filter"),
        ({"url": URL, "filter": 5}, "filter"),
        ({"url": URL, "enabled": "yes"}, "enabled"),
        ({"url": URL, "enabled": None}, "enabled"),
        ({"url": URL, "paused": "yes"}, "paused"),
        ({"url": URL, "profile": "nonsense"}, "profile"),
        ({"url": URL, "uid": "sub_orders"}, "uid"),
        ({"url": URL, "uid": "a/b"}, "uid"),
        ({"url": URL, "uid": ""}, "uid"),
        ({"url": URL, "uid": "test-filter"}, "uid"),
        ({"url": URL, "description": "x" * 201}, "description"),
        ({"url": URL, "rateLimitPerSecond": 0}, "rateLimitPerSecond"),
        ({"url": URL, "rateLimitPerSecond": 10**40}, "rateLimitPerSecond"),
        ({"url": URL, "rateLimitPerSecond": 1.5}, "rateLimitPerSecond"),
        ({"url": URL, "concurrencyLimit": -1}, "concurrencyLimit"),
        ({"url": URL, "metadata": {"x": "y" * 4096}}, "metadata"),
        ({"url": URL, "metadata": ["x"]}, "metadata"),
        ({"url": URL, "secret": "short"}, "secret"),
        ({"url": URL, "secret": 5}, "secret"),
        ({"url": URL, "colour": "red"}, "colour"),
        ([], ""),
    ],
)
def test_what_is_wrong_is_named_and_nothing_is_stored(api: Client, body: Any, field: str) -> None:
    assert wrong_fields(api.post(WEBHOOKS, body)) == [field]
    assert not Subscription.objects.exists()


@pytest.mark.parametrize("field", ["rateLimitPerSecond", "concurrencyLimit"])
def test_a_limit_of_nothing_is_refused_with_the_least_that_is_taken(api: Client, make: Make, field: str) -> None:
    made = make(**{field: 1})
    for answer in (
        api.post(WEBHOOKS, {"url": URL, field: 0}),
        api.put(path(made), {"url": URL, field: 0}),
        api.patch(path(made), {field: 0}),
    ):
        assert wrong_fields(answer) == [field]
        (error,) = answer.json()["errors"]
        assert "greater than or equal to 1" in error["message"], error
    assert api.get(path(made)).json()[field] == 1


def test_metadata_of_numbers_as_large_as_json_allows_are_kept(api: Client, make: Make) -> None:
    made = make(metadata={"huge": 10**100, "deep": [[[{"é": None}]]]})
    assert json.loads(api.get(path(made)).content)["metadata"] == {"huge": 10**100, "deep": [[[{"é": None}]]]}


# ------------------------------------------------------------------------------------------------ what is unique


def test_a_pair_of_entity_type_and_action_stands_in_one_webhook_of_the_account(
    api: Client, make: Make, api_of: ApiOf, foreign_account: Account
) -> None:
    pair = {"entityType": "product", "action": "UPDATE"}
    make(**pair)
    answer = api.post(WEBHOOKS, {"url": URL} | pair)
    assert (answer.status_code, answer.json()["code"]) == (409, "pair_taken")
    assert [error["field"] for error in answer.json()["errors"]] == ["entityType"]
    make(entityType="product", action="DELETE")
    make(entityType="product")
    assert api_of(Role.ADMINISTRATOR, foreign_account).post(WEBHOOKS, {"url": URL} | pair).status_code == 201
    other = make()
    assert api.patch(path(other), pair).json()["code"] == "pair_taken"
    assert api.get(path(other)).json()["entityType"] is None


def test_a_uid_is_unique_in_the_account_and_free_again_after_the_webhook_is_deleted(
    api: Client, make: Make, api_of: ApiOf, foreign_account: Account
) -> None:
    first, other = make(uid="orders"), make()
    for answer in (
        api.post(WEBHOOKS, {"url": URL, "uid": "orders"}),
        api.put(path(other), {"url": URL, "uid": "orders"}),
        api.patch(path(other), {"uid": "orders"}),
    ):
        assert (answer.status_code, answer.json()["code"]) == (409, "uid_taken")
    assert api_of(Role.ADMINISTRATOR, foreign_account).post(WEBHOOKS, {"url": URL, "uid": "orders"}).status_code == 201
    assert api.delete(path(first)).status_code == 204
    assert api.patch(path(other), {"uid": "orders"}).status_code == 200


def test_of_two_that_ask_for_one_uid_at_once_one_gets_it_and_the_other_is_told(api: Client) -> None:
    answers = run_at_once([lambda: api.post(WEBHOOKS, {"url": URL, "uid": "orders"}).status_code] * 4)
    assert sorted(answers) == [201, 409, 409, 409]


# ------------------------------------------------------------------------------------------------ by our id or the caller's


def test_a_webhook_is_found_by_its_uid_wherever_by_its_id(api: Client, make: Make) -> None:
    made = make(uid="9b1deb4d-3b7d-4bad-9bdd-2b0d7b3dcb6d")
    by_uid = f"{WEBHOOKS}/{made['uid']}"
    assert api.get(by_uid).json() == without(made, "secret")
    assert api.patch(by_uid, {"description": "mine"}).json()["id"] == made["id"]
    assert api.put(by_uid, {"url": URL}).json()["id"] == made["id"]
    assert api.delete(by_uid).status_code == 204
    assert api.get(path(made)).status_code == 404


def test_a_uid_can_be_changed_and_taken_away_and_the_old_one_is_then_unknown(api: Client, make: Make) -> None:
    made = make(uid="orders")
    assert api.patch(path(made), {"uid": "orders"}).status_code == 200
    assert api.patch(f"{WEBHOOKS}/orders", {"uid": "shipments"}).json()["uid"] == "shipments"
    assert api.get(f"{WEBHOOKS}/orders").status_code == 404
    assert api.patch(f"{WEBHOOKS}/shipments", {"uid": None}).json()["uid"] is None
    assert api.get(f"{WEBHOOKS}/shipments").status_code == 404


def test_putting_to_an_unknown_uid_makes_the_webhook_and_again_replaces_it(api: Client) -> None:
    first = api.put(f"{WEBHOOKS}/orders", {"url": URL, "events": ["order.*"]})
    assert (first.status_code, first.json()["uid"], first.json()["secret"][:6]) == (201, "orders", "whsec_")
    assert api.get(first["Location"]).json() == without(first.json(), "secret")
    again = api.put(f"{WEBHOOKS}/orders", {"url": URL})
    assert (again.status_code, again.json()["id"]) == (200, first.json()["id"])
    assert (again.json()["uid"], again.json()["events"]) == ("orders", ["*"])


def test_putting_to_an_unknown_id_of_ours_makes_nothing(api: Client) -> None:
    assert api.put(f"{WEBHOOKS}/sub_{UUID(int=5).hex}", {"url": URL}).status_code == 404
    assert api.put(f"{WEBHOOKS}/sub_x", {"url": URL}).status_code == 404
    assert wrong_fields(api.put(f"{WEBHOOKS}/orders", {"url": URL, "uid": "other"})) == ["uid"]
    assert wrong_fields(api.put(f"{WEBHOOKS}/orders", {"url": URL, "uid": None})) == ["uid"]
    assert not Subscription.objects.exists()


# ------------------------------------------------------------------------------------------------ changes


CHANGES = [
    {"url": "https://client.com/new"},
    {"description": "new"},
    {"uid": "new"},
    {"events": ["invoice.*"]},
    {"filter": {"status": "paid"}},
    {"enabled": False},
    {"profile": "short"},
    {"overrides": {"maxAttempts": 3}},
    {"auth": {"type": "basic", "username": "new"}},
    {"rateLimitPerSecond": 1},
    {"concurrencyLimit": 1},
    {"metadata": {"new": True}},
]


@pytest.mark.parametrize("change", CHANGES, ids=lambda change: next(iter(change)))
def test_a_patch_changes_the_named_field_and_no_other(api: Client, make: Make, change: dict[str, Any]) -> None:
    made = make(
        uid="old",
        description="old",
        events=["order.*"],
        filter={"status": "open"},
        profile="crm",
        overrides={"timeoutSeconds": 5},
        headers={"X-Old": "1"},
        auth={"type": "basic", "username": "old", "password": "old"},
        rateLimitPerSecond=9,
        concurrencyLimit=9,
        metadata={"old": True},
    )
    answer = api.patch(path(made), change)
    assert answer.status_code == 200
    untouched = without(made, "secret", "updatedAt", *change)
    assert answer.json() == untouched | change | {"updatedAt": answer.json()["updatedAt"]}
    assert answer.json() == api.get(path(made)).json()
    assert answer.json()["updatedAt"] > made["updatedAt"]


@pytest.mark.parametrize(
    ("field", "value", "default"),
    [
        ("description", "x", ""),
        ("uid", "x", None),
        ("events", ["order.*"], ["*"]),
        ("entityType", "order", None),
        ("filter", {"a": 1}, None),
        ("profile", "crm", "standard"),
        ("overrides", {"maxAttempts": 3}, {}),
        ("headers", {"X-A": "1"}, {}),
        ("auth", {"type": "bearer", "token": "t"}, {"type": "none"}),
        ("rateLimitPerSecond", 5, None),
        ("concurrencyLimit", 5, None),
        ("metadata", {"a": 1}, {}),
    ],
)
def test_null_and_a_put_without_the_field_give_it_the_default_of_a_new_webhook(
    api: Client, make: Make, field: str, value: Any, default: Any
) -> None:
    patched, put = make(**{field: value}), make(**({field: value} if field not in ("uid", "entityType") else {}))
    assert api.patch(path(patched), {field: None}).json()[field] == default
    assert api.put(path(put), {"url": URL}).json()[field] == default


def test_an_empty_patch_changes_nothing_but_its_own_moment(api: Client, make: Make) -> None:
    made = make(headers={"X-Token": "t"}, auth={"type": "bearer", "token": "t"})
    assert without(api.patch(path(made), {}).json(), "updatedAt") == without(made, "secret", "updatedAt")


def test_what_was_read_can_be_put_back_and_changes_nothing(api: Client, make: Make) -> None:
    made = make(
        uid="orders",
        entityType="order",
        headers={"X-Token": "t", "X-Plain": "p"},
        auth={"type": "oauth2", "tokenUrl": "https://client.com/token", "clientId": "hub", "clientSecret": "s"},
        overrides={"userAgent": None, "maxIntervalSeconds": None, "intervalsSeconds": [1, 2.5]},
    )
    read = without(api.get(path(made)).json(), "id", "account", "health", "createdAt", "updatedAt")
    before = Subscription.objects.get()
    assert without(api.put(path(made), read).json(), "id", "account", "health", "createdAt", "updatedAt") == read
    after = Subscription.objects.get()
    assert (after.overrides, after.profile_id) == (before.overrides, before.profile_id)


def test_two_that_change_different_fields_at_once_undo_nothing_of_each_other(api: Client, make: Make) -> None:
    made = make()
    changes: list[dict[str, Any]] = [{"description": "x"}, {"metadata": {"a": 1}}, {"uid": "u"}, {"profile": "crm"}]
    statuses = run_at_once([lambda change=change: api.patch(path(made), change).status_code for change in changes])  # type: ignore[misc]  # bound at once
    assert statuses == [200] * 4
    assert api.get(path(made)).json().items() >= {key: value for one in changes for key, value in one.items()}.items()


@pytest.mark.parametrize("change", [{"enabled": None}, {"url": None}, {"secret": SECRET}, {"events": []}, {"id": "x"}])
def test_a_patch_of_what_cannot_be_is_refused(api: Client, make: Make, change: dict[str, Any]) -> None:
    made = make()
    assert wrong_fields(api.patch(path(made), change)) == list(change)
    assert api.get(path(made)).json() == without(made, "secret")


# ------------------------------------------------------------------------------------------------ lists


def test_a_list_goes_through_ten_webhooks_in_pages_forward_and_back_in_both_orders(api: Client, make: Make) -> None:
    made = [make()["id"] for _ in range(10)]
    for order, expected in (("asc", made), ("desc", made[::-1])):
        first = api.get(WEBHOOKS, {"limit": 4, "order": order}).json()
        second = api.get(WEBHOOKS, {"limit": 4, "order": order, "cursor": first["next"]}).json()
        third = api.get(WEBHOOKS, {"limit": 4, "order": order, "cursor": second["next"]}).json()
        assert [item["id"] for page in (first, second, third) for item in page["items"]] == expected
        assert [page["done"] for page in (first, second, third)] == [False, False, True]
        back = api.get(WEBHOOKS, {"limit": 4, "order": order, "cursor": third["previous"]}).json()
        assert back["items"] == second["items"]


@pytest.mark.parametrize(
    ("parameters", "found"),
    [
        ({}, {"a", "b", "c", "d"}),
        ({"enabled": "false"}, {"b"}),
        ({"enabled": "true"}, {"a", "c", "d"}),
        ({"eventType": "order.paid"}, {"a", "b", "d"}),
        ({"eventType": "order.item.added"}, {"b", "d"}),
        ({"eventType": "order"}, {"d"}),
        ({"entityType": "product"}, {"c"}),
        ({"entityType": "product", "action": "DELETE"}, set()),
        ({"uid": "a"}, {"a"}),
        ({"profile": "crm"}, {"c"}),
        ({"url": "BOB"}, {"b"}),
        ({"url": "%"}, set()),
        ({"url": "bob", "enabled": "true"}, set()),
    ],
)
def test_a_list_is_narrowed_by_its_parameters(
    api: Client, make: Make, parameters: dict[str, str], found: set[str]
) -> None:
    make(uid="a", events=["order.paid", "order.shipped"])
    make(uid="b", events=["order.*"], enabled=False, url="https://bob.example/hooks")
    make(uid="c", entityType="product", action="UPDATE", profile="crm")
    make(uid="d")
    assert {item["uid"] for item in api.get(WEBHOOKS, parameters).json()["items"]} == found


@pytest.mark.parametrize(
    "parameters",
    [{"enabled": "yes"}, {"limit": "251"}, {"order": "up"}, {"cursor": "x"}, {"uid": "a\0"}, {"url": "\0"}],
)
def test_a_wrong_parameter_is_named(api: Client, parameters: dict[str, str]) -> None:
    assert wrong_fields(api.get(WEBHOOKS, parameters)) == list(parameters)


@pytest.mark.parametrize("count", [1, 30])
def test_a_route_costs_few_queries_however_many_webhooks_there_are(api: Client, make: Make, count: int) -> None:
    for _ in range(count):
        made = make(headers={"X-A": "1"}, overrides={"maxAttempts": 3})
    calls: list[Callable[[], Any]] = [
        lambda: api.get(WEBHOOKS, {"limit": 100}),
        lambda: api.get(path(made)),
        lambda: api.post(WEBHOOKS, {"url": URL, "profile": "crm"}),
        lambda: api.patch(path(made), {"enabled": False, "profile": "crm"}),
        lambda: api.put(path(made), {"url": URL, "overrides": {"maxAttempts": 4}}),
        lambda: api.put(f"{WEBHOOKS}/new", {"url": URL}),
        lambda: api.get("/api/v1/profiles"),
        lambda: api.delete(path(made)),
    ]
    for call in calls:
        # The key is looked up, too.
        forget_callers()
        with CaptureQueriesContext(connection) as captured:
            assert call().status_code < 300
        queries = [query["sql"] for query in captured if query["sql"] not in ("BEGIN", "COMMIT")]
        assert len(queries) <= 6, queries


# ------------------------------------------------------------------------------------------------ who may


def test_nothing_of_another_account_s_webhook_is_seen_or_changed(
    make: Make, api_of: ApiOf, foreign_account: Account
) -> None:
    made = make(uid="orders")
    bob = api_of(Role.ADMINISTRATOR, foreign_account)
    assert bob.get(WEBHOOKS).json()["items"] == []
    for named in (made["id"], "orders"):
        assert bob.get(f"{WEBHOOKS}/{named}").status_code == 404
        assert bob.patch(f"{WEBHOOKS}/{named}", {"enabled": False}).status_code == 404
        assert bob.delete(f"{WEBHOOKS}/{named}").status_code == 404
    assert bob.put(path(made), {"url": URL}).status_code == 404
    assert bob.get(WEBHOOKS, {"account": made["account"]}).status_code == 404
    assert Subscription.objects.get().enabled


def test_an_operator_sees_all_webhooks_and_says_whose_a_new_one_is(
    operator: Client, make: Make, api_of: ApiOf, account: Account, foreign_account: Account
) -> None:
    alices = make(uid="orders")
    bobs = api_of(Role.ADMINISTRATOR, foreign_account).post(WEBHOOKS, {"url": URL, "uid": "orders"}).json()
    assert [item["id"] for item in operator.get(WEBHOOKS).json()["items"]] == [bobs["id"], alices["id"]]
    assert [item["id"] for item in operator.get(WEBHOOKS, {"account": account.shown_id}).json()["items"]] == [
        alices["id"]
    ]
    assert wrong_fields(operator.get(f"{WEBHOOKS}/orders")) == ["account"]
    assert operator.get(f"{WEBHOOKS}/orders?account={foreign_account.shown_id}").json()["id"] == bobs["id"]
    assert wrong_fields(operator.post(WEBHOOKS, {"url": URL})) == ["account"]
    made = operator.post(f"{WEBHOOKS}?account={account.shown_id}", {"url": URL}).json()
    assert (made["account"], operator.delete(path(made)).status_code) == (account.shown_id, 204)


@pytest.mark.parametrize("role", [Role.PUBLISHER, Role.READER])
def test_webhooks_are_their_administrators_business(api_of: ApiOf, make: Make, role: Role) -> None:
    made, other = make(), api_of(role)
    for answer in (
        other.get(WEBHOOKS),
        other.post(WEBHOOKS, {"url": URL}),
        other.get(path(made)),
        other.put(path(made), {"url": URL}),
        other.patch(path(made), {}),
        other.delete(path(made)),
    ):
        assert (answer.status_code, answer.json()["code"]) == (403, "role_not_sufficient")


def test_an_account_whose_plan_has_no_webhooks_is_told_so(api_of: ApiOf, foreign_account: Account) -> None:
    Account.objects.filter(id=foreign_account.id).update(has_webhooks=False)
    bob = api_of(Role.ADMINISTRATOR, foreign_account)
    assert bob.get(WEBHOOKS).json()["code"] == "plan_without_webhooks"
    assert bob.post(WEBHOOKS, {"url": URL}).status_code == 403


def test_every_profile_that_can_be_named_is_listed_with_its_rules(api_of: ApiOf) -> None:
    items = api_of(Role.READER).get("/api/v1/profiles").json()["items"]
    (thin,) = [item for item in items if item["name"] == "entity-change"]
    assert len(items) == 6
    assert (thin["timeoutSeconds"], thin["successStatuses"], thin["intervalsSeconds"]) == (1.5, "200,204", [0, 0, 0])
    assert (thin["requestIdParameter"], thin["maxAttempts"]) == ("requestId", None)


def test_a_webhook_s_moments_are_those_of_its_making_and_last_change(api: Client, make: Make) -> None:
    before = timezone.now().isoformat()[:19]
    made = make()
    assert made["createdAt"][:19] >= before
    assert api.patch(path(made), {"enabled": False}).json()["createdAt"] == made["createdAt"]


def test_for_an_account_whose_plan_has_no_webhooks_not_even_an_operator_makes_one(
    operator: Client, account: Account
) -> None:
    Account.objects.filter(id=account.id).update(has_webhooks=False)
    collection = f"/api/v1/webhooks?account={account.shown_id}"
    for answer in (
        operator.post(collection, {"url": URL}),
        operator.put(f"/api/v1/webhooks/new?account={account.shown_id}", {"url": URL}),
    ):
        assert (answer.status_code, answer.json()["code"]) == (403, "plan_without_webhooks")
    assert not Subscription.objects.exists()
