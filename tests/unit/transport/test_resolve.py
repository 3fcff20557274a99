"""Names become vetted addresses, once for everybody who asks."""

from __future__ import annotations

import socket
import threading
from ipaddress import ip_network
from queue import SimpleQueue
from typing import Any

import pytest

from deliveries.transport import DestinationBlocked, TransportOptions
from deliveries.transport.errors import NameNotResolved
from deliveries.transport.resolve import Resolution, Resolver, absolute_name
from webhookhub.targets import parse_url

LOOPBACK = TransportOptions(allow_cidrs=(ip_network("127.0.0.0/8"),))


@pytest.mark.parametrize(
    ("host", "asked"), [("example.com", "example.com."), ("a.b.c", "a.b.c."), ("localhost", "localhost")]
)
def test_a_name_with_dots_is_asked_for_as_absolute(host: str, asked: str) -> None:
    assert absolute_name(host) == asked


def test_a_literal_address_is_vetted_and_not_asked_for() -> None:
    resolver = Resolver(LOOPBACK)
    assert resolver.known(parse_url("http://127.0.0.1/")) == ("127.0.0.1",)
    assert resolver.known(parse_url("http://1.1.1.1/")) == ("1.1.1.1",)
    assert isinstance(resolver.known(parse_url("http://10.0.0.1/")), DestinationBlocked)


def test_many_who_ask_at_once_get_one_answer_to_one_question(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[str] = []
    go_on = threading.Event()

    def answer(host: str, *args: Any, **options: Any) -> list[Any]:
        asked.append(host)
        go_on.wait()
        return [(None, None, None, "", ("127.0.0.1", 0)), (None, None, None, "", ("127.0.0.2", 0))]

    monkeypatch.setattr(socket, "getaddrinfo", answer)
    resolver = Resolver(LOOPBACK)
    answers: SimpleQueue[Resolution] = SimpleQueue()
    for _ in range(20):
        resolver.look_up("many.example", answers.put)
    go_on.set()
    assert [answers.get(timeout=5) for _ in range(20)] == [("127.0.0.1", "127.0.0.2")] * 20
    assert resolver.known(parse_url("http://many.example/")) == ("127.0.0.1", "127.0.0.2")
    assert asked == ["many.example."]
    resolver.close()


@pytest.mark.parametrize("failure", [socket.gaierror("no such name"), OSError("broken"), UnicodeError("too long")])
def test_a_lookup_that_fails_is_an_answer_too(monkeypatch: pytest.MonkeyPatch, failure: Exception) -> None:
    def fail(*args: Any, **options: Any) -> list[Any]:
        raise failure

    monkeypatch.setattr(socket, "getaddrinfo", fail)
    resolver = Resolver(LOOPBACK)
    answers: SimpleQueue[Resolution] = SimpleQueue()
    resolver.look_up("failing.example", answers.put)
    assert isinstance(answers.get(timeout=5), NameNotResolved)
    resolver.close()


def test_an_address_that_cannot_be_read_is_refused() -> None:
    assert not Resolver(LOOPBACK).is_allowed("not an address")
