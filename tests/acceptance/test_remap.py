"""The interface of 002_44c3dd7dc10608b6.txt, by its own curl lines, and the notifications that it promises."""

from __future__ import annotations

import json
import shlex
import shutil
import subprocess
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple
from urllib.parse import parse_qs, urlsplit
from uuid import UUID

import pytest

from scripts.local.roles import BEAT, DELIVERIES, WORKER
from tests.acceptance.conftest import MakeHub
from tests.acceptance.hub import Hub
from tests.receivers.hostile import Conversation, HostileReceiver, Received
from webhookhub.client import Client, Delivery

pytestmark = pytest.mark.acceptance

DOCUMENTS_HOST = "https://app.kladana.in"
DOCUMENTS_TOKEN = "<Access-Token>"
DOCUMENTS_ID = "a5b3cd1f-caee-11e8-9ff4-34e80022dcb3"
# As they are published, without backslashes at the ends of lines.
CREATE = """
curl -X POST
   https://app.kladana.in/api/remap/1.2/entity/webhook
   -H 'Authorization: Bearer <Access-Token>'
   -H 'Content-Type: application/json'
   -d '{
   "url": "http://www.example.com",
   "action": "CREATE",
   "entityType": "service"
}'
"""
READ = """
curl -X GET
   https://app.kladana.in/api/remap/1.2/entity/webhook/a5b3cd1f-caee-11e8-9ff4-34e80022dcb3
   -H 'Authorization: Bearer <Access-Token>'
   -H 'Content-Type: application/json'
"""
CHANGE_ACTION = """
curl -X PUT
   https://app.kladana.in/api/remap/1.2/entity/webhook/a5b3cd1f-caee-11e8-9ff4-34e80022dcb3
   -H 'Authorization: Bearer <Access-Token>'
   -H 'Content-Type: application/json'
   -d '{
   "action": "UPDATE"
}'
"""
DISABLE = """
curl -X PUT
   https://app.kladana.in/api/remap/1.2/entity/webhook/a5b3cd1f-caee-11e8-9ff4-34e80022dcb3
   -H 'Authorization: Bearer <Access-Token>'
   -H 'Content-Type: application/json'
   -d '{
   "enabled": false
}'
"""
DELETE = """
curl -X DELETE
   https://app.kladana.in/api/remap/1.2/entity/webhook/a5b3cd1f-caee-11e8-9ff4-34e80022dcb3
   -H 'Authorization: Bearer <Access-Token>'
   -H 'Content-Type: application/json'
"""
LIST = """
curl -X GET
   https://app.kladana.in/api/remap/1.2/entity/webhook
   -H 'Authorization: Bearer <Access-Token>'
   -H 'Content-Type: application/json'
"""
CREATE_FOR_A_CHECK = """
  curl -X POST
    https://app.kladana.in/api/remap/1.2/entity/webhook
    -H 'Authorization: Bearer <Access-Token>'
    -H 'Cache-Control: no-cache'
    -H 'Content-Type: application/json'
    -d '{
    "url": "https://webhook.site/c314f269-d524-4b1a-bf9e-5c59060b220c",
    "action": "CREATE",
    "entityType": "service"
  }'
"""
USER_AGENT = "WebhookHub webhook touch agent 1.0"
SUBJECT = "https://shop.example.com/api/remap/1.2/entity/service/7944ef04-f831-11e5-7a69-971500188b19"


class Reply(NamedTuple):
    """What curl printed."""

    status: int
    body: str

    @property
    def document(self) -> Any:
        return json.loads(self.body)


Run = Callable[..., Reply]


class ClientApplication(HostileReceiver):
    """Answers each notification with the next of the statuses, and the last one again; None: not at all, in time."""

    def __init__(self, *statuses: int | None) -> None:
        super().__init__(self._play_on)
        self._statuses = statuses

    def _play_on(self, conversation: Conversation) -> None:
        while conversation.read_request() is not None:
            status = self._statuses[min(len(self.received), len(self._statuses)) - 1]
            if status is None:
                conversation.hang()
            else:
                length = "" if status == 204 else "Content-Length: 0\r\n"
                conversation.send(f"HTTP/1.1 {status} X\r\n{length}\r\n".encode())


