"""Is one request ever sent twice? The receiver counts while connections are closed under the sender's hands."""

from __future__ import annotations

import socket
import time

import pytest

from deliveries.transport import Answer, FailureKind, Transport, TransportName, open_transport
from tests.acceptance.transport.sending import loopback_options, send, send_for_answer, send_in_vain
from tests.receivers.hostile import OK, Conversation, HostileReceiver, Play, answer, answer_every, close


@pytest.mark.parametrize("end", [close, Conversation.reset], ids=["close", "reset"])
@pytest.mark.parametrize(
    ("sent", "status_code"),
    [
        (b"", None),
        (b"HTTP/1.1 20", None),
        (b"HTTP/1.1 200 OK\r\nX-Half: a", 200),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n", 200),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhalf", 200),
        (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n", 200),
    ],
)
def test_a_connection_closed_before_the_answer_is_whole_is_a_reset(
    transport: Transport, sent: bytes, status_code: int | None, end: Play
) -> None:
    with HostileReceiver(answer(sent, then=end)) as receiver:
        got = send_in_vain(transport, receiver.url())
    assert got.kind is FailureKind.RESET
    # A reset may overtake the bytes before it.
    assert got.status_code in ({status_code} if end is close else {status_code, None})
    assert len(receiver.received) == 1


def test_a_connection_closed_in_the_middle_of_the_request_is_a_reset(transport: Transport) -> None:
    def reset_at_first_byte(conversation: Conversation) -> None:
        conversation.connection.recv(1)
        conversation.reset()

    with HostileReceiver(reset_at_first_byte) as receiver:
        got = send_in_vain(transport, receiver.url(), body=b"x" * 1_000_000)
    assert (got.kind, receiver.connections) == (FailureKind.RESET, 1)


def test_connections_are_reused(transport: Transport) -> None:
    with HostileReceiver(answer_every(OK)) as receiver:
        reused = [send_for_answer(transport, receiver.url()).connection_reused for _ in range(5)]
    assert (reused, receiver.connections) == ([False, True, True, True, True], 1)


def test_a_reused_connection_that_closes_on_the_second_request_is_a_reset_and_nothing_is_sent_again(
    transport: Transport,
) -> None:
    def close_on_second(conversation: Conversation) -> None:
        if conversation.read_request() is not None:
            conversation.send(OK)
            conversation.read_request()

    with HostileReceiver(close_on_second) as receiver:
        send_for_answer(transport, receiver.url())
        got = send_in_vain(transport, receiver.url())
    assert (got.kind, got.connection_reused) == (FailureKind.RESET, True)
    assert len(receiver.received) == 2


def test_an_idle_connection_that_the_receiver_closed_is_replaced_unnoticed(transport: Transport) -> None:
    with HostileReceiver(answer(OK, then=close)) as receiver:
        for number in range(1, 11):
            send_for_answer(transport, receiver.url())
            # Closed for certain, not merely about to be: the receiver's thread has ended.
            receiver.wait_for_conversations()
            assert len(receiver.received) == number


def test_no_request_is_sent_twice_while_the_receiver_closes_at_random(transport: Transport) -> None:
    """Here the close races the next request: either outcome is right, a second copy never is."""
    with HostileReceiver(answer(OK, then=close)) as receiver:
        results = [
            send(transport, receiver.url(), headers=(("X-Number", str(number)),), body=b"x" * number * 100)
            for number in range(100)
        ]
    numbers = [received.header("x-number") for received in receiver.received]
    assert len(numbers) == len(set(numbers))
    assert all(isinstance(result, Answer) or result.kind is FailureKind.RESET for result in results)


@pytest.mark.parametrize(("idle_connection_seconds", "pause_seconds"), [(0, 0.0), (1, 2.1)])
def test_an_old_idle_connection_is_not_reused(
    transport_name: TransportName, idle_connection_seconds: int, pause_seconds: float
) -> None:
    transport = open_transport(transport_name, loopback_options(idle_connection_seconds=idle_connection_seconds))
    with HostileReceiver(answer_every(OK)) as receiver:
        send_for_answer(transport, receiver.url())
        time.sleep(pause_seconds)
        again = send_for_answer(transport, receiver.url())
        transport.close(0)
    assert not again.connection_reused


def test_a_port_where_nobody_listens_is_refused(transport: Transport) -> None:
    with socket.socket() as reserved:
        reserved.bind(("127.0.0.1", 0))
        got = send_in_vain(transport, f"http://127.0.0.1:{reserved.getsockname()[1]}/")
    assert (got.kind, got.status_code, got.peer_address) == (FailureKind.REFUSED, None, "127.0.0.1")
