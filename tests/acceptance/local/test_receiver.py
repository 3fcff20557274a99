"""The receiver over real sockets, with requests signed by a library that neither it nor the hub knows."""

from __future__ import annotations

import hashlib
import hmac
import http.client
import json
import os
import re
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from standardwebhooks.webhooks import Webhook

from scripts.local.receiver.arrivals import KEPT_ARRIVALS, KEPT_BODY_BYTES, Arrivals, Request
from scripts.local.receiver.endpoints import Agreement, EndpointName, read_agreement
from scripts.local.receiver.server import LARGEST_BODY_BYTES, PAGE_FOLDER, Receiver
from scripts.local.state import CHECKOUT, StateFolder
from tests.acceptance.local.browser import Page

SECRET = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
OTHER_SECRET = "whsec_AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"
CREDENTIALS = "Basic d2ViaG9va2h1YjpvcGVuIHNlc2FtZQ=="
BODY = '{"id":"evt_1","type":"order.shipped","createdAt":"2024-01-15T10:00:00.000Z","data":{"orderId":"ord_1"}}'
THIN_BODY = '{"events":[{"meta":{"type":"product","href":"https://shop.example/1"},"action":"UPDATE","accountId":"1"}]}'
SOCKET_TIMEOUT_SECONDS = 10.0


def agree(name: EndpointName) -> Agreement:
    return Agreement(signing_secret=SECRET, authorization=CREDENTIALS if name is EndpointName.CRM else "")


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    with Receiver(("127.0.0.1", 0), agree) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield server
        server.shutdown()
        thread.join()


def sign(
    body: str, *, webhook_id: str = "evt_1", secret: str = SECRET, moment: datetime | None = None
) -> dict[str, str]:
    """Both families: one by the Standard Webhooks library, one as 004_0606a3681fd2e877.txt writes it."""
    moment = moment or datetime.now(UTC)
    return {
        "webhook-id": webhook_id,
        "webhook-timestamp": str(int(moment.timestamp())),
        "webhook-signature": Webhook(secret).sign(webhook_id, moment, body),
        "X-Webhook-Signature": "sha256=" + hmac.new(secret.encode(), body.encode(), hashlib.sha256).hexdigest(),
    }


def send(
    receiver: Receiver,
    target: str,
    body: str | bytes = BODY,
    headers: dict[str, str] | None = None,
    method: str = "POST",
) -> int:
    connection = http.client.HTTPConnection("127.0.0.1", receiver.server_port, timeout=SOCKET_TIMEOUT_SECONDS)
    try:
        connection.request(method, target, body, sign(BODY) if headers is None else headers)
        return connection.getresponse().status
    finally:
        connection.close()


def received(receiver: Receiver) -> list[dict[str, Any]]:
    connection = http.client.HTTPConnection("127.0.0.1", receiver.server_port, timeout=SOCKET_TIMEOUT_SECONDS)
    try:
        connection.request("GET", "/received.json")
        arrivals: list[dict[str, Any]] = json.load(connection.getresponse())
        return arrivals
    finally:
        connection.close()


def test_a_request_signed_by_the_standard_webhooks_library_is_verified_and_accepted(receiver: Receiver) -> None:
    assert send(receiver, "/orders") == 200

    (arrival,) = received(receiver)
    assert arrival["verified"] is True
    assert (arrival["standard"], arrival["plain"]) == ("verified", "verified")
    assert (arrival["endpoint"], arrival["event_type"], arrival["webhook_id"]) == ("orders", "order.shipped", "evt_1")
    assert (arrival["attempt"], arrival["status"], arrival["body"]) == (1, 200, BODY)


def test_any_one_of_several_signatures_is_enough_while_a_secret_is_rotated(receiver: Receiver) -> None:
    headers = sign(BODY)
    headers["webhook-signature"] = (
        f"v1a,unknown {sign(BODY, secret=OTHER_SECRET)['webhook-signature']} " + (headers["webhook-signature"])
    )

    assert send(receiver, "/orders", headers=headers) == 200


