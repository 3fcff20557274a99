"""Is `done` called once for each request, whoever starts it and however the transport ends?"""

from __future__ import annotations

import os
import threading
import time
from collections import Counter
from queue import SimpleQueue

import pytest

from deliveries.transport import (
    Answer,
    FailureKind,
    NoAnswer,
    Result,
    Transport,
    TransportClosed,
    TransportName,
    TransportOptions,
    open_transport,
)
from tests.acceptance.transport.sending import (
    GRACE_SECONDS,
    SHORT_SECONDS,
    loopback_options,
    make_request,
    send,
    send_for_answer,
)
from tests.receivers.hostile import OK, Conversation, HostileReceiver, answer, answer_every


def test_many_threads_start_requests_and_each_is_done_once(transport: Transport) -> None:
    done: Counter[tuple[int, int]] = Counter()
    finished = threading.Semaphore(0)

    def start_fifty(thread: int) -> None:
        for number in range(50):

            def note(result: Result, key: tuple[int, int] = (thread, number)) -> None:
                done[key] += isinstance(result, Answer)
                finished.release()

            transport.start(make_request(receiver.url()), note)

    with HostileReceiver(answer_every(OK)) as receiver:
        threads = [threading.Thread(target=start_fifty, args=(number,)) for number in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        for _ in range(200):
            assert finished.acquire(timeout=10)
    assert done == Counter({(thread, number): 1 for thread in range(4) for number in range(50)})
    assert len(receiver.received) == 200


def test_a_request_may_be_started_from_inside_done(transport: Transport) -> None:
    numbers = iter(range(50))
    finished = threading.Event()

    def start_next(result: Result) -> None:
        assert isinstance(result, Answer)
        if next(numbers, None) is None:
            finished.set()
        else:
            transport.start(make_request(receiver.url()), start_next)

    with HostileReceiver(answer_every(OK)) as receiver:
        transport.start(make_request(receiver.url()), start_next)
        assert finished.wait(10)
    assert len(receiver.received) == 51


def test_a_done_that_raises_harms_no_other_request(transport: Transport, caplog: pytest.LogCaptureFixture) -> None:
    def fail(result: Result) -> None:
        raise RuntimeError("a mistake of the caller")

    with HostileReceiver(answer_every(OK)) as receiver:
        for _ in range(5):
            transport.start(make_request(receiver.url()), fail)
        send_for_answer(transport, receiver.url())
        transport.close(5)
    assert caplog.text.count("RuntimeError: a mistake") == 5


def test_hanging_requests_do_not_hold_up_the_others(transport_name: TransportName) -> None:
    transport = open_transport(transport_name, loopback_options(threads=60))
    with HostileReceiver(answer(b"")) as hanging, HostileReceiver(answer_every(OK)) as receiver:
        ended: SimpleQueue[Result] = SimpleQueue()
        for _ in range(50):
            transport.start(make_request(hanging.url(), timeout_seconds=1.0), ended.put)
        for _ in range(20):
            send_for_answer(transport, receiver.url(), timeout_seconds=1.0)
        results = [ended.get(timeout=5) for _ in range(50)]
        transport.close(0)
    assert {result.kind for result in results if isinstance(result, NoAnswer)} == {FailureKind.TIMEOUT}


def test_a_request_for_which_no_connection_becomes_free_is_not_sent(transport_name: TransportName) -> None:
    transport = open_transport(transport_name, loopback_options(max_connections=1, threads=1))
    with HostileReceiver(answer(b"")) as hanging, HostileReceiver(answer_every(OK)) as receiver:
        transport.start(make_request(hanging.url(), timeout_seconds=2.0), lambda result: None)
        got = send(transport, receiver.url(), timeout_seconds=SHORT_SECONDS)
        transport.close(0)
    assert isinstance(got, NoAnswer)
    assert (got.kind, receiver.received) == (FailureKind.OTHER, [])


def test_a_request_that_ended_at_its_deadline_frees_its_connection(transport_name: TransportName) -> None:
    def drip_body(conversation: Conversation) -> None:
        conversation.read_request()
        conversation.send(b"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n")
        conversation.drip(b"x" * 1000, every_seconds=0.1)

    transport = open_transport(transport_name, loopback_options(max_connections=1, threads=1))
    with HostileReceiver(drip_body) as dripping, HostileReceiver(answer_every(OK)) as receiver:
        assert isinstance(send(transport, dripping.url(), timeout_seconds=SHORT_SECONDS), NoAnswer)
        send_for_answer(transport, receiver.url(), timeout_seconds=SHORT_SECONDS)
        transport.close(0)


def test_requests_beyond_the_connections_wait_for_their_turn(transport_name: TransportName) -> None:
    transport = open_transport(transport_name, loopback_options(max_connections=2, threads=2))
    results: SimpleQueue[Result] = SimpleQueue()
    with HostileReceiver(answer_every(OK)) as receiver:
        for _ in range(20):
            transport.start(make_request(receiver.url()), results.put)
        assert all(isinstance(results.get(timeout=5), Answer) for _ in range(20))
        transport.close(0)
    assert receiver.connections <= 2


def test_close_waits_for_what_is_on_the_wire(transport: Transport) -> None:
    def answer_late(conversation: Conversation) -> None:
        conversation.read_request()
        arrived.set()
        conversation.pause(0.3)
        conversation.send(OK)

    arrived = threading.Event()
    results: list[Result] = []
    with HostileReceiver(answer_late) as receiver:
        transport.start(make_request(receiver.url()), results.append)
        assert arrived.wait(5)
        transport.close(5)
        assert [type(result) for result in results] == [Answer]


def test_close_ends_the_rest_and_takes_nothing_more(transport: Transport) -> None:
    arrived = threading.Semaphore(0)

    def hang(conversation: Conversation) -> None:
        conversation.read_request()
        arrived.release()
        conversation.hang()

    results: list[Result] = []
    with HostileReceiver(hang) as receiver:
        for _ in range(3):
            transport.start(make_request(receiver.url(), timeout_seconds=60), results.append)
        for _ in range(3):
            assert arrived.acquire(timeout=5)
        started_at = time.monotonic()
        transport.close(0.1)
        assert time.monotonic() - started_at < 0.1 + GRACE_SECONDS
        assert [result.kind for result in results if isinstance(result, NoAnswer)] == [FailureKind.OTHER] * 3
        with pytest.raises(TransportClosed):
            transport.start(make_request(receiver.url()), results.append)
        transport.close(0)
    assert len(results) == 3


def test_a_transport_that_was_never_used_has_no_thread(transport_name: TransportName) -> None:
    before = set(threading.enumerate())
    transport = open_transport(transport_name, TransportOptions())
    assert set(threading.enumerate()) <= before
    transport.close(1)


def test_close_leaves_no_thread_and_no_descriptor_behind(transport_name: TransportName) -> None:
    def use_once() -> None:
        transport = open_transport(transport_name, loopback_options())
        send_for_answer(transport, receiver.url(host="localhost"))
        transport.close(1)

    with HostileReceiver(answer_every(OK)) as receiver:
        use_once()  # whatever is opened once in a process, is now
        receiver.wait_for_conversations()
        before = len(os.listdir("/proc/self/fd"))
        for _ in range(5):
            use_once()
        receiver.wait_for_conversations()
        assert len(os.listdir("/proc/self/fd")) <= before
    for thread in threading.enumerate():
        if thread.name.startswith(("curl-", "requests-", "resolver")):
            thread.join(5)
            assert not thread.is_alive()
