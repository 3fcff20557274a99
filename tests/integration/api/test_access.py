"""Who may do what: every route with every role, without a key, with a wrong one, and with the key of somebody else.

A new route fails the first test until it has a line in ROUTES.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from random import Random
from typing import Any

import pytest
from django.urls import URLPattern, URLResolver, get_resolver

from deliveries import try_out
from deliveries.models import Delivery, Job, JobKind
from deliveries.record import record_landings
from subscriptions.subscribe import subscribe
from tests.integration.api.conftest import ApiOf, Client, with_key
from tests.integration.rows import answered, claim_one, land, make_pending
from webhookhub import ids
from webhookhub.accounts import change_account
from webhookhub.api_keys import create_api_key
from webhookhub.event_types import create_event_type
from webhookhub.models import Account
from webhookhub.roles import Role

OPERATOR = frozenset({Role.OPERATOR})
ADMINISTRATOR = OPERATOR | {Role.ADMINISTRATOR}
PUBLISHER = ADMINISTRATOR | {Role.PUBLISHER}
READER = ADMINISTRATOR | {Role.READER}
ANYBODY = frozenset(Role)


@dataclass(frozen=True, kw_only=True, slots=True)
class Access:
    """Who may use a route."""

    roles: frozenset[Role]
    webhooks: bool = False
    """Whether the account's plan has to include webhooks."""
    body: dict[str, Any] = field(default_factory=dict)
    """What the route takes, as far as it looks at it before it looks for its object."""


def by(roles: frozenset[Role], **more: Any) -> Access:
    return Access(roles=roles, **more)


ROUTES = {
    "GET v1/accounts": by(OPERATOR),
    "POST v1/accounts": by(OPERATOR),
    "GET v1/accounts/<str:account>": by(READER),
    "PUT v1/accounts/<str:account>": by(OPERATOR),
    "PATCH v1/accounts/<str:account>": by(OPERATOR),
    "DELETE v1/accounts/<str:account>": by(OPERATOR),
    "GET v1/keys": by(ADMINISTRATOR),
    "POST v1/keys": by(ADMINISTRATOR),
    "GET v1/keys/<str:key>": by(ADMINISTRATOR),
    "DELETE v1/keys/<str:key>": by(ADMINISTRATOR),
    "GET v1/event-types": by(ANYBODY),
    "POST v1/event-types": by(OPERATOR),
    "GET v1/event-types/<str:name>": by(ANYBODY),
    "PUT v1/event-types/<str:name>": by(OPERATOR),
    "PATCH v1/event-types/<str:name>": by(OPERATOR),
    "DELETE v1/event-types/<str:name>": by(OPERATOR),
    "GET v1/profiles": by(READER),
    "GET v1/webhooks": by(ADMINISTRATOR, webhooks=True),
    "POST v1/webhooks": by(ADMINISTRATOR, webhooks=True),
    "GET v1/webhooks/<str:webhook>": by(ADMINISTRATOR, webhooks=True),
    "PUT v1/webhooks/<str:webhook>": by(ADMINISTRATOR, webhooks=True, body={"url": "https://example.com/"}),
    "PATCH v1/webhooks/<str:webhook>": by(ADMINISTRATOR, webhooks=True),
    "DELETE v1/webhooks/<str:webhook>": by(ADMINISTRATOR, webhooks=True),
    "GET v1/webhooks/<str:webhook>/secret": by(ADMINISTRATOR, webhooks=True),
    "POST v1/webhooks/<str:webhook>/secret/rotate": by(ADMINISTRATOR, webhooks=True),
    "GET v1/webhooks/<str:webhook>/stats": by(READER, webhooks=True),
    "POST v1/webhooks/<str:webhook>/test": by(ADMINISTRATOR, webhooks=True),
    "POST v1/webhooks/test-filter": by(ADMINISTRATOR, webhooks=True),
    "GET v1/events": by(READER),
    "POST v1/events": by(PUBLISHER),
    "POST v1/events/batch": by(PUBLISHER),
    "GET v1/events/<str:event>": by(READER),
    "DELETE v1/events/<str:event>/data": by(ADMINISTRATOR),
    "GET v1/events/<str:event>/deliveries": by(READER),
    "POST v1/events/<str:event>/replay": by(ADMINISTRATOR),
    "GET v1/deliveries": by(READER),
    "GET v1/deliveries/<str:delivery>": by(READER),
    "GET v1/deliveries/<str:delivery>/attempts": by(READER),
    "DELETE v1/deliveries/<str:delivery>/attempts/<int:number>/response": by(ADMINISTRATOR),
    "POST v1/deliveries/<str:delivery>/cancel": by(ADMINISTRATOR),
    "POST v1/deliveries/<str:delivery>/retry": by(ADMINISTRATOR),
    "POST v1/deliveries/<str:delivery>/replay": by(ADMINISTRATOR),
    "GET v1/jobs": by(READER),
    "POST v1/jobs": by(ADMINISTRATOR),
    "GET v1/jobs/<str:job>": by(READER),
    "POST v1/jobs/<str:job>/cancel": by(ADMINISTRATOR),
    "GET remap/1.2/entity/webhook": by(ADMINISTRATOR, webhooks=True),
    "POST remap/1.2/entity/webhook": by(ADMINISTRATOR, webhooks=True),
    "GET remap/1.2/entity/webhook/metadata": by(ADMINISTRATOR, webhooks=True),
    "GET remap/1.2/entity/webhook/<str:webhook>": by(ADMINISTRATOR, webhooks=True),
    "PUT remap/1.2/entity/webhook/<str:webhook>": by(ADMINISTRATOR, webhooks=True),
    "DELETE remap/1.2/entity/webhook/<str:webhook>": by(ADMINISTRATOR, webhooks=True),
    "GET remap/1.2/context/employee": by(ANYBODY),
    "GET remap/1.2/entity/employee/metadata": by(ANYBODY),
}
# The catalogue and the profiles are everybody's.
SHARED = ("<str:name>",)