@pytest.mark.parametrize(
    ("changes", "standard", "plain"),
    [
        ({"webhook-signature": ""}, "no signature", "verified"),
        ({"X-Webhook-Signature": ""}, "verified", "no signature"),
        ({"webhook-id": "evt_2"}, "wrong signature", "verified"),
        ({"webhook-timestamp": "1"}, "wrong signature", "verified"),
        ({"webhook-signature": "v1,tr\u00fcmmer"}, "wrong signature", "verified"),
        ({"X-Webhook-Signature": "sha256=tr\u00fcmmer"}, "verified", "wrong signature"),
        (sign(BODY, secret=OTHER_SECRET), "wrong signature", "wrong signature"),
        (sign(BODY + " "), "wrong signature", "wrong signature"),
        (sign(BODY, moment=datetime.now(UTC) - timedelta(minutes=6)), "timestamp out of tolerance", "verified"),
        (sign(BODY, moment=datetime.now(UTC) + timedelta(days=1)), "timestamp out of tolerance", "verified"),
    ],
)
def test_a_request_that_only_looks_like_the_hubs_is_answered_401_and_told_apart(
    receiver: Receiver, changes: dict[str, str], standard: str, plain: str
) -> None:
    assert send(receiver, "/orders", headers=sign(BODY) | changes) == 401

    (arrival,) = received(receiver)
    assert (arrival["standard"], arrival["plain"], arrival["verified"]) == (standard, plain, False)


def test_the_crm_endpoint_wants_its_credentials_and_shows_them_to_nobody(receiver: Receiver) -> None:
    assert send(receiver, "/crm") == 401
    assert send(receiver, "/crm", headers=sign(BODY) | {"Authorization": CREDENTIALS}) == 200

    assert [arrival["authorized"] for arrival in received(receiver)] == [False, True]
    assert CREDENTIALS not in json.dumps(received(receiver))


def test_the_flaky_endpoint_turns_each_event_away_twice_before_it_accepts(receiver: Receiver) -> None:
    first = [send(receiver, "/flaky") for _ in range(4)]
    second = [send(receiver, "/flaky", headers=sign(BODY, webhook_id="evt_2")) for _ in range(3)]

    assert first == [503, 503, 200, 200]
    assert second == [503, 503, 200]


def test_attempts_are_counted_by_webhook_id_and_endpoint(receiver: Receiver) -> None:
    for target, webhook_id in (("/orders", "evt_1"), ("/orders", "evt_2"), ("/crm", "evt_1"), ("/orders?a=b", "evt_1")):
        send(receiver, target, headers=sign(BODY, webhook_id=webhook_id))

    assert [arrival["attempt"] for arrival in received(receiver)] == [1, 1, 1, 2]


@pytest.mark.parametrize(
    ("body", "event_type"),
    [
        (THIN_BODY.encode(), "product UPDATE"),
        (b"", ""),
        (b"\x00\xff\xfe", ""),
        (b"[" * 100_000, ""),
        (b'{"type":{}}', ""),
        (b'{"events":[]}', ""),
        (b'{"type":"' + b"x" * 1_000 + b'"}', "x" * 200),
    ],
)
def test_whatever_the_body_is_the_request_is_answered_and_shown(
    receiver: Receiver, body: bytes, event_type: str
) -> None:
    assert send(receiver, "/orders", body=body, headers={}) == 401

    (arrival,) = received(receiver)
    assert arrival["event_type"] == event_type
    assert arrival["body_bytes"] == len(body)
    assert len(arrival["body"]) <= KEPT_BODY_BYTES


@pytest.mark.parametrize(
    ("method", "target", "headers", "status"),
    [
        ("POST", "/nowhere", {}, 404),
        ("GET", "/nowhere", {}, 404),
        ("GET", "/orders", {}, 405),
        ("POST", "/orders", {"Content-Length": str(LARGEST_BODY_BYTES + 1)}, 413),
        ("POST", "/orders", {"Content-Length": "-1"}, 411),
        ("POST", "/orders", {"Content-Length": "9" * 5_000}, 411),
        ("POST", "/orders", {"Transfer-Encoding": "chunked"}, 411),
    ],
)
def test_what_is_no_webhook_is_refused_and_not_shown(
    receiver: Receiver, method: str, target: str, headers: dict[str, str], status: int
) -> None:
    assert send(receiver, target, body=b"", headers=headers, method=method) == status
    assert received(receiver) == []


