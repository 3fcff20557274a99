"""Events come in over HTTP, through the hub's own web server: what is answered 202 is delivered, whatever happens meanwhile."""

from __future__ import annotations

import contextlib
import socket
import threading
from collections.abc import Iterator
from urllib.parse import urlsplit

import pytest
import requests

from scripts.local.roles import BEAT, DELIVERIES, WEB, WORKER
from scripts.local.servers import LocalServers
from tests.acceptance.conftest import MakeHub
from tests.acceptance.customer import Customer
from tests.acceptance.hub import Hub
from tests.acceptance.web import Caller, start_web

pytestmark = pytest.mark.acceptance

ACCEPTED, UNAVAILABLE = 202, 503


@pytest.fixture(scope="module")
def hub(make_hub: MakeHub) -> Hub:
    """A hub with everything but a web server. Leases are longer than a restart of the database takes."""
    hub = make_hub(WEBHOOKHUB_LEASE_SECONDS="20")
    for role in (WORKER, DELIVERIES, BEAT):
        hub.start(role)
    return hub


class Publisher(threading.Thread):
    """Publishes one event after the other under keys of its own, each until it is accepted, as a client should."""

    def __init__(self, caller: Caller, name: str, count: int) -> None:
        super().__init__(name=name, daemon=True)
        self.caller = Caller(caller.url, str(caller.session.headers["Authorization"]).removeprefix("Bearer "))
        self.count = count
        self.accepted: list[str] = []
        self.unexpected: list[int] = []

    def run(self) -> None:
        for number in range(self.count):
            self.accepted.append(self.publish(f"{self.name}-{number}"))

    def publish(self, key: str) -> str:
        while True:
            with contextlib.suppress(requests.ConnectionError, requests.Timeout):
                response = self.caller.post("/events", {"type": "order.shipped", "data": {"key": key}, "id": key})
                if response.status_code == ACCEPTED:
                    return str(response.json()["id"])
                if response.status_code != UNAVAILABLE:
                    self.unexpected.append(response.status_code)
            threading.Event().wait(0.05)


@contextlib.contextmanager
def publishers(caller: Caller, customer: Customer, *, count: int, each: int) -> Iterator[list[Publisher]]:
    """So many at once; at the end of the block all that they published is the customer's to check."""
    running = [Publisher(caller, f"publisher-{customer.id}-{number}", each) for number in range(count)]
    for publisher in running:
        publisher.start()
    yield running
    for publisher in running:
        publisher.join(60)
        assert not publisher.is_alive()
        assert publisher.unexpected == []
    customer.events = [event for publisher in running for event in publisher.accepted]


def test_an_event_published_over_http_is_delivered(customer: Customer, caller: Caller) -> None:
    subscriber = customer.subscribe()
    response = caller.post("/events", {"type": "order.shipped", "data": {"orderId": "ord_123"}})
    assert response.status_code == ACCEPTED
    customer.events = [response.json()["id"]]
    customer.wait_until_settled()
    customer.check_story()
    (request,) = subscriber.requests
    assert request.header["webhook-id"] == response.json()["id"]


def test_a_batch_published_over_http_is_delivered(customer: Customer, caller: Caller) -> None:
    customer.subscribe()
    response = caller.post("/events/batch", {"events": [{"type": "a", "data": n} for n in range(300)]})
    assert response.status_code == ACCEPTED
    customer.events = [event["id"] for event in response.json()["events"]]
    customer.wait_until_settled()
    customer.check_story()


@pytest.mark.parametrize("end", ["stop", "kill"])
def test_a_database_that_restarts_loses_and_doubles_no_event_that_was_accepted(
    hub: Hub, customer: Customer, caller: Caller, servers: LocalServers, end: str
) -> None:
    customer.subscribe()
    with publishers(caller, customer, count=8, each=40) as running:
        hub.wait_until(lambda: sum(len(publisher.accepted) for publisher in running) > 60, "events before the fault")
        getattr(servers.postgresql, end)()
        servers.postgresql.start()
    accepted = list(customer.events)
    customer.find_events()
    assert sorted(customer.events) == sorted(accepted)
    customer.wait_until_settled()
    customer.check_story(on_wire_at_fault=len(accepted))


def test_kill_9_of_the_web_server_loses_and_doubles_no_event_that_was_accepted(hub: Hub, customer: Customer) -> None:
    customer.subscribe()
    own_url = start_web(hub)
    web = hub.running(WEB)[-1]
    caller = Caller(own_url, hub.application("make_key", account=customer.id))
    with publishers(caller, customer, count=8, each=40) as running:
        hub.wait_until(lambda: sum(len(publisher.accepted) for publisher in running) > 60, "events before the fault")
        web.kill()
        hub.start(WEB)
    accepted = list(customer.events)
    customer.find_events()
    assert sorted(customer.events) == sorted(accepted)
    customer.wait_until_settled()
    customer.check_story()


def test_a_key_that_is_revoked_stops_working_in_every_process(hub: Hub, customer: Customer, url: str) -> None:
    key = hub.application("make_key", account=customer.id)
    callers = [Caller(url, key), Caller(start_web(hub), key)]
    event = {"type": "a", "data": 1}
    assert [caller.post("/events", event).status_code for caller in callers] == [ACCEPTED, ACCEPTED]

    own = next(one for one in callers[0].get("/keys").json()["items"] if key.startswith(one["prefix"]))
    administrator = Caller(url, hub.application("make_key", account=customer.id))
    gone = administrator.session.delete(f"{url}/api/v1/keys/{own['id']}", timeout=30)
    assert gone.status_code in (200, 204)

    hub.wait_until(
        lambda: [caller.post("/events", event).status_code for caller in callers] == [401, 401],
        "a refusal everywhere",
        within_seconds=5,
    )


def test_a_body_that_says_it_is_too_large_is_refused_before_it_is_sent(hub: Hub, caller: Caller, url: str) -> None:
    parts = urlsplit(url)
    for path in ("/api/v1/events", "/api/v1/webhooks", "/admin/login/"):
        head = (
            f"POST {path} HTTP/1.1\r\nHost: {parts.netloc}\r\nAuthorization: {caller.session.headers['Authorization']}"
            "\r\nContent-Type: application/json\r\nContent-Length: 100000000\r\n\r\n"
        )
        with socket.create_connection((str(parts.hostname), int(parts.port or 0)), timeout=30) as connection:
            connection.sendall(head.encode())
            assert connection.recv(1000).split()[1] == b"413", path


def test_an_endless_body_is_refused_at_the_limit(caller: Caller, url: str) -> None:
    def chunks() -> Iterator[bytes]:
        while True:
            yield b" " * 65_536

    parts = urlsplit(url)
    with socket.create_connection((str(parts.hostname), int(parts.port or 0)), timeout=30) as connection:
        head = (
            f"POST /api/v1/events HTTP/1.1\r\nHost: {parts.netloc}\r\nAuthorization: "
            f"{caller.session.headers['Authorization']}\r\nContent-Type: application/json\r\n"
            "Transfer-Encoding: chunked\r\n\r\n"
        )
        connection.sendall(head.encode())
        with contextlib.suppress(ConnectionError):
            for chunk in chunks():
                connection.sendall(b"%x\r\n%b\r\n" % (len(chunk), chunk))
        # What was answered may be lost in the reset that ends such a connection.
        with contextlib.suppress(ConnectionError):
            assert connection.recv(1000).split()[1:2] in ([b"413"], [])
    assert caller.post("/events", {"type": "a", "data": 1}).status_code == ACCEPTED
