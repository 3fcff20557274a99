"""What becomes of answers, well-formed and not?"""

from __future__ import annotations

import gzip

import pytest

from deliveries.transport import FailureKind, Transport, TransportName, open_transport
from tests.acceptance.transport.sending import loopback_options, send, send_for_answer, send_in_vain
from tests.receivers.hostile import OK, Conversation, HostileReceiver, answer, answer_every, close


def test_sends_exactly_the_request_and_nothing_of_its_own(transport: Transport) -> None:
    headers = (("Content-Type", "application/json"), ("webhook-id", "msg_1"), ("X-Twice", "a"), ("X-Twice", "b"))
    body = bytes(range(256)) * 300
    with HostileReceiver(answer_every(OK)) as receiver:
        send_for_answer(transport, receiver.url("/in?a=1&b=%2f"), headers=headers, body=body)
    (received,) = receiver.received
    assert received.request_line == "POST /in?a=1&b=%2F HTTP/1.1"
    assert received.body == body
    framing = [
        ("host", f"127.0.0.1:{receiver.port}"),
        ("content-length", str(len(body))),
        ("accept-encoding", "identity"),
    ]
    assert sorted((name.lower(), value) for name, value in received.headers) == sorted(
        [(name.lower(), value) for name, value in headers] + framing
    )


def test_sends_a_large_body_without_asking_whether_to_go_on(transport: Transport) -> None:
    body = b"x" * 3_000_000
    with HostileReceiver(answer_every(OK)) as receiver:
        send_for_answer(transport, receiver.url(), body=body)
    assert receiver.received[0].body == body
    assert receiver.received[0].header("expect") is None


def test_sends_empty_bodies_empty_values_and_latin_1(transport: Transport) -> None:
    headers = (("X-Empty", ""), ("X-Latin", "smörgås"), ("Accept-Encoding", "br"), ("User-Agent", "WebhookHub/1"))
    with HostileReceiver(answer_every(OK)) as receiver:
        send_for_answer(transport, receiver.url(), headers=headers, body=b"")
    (received,) = receiver.received
    assert received.body == b""
    assert [received.header(name.lower()) for name, _ in headers] == [value for _, value in headers]


def test_returns_status_headers_body_and_timings(transport: Transport) -> None:
    reply = b"HTTP/1.1 418 Teapot\r\nX-One: 1\r\nX-Two:  two words \r\nContent-Length: 5\r\n\r\nshort"
    with HostileReceiver(answer_every(reply)) as receiver:
        got = send_for_answer(transport, receiver.url(host="localhost"))
    assert (got.status_code, got.body, got.truncated) == (418, b"short", False)
    assert got.headers == (("X-One", "1"), ("X-Two", "two words"), ("Content-Length", "5"))
    assert (got.peer_address, got.connection_reused) == ("127.0.0.1", False)
    timings = got.timings
    assert timings.tls_ms is None
    assert timings.dns_ms is not None
    assert timings.connect_ms is not None
    assert timings.first_byte_ms is not None
    assert timings.total_ms is not None
    assert timings.dns_ms + timings.connect_ms <= timings.first_byte_ms <= timings.total_ms


def test_keeps_bytes_that_are_no_text(transport: Transport) -> None:
    reply = b"HTTP/1.1 200 OK\r\nX-Latin: sm\xf6rg\xe5s\r\nContent-Length: 5\r\n\r\n\x00\xff\xfe\x00a"
    with HostileReceiver(answer_every(reply)) as receiver:
        got = send_for_answer(transport, receiver.url())
    assert got.body == b"\x00\xff\xfe\x00a"
    assert got.headers[0] == ("X-Latin", "smörgås")


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_a_redirect_is_the_answer_and_its_target_is_never_visited(transport: Transport, status: int) -> None:
    with HostileReceiver(answer_every(OK)) as target:
        reply = f"HTTP/1.1 {status} Moved\r\nLocation: {target.url('/secret')}\r\nContent-Length: 0\r\n\r\n".encode()
        with HostileReceiver(answer_every(reply)) as receiver:
            got = send_for_answer(transport, receiver.url())
            assert got.status_code == status
            assert ("Location", target.url("/secret")) in got.headers
    assert target.connections == 0


@pytest.mark.parametrize(
    "head",
    [
        b"HTTP/1.1 204 No Content\r\n\r\n",
        b"HTTP/1.1 304 Not Modified\r\nContent-Length: 10\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n",
    ],
)
def test_an_answer_without_a_body_ends_with_its_headers(transport: Transport, head: bytes) -> None:
    with HostileReceiver(answer(head)) as receiver:
        assert send_for_answer(transport, receiver.url()).body == b""


def test_interim_answers_are_passed_over(transport: Transport) -> None:
    interim = (
        b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 102 Processing\r\n\r\nHTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n"
    )
    with HostileReceiver(answer_every(interim * 3 + OK)) as receiver:
        got = send_for_answer(transport, receiver.url())
    assert (got.status_code, got.headers, got.body) == (200, (("Content-Length", "2"),), b"ok")


@pytest.mark.parametrize(
    ("body", "kept", "truncated"),
    [
        (b"5\r\nhello\r\n0\r\n\r\n", b"hello", False),
        (b"5\r\nhello\r\n0\r\nX-Trailer: late\r\n\r\n", b"hello", False),
    ],
)
def test_a_chunked_body_is_put_together(transport: Transport, body: bytes, kept: bytes, truncated: bool) -> None:
    reply = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n" + body
    with HostileReceiver(answer_every(reply)) as receiver:
        got = send_for_answer(transport, receiver.url())
    assert (got.body, got.truncated, got.headers) == (kept, truncated, (("Transfer-Encoding", "chunked"),))


