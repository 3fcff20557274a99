"""Does every request end in time, whatever the receiver does? `send` asserts the time in each of these tests."""

from __future__ import annotations

import socket
from collections.abc import Iterator

import pytest

from deliveries.transport import FailureKind, Transport
from tests.acceptance.transport.sending import SHORT_SECONDS, send_for_answer, send_in_vain
from tests.receivers.hostile import OK, Conversation, HostileReceiver, answer, answer_every

DRIP_SECONDS = 0.1  # between two bytes: often enough that no timeout between bytes would notice


def drip_headers(conversation: Conversation) -> None:
    conversation.read_request()
    conversation.drip(b"HTTP/1.1 200 OK\r\nX-Slow: " + b"x" * 1000, every_seconds=DRIP_SECONDS)


def drip_body(conversation: Conversation) -> None:
    conversation.read_request()
    conversation.send(b"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n")
    conversation.drip(b"x" * 1000, every_seconds=DRIP_SECONDS)


def drip_interim_answers(conversation: Conversation) -> None:
    conversation.read_request()
    while not conversation.pause(DRIP_SECONDS) and conversation.send(b"HTTP/1.1 103 Early Hints\r\n\r\n"):
        pass


def never_read(conversation: Conversation) -> None:
    conversation.hang()


@pytest.mark.parametrize(
    ("play", "status_code"),
    [
        (answer(b""), None),
        (answer(b"HTTP/1.1 2"), None),
        (drip_interim_answers, None),
        (answer(b"HTTP/1.1 200 OK\r\nContent-Le"), 200),
        (answer(b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhel"), 200),
        (answer(b"HTTP/1.1 503 Busy\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhel"), 503),
        (drip_body, 200),
    ],
    ids=["silence", "half a status line", "endless 103", "half a header", "half a body", "half a chunk", "body drip"],
)
def test_a_receiver_that_stops_or_drips_is_a_timeout(
    transport: Transport, play: object, status_code: int | None
) -> None:
    with HostileReceiver(play) as receiver:  # type: ignore[arg-type]  # pytest loses the type
        got = send_in_vain(transport, receiver.url(), timeout_seconds=SHORT_SECONDS)
    assert (got.kind, got.status_code) == (FailureKind.TIMEOUT, status_code)
    assert len(receiver.received) == 1


def test_dripped_headers_are_a_timeout_with_the_status_that_came(transport: Transport) -> None:
    with HostileReceiver(drip_headers) as receiver:
        # The status line alone takes 17 bytes * 0.1 s.
        got = send_in_vain(transport, receiver.url(), timeout_seconds=2.5)
    assert (got.kind, got.status_code) == (FailureKind.TIMEOUT, 200)


def test_a_slow_answer_within_the_limit_is_an_answer(transport: Transport) -> None:
    def answer_slowly(conversation: Conversation) -> None:
        conversation.read_request()
        conversation.pause(0.3)
        conversation.drip(OK, every_seconds=0.001)

    with HostileReceiver(answer_slowly) as receiver:
        got = send_for_answer(transport, receiver.url())
    assert got.timings.first_byte_ms is not None
    assert got.timings.first_byte_ms >= 300


def test_ten_megabytes_to_a_receiver_that_never_reads_end_at_the_limit(transport: Transport) -> None:
    with HostileReceiver(never_read, receive_buffer_bytes=4096) as receiver:
        got = send_in_vain(transport, receiver.url(), body=b"x" * 10_000_000, timeout_seconds=SHORT_SECONDS)
    assert got.kind is FailureKind.TIMEOUT


def test_a_tls_handshake_that_stalls_ends_at_the_limit(transport: Transport) -> None:
    with HostileReceiver(never_read) as receiver:
        url = receiver.url().replace("http:", "https:")
        got = send_in_vain(transport, url, timeout_seconds=SHORT_SECONDS)
    assert got.kind is FailureKind.TIMEOUT


def test_a_reused_connection_has_the_deadline_of_its_own_request(transport: Transport) -> None:
    def answer_once(conversation: Conversation) -> None:
        conversation.read_request()
        conversation.send(OK)
        conversation.read_request()
        conversation.hang()

    with HostileReceiver(answer_once) as receiver:
        send_for_answer(transport, receiver.url(), timeout_seconds=30)
        got = send_in_vain(transport, receiver.url(), timeout_seconds=SHORT_SECONDS)
    assert (got.kind, got.connection_reused) == (FailureKind.TIMEOUT, True)


def test_an_old_deadline_does_not_end_a_later_request_on_the_same_connection(transport: Transport) -> None:
    def answer_second_slowly(conversation: Conversation) -> None:
        while conversation.read_request() is not None:
            if len(conversation.receiver.received) == 2:
                conversation.pause(2 * SHORT_SECONDS)
            conversation.send(OK)

    with HostileReceiver(answer_second_slowly) as receiver:
        send_for_answer(transport, receiver.url(), timeout_seconds=SHORT_SECONDS)
        assert send_for_answer(transport, receiver.url()).connection_reused


@pytest.fixture
def unanswered_port() -> Iterator[int]:
    """A port whose queue of connections is full: further connection requests are dropped in silence."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen(0)
        waiting = [socket.socket() for _ in range(4)]
        for connection in waiting:
            connection.setblocking(False)
            connection.connect_ex(listener.getsockname())
        yield listener.getsockname()[1]
        for connection in waiting:
            connection.close()


def test_a_connection_that_is_never_accepted_ends_at_the_limit(transport: Transport, unanswered_port: int) -> None:
    got = send_in_vain(transport, f"http://127.0.0.1:{unanswered_port}/", timeout_seconds=SHORT_SECONDS)
    assert got.kind is FailureKind.TIMEOUT


def test_a_request_whose_limit_has_passed_is_not_sent(transport: Transport) -> None:
    with HostileReceiver(answer_every(OK)) as receiver:
        got = send_in_vain(transport, receiver.url(), timeout_seconds=0.0)
    assert (got.kind, receiver.received) == (FailureKind.OTHER, [])
