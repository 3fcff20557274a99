"""Query parameters: one that nobody reads is refused, so that a misspelt filter does not find everything."""

from __future__ import annotations

import pytest

from tests.integration.api.conftest import ApiOf
from tests.integration.api.test_access import ROUTES, make_things
from webhookhub.models import Account
from webhookhub.roles import Role

# The interface of others, whose clients send what they like.
OWN_ROUTES = [route for route, access in ROUTES.items() if " v1/" in route and Role.OPERATOR in access.roles]


def test_a_parameter_that_a_route_does_not_know_is_refused_and_nothing_is_done(api_of: ApiOf, account: Account) -> None:
    things = make_things(account)
    client = api_of(Role.OPERATOR, account)
    answers = {}
    for route in OWN_ROUTES:
        response = client.generic(route.partition(" ")[0], things.path(route) + "?statsu=failed")
        answers[route] = (response.status_code, response.json()["errors"][0]["field"] if response.content else "")
    assert {route: answer for route, answer in answers.items() if answer != (422, "statsu")} == {}


def test_the_refusal_names_the_parameters_that_there_are(api_of: ApiOf, account: Account) -> None:
    response = api_of(Role.READER, account).get("/api/v1/event-types?limti=5")
    assert "there are cursor, includeArchived" in response.json()["detail"]


@pytest.mark.parametrize("name", ["format", "Limit", "a%00", "%FF", "limit%5B%5D"])
def test_whatever_it_is_called(api_of: ApiOf, account: Account, name: str) -> None:
    response = api_of(Role.READER, account).get(f"/api/v1/events?{name}=1")
    assert (response.status_code, response.json()["code"]) == (422, "invalid")