def test_a_body_without_a_length_ends_with_the_connection(transport: Transport) -> None:
    with HostileReceiver(answer(b"HTTP/1.0 200 OK\r\n\r\nall of it", then=close)) as receiver:
        assert send_for_answer(transport, receiver.url()).body == b"all of it"


# Kept 100 and read 300 bytes: up to 100 it is whole; up to 300 it is read to its end and the connection lives.
@pytest.mark.parametrize(
    ("length", "truncated", "reused"),
    [(100, False, True), (101, True, True), (300, True, True), (200_000, True, False)],
)
def test_a_body_over_the_cap_is_an_answer_cut_short(
    transport_name: TransportName, length: int, truncated: bool, reused: bool
) -> None:
    transport = open_transport(transport_name, loopback_options(max_body_bytes=100, max_read_bytes=300))
    reply = b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % length + b"x" * length
    with HostileReceiver(answer_every(reply)) as receiver:
        first = send_for_answer(transport, receiver.url())
        second = send_for_answer(transport, receiver.url())
        transport.close(0)
    assert (first.status_code, first.body, first.truncated) == (200, b"x" * min(length, 100), truncated)
    assert second.connection_reused is reused


def test_a_cap_larger_than_what_is_read_is_read_to_its_end(transport_name: TransportName) -> None:
    transport = open_transport(transport_name, loopback_options(max_body_bytes=200_000, max_read_bytes=300))
    with HostileReceiver(
        answer_every(b"HTTP/1.1 200 OK\r\nContent-Length: 200000\r\n\r\n" + b"x" * 200_000)
    ) as receiver:
        got = send_for_answer(transport, receiver.url())
        transport.close(0)
    assert (len(got.body), got.truncated) == (200_000, False)


def test_an_endless_body_is_cut_at_the_cap(transport: Transport) -> None:
    def pour(conversation: Conversation) -> None:
        conversation.read_request()
        conversation.send(b"HTTP/1.1 200 OK\r\n\r\n")
        while conversation.send(b"x" * 65536):
            pass

    with HostileReceiver(pour) as receiver:
        got = send_for_answer(transport, receiver.url())
    assert (got.status_code, len(got.body), got.truncated) == (200, 16 * 1024, True)


def test_a_gzip_bomb_stays_packed(transport: Transport) -> None:
    bomb = gzip.compress(b"\0" * 5_000_000)
    head = b"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: %d\r\n\r\n" % len(bomb)
    with HostileReceiver(answer_every(head + bomb)) as receiver:
        got = send_for_answer(transport, receiver.url())
    assert got.body == bomb[: 16 * 1024]


@pytest.mark.parametrize(
    "garbage",
    [
        b"HTTP/1.1 abc OK\r\n\r\n",
        b"HTTP/1.1 99 Low\r\n\r\n",
        b"HTTP/4.2 200 OK\r\n\r\n",
        b"SSH-2.0-OpenSSH_9.2\r\n",
        b"<html>HTTP/0.9 has no head</html>\r\n",
        b"\r\n\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nX-Nul: a\0b\r\nContent-Length: 0\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nno colon here\r\nContent-Length: 0\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\nContent-Length: 7\r\n\r\nabcdefg",
        b"HTTP/1.1 200 OK\r\nContent-Length: five\r\n\r\nabcde",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\nabc",
        b"HTTP/1.1 200 OK\r\n" + b"".join(b"X-%d: filler\r\n" % number for number in range(10_000)) + b"\r\n",
        b"HTTP/1.1 200 OK\r\nX-Long: " + b"x" * 400_000 + b"\r\n\r\n",
        b"HTTP/1.1 200 OK\r\n" + b"X-Long: %s\r\n" % (b"x" * 40_000) * 9 + b"\r\n",
    ],
    ids=lambda garbage: repr(garbage[:24]),
)
def test_what_is_not_http_is_a_bad_response(transport: Transport, garbage: bytes) -> None:
    with HostileReceiver(answer(garbage, then=close)) as receiver:
        got = send_in_vain(transport, receiver.url())
    assert got.kind is FailureKind.BAD_RESPONSE
    assert len(receiver.received) == 1


def test_headers_are_kept_up_to_the_cap(transport_name: TransportName) -> None:
    transport = open_transport(transport_name, loopback_options(max_header_bytes=500))
    lines = b"".join(b"X-%02d: %s\r\n" % (number, b"v" * 40) for number in range(50))
    with HostileReceiver(answer_every(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n" + lines + b"\r\n")) as receiver:
        got = send_for_answer(transport, receiver.url())
        transport.close(0)
    assert 8 <= len(got.headers) <= 10
    assert all(len(value) == 40 for name, value in got.headers if name.startswith("X-"))


def test_the_next_request_is_not_disturbed_by_what_followed_the_last_answer(transport: Transport) -> None:
    """An answer that nobody asked for, sent after a whole one, must not be taken for the next request's."""

    def forge(conversation: Conversation) -> None:
        while (received := conversation.read_request()) is not None:
            number = received.header("x-number")
            reply = f"HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\n{number}"
            forged = "HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\nforged"
            conversation.send((reply + forged).encode())

    with HostileReceiver(forge) as receiver:
        for number in "123":
            got = send(transport, receiver.url(), headers=(("X-Number", number),))
            assert getattr(got, "body", b"") in (number.encode(), b"")
