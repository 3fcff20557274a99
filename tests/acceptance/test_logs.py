"""Can one event be followed through the logs of all roles by its ids, from the request that published it to its attempt?"""

from __future__ import annotations

import json
from typing import Any

import pytest

from scripts.local.roles import BEAT, DELIVERIES, WORKER, Role
from tests.acceptance.conftest import MakeHub
from tests.acceptance.customer import Customer
from tests.acceptance.hub import Hub
from tests.acceptance.web import Caller

pytestmark = pytest.mark.acceptance

WEB_NAME = "web"


@pytest.fixture(scope="module")
def hub(make_hub: MakeHub) -> Hub:
    hub = make_hub()
    for role in (WORKER, DELIVERIES, BEAT):
        hub.start(role)
    return hub


def lines(hub: Hub, role: str, event: str) -> list[dict[str, Any]]:
    """The lines `event` of the role's processes."""
    logs = [file.read_text().splitlines() for file in hub.folder.glob(f"{role}-*.log")]
    parsed = [json.loads(line) for log in logs for line in log if line.startswith("{")]
    return [line for line in parsed if line["event"] == event]


def naming(hub: Hub, role: Role | str, event: str, text: str) -> dict[str, Any]:
    """The one line of them that names this id, once it is there."""
    name = role if isinstance(role, str) else role.name
    found: list[dict[str, Any]] = []

    def look() -> bool:
        found[:] = [line for line in lines(hub, name, event) if text in json.dumps(line)]
        return bool(found)

    hub.wait_until(look, f"the line `{event}` of {name} that names {text}")
    assert len(found) == 1
    return found[0]


def check_attempt(hub: Hub, customer: Customer, event_id: str) -> None:
    """From the event by the delivery to the attempt, in the delivery worker's log."""
    delivered = naming(hub, DELIVERIES, "delivered", event_id)
    (delivery_id,) = delivered["delivery_ids"]
    assert delivery_id.removeprefix("dlv_") == customer.delivery().id.replace("-", "")
    assert len(naming(hub, DELIVERIES, "recorded", delivery_id)["attempt_ids"]) == 1


def test_an_event_is_followed_from_the_request_that_published_it_to_its_attempt(
    hub: Hub, customer: Customer, caller: Caller
) -> None:
    customer.subscribe()
    response = caller.post("/events", {"type": "order.shipped", "data": {}}, **{"X-Request-ID": "checkout-42"})
    assert response.headers["X-Request-ID"] == "checkout-42"
    customer.events = [response.json()["id"]]
    customer.wait_until_settled()

    published = naming(hub, WEB_NAME, "published", "checkout-42")
    assert published["requests"]["checkout-42"] == customer.events
    check_attempt(hub, customer, customer.events[0])


def test_an_event_that_an_application_emitted_is_followed_through_both_workers(hub: Hub, customer: Customer) -> None:
    customer.subscribe()
    (event_id,) = customer.emit()
    customer.wait_until_settled()

    assert naming(hub, WORKER, "rung", event_id)["task"] == "deliveries.fan_out"
    check_attempt(hub, customer, event_id)


def test_a_request_that_names_no_id_gets_one_which_stands_in_every_line_of_it(
    hub: Hub, customer: Customer, caller: Caller
) -> None:
    response = caller.session.get(f"{caller.url}/api/v1/events", params={"limit": "3"}, headers={"X-Request-ID": "a b"})
    identifier = response.headers["X-Request-ID"]
    assert len(identifier) == 32
    answered = naming(hub, WEB_NAME, "answered", identifier)
    assert (answered["method"], answered["route"], answered["status"]) == ("GET", "api/v1/events", 200)
    assert "limit" not in json.dumps(answered)