def test_a_request_that_breaks_off_is_not_taken_for_a_webhook(receiver: Receiver) -> None:
    with socket.create_connection(("127.0.0.1", receiver.server_port), timeout=SOCKET_TIMEOUT_SECONDS) as connection:
        connection.sendall(b"POST /orders HTTP/1.1\r\nContent-Length: 100\r\n\r\nhalf")
        connection.shutdown(socket.SHUT_WR)
        assert connection.recv(1) == b""

    assert received(receiver) == []


def test_the_log_keeps_the_newest_and_not_more_than_it_may() -> None:
    arrivals = Arrivals()
    request = Request(endpoint=EndpointName.ORDERS, target="/orders", headers={}, body=b"x" * (KEPT_BODY_BYTES + 1))

    for _ in range(KEPT_ARRIVALS + 3):
        arrivals.receive(request, agree(EndpointName.ORDERS), now=datetime.now(UTC))

    kept = arrivals.after(0)
    assert [arrival.number for arrival in kept] == list(range(4, KEPT_ARRIVALS + 4))
    assert {len(arrival.body) for arrival in kept} == {KEPT_BODY_BYTES}


class Stream:
    """What a page hears: server-sent events as (id, data)."""

    def __init__(self, receiver: Receiver, *, last_event_id: str = "") -> None:
        self._connection = http.client.HTTPConnection("127.0.0.1", receiver.server_port, timeout=SOCKET_TIMEOUT_SECONDS)
        self._connection.request("GET", "/stream", headers={"Last-Event-ID": last_event_id})
        self._answer = self._connection.getresponse()
        self.run = dict(self._next_fields())["data"]

    def next(self) -> tuple[str, dict[str, Any]]:
        fields = dict(self._next_fields())
        return fields["id"], json.loads(fields["data"])

    def _next_fields(self) -> list[tuple[str, str]]:
        fields = []
        while line := self._answer.readline().decode().rstrip("\n"):
            name, _, value = line.partition(": ")
            fields.append((name, value))
        return fields

    def __enter__(self) -> Stream:
        return self

    def __exit__(self, *error: object) -> None:
        self._answer.close()
        self._connection.close()


def test_an_open_page_hears_of_what_came_before_and_of_each_arrival_as_it_comes(receiver: Receiver) -> None:
    send(receiver, "/orders")
    with Stream(receiver) as stream:
        assert stream.next()[1]["endpoint"] == "orders"
        send(receiver, "/transactions")
        assert stream.next()[1]["endpoint"] == "transactions"


def test_a_page_that_was_cut_off_goes_on_where_it_was_and_begins_anew_after_a_restart(receiver: Receiver) -> None:
    send(receiver, "/orders")
    send(receiver, "/transactions")
    with Stream(receiver) as stream:
        first_id, _ = stream.next()

    with Stream(receiver, last_event_id=first_id) as stream:
        assert stream.next()[1]["endpoint"] == "transactions"
    with Stream(receiver, last_event_id="another-1") as stream:
        assert stream.next()[1]["endpoint"] == "orders"


def test_the_page_runs_nothing_but_its_own_script_and_loads_nothing_from_elsewhere(receiver: Receiver) -> None:
    connection = http.client.HTTPConnection("127.0.0.1", receiver.server_port, timeout=SOCKET_TIMEOUT_SECONDS)
    connection.request("GET", "/")
    answer = connection.getresponse()
    policy, _ = answer.headers["Content-Security-Policy"], answer.read()
    connection.close()
    source = "".join(file.read_text() for file in PAGE_FOLDER.iterdir())

    assert "default-src 'none'" in policy
    assert "unsafe" not in policy
    assert not re.search(r"https?://|innerHTML|outerHTML|insertAdjacentHTML|document\.write|eval\(", source)