@pytest.fixture(scope="module")
def hub(make_hub: MakeHub) -> Hub:
    """A hub with everything but its web server."""
    hub = make_hub()
    for role in (WORKER, DELIVERIES, BEAT):
        hub.start(role)
    return hub


@pytest.fixture
def account(hub: Hub) -> str:
    return str(hub.application("make_account", name="of the tests of remap 1.2"))


@pytest.fixture
def key(hub: Hub, account: str) -> str:
    return str(hub.application("make_key", account=account))


@pytest.fixture
def application(url: str, key: str) -> Iterator[Client]:
    """The application whose entities change."""
    with Client(url, key) as client:
        yield client


@pytest.fixture
def run(url: str, key: str) -> Run:
    """Runs a published line with the host and the token changed, and the id: `run(READ, id="…")`."""
    if (curl := shutil.which("curl")) is None:
        pytest.skip("the document's lines were not run: curl is not on this machine")

    def run_line(line: str, *, id: str = "", url_of_application: str = "") -> Reply:
        for published, ours in (
            (DOCUMENTS_HOST, url),
            (DOCUMENTS_TOKEN, key),
            (DOCUMENTS_ID, id or DOCUMENTS_ID),
            ("http://www.example.com", url_of_application or "http://www.example.com"),
        ):
            line = line.replace(published, ours)
        command = [curl, *shlex.split(line)[1:], "--silent", "--show-error", "--write-out", "\n%{http_code}"]
        done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=True)
        body, _, status = done.stdout.rpartition("\n")
        return Reply(int(status), body)

    return run_line


# ------------------------------------------------------------------------------------------------ the lines


def test_the_published_lines_run_as_they_stand(run: Run, url: str, account: str) -> None:
    reply = run(CREATE)
    assert reply.status == 200
    made = reply.document
    identifier = made["id"]
    root = f"{url}/api/remap/1.2"
    assert made == {
        "meta": {
            "href": f"{root}/entity/webhook/{identifier}",
            "metadataHref": f"{root}/entity/webhook/metadata",
            "type": "webhook",
            "mediaType": "application/json",
        },
        "id": identifier,
        "accountId": account,
        "entityType": "service",
        "url": "http://www.example.com",
        "method": "POST",
        "enabled": True,
        "action": "CREATE",
    }
    assert run(READ, id=identifier) == Reply(200, reply.body)
    assert run(READ).status == 404
    assert run(CHANGE_ACTION, id=identifier).document == made | {"action": "UPDATE"}
    disabled = run(DISABLE, id=identifier).document
    assert disabled == made | {"action": "UPDATE", "enabled": False}

    listed = run(LIST).document
    assert listed["rows"] == [disabled]
    assert listed["meta"] == {
        "href": f"{root}/entity/webhook",
        "type": "webhook",
        "mediaType": "application/json",
        "size": 1,
        "limit": 25,
        "offset": 0,
    }
    assert listed["context"]["employee"]["meta"] == {
        "href": f"{root}/context/employee",
        "metadataHref": f"{root}/entity/employee/metadata",
        "type": "employee",
        "mediaType": "application/json",
    }

    assert run(DELETE, id=identifier) == Reply(200, "")
    assert run(LIST).document["rows"] == []
    assert run(CREATE_FOR_A_CHECK).document["url"] == "https://webhook.site/c314f269-d524-4b1a-bf9e-5c59060b220c"
    # The pair is taken now.
    assert run(CREATE).status == 409


# ------------------------------------------------------------------------------------------------ the notifications


def change_service(application: Client, action: str = "CREATE") -> str:
    """What the application records when a service is created, or changed."""
    return application.publish(
        "service.changed", {"name": "Sharpening skates"}, entity_type="service", action=action, subject=SUBJECT
    ).id


def final_delivery(hub: Hub, application: Client, event: str) -> Delivery:
    """The only delivery of the event, once it is over."""
    final = ("delivered", "failed", "cancelled")

    def found() -> list[Delivery]:
        return [one for one in application.deliveries(status=final) if one["event"] == event]

    hub.wait_until(found, "the end of the delivery")
    (delivery,) = found()
    return delivery


