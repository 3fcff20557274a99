"""What the client repeats, and what it makes of answers that are none: at servers that drop, delay and refuse."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from socket import SHUT_WR
from typing import Any

import pytest

from tests.receivers.hostile import Conversation, HostileReceiver
from tests.receivers.recording import refusing_url
from webhookhub.client import (
    Client,
    ClientError,
    Conflict,
    Forbidden,
    Invalid,
    NewEvent,
    NotFound,
    ProblemError,
    Unauthorized,
    Unavailable,
    UnexpectedAnswer,
    Unreachable,
)

pytestmark = pytest.mark.acceptance

KEY = "whk_of_a_test"
ACCEPTED = {"id": "evt_1", "type": "order.shipped", "createdAt": "2026-01-15T10:00:00.000Z"}
PAGE = {"items": [{"id": "dlv_1"}], "next": None, "previous": None, "done": True}
BUSY = {"status": 503, "code": "busy", "detail": "Too much is waiting."}

Call = Callable[[Client], Any]
Step = Callable[[Conversation], object]
DROPPED, HANGING = Conversation.reset, Conversation.hang

# What the hub does once however often it is asked, each with an answer to it.
SAFE: dict[str, tuple[Call, Any]] = {
    "publish": (lambda hub: hub.publish("order.shipped", {}), ACCEPTED),
    "publish under an own id": (lambda hub: hub.publish("order.shipped", {}, id="order-1"), ACCEPTED),
    "publish under an own key": (lambda hub: hub.publish("order.shipped", {}, idempotency_key="order-1"), ACCEPTED),
    "publish a batch": (lambda hub: hub.publish_batch([NewEvent(type="a", data=1)]), {"events": [ACCEPTED]}),
    "list": (lambda hub: list(hub.deliveries()), PAGE),
    "read": (lambda hub: hub.get_delivery("dlv_1"), {"id": "dlv_1"}),
    "replay a delivery": (lambda hub: hub.replay_delivery("dlv_1"), {"id": "dlv_2"}),
    "replay an event": (lambda hub: hub.replay_event("evt_1"), {"items": []}),
}
# What it would do twice, or refuse the second time.
UNSAFE: dict[str, Call] = {
    "subscribe": lambda hub: hub.subscribe("https://example.com/webhooks"),
    "change": lambda hub: hub.change_webhook("orders", enabled=False),
    "delete": lambda hub: hub.delete_webhook("orders"),
    "test": lambda hub: hub.test_webhook("orders"),
    "cancel": lambda hub: hub.cancel_delivery("dlv_1"),
    "retry": lambda hub: hub.retry_delivery("dlv_1"),
}


def answer(status: int, document: Any = None, *, cut: int = 0, **headers: str) -> Step:
    """Answers so, but for the last `cut` bytes."""
    body = b"" if document is None else json.dumps(document).encode()
    kind = "application/json" if status < 400 else "application/problem+json"
    lines = [f"HTTP/1.1 {status} X", f"Content-Length: {len(body)}", f"Content-Type: {kind}"]
    lines += [f"{name.replace('_', '-')}: {value}" for name, value in headers.items()]
    data = "\r\n".join(lines).encode() + b"\r\n\r\n" + body

    def step(conversation: Conversation) -> None:
        conversation.send(data[: len(data) - cut])
        if cut:
            conversation.connection.shutdown(SHUT_WR)

    return step


class ScriptedHub(HostileReceiver):
    """Takes one step after the other, whatever is asked; the last one is then repeated."""

    def __init__(self, *steps: Step) -> None:
        super().__init__(self._play_on)
        self._steps = steps

    def _play_on(self, conversation: Conversation) -> None:
        while conversation.read_request() is not None:
            self._steps[min(len(self.received), len(self._steps)) - 1](conversation)

    def headers(self, name: str) -> list[str | None]:
        return [request.header(name) for request in self.received]


@contextmanager
def scripted(*steps: Step, **options: Any) -> Iterator[tuple[ScriptedHub, Client]]:
    """A server that does so, and a client of it."""
    with ScriptedHub(*steps) as server, Client(server.url(), KEY, **{"backoff_seconds": 0, **options}) as hub:
        yield server, hub


def refused(hub: Client, call: Call) -> ClientError:
    with pytest.raises(ClientError) as caught:
        call(hub)
    return caught.value


# ------------------------------------------------------------------------------------------------ repetition


def busy(conversation: Conversation) -> None:
    answer(503, BUSY, Retry_After="0")(conversation)


@pytest.mark.parametrize("failure", [DROPPED, busy])
@pytest.mark.parametrize("name", SAFE)
def test_what_is_safe_is_sent_again_just_as_it_was(name: str, failure: Step) -> None:
    call, fine = SAFE[name]
    with scripted(failure, failure, answer(200, fine)) as (server, hub):
        call(hub)
    first, second, third = [(one.request_line, one.headers, one.body) for one in server.received]
    assert first == second == third
    request = server.received[0]
    assert (
        request.request_line.startswith("GET") or request.header("idempotency-key") or b'"id":"order-1"' in request.body
    )


def test_a_hub_that_does_not_answer_in_time_is_asked_again() -> None:
    with scripted(HANGING, answer(202, ACCEPTED), timeout_seconds=1) as (server, hub):
        hub.publish("order.shipped", {})
    assert len(set(server.headers("idempotency-key"))) == 1
    assert len(server.received) == 2


@pytest.mark.parametrize(("failure", "error"), [(DROPPED, Unreachable), (busy, Unavailable)])
@pytest.mark.parametrize("name", UNSAFE)
def test_what_is_not_safe_is_sent_once(name: str, failure: Step, error: type[ClientError]) -> None:
    with scripted(failure) as (server, hub):
        assert type(refused(hub, UNSAFE[name])) is error
    assert len(server.received) == 1


def test_every_publication_has_a_key_of_its_own() -> None:
    with scripted(answer(202, ACCEPTED)) as (server, hub):
        for _ in range(2):
            hub.publish("order.shipped", {})
    keys = server.headers("idempotency-key")
    assert len(set(keys)) == 2
    assert None not in keys


def test_after_so_many_attempts_it_gives_up() -> None:
    with scripted(DROPPED, attempts=4) as (server, hub):
        assert isinstance(refused(hub, lambda hub: hub.get_event("evt_1")), Unreachable)
    assert len(server.received) == 4


@pytest.mark.parametrize(
    ("failure", "retry_after_seconds"),
    [
        (answer(503, BUSY), None),
        (answer(503, BUSY, Retry_After="3600"), 3600.0),
        (answer(503, BUSY, Retry_After="Sun, 06 Nov 2094 08:49:37 GMT"), None),
        (answer(502), None),
    ],
)
def test_a_hub_that_names_no_near_moment_is_asked_once(failure: Step, retry_after_seconds: float | None) -> None:
    with scripted(failure) as (server, hub):
        error = refused(hub, lambda hub: hub.publish("a", 1))
    assert isinstance(error, Unavailable)
    assert error.retry_after_seconds == retry_after_seconds
    assert len(server.received) == 1


def test_a_hub_that_is_not_there_is_unreachable() -> None:
    with refusing_url() as url, Client(url, KEY, backoff_seconds=0) as hub:
        error = refused(hub, lambda hub: hub.publish("a", 1))
    assert isinstance(error, Unreachable)
    assert KEY not in f"{error} {error!r} {hub!r}"


@pytest.mark.parametrize("broken", [answer(200, PAGE, cut=5), answer(200, PAGE, Content_Length="7")])
def test_an_answer_that_cannot_be_read_to_its_end_is_none(broken: Step) -> None:
    with scripted(broken) as (server, hub):
        assert isinstance(refused(hub, lambda hub: list(hub.events())), Unreachable)
    assert len(server.received) == 3


# ------------------------------------------------------------------------------------------------ refusals


@pytest.mark.parametrize(
    ("status", "error"),
    [
        (400, Invalid),
        (401, Unauthorized),
        (403, Forbidden),
        (404, NotFound),
        (409, Conflict),
        (413, Invalid),
        (415, Invalid),
        (422, Invalid),
        (429, Unavailable),
        (500, ProblemError),
        (503, Unavailable),
    ],
)
def test_a_problem_becomes_the_error_of_its_status_with_all_that_it_says(
    status: int, error: type[ProblemError]
) -> None:
    errors = [{"field": "url", "message": "is none"}]
    document = {"status": status, "code": "some_code", "detail": "url: is none", "errors": errors}
    with scripted(answer(status, document)) as (_, hub):
        raised = refused(hub, lambda hub: hub.subscribe("nowhere"))
    assert type(raised) is error
    assert isinstance(raised, ProblemError)
    assert (raised.status, raised.code, raised.detail) == (status, "some_code", "url: is none")
    assert raised.errors == (("url", "is none"),)
    assert raised.errors[0].field == "url"
    assert str(raised) == f"{status} some_code: url: is none"


@pytest.mark.parametrize(
    ("given", "why"),
    [
        (answer(301, Location="https://hub.example.com/"), "leads to https://hub.example.com/"),
        (lambda conversation: conversation.send(b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\n<p/>"), "200"),
        (answer(404, ["no problem document"]), "404"),
        (answer(500), "500"),
    ],
)
def test_what_is_no_answer_of_a_hub_is_called_so_and_no_redirect_is_followed(given: Step, why: str) -> None:
    with scripted(given) as (server, hub):
        error = refused(hub, lambda hub: hub.publish("a", 1))
    assert type(error) is UnexpectedAnswer
    assert why in str(error)
    assert len(server.received) == 1


# ------------------------------------------------------------------------------------------------ what is sent


def test_the_key_is_sent_whatever_a_netrc_file_says_of_the_host(tmp_path: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    netrc = tmp_path / "netrc"
    netrc.write_text("machine 127.0.0.1 login alice password secret\n")
    netrc.chmod(0o600)
    monkeypatch.setenv("NETRC", str(netrc))
    with scripted(answer(200, PAGE)) as (server, hub):
        list(hub.events())
    assert server.headers("authorization") == [f"Bearer {KEY}"]


def test_an_operators_account_is_named_in_every_request() -> None:
    calls = [*(call for call, _ in SAFE.values()), *UNSAFE.values()]
    either = {**ACCEPTED, **PAGE, "events": []}
    with scripted(answer(200, either), account="shop 7") as (server, hub):
        for call in calls:
            call(hub)
        hub.publish("a", 1, account="acc_2")
    assert [one.request_line.count("account=shop+7") for one in server.received] == [1] * len(calls) + [0]
    assert "account=acc_2" in server.received[-1].request_line


def test_ids_of_ones_own_stay_in_their_place_in_the_path() -> None:
    with scripted(answer(200, {})) as (server, hub):
        hub.get_webhook("orders/eu?x=1#y%2F é")
    assert server.received[0].request_line.split()[1] == "/api/v1/webhooks/orders%2Feu%3Fx%3D1%23y%252F%20%C3%A9"


@pytest.mark.parametrize("url", ["hub.example.com", "ftp://hub.example.com", ""])
def test_a_base_url_without_http_is_no_base_url(url: str) -> None:
    with pytest.raises(ValueError, match="no base URL"):
        Client(url, KEY)
