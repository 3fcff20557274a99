"""The catalogue of event types over the API: kept by operators, read by whoever has a key."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from pytest_django import DjangoAssertNumQueries

from tests.integration.api.conftest import ApiOf, Client, make_keys_unused
from webhookhub.models import EventType
from webhookhub.roles import Role

TYPES = "/api/v1/event-types"
SCHEMA = {"type": "object", "required": ["orderId"]}
FULL = {"description": "Handed to the carrier.", "schema": SCHEMA, "example": {"orderId": "ord_1"}}


def make(operator: Client, name: str = "order.shipped", **fields: Any) -> dict[str, Any]:
    response = operator.post(TYPES, {"name": name} | fields)
    assert response.status_code == 201, response.json()
    shown: dict[str, Any] = response.json()
    return shown


def names(client: Client, **parameters: Any) -> list[str]:
    return [item["name"] for item in client.get(TYPES, parameters).json()["items"]]


def test_an_event_type_is_created_with_defaults_and_reads_back_the_same(operator: Client) -> None:
    made = make(operator)
    assert made == {
        "name": "order.shipped",
        "description": "",
        "schema": None,
        "example": None,
        "archived": False,
        "createdAt": made["createdAt"],
        "updatedAt": made["updatedAt"],
    }
    assert operator.get(f"{TYPES}/order.shipped").json() == made


@pytest.mark.parametrize("role", list(Role))
def test_whoever_has_a_key_may_read_the_catalogue(operator: Client, api_of: ApiOf, role: Role) -> None:
    made = make(operator, **FULL)
    assert api_of(role).get(TYPES).json()["items"] == [made]
    assert api_of(role).get(f"{TYPES}/order.shipped").json() == made


def test_an_event_type_that_is_there_already_is_a_conflict(operator: Client) -> None:
    made = make(operator, **FULL)
    response = operator.post(TYPES, {"name": "order.shipped"})
    assert (response.status_code, response.json()["code"]) == (409, "name_taken")
    assert operator.get(f"{TYPES}/order.shipped").json() == made


def test_an_archived_event_type_is_revived_by_post_with_what_is_given(operator: Client) -> None:
    make(operator, **FULL)
    assert operator.delete(f"{TYPES}/order.shipped").status_code == 204
    revived = make(operator, description="Again.")
    assert (revived["archived"], revived["description"], revived["schema"]) == (False, "Again.", None)
    assert operator.get(f"{TYPES}/order.shipped").json() == revived


def test_put_of_an_unknown_name_creates_and_of_a_known_one_replaces(operator: Client) -> None:
    created = operator.put(f"{TYPES}/order.shipped", FULL)
    assert created.status_code == 201
    assert {name: created.json()[name] for name in FULL} == FULL
    replaced = operator.put(f"{TYPES}/order.shipped", {"description": "Else."})
    assert replaced.status_code == 200
    assert replaced.json()["createdAt"] == created.json()["createdAt"]
    assert [replaced.json()[name] for name in FULL] == ["Else.", None, None]
    assert operator.get(f"{TYPES}/order.shipped").json() == replaced.json()


NAMES_REFUSED = ["order shipped", "order..shipped", ".order", "order.", "ordér", "order.*", "*", "x" * 129]


@pytest.mark.parametrize("name", ["", *NAMES_REFUSED, 5, None])
def test_post_takes_only_names_that_an_event_can_have(operator: Client, name: Any) -> None:
    response = operator.post(TYPES, {"name": name})
    assert (response.status_code, response.json()["errors"][0]["field"]) == (422, "name")
    assert not EventType.objects.exists()


@pytest.mark.parametrize("name", NAMES_REFUSED)
def test_put_takes_only_names_that_an_event_can_have(operator: Client, name: str) -> None:
    response = operator.put(f"{TYPES}/{name}", {})
    assert (response.status_code, response.json()["errors"][0]["field"]) == (422, "name")
    assert not EventType.objects.exists()


@pytest.mark.parametrize("name", ["unknown", *NAMES_REFUSED, "a%00b"])
def test_an_event_type_that_does_not_exist_is_not_found(operator: Client, name: str) -> None:
    for response in (
        operator.get(f"{TYPES}/{name}"),
        operator.patch(f"{TYPES}/{name}", {}),
        operator.delete(f"{TYPES}/{name}"),
    ):
        assert (response.status_code, response.json()["code"]) == (404, "not_found")


@pytest.mark.parametrize(
    ("field", "given", "shown"),
    [
        ("description", "Else.", "Else."),
        ("description", "", ""),
        ("description", None, ""),
        ("schema", {"type": "array"}, {"type": "array"}),
        ("schema", True, True),
        ("schema", None, None),
        ("example", [1, "ü", None], [1, "ü", None]),
        ("example", False, False),
        ("example", None, None),
        ("archived", True, True),
        ("archived", False, False),
    ],
)
def test_patch_of_an_event_type_changes_only_the_named_field(
    operator: Client, field: str, given: Any, shown: Any
) -> None:
    made = make(operator, **FULL)
    changed = operator.patch(f"{TYPES}/order.shipped", {field: given}).json()
    assert changed["updatedAt"] > made["updatedAt"]
    assert changed == made | {field: shown, "updatedAt": changed["updatedAt"]}
    assert operator.get(f"{TYPES}/order.shipped").json() == changed


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("description", 5),
        ("description", "x" * 10_001),
        ("archived", None),
        ("archived", 1),
        ("title", "x"),
        ("schema", []),
        ("schema", "object"),
        ("schema", 5),
        ("schema", {"type": "nonsense"}),
        ("schema", {"$ref": "https://example.com/order.json"}),
        ("schema", {"$ref": "file:///etc/passwd"}),
        ("schema", {"$ref": "#/$defs/missing"}),
        ("schema", {"$schema": "https://example.com/of-our-own"}),
        ("schema", {"pattern": "("}),
        ("schema", {"description": "x" * 65_536}),
    ],
)
def test_a_wrong_field_of_an_event_type_is_named(operator: Client, field: str, value: Any) -> None:
    made = make(operator, **FULL)
    for response in (
        operator.post(TYPES, {"name": "order.cancelled", field: value}),
        operator.put(f"{TYPES}/order.shipped", {field: value}),
        operator.patch(f"{TYPES}/order.shipped", {field: value}),
    ):
        assert (response.status_code, response.json()["code"]) == (422, "invalid")
        assert [error["field"] for error in response.json()["errors"]] == [field]
    assert operator.get(TYPES).json()["items"] == [made]


def test_a_deleted_event_type_is_archived_and_an_expunged_one_is_gone(operator: Client) -> None:
    make(operator)
    assert operator.delete(f"{TYPES}/order.shipped").status_code == 204
    assert operator.get(f"{TYPES}/order.shipped").json()["archived"] is True
    assert operator.delete(f"{TYPES}/order.shipped?expunge=true").status_code == 204
    assert operator.get(f"{TYPES}/order.shipped").status_code == 404


def test_archived_event_types_are_listed_on_request_alone(operator: Client) -> None:
    make(operator, "order.shipped")
    make(operator, "order.cancelled")
    operator.patch(f"{TYPES}/order.shipped", {"archived": True})
    assert names(operator) == ["order.cancelled"]
    assert names(operator, includeArchived="true") == ["order.cancelled", "order.shipped"]


def test_the_list_is_by_name_in_both_orders_and_in_pages(operator: Client) -> None:
    for name in ("b", "c", "a.b", "a"):
        make(operator, name)
    assert names(operator) == ["a", "a.b", "b", "c"]
    assert names(operator, order="desc") == ["c", "b", "a.b", "a"]
    first = operator.get(TYPES, {"limit": 3}).json()
    second = operator.get(TYPES, {"limit": 3, "cursor": first["next"]}).json()
    assert [[item["name"] for item in page["items"]] for page in (first, second)] == [["a", "a.b", "b"], ["c"]]
    assert (first["done"], second["done"]) == (False, True)
    back = operator.get(TYPES, {"limit": 3, "cursor": second["previous"]}).json()
    assert back["items"] == first["items"]


def test_a_list_without_content_leaves_out_schemas_and_examples(operator: Client) -> None:
    made = make(operator, **FULL)
    (item,) = operator.get(TYPES, {"withContent": "false"}).json()["items"]
    assert item == {name: value for name, value in made.items() if name not in ("schema", "example")}
    assert operator.get(TYPES, {"withContent": "true"}).json()["items"] == [made]


@pytest.mark.parametrize("name", ["withContent", "includeArchived"])
@pytest.mark.parametrize("value", ["", "1", "True", "yes"])
def test_a_flag_among_the_parameters_is_true_or_false(operator: Client, name: str, value: str) -> None:
    response = operator.get(TYPES, {name: value})
    assert (response.status_code, response.json()["errors"][0]["field"]) == (422, name)


@pytest.mark.parametrize("rows", [1, 20])
def test_no_route_of_event_types_takes_more_queries_for_more_rows(
    operator: Client, django_assert_max_num_queries: DjangoAssertNumQueries, rows: int
) -> None:
    for number in range(rows):
        make(operator, f"order.{number}", **FULL)
    calls: list[Callable[[], Any]] = [
        lambda: operator.get(TYPES),
        lambda: operator.get(TYPES, {"withContent": "false"}),
        lambda: operator.get(f"{TYPES}/order.0"),
        lambda: operator.post(TYPES, {"name": "new", **FULL}),
        lambda: operator.put(f"{TYPES}/order.0", FULL),
        lambda: operator.put(f"{TYPES}/newer", FULL),
        lambda: operator.patch(f"{TYPES}/order.0", FULL),
        lambda: operator.delete(f"{TYPES}/order.0"),
        lambda: operator.post(TYPES, {"name": "order.0"}),
        lambda: operator.delete(f"{TYPES}/order.0?expunge=true"),
    ]
    for call in calls:
        make_keys_unused()
        with django_assert_max_num_queries(6):
            assert call().status_code < 300
