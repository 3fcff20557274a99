"""Lists in pages: every row once, forward and back, in both orders, whatever comes and goes meanwhile."""

from __future__ import annotations

import base64
from typing import Any

import pytest

from tests.integration.api.conftest import ApiOf, Client
from webhookhub.event_types import create_event_type
from webhookhub.models import Account, ApiKey
from webhookhub.roles import Role

ACCOUNTS, TYPES, KEYS = "/api/v1/accounts", "/api/v1/event-types", "/api/v1/keys"


@pytest.fixture
def ten(account: Account) -> list[str]:
    """The ids of ten accounts, oldest first."""
    return [account.shown_id, *(Account.objects.create(name=f"shop {number}").shown_id for number in range(9))]


def read(client: Client, path: str = ACCOUNTS, **parameters: Any) -> dict[str, Any]:
    response = client.get(path, parameters)
    assert response.status_code == 200, response.json()
    page: dict[str, Any] = response.json()
    return page


def ids_of(page: dict[str, Any]) -> list[str]:
    return [item.get("id") or item["name"] for item in page["items"]]


def walk(client: Client, direction: str, path: str = ACCOUNTS, **parameters: Any) -> list[dict[str, Any]]:
    """All pages from here on, by their cursors."""
    pages = [read(client, path, **parameters)]
    while (cursor := pages[-1][direction]) is not None:
        pages.append(read(client, path, **{**parameters, "cursor": cursor}))
        assert len(pages) < 20
    return pages


@pytest.mark.parametrize("order", ["asc", "desc"])
@pytest.mark.parametrize("limit", [1, 3, 5, 9, 10, 11, 250])
def test_ten_rows_are_read_forward_and_then_backward_the_same(
    operator: Client, ten: list[str], limit: int, order: str
) -> None:
    pages = walk(operator, "next", limit=limit, order=order)
    expected = ten if order == "asc" else ten[::-1]
    assert [identifier for page in pages for identifier in ids_of(page)] == expected
    assert {len(page["items"]) for page in pages[:-1]} <= {limit}
    assert [page["done"] for page in pages] == [False] * (len(pages) - 1) + [True]
    assert pages[0]["previous"] is None
    if len(pages) > 1:
        back = walk(operator, "previous", limit=limit, order=order, cursor=pages[-1]["previous"])
        assert [ids_of(page) for page in reversed(back)] == [ids_of(page) for page in pages[:-1]]


def test_from_a_page_that_was_gone_back_to_one_goes_forward_again(operator: Client, ten: list[str]) -> None:
    first, second = walk(operator, "next", limit=4)[:2]
    again = read(operator, limit=4, cursor=second["previous"])
    assert (ids_of(again), again["previous"], again["done"]) == (ids_of(first), None, False)
    assert ids_of(read(operator, limit=4, cursor=again["next"])) == ids_of(second)


def test_the_newest_come_first_and_fifty_a_page_unless_asked_otherwise(operator: Client, ten: list[str]) -> None:
    for number in range(45):
        Account.objects.create(name=f"more {number}")
    page = read(operator)
    assert (len(page["items"]), page["done"]) == (50, False)
    assert page["items"] == read(operator, order="desc", limit=50)["items"]
    assert page["items"][0]["name"] == "more 44"


def test_rows_that_come_and_go_between_two_pages_neither_double_nor_hide_others(
    operator: Client, ten: list[str]
) -> None:
    first = read(operator, limit=4)
    Account.objects.create(name="newer than the first page")
    Account.objects.filter(name=first["items"][0]["name"]).delete()
    Account.objects.filter(name=first["items"][3]["name"]).delete()
    rest = walk(operator, "next", limit=4, cursor=first["next"])
    assert [identifier for page in rest for identifier in ids_of(page)] == ten[::-1][4:]


def test_a_page_may_be_read_back_to_when_all_rows_before_it_are_gone(operator: Client, ten: list[str]) -> None:
    second = walk(operator, "next", limit=4)[1]
    Account.objects.filter(name__in=["shop 8", "shop 7", "shop 6", "shop 5"]).delete()
    empty = read(operator, limit=4, cursor=second["previous"])
    assert (empty["items"], empty["previous"], empty["done"]) == ([], None, False)
    assert ids_of(read(operator, limit=4, cursor=empty["next"])) == ids_of(second)


