"""Is anything sent to where it must not go?"""

from __future__ import annotations

import socket
import threading
from collections.abc import Callable, Iterator
from ipaddress import ip_network
from typing import Any

import pytest

from deliveries.transport import FailureKind, Transport, TransportName, TransportOptions, open_transport
from deliveries.transport.resolve import Resolver
from tests.acceptance.transport.sending import SHORT_SECONDS, loopback_options, send_for_answer, send_in_vain
from tests.receivers.hostile import OK, HostileReceiver, answer_every

_released = threading.Event()


@pytest.fixture
def release() -> Iterator[None]:
    """Lets hanging lookups end after the test."""
    _released.clear()
    yield
    _released.set()


def _hang_until_released() -> list[str]:
    _released.wait()
    return []


def _answer_with(monkeypatch: pytest.MonkeyPatch, addresses: Callable[[], list[str]]) -> None:
    ask = socket.getaddrinfo

    def answer(host: str, port: object, *args: Any, **options: Any) -> list[Any]:
        if not host.endswith(".example."):
            return ask(host, port, *args, **options)  # type: ignore[arg-type]  # passed through as it came
        return [(None, None, None, "", (address, port)) for address in addresses()]

    monkeypatch.setattr(socket, "getaddrinfo", answer)


EVERYTHING = (ip_network("0.0.0.0/0"), ip_network("::/0"))


@pytest.mark.parametrize(
    "host",
    ["127.0.0.1", "localhost", "10.0.0.1", "192.168.0.1", "172.16.0.1", "100.64.0.1", "169.254.169.254", "0.0.0.0",
     "[::1]", "[::]", "[::ffff:127.0.0.1]", "[fe80::1]", "[fd00:ec2::254]", "[64:ff9b::7f00:1]"],
)  # fmt: skip
def test_private_and_special_addresses_are_refused_by_default(transport_name: TransportName, host: str) -> None:
    transport = open_transport(transport_name, TransportOptions())
    with HostileReceiver(answer_every(OK)) as receiver:
        got = send_in_vain(transport, f"http://{host}:{receiver.port}/")
        transport.close(0)
    assert (got.kind, got.message, got.peer_address) == (FailureKind.BLOCKED, "destination not allowed", None)
    assert receiver.connections == 0


@pytest.mark.parametrize("host", ["169.254.169.254", "100.100.100.200", "224.0.0.1", "0.0.0.0", "[fe80::1]", "[::]"])
def test_metadata_multicast_and_unspecified_addresses_are_refused_though_everything_is_allowed(
    transport_name: TransportName, host: str
) -> None:
    transport = open_transport(transport_name, TransportOptions(allow_cidrs=EVERYTHING))
    got = send_in_vain(transport, f"http://{host}/", timeout_seconds=SHORT_SECONDS)
    transport.close(0)
    assert got.kind is FailureKind.BLOCKED


def test_an_allowed_network_opens_only_itself(transport_name: TransportName) -> None:
    transport = open_transport(transport_name, TransportOptions(allow_cidrs=(ip_network("127.0.0.0/31"),)))
    with HostileReceiver(answer_every(OK)) as receiver:
        assert send_for_answer(transport, receiver.url()).status_code == 200
        assert send_in_vain(transport, receiver.url(host="127.0.0.2")).kind is FailureKind.BLOCKED
        transport.close(0)
    assert receiver.connections == 1


@pytest.mark.parametrize("answers", [["203.0.113.7", "127.0.0.1"], ["127.0.0.1", "10.0.0.1"], ["::1", "127.0.0.1"]])
def test_one_bad_answer_condemns_a_name(
    transport_name: TransportName, monkeypatch: pytest.MonkeyPatch, answers: list[str]
) -> None:
    """The name server is the one thing here that does not really run: which addresses it gives is the test's matter."""
    _answer_with(monkeypatch, lambda: answers)
    transport = open_transport(transport_name, TransportOptions(allow_cidrs=(ip_network("127.0.0.0/8"),)))
    with HostileReceiver(answer_every(OK)) as receiver:
        got = send_in_vain(transport, receiver.url(host="mixed.example"))
        transport.close(0)
    assert (got.kind, receiver.connections) == (FailureKind.BLOCKED, 0)


