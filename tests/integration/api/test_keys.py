"""Keys over the API: handed out by administrators and operators, shown once, listed, taken back."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from django.utils import timezone
from pytest_django import DjangoAssertNumQueries

from tests.integration.api.conftest import ApiOf, Client, make_keys_unused, with_key
from webhookhub import ids
from webhookhub.api_keys import create_api_key
from webhookhub.callers import find_caller
from webhookhub.models import Account, ApiKey
from webhookhub.moments import iso_moment
from webhookhub.roles import Role

KEYS = "/api/v1/keys"


def make(client: Client, *, account: Account | None = None, **fields: Any) -> dict[str, Any]:
    query = "" if account is None else f"?account={account.shown_id}"
    response = client.post(KEYS + query, {"name": "checkout", "role": "reader"} | fields)
    assert response.status_code == 201, response.json()
    shown: dict[str, Any] = response.json()
    return shown


def test_a_new_key_is_shown_once_and_works_at_once(api: Client, account: Account) -> None:
    made = make(api, role="publisher")
    key = made.pop("key")
    assert key.startswith("whk_")
    assert made["prefix"] == key[:12]
    caller = find_caller(key)
    assert caller is not None
    assert (caller.account_id, caller.role) == (account.id, Role.PUBLISHER)
    shown = api.get(f"{KEYS}/{made['id']}")
    assert shown.json() | {"lastUsedAt": None} == made
    for response in (shown, api.get(KEYS)):
        assert key not in response.content.decode()
    assert key[12:] not in str(ApiKey.objects.values())


@pytest.mark.parametrize("role", ["administrator", "publisher", "reader"])
def test_an_administrator_hands_out_every_role_of_its_own_account(api: Client, account: Account, role: str) -> None:
    made = make(api, role=role)
    assert (made["role"], made["account"]) == (role, account.shown_id)


def test_an_administrator_cannot_make_an_operator_s_key(api: Client) -> None:
    response = api.post(KEYS, {"name": "more", "role": "operator"})
    assert (response.status_code, response.json()["code"]) == (403, "role_not_sufficient")
    assert not ApiKey.objects.filter(name="more").exists()


def test_an_administrator_cannot_make_a_key_of_another_account(api: Client, foreign_account: Account) -> None:
    response = api.post(f"{KEYS}?account={foreign_account.shown_id}", {"name": "more", "role": "reader"})
    assert response.status_code == 404
    assert not foreign_account.api_keys.exists()


def test_an_operator_makes_keys_of_every_account_and_operators_keys(operator: Client, account: Account) -> None:
    assert make(operator, account=account)["account"] == account.shown_id
    made = make(operator, role="operator")
    assert (made["role"], made["account"]) == ("operator", None)
    assert with_key(made["key"]).get("/api/v1/accounts").status_code == 200


def test_an_operator_says_whose_key_it_is(operator: Client, account: Account) -> None:
    nobodys = operator.post(KEYS, {"name": "more", "role": "reader"})
    assert (nobodys.status_code, nobodys.json()["errors"][0]["field"]) == (422, "account")
    of_one = operator.post(f"{KEYS}?account={account.shown_id}", {"name": "more", "role": "operator"})
    assert (of_one.status_code, of_one.json()["errors"][0]["field"]) == (422, "role")
    unknown = operator.post(f"{KEYS}?account={ids.show('account', ids.new_id())}", {"name": "more", "role": "reader"})
    assert unknown.status_code == 404


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("name", None),
        ("name", ""),
        ("name", 5),
        ("name", "x" * 201),
        ("role", None),
        ("role", "owner"),
        ("role", ["reader"]),
        ("expiresAt", "2001-01-01T00:00:00Z"),
        ("expiresAt", "2099-01-01T00:00:00"),
        ("expiresAt", "2099-01-01"),
        ("expiresAt", "soon"),
        ("expiresAt", "99999-01-01T00:00:00Z"),
        ("expiresAt", 4_000_000_000),
        ("key", "whk_mine"),
    ],
)
def test_a_wrong_field_of_a_key_is_named(api: Client, field: str, value: Any) -> None:
    response = api.post(KEYS, {"name": "checkout", "role": "reader", field: value})
    assert response.status_code == 422
    assert [error["field"] for error in response.json()["errors"]] == [field]


@pytest.mark.parametrize("missing", ["name", "role"])
def test_name_and_role_of_a_key_are_needed(api: Client, missing: str) -> None:
    given = {"name": "checkout", "role": "reader"}
    del given[missing]
    assert [error["field"] for error in api.post(KEYS, given).json()["errors"]] == [missing]


def test_a_key_with_an_end_is_shown_with_it(api: Client) -> None:
    assert make(api, expiresAt="2099-01-01T02:00:00+02:00")["expiresAt"] == "2099-01-01T00:00:00.000Z"
    assert make(api)["expiresAt"] is None


def test_no_key_makes_one_that_outlives_it(account: Account) -> None:
    end = timezone.now() + timedelta(days=1)
    client = with_key(create_api_key(account, "for a day", expires_at=end))
    for later in (None, iso_moment(end + timedelta(seconds=1))):
        response = client.post(KEYS, {"name": "longer", "role": "reader", "expiresAt": later})
        assert (response.status_code, response.json()["errors"][0]["field"]) == (422, "expiresAt")
    assert make(client, expiresAt=iso_moment(end - timedelta(seconds=1)))["role"] == "reader"


def test_a_revoked_key_opens_nothing_and_stays_listed_with_its_moment(api: Client) -> None:
    made = make(api)
    client = with_key(made["key"])
    assert client.get("/api/v1/event-types").status_code == 200
    assert api.delete(f"{KEYS}/{made['id']}").status_code == 204
    assert client.get("/api/v1/event-types").status_code == 401
    first = api.get(f"{KEYS}/{made['id']}").json()["revokedAt"]
    assert first is not None
    assert api.delete(f"{KEYS}/{made['id']}").status_code == 204
    listed = {item["id"]: item for item in api.get(KEYS).json()["items"]}
    assert listed[made["id"]]["revokedAt"] == first


def test_a_key_may_revoke_itself(api: Client) -> None:
    (own,) = api.get(KEYS).json()["items"]
    assert api.delete(f"{KEYS}/{own['id']}").status_code == 204
    assert api.get(KEYS).status_code == 401


def test_an_account_s_keys_are_seen_by_its_administrators_and_operators_alone(
    api: Client, operator: Client, api_of: ApiOf, account: Account, foreign_account: Account
) -> None:
    made = make(api)
    foreigner = api_of(Role.ADMINISTRATOR, foreign_account)
    assert [item["account"] for item in foreigner.get(KEYS).json()["items"]] == [foreign_account.shown_id]
    for response in (
        foreigner.get(f"{KEYS}/{made['id']}"),
        foreigner.delete(f"{KEYS}/{made['id']}"),
        foreigner.get(KEYS, {"account": account.shown_id}),
    ):
        assert (response.status_code, response.json()["code"]) == (404, "not_found")
    assert api.get(f"{KEYS}/{made['id']}").json()["revokedAt"] is None
    assert {item["account"] for item in operator.get(KEYS).json()["items"]} == {
        account.shown_id,
        foreign_account.shown_id,
        None,
    }
    of_one = operator.get(KEYS, {"account": account.shown_id}).json()["items"]
    assert {item["account"] for item in of_one} == {account.shown_id}


@pytest.mark.parametrize("named", ["key_0192f0c1d5a37abc8123456789abcdef", "key_", "nonsense", "acc_" + "0" * 32])
def test_a_key_that_does_not_exist_is_not_found(api: Client, named: str) -> None:
    assert api.get(f"{KEYS}/{named}").status_code == 404
    assert api.delete(f"{KEYS}/{named}").status_code == 404


def test_when_a_key_was_last_used_is_shown_and_written_once_a_minute(api: Client) -> None:
    made = make(api)
    assert made["lastUsedAt"] is None
    client = with_key(made["key"])
    client.get("/api/v1/event-types")
    first = ApiKey.objects.get(id=ids.read("key", made["id"])).last_used_at
    assert first is not None
    assert api.get(f"{KEYS}/{made['id']}").json()["lastUsedAt"] == iso_moment(first)
    for earlier, is_noted in ((timedelta(seconds=55), False), (timedelta(seconds=65), True)):
        before = first - earlier
        make_keys_unused()
        ApiKey.objects.filter(id=ids.read("key", made["id"])).update(last_used_at=before)
        client.get("/api/v1/event-types")
        after = ApiKey.objects.get(id=ids.read("key", made["id"])).last_used_at
        assert (after != before) is is_noted


def test_an_expired_key_opens_nothing(account: Account) -> None:
    key = create_api_key(account, "for a moment", expires_at=timezone.now() + timedelta(hours=1))
    client = with_key(key)
    assert client.get("/api/v1/event-types").status_code == 200
    ApiKey.objects.update(expires_at=timezone.now())
    make_keys_unused()
    assert client.get("/api/v1/event-types").status_code == 401


@pytest.mark.parametrize("rows", [1, 20])
def test_no_route_of_keys_takes_more_queries_for_more_rows(
    operator: Client, account: Account, django_assert_max_num_queries: DjangoAssertNumQueries, rows: int
) -> None:
    made = [make(operator, account=account) for _ in range(rows)][-1]
    calls: list[Callable[[], Any]] = [
        lambda: operator.get(KEYS, {"account": account.shown_id}),
        lambda: operator.get(f"{KEYS}/{made['id']}"),
        lambda: operator.post(f"{KEYS}?account={account.shown_id}", {"name": "more", "role": "reader"}),
        lambda: operator.delete(f"{KEYS}/{made['id']}"),
    ]
    for call in calls:
        make_keys_unused()
        with django_assert_max_num_queries(6):
            assert call().status_code < 300
