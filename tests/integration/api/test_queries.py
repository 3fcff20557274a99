"""What does a request cost the database? At most six statements on every route, its key looked up and noted among them."""

from __future__ import annotations

import json
from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from deliveries import try_out
from tests.integration.api.conftest import ApiOf, make_keys_unused
from tests.integration.api.test_access import ROUTES, Things, make_things
from webhookhub.models import Account
from webhookhub.roles import Role

MOST_STATEMENTS = 6
A_LOOK = 'FROM "webhookhub_delivery_attempt" WHERE "webhookhub_delivery_attempt"."id" = '
_URL = {"url": "http://127.0.0.1:9/"}
_EVENT = {"type": "order.shipped", "data": {"n": 1}}
# What each route takes, where an empty object is not enough.
BODIES: dict[str, dict[str, Any]] = {
    "POST v1/accounts": {"name": "new"},
    "PUT v1/accounts/<str:account>": {"name": "another"},
    "PATCH v1/accounts/<str:account>": {"name": "another"},
    "POST v1/keys": {"name": "new", "role": "publisher"},
    "POST v1/event-types": {"name": "order.new", "schema": {}},
    "PUT v1/event-types/<str:name>": {"description": "another", "schema": {}},
    "PATCH v1/event-types/<str:name>": {"description": "another"},
    "POST v1/webhooks": _URL | {"uid": "new", "profile": "short", "overrides": {"timeoutSeconds": 3}},
    "PUT v1/webhooks/<str:webhook>": _URL | {"profile": "short", "overrides": {"timeoutSeconds": 3}},
    "PATCH v1/webhooks/<str:webhook>": {"profile": "short", "overrides": {"timeoutSeconds": 3}},
    "POST v1/webhooks/test-filter": {"filter": {"n": 1}, "data": {"n": 1}},
    "POST v1/events": _EVENT | {"id": "own"},
    "POST v1/events/batch": {"events": [_EVENT | {"id": f"own {n}"} for n in range(20)]},
    "POST v1/jobs": {"kind": "cancel", "filter": {}},
    "POST remap/1.2/entity/webhook": _URL | {"entityType": "order", "action": "CREATE"},
    "PUT remap/1.2/entity/webhook/<str:webhook>": {"enabled": False},
}


def path(route: str, account: Account, things: Things) -> str:
    """An operator says whose it is, where the path does not."""
    return things.path(route) + ("" if "account" in route else f"?account={account.shown_id}")


def statements_of(captured: CaptureQueriesContext) -> list[str]:
    """What was asked for, without the transactions around it and without the looks for an attempt that a worker makes."""
    return [
        one["sql"]
        for one in captured
        if not one["sql"].startswith(("SAVEPOINT", "RELEASE", "BEGIN", "COMMIT")) and A_LOOK not in one["sql"]
    ]


@pytest.mark.parametrize("role", [Role.OPERATOR, Role.ADMINISTRATOR])
def test_no_route_takes_more_than_six_statements(api_of: ApiOf, role: Role, monkeypatch: pytest.MonkeyPatch) -> None:
    # There is no worker that would make the attempt of a test event.
    monkeypatch.setattr(try_out, "GRACE_SECONDS", -60)
    too_many, refused = {}, {}
    for route in (route for route, access in ROUTES.items() if role in access.roles):
        account = Account.objects.create(name=route)
        client, things = api_of(role, account), make_things(account)
        make_keys_unused()
        body = json.dumps(BODIES.get(route, ROUTES[route].body))
        with CaptureQueriesContext(connection) as captured:
            response = client.generic(route.partition(" ")[0], path(route, account, things), body, "application/json")
        if len(statements := statements_of(captured)) > MOST_STATEMENTS:
            too_many[route] = statements
        if response.status_code >= 300:
            refused[route] = response.content
    assert refused == {}
    assert too_many == {}