def test_a_name_that_points_elsewhere_on_the_second_question_is_asked_only_once(
    transport_name: TransportName, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Rebinding: what was vetted is what is connected to."""
    questions = []

    def rebind() -> list[str]:
        questions.append(1)
        return ["127.0.0.1"] if len(questions) == 1 else ["10.0.0.1"]

    _answer_with(monkeypatch, rebind)
    transport = open_transport(transport_name, loopback_options(resolve_cache_seconds=60))
    with HostileReceiver(answer_every(OK)) as receiver:
        got = send_for_answer(transport, receiver.url(host="rebinding.example"))
        transport.close(0)
    assert (got.peer_address, len(questions)) == ("127.0.0.1", 1)
    assert receiver.received[0].header("host") == f"rebinding.example:{receiver.port}"


def test_a_name_that_turns_bad_is_refused_when_it_is_looked_up_again(
    transport_name: TransportName, monkeypatch: pytest.MonkeyPatch
) -> None:
    answers = ["127.0.0.1"]
    _answer_with(monkeypatch, lambda: answers)
    transport = open_transport(transport_name, loopback_options(resolve_cache_seconds=0))
    with HostileReceiver(answer_every(OK)) as receiver:
        send_for_answer(transport, receiver.url(host="turning.example"))
        answers[:] = ["10.0.0.1"]
        got = send_in_vain(transport, receiver.url(host="turning.example"))
        transport.close(0)
    assert (got.kind, len(receiver.received)) == (FailureKind.BLOCKED, 1)


def test_a_mistake_in_vetting_a_name_is_caught_before_its_address_is_connected_to(
    transport_name: TransportName, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Resolver, "_vet", lambda self, addresses: addresses)
    transport = open_transport(transport_name, TransportOptions())
    with HostileReceiver(answer_every(OK)) as receiver:
        got = send_in_vain(transport, receiver.url(host="localhost"))
        transport.close(0)
    assert (got.kind, got.peer_address, receiver.connections) == (FailureKind.BLOCKED, None, 0)


def test_a_reused_connection_is_checked_again(transport_name: TransportName, monkeypatch: pytest.MonkeyPatch) -> None:
    refused: set[str] = set()
    monkeypatch.setattr(Resolver, "is_allowed", lambda self, address: address not in refused)
    transport = open_transport(transport_name, loopback_options(resolve_cache_seconds=60))
    with HostileReceiver(answer_every(OK)) as receiver:
        send_for_answer(transport, receiver.url(host="localhost"))
        refused.add("127.0.0.1")
        got = send_in_vain(transport, receiver.url(host="localhost"))
        transport.close(0)
    assert (got.kind, len(receiver.received), receiver.connections) == (FailureKind.BLOCKED, 1, 1)


def test_the_next_address_is_tried_when_one_refuses(
    transport_name: TransportName, monkeypatch: pytest.MonkeyPatch
) -> None:
    _answer_with(monkeypatch, lambda: ["127.0.0.9", "127.0.0.1"])
    transport = open_transport(transport_name, loopback_options())
    with HostileReceiver(answer_every(OK)) as receiver:
        got = send_for_answer(transport, receiver.url(host="two.example"))
        transport.close(0)
    assert got.peer_address == "127.0.0.1"


def test_a_name_without_an_address_is_a_dns_failure(transport: Transport) -> None:
    assert send_in_vain(transport, "http://nothing.invalid/").kind is FailureKind.DNS


def test_name_servers_that_do_not_answer_end_the_request_in_time(
    transport_name: TransportName, monkeypatch: pytest.MonkeyPatch, release: None
) -> None:
    _answer_with(monkeypatch, _hang_until_released)
    transport = open_transport(transport_name, loopback_options(resolve_timeout_seconds=0.3))
    got = send_in_vain(transport, "http://slow.example/")
    transport.close(0)
    assert got.kind is FailureKind.DNS
    assert got.timings.total_ms is not None
    assert got.timings.total_ms < 1000


@pytest.mark.parametrize(
    "url",
    ["http://user:secret@example.com/", "ftp://example.com/", "http://exa mple.com/", "http://[fe80::1%25eth0]/",
     "http://0x7f.1/", "http://2130706433/", "http://127.1/", "http://example.com/\r\nX: y"],
)  # fmt: skip
def test_a_url_that_can_be_read_in_two_ways_is_refused(transport: Transport, url: str) -> None:
    assert send_in_vain(transport, url).kind is FailureKind.BAD_URL


@pytest.mark.parametrize(
    "header",
    [("X-A", "a\r\nX-B: b"), ("X-A", "a\nb"), ("X-A", "a\0b"), ("X-A", "\r"), ("X-A: b\r\nX-C", "d"), ("X A", "b"),
     ("", "b"), ("X-A", "日本")],
)  # fmt: skip
def test_a_header_that_would_break_the_request_apart_is_refused(transport: Transport, header: tuple[str, str]) -> None:
    with HostileReceiver(answer_every(OK)) as receiver:
        got = send_in_vain(transport, receiver.url(), headers=(("X-Good", "1"), header))
        assert got.kind is FailureKind.BAD_URL
        assert "header" in got.message
        send_for_answer(transport, receiver.url())
    assert len(receiver.received) == 1


def test_proxies_of_the_environment_are_ignored(transport_name: TransportName, monkeypatch: pytest.MonkeyPatch) -> None:
    with HostileReceiver(answer_every(OK)) as proxy, HostileReceiver(answer_every(OK)) as receiver:
        for name in ("http_proxy", "HTTP_PROXY", "https_proxy", "HTTPS_PROXY", "all_proxy", "ALL_PROXY"):
            monkeypatch.setenv(name, proxy.url())
        transport = open_transport(transport_name, loopback_options())
        send_for_answer(transport, receiver.url())
        transport.close(0)
    assert (proxy.connections, len(receiver.received)) == (0, 1)


def test_the_operators_proxy_gets_the_request_and_resolves_the_name(transport_name: TransportName) -> None:
    with HostileReceiver(answer_every(OK)) as proxy:
        transport = open_transport(transport_name, TransportOptions(proxy_url=proxy.url()))
        send_for_answer(transport, "http://known-to-the-proxy.invalid/path")
        transport.close(0)
    assert proxy.received[0].request_line == "POST http://known-to-the-proxy.invalid/path HTTP/1.1"


def test_a_proxy_that_is_down_is_not_the_receivers_failure(transport_name: TransportName) -> None:
    with socket.socket() as reserved:
        reserved.bind(("127.0.0.1", 0))
        proxy_url = f"http://127.0.0.1:{reserved.getsockname()[1]}"
        transport = open_transport(transport_name, TransportOptions(proxy_url=proxy_url))
        kinds = [send_in_vain(transport, url).kind for url in ("http://a.invalid/", "https://a.invalid/")]
        transport.close(0)
    assert kinds == [FailureKind.PROXY, FailureKind.PROXY]


def test_a_proxy_that_refuses_to_connect_is_not_the_receivers_failure(transport_name: TransportName) -> None:
    with HostileReceiver(answer_every(b"HTTP/1.1 502 Bad Gateway\r\nContent-Length: 0\r\n\r\n")) as proxy:
        transport = open_transport(transport_name, TransportOptions(proxy_url=proxy.url()))
        got = send_in_vain(transport, "https://known-to-the-proxy.invalid/")
        transport.close(0)
    assert got.kind is FailureKind.PROXY
    assert proxy.received[0].request_line.startswith("CONNECT known-to-the-proxy.invalid:443 HTTP/1.")