@pytest.mark.acceptance
def test_a_page_that_is_open_shows_each_arrival_and_its_body_as_it_comes(receiver: Receiver, tmp_path: Path) -> None:
    with Page(f"{receiver.url}/", profile=tmp_path) as page:
        page.wait_for("document.querySelector('#link')?.textContent === 'live'")
        for _ in range(3):
            send(receiver, "/flaky")

        page.wait_for("document.querySelectorAll('#arrivals li').length === 3")
        page.wait_for("document.title === 'Receiver (3)'")
        rows = page.evaluate(
            "[...document.querySelectorAll('#arrivals summary')].map(row => row.innerText.split(/\\s+/))"
        )
        assert [row[-4:] for row in rows] == [
            ["/flaky", "3", "verified", "200"],
            ["/flaky", "2", "verified", "503"],
            ["/flaky", "1", "verified", "503"],
        ]
        page.evaluate("document.querySelector('#arrivals details').open = true")
        assert '"orderId": "ord_1"' in page.wait_for("document.querySelector('.inside pre + h2 + pre')?.textContent")


@pytest.mark.acceptance
def test_a_browser_shows_a_hostile_request_as_text(receiver: Receiver, tmp_path: Path) -> None:
    hostile = '<img src=x onerror="document.title=1"><script>document.title=2</script>'
    send(
        receiver, "/orders", body=json.dumps({"type": hostile}), headers={"webhook-id": hostile, hostile[1:4]: hostile}
    )

    with Page(f"{receiver.url}/", profile=tmp_path) as page:
        page.wait_for("document.title === 'Receiver (1)'")
        page.evaluate("document.querySelector('#arrivals details').open = true")
        page.wait_for("document.querySelector('.inside pre')")

        assert page.evaluate("document.querySelector('.event').textContent") == hostile
        assert hostile in page.evaluate("document.querySelector('.inside').textContent")
        assert page.evaluate("document.querySelectorAll('img, #arrivals script').length") == 0
        assert page.evaluate("document.title") == "Receiver (1)"


@pytest.mark.acceptance
@pytest.mark.parametrize("width", [320, 768, 1280])
def test_nothing_of_the_page_lies_beyond_the_edge_of_a_screen(receiver: Receiver, tmp_path: Path, width: int) -> None:
    send(receiver, "/transactions", body='{"type":"' + "long." * 40 + '"}', headers={"webhook-id": "x" * 500})

    with Page(f"{receiver.url}/", profile=tmp_path) as page:
        page.set_width(width)
        page.wait_for("document.title === 'Receiver (1)'")
        page.evaluate("document.querySelector('#arrivals details').open = true")
        page.wait_for("document.querySelector('.inside pre')")

        assert page.evaluate("document.documentElement.scrollWidth") == width


@pytest.mark.acceptance
def test_the_receiver_starts_as_a_program_with_the_secrets_of_its_state_folder(state: StateFolder) -> None:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    state.make()
    secret = read_agreement(state, EndpointName.ORDERS).signing_secret
    variables = {"WEBHOOKHUB_STATE": str(state.path), "WEBHOOKHUB_DEMO_RECEIVER_URL": f"http://127.0.0.1:{port}"}
    process = subprocess.Popen(
        [sys.executable, "-P", "-m", "scripts.local.receiver"],
        env=os.environ | variables | {"PYTHONPATH": str(CHECKOUT)},
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    )
    with process:
        try:
            assert process.stdout is not None
            assert f"http://127.0.0.1:{port}/" in process.stdout.readline()
            connection = http.client.HTTPConnection("127.0.0.1", port, timeout=SOCKET_TIMEOUT_SECONDS)
            connection.request("POST", "/orders", BODY, sign(BODY, secret=secret))
            assert connection.getresponse().status == 200
            connection.close()
        finally:
            process.terminate()


def test_an_endpoints_secrets_are_its_own_stay_the_same_and_are_private(state: StateFolder) -> None:
    state.make()
    agreements = {name: read_agreement(state, name) for name in EndpointName}

    assert len({agreement.signing_secret for agreement in agreements.values()}) == len(EndpointName)
    assert agreements == {name: read_agreement(state, name) for name in EndpointName}
    assert {file.stat().st_mode & 0o777 for file in (state.path / "secrets").iterdir()} == {0o600}
    assert agreements[EndpointName.CRM].authorization not in repr(agreements)