def request_ids(received: list[Received]) -> set[str]:
    return {parse_qs(urlsplit(one.request_line.split()[1]).query)["requestId"][0] for one in received}


@pytest.mark.parametrize("status", [200, 204])
def test_a_change_is_told_as_promised(hub: Hub, run: Run, application: Client, account: str, status: int) -> None:
    with ClientApplication(status) as receiver:
        run(CREATE, url_of_application=receiver.url("/changes?shop=7"))
        event = change_service(application)
        delivery = final_delivery(hub, application, event)

    (request,) = receiver.received
    assert (delivery["status"], delivery["attemptCount"]) == ("delivered", 1)
    method, target, _ = request.request_line.split()
    assert (method, target.partition("&")[0]) == ("POST", "/changes?shop=7")
    assert UUID(*request_ids([request]))
    assert request.header("user-agent") == USER_AGENT
    assert request.header("content-type") == "application/json"
    assert json.loads(request.body) == {
        "events": [{"meta": {"type": "service", "href": SUBJECT}, "action": "CREATE", "accountId": account}]
    }


def test_an_invalid_answer_is_followed_by_up_to_three_more_attempts_with_the_same_request_id(
    hub: Hub, run: Run, application: Client
) -> None:
    with ClientApplication(500, 410, 201, 204) as receiver:
        run(CREATE, url_of_application=receiver.url())
        delivery = final_delivery(hub, application, change_service(application))

    assert (delivery["status"], delivery["attemptCount"]) == ("delivered", 4)
    assert len(receiver.received) == 4
    assert len(request_ids(receiver.received)) == 1
    assert {(one.header("user-agent"), one.body) for one in receiver.received} == {
        (USER_AGENT, receiver.received[0].body)
    }


@pytest.mark.parametrize("status", [201, 302, 400])
def test_after_the_fourth_invalid_answer_nothing_more_is_sent(
    hub: Hub, run: Run, application: Client, status: int
) -> None:
    with ClientApplication(status) as receiver:
        run(CREATE, url_of_application=receiver.url())
        first, second = (final_delivery(hub, application, change_service(application)) for _ in range(2))

    assert {(one["status"], one["failureReason"], one["attemptCount"]) for one in (first, second)} == {
        ("failed", "exhausted", 4)
    }
    assert len(receiver.received) == 8
    assert len(request_ids(receiver.received)) == 2


def test_no_answer_within_1500_milliseconds_is_an_invalid_one(hub: Hub, run: Run, application: Client) -> None:
    with ClientApplication(None, None, None, None, 200) as receiver:
        run(CREATE, url_of_application=receiver.url())
        delivery = final_delivery(hub, application, change_service(application))

    attempts = application.get_delivery(delivery["id"])["attempts"]
    assert (delivery["status"], delivery["failureReason"]) == ("failed", "exhausted")
    assert [attempt["outcome"] for attempt in attempts] == ["timeout"] * 4
    # A timer may be early by its own grain.
    assert all((attempt["totalMs"] or 0) > 1_490 for attempt in attempts)
    assert len(receiver.received) == 4
    assert len(request_ids(receiver.received)) == 1


def test_a_change_of_the_webhook_counts_from_the_next_notification_on(hub: Hub, run: Run, application: Client) -> None:
    with ClientApplication(200) as receiver:
        made = run(CREATE, url_of_application=receiver.url()).document
        final_delivery(hub, application, change_service(application, "CREATE"))
        run(CHANGE_ACTION, id=made["id"])
        unwanted = change_service(application, "CREATE")
        final_delivery(hub, application, change_service(application, "UPDATE"))
        run(DISABLE, id=made["id"])
        disabled = change_service(application, "UPDATE")
        hub.wait_until(
            lambda: {application.get_event(event)["fanOut"] for event in (unwanted, disabled)} == {"unmatched"},
            "that nobody hears of the others",
        )

    told = [json.loads(one.body)["events"][0]["action"] for one in receiver.received]
    assert told == ["CREATE", "UPDATE"]
