"""POST /api/v1/webhooks/test-filter: what a payload filter would let through."""

from __future__ import annotations

from typing import Any

import pytest

from tests.integration.api.conftest import ApiOf, Client
from webhookhub.models import Account
from webhookhub.roles import Role

# Nobody collects static files for a test.
pytestmark = pytest.mark.filterwarnings("ignore:No directory at:UserWarning")

URL = "/api/v1/webhooks/test-filter"


@pytest.mark.parametrize(
    ("payload_filter", "data", "matches"),
    [
        ({"total": {"$gte": 100}}, {"total": 100.0}, True),
        ({"total": {"$gte": 100}}, {"total": "100"}, False),
        ({"$eq": None}, None, True),
        ({"n": 2**53}, {"n": 2**53 + 1}, True),
        ({}, [], True),
    ],
)
def test_a_filter_is_tried_on_data_as_an_event_would_keep_them(
    api: Client, payload_filter: Any, data: Any, matches: bool
) -> None:
    answer = api.post(URL, {"filter": payload_filter, "data": data})
    assert (answer.status_code, answer.json()) == (200, {"matches": matches})


@pytest.mark.parametrize(
    ("body", "field", "told"),
    [
        ({"filter": {"a": {"$regex": "x"}}, "data": {}}, "filter", "filter.a.$regex is no operator"),
        ({"filter": "a", "data": {}}, "filter", "dictionary"),
        ({"filter": None, "data": {}}, "filter", "null"),
        ({"data": {}}, "filter", "required"),
        ({"filter": {}}, "data", "required"),
        ({"filter": {}, "data": 10**399}, "data", "no double holds"),
        ({"filter": {}, "data": 1, "extra": 1}, "extra", "is no field here"),
    ],
)
def test_what_cannot_be_tried_is_refused_by_its_field(api: Client, body: Any, field: str, told: str) -> None:
    answer = api.post(URL, body)
    problem = answer.json()
    assert (answer.status_code, problem["code"]) == (422, "invalid")
    (error,) = problem["errors"]
    assert error["field"] == field
    assert told in error["message"]


@pytest.mark.parametrize("role", [Role.READER, Role.PUBLISHER])
def test_it_takes_an_administrator(api_of: ApiOf, role: Role) -> None:
    assert api_of(role).post(URL, {"filter": {}, "data": 1}).status_code == 403


def test_it_takes_a_plan_with_webhooks(api_of: ApiOf, account: Account) -> None:
    Account.objects.filter(id=account.id).update(has_webhooks=False)
    answer = api_of(Role.ADMINISTRATOR).post(URL, {"filter": {}, "data": 1})
    assert (answer.status_code, answer.json()["code"]) == (403, "plan_without_webhooks")