def test_a_list_without_rows_is_one_page_that_is_done(operator: Client) -> None:
    assert read(operator, TYPES) == {"items": [], "next": None, "previous": None, "done": True}


def test_a_cursor_stays_valid_with_filters(operator: Client, account: Account, foreign_account: Account) -> None:
    for number in range(6):
        for owner in (account, foreign_account):
            ApiKey.objects.create(
                account=owner, name=str(number), prefix="whk_", role=Role.READER, key_hash=f"{owner.id}{number}"[-64:]
            )
    pages = walk(operator, "next", KEYS, limit=2, account=account.shown_id)
    assert [item["name"] for page in pages for item in page["items"]] == ["5", "4", "3", "2", "1", "0"]
    # Of a list without the filter, too: it names a place.
    all_pages = walk(operator, "next", KEYS, limit=5)
    narrowed = read(operator, KEYS, limit=5, account=account.shown_id, cursor=all_pages[0]["next"])
    assert {item["account"] for item in narrowed["items"]} == {account.shown_id}
    names = [item["name"] for page in all_pages[1:] for item in page["items"] if item["account"] == account.shown_id]
    assert [item["name"] for item in narrowed["items"]] == names


def test_a_cursor_of_a_list_by_name_stays_valid_with_filters(operator: Client) -> None:
    for number in range(6):
        create_event_type(f"type.{number}", {"archived": number % 2 == 1})
    pages = walk(operator, "next", TYPES, limit=2)
    assert [name for page in pages for name in ids_of(page)] == ["type.0", "type.2", "type.4"]
    wider = read(operator, TYPES, limit=2, cursor=pages[0]["next"], includeArchived="true")
    assert ids_of(wider) == ["type.3", "type.4"]


def test_the_order_may_change_with_a_cursor(operator: Client, ten: list[str]) -> None:
    page = read(operator, limit=4, order="desc")
    turned = read(operator, limit=4, order="asc", cursor=page["next"])
    assert ids_of(turned) == ten[7:]


@pytest.mark.parametrize("limit", ["0", "251", "-1", "1.5", "1e2", "", "ten", "٣", "9" * 5_000, "\x00"])
def test_a_page_size_out_of_bounds_is_refused(operator: Client, limit: str) -> None:
    response = operator.get(ACCOUNTS, {"limit": limit})
    assert (response.status_code, response.json()["errors"][0]["field"]) == (422, "limit")


@pytest.mark.parametrize("order", ["", "up", "DESC"])
def test_another_order_is_refused(operator: Client, order: str) -> None:
    response = operator.get(ACCOUNTS, {"order": order})
    assert (response.status_code, response.json()["errors"][0]["field"]) == (422, "order")


def made_up(text: bytes) -> str:
    return base64.urlsafe_b64encode(text).decode().rstrip("=")


@pytest.mark.parametrize(
    "cursor",
    [
        "",
        "x",
        "%%%",
        "ü",
        "a" * 10_000,
        made_up(b"x" + b"0" * 32),
        made_up(b"fnonsense"),
        made_up(b"f\xff"),
        made_up(b"f\x00"),
    ],
)
def test_a_cursor_that_nobody_gave_out_is_refused(operator: Client, cursor: str) -> None:
    response = operator.get(ACCOUNTS, {"cursor": cursor})
    assert (response.status_code, response.json()["errors"][0]["field"]) == (422, "cursor")
    # Any text may be the name that a page by name begins behind, but not one that PostgreSQL does not take.
    assert operator.get(TYPES, {"cursor": cursor}).status_code in (200, 422)


def test_the_cursor_of_one_list_leads_nowhere_else_in_another_account(
    api_of: ApiOf, operator: Client, account: Account, foreign_account: Account
) -> None:
    for owner in (account, foreign_account):
        for _ in range(3):
            api_of(Role.READER, owner)
    theirs = read(operator, KEYS, limit=1, account=foreign_account.shown_id)["next"]
    own = walk(api_of(Role.ADMINISTRATOR), "next", KEYS, cursor=theirs)
    assert {item["account"] for page in own for item in page["items"]} <= {account.shown_id}