@dataclass(frozen=True, kw_only=True, slots=True)
class Things:
    """One of everything that an account can have, as routes name it."""

    names: dict[str, str]

    def path(self, route: str) -> str:
        """The path of a route to these."""
        return "/api/" + re.sub(r"<\w+:(\w+)>", lambda found: self.names[found[1]], route.partition(" ")[2])


NOBODY_S = Things(
    names={
        **{kind: ids.show(kind, ids.new_id()) for kind in ("account", "key", "event", "delivery", "job")},
        "webhook": ids.show("subscription", ids.new_id()),
        "name": "order.unheard_of",
        "number": "1",
    }
)


def make_things(account: Account) -> Things:
    """Real ones, with a delivery that was attempted once and waits for its retry."""
    subscription = subscribe(
        account, "http://127.0.0.1:9/", event_types=["order.*"], entity_type="product", action="UPDATE"
    )
    (delivery_id,) = make_pending(subscription)
    record_landings([land(claim_one(delivery_id), answered(500))], rng=Random(1))
    delivery = Delivery.objects.get(id=delivery_id)
    key = create_api_key(account, "one of the account's")
    name = f"order.{delivery_id.hex}"
    create_event_type(name, {})
    return Things(
        names={
            "account": account.shown_id,
            "key": ids.show("key", account.api_keys.get(prefix=key[:12]).id),
            "webhook": subscription.shown_id,
            "event": ids.show("event", delivery.event_id),
            "delivery": delivery.shown_id,
            "number": "1",
            "job": Job.objects.create(account=account, kind=JobKind.RETRY).shown_id,
            "name": name,
        }
    )


def routed(patterns: list[URLPattern | URLResolver], prefix: str = "") -> Iterator[tuple[str, Any]]:
    for pattern in patterns:
        route = prefix + str(pattern.pattern)
        if isinstance(pattern, URLResolver):
            yield from routed(pattern.url_patterns, route)
        else:
            yield route, pattern.callback


def call(client: Client, route: str, things: Things) -> tuple[int, str]:
    """Status and code of the answer."""
    method, _, _ = route.partition(" ")
    body = json.dumps(ROUTES[route].body)
    response = client.generic(method, things.path(route), body, content_type="application/json")
    is_problem = response.headers.get("Content-Type") == "application/problem+json"
    return response.status_code, response.json()["code"] if is_problem else ""


def is_of_an_account(route: str) -> bool:
    return "<" in route and not route.endswith(SHARED)


def test_every_route_stands_in_the_table_and_every_line_of_the_table_is_a_route() -> None:
    found = {
        f"{method} {route.removeprefix('api/')}"
        for route, view in routed(get_resolver().url_patterns)
        if route.startswith(("api/v1/", "api/remap/"))
        for method in view.view_class.rights
    }
    assert found == ROUTES.keys()


@pytest.mark.usefixtures("db")
def test_without_a_valid_key_no_route_answers() -> None:
    clients = [Client(), with_key("whk_" + "0" * 64)]
    answered = {(route, call(client, route, NOBODY_S)) for route in ROUTES for client in clients}
    assert answered == {(route, (401, "unauthorized")) for route in ROUTES}


def test_a_role_without_the_right_is_refused_whatever_it_asks_for(api_of: ApiOf) -> None:
    clients = {role: api_of(role) for role in Role}
    refused = [(route, role) for route, access in ROUTES.items() for role in Role if role not in access.roles]
    assert len(refused) > 50
    answered = {(route, role): call(clients[role], route, NOBODY_S) for route, role in refused}
    assert answered == dict.fromkeys(refused, (403, "role_not_sufficient"))


def test_webhooks_are_for_accounts_whose_plan_has_them(account: Account, api: Client) -> None:
    change_account(account, {"has_webhooks": False})
    answered = {route: call(api, route, NOBODY_S) for route, access in ROUTES.items() if access.roles >= ADMINISTRATOR}
    refused = {route for route, answer in answered.items() if answer == (403, "plan_without_webhooks")}
    assert refused == {route for route, access in ROUTES.items() if access.webhooks}


def test_what_is_another_account_s_does_not_exist(account: Account, api_of: ApiOf, foreign_account: Account) -> None:
    things = make_things(account)
    foreigner = api_of(Role.ADMINISTRATOR, foreign_account)
    routes = [route for route, access in ROUTES.items() if is_of_an_account(route) and access.roles >= ADMINISTRATOR]
    assert len(routes) > 15
    assert {route: call(foreigner, route, things) for route in routes} == dict.fromkeys(routes, (404, "not_found"))


@pytest.mark.parametrize("role", list(Role))
def test_a_role_with_the_right_is_let_in_to_its_own(
    account: Account, api_of: ApiOf, role: Role, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What the route then makes of an empty body is another matter."""
    # There is no worker that would make the attempt of a test event.
    monkeypatch.setattr(try_out, "GRACE_SECONDS", -60)
    client, things = api_of(role), make_things(account)
    answered = {}
    for route in (route for route, access in ROUTES.items() if role in access.roles):
        answered[route] = call(client, route, things)
        if not route.startswith("GET"):
            # What a route removed or finished is there again for the next one.
            account = Account.objects.create(name="the next one's")
            client, things = api_of(role, account), make_things(account)
    refused = {route: (status, code) for route, (status, code) in answered.items() if status in (401, 403, 404, 405)}
    assert refused == {}
    assert max(status for status, _ in answered.values()) < 500
