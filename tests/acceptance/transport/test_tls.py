"""Whom does a transport believe to be the receiver?"""

from __future__ import annotations

import ssl
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
import trustme

from deliveries.transport import Answer, FailureKind, Result, TransportName, open_transport
from tests.acceptance.transport.sending import loopback_options, send
from tests.receivers.hostile import OK, Conversation, HostileReceiver, answer_every


@pytest.fixture(scope="module")
def authority() -> trustme.CA:
    return trustme.CA()


@pytest.fixture
def ca_bundle(authority: trustme.CA, tmp_path: Path) -> str:
    path = tmp_path / "authority.pem"
    authority.cert_pem.write_to_path(str(path))
    return str(path)


def serve_as(certificate: trustme.LeafCert) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    certificate.configure_cert(context)
    return context


def exchange(
    transport_name: TransportName, context: ssl.SSLContext, ca_bundle: str | None, *, times: int = 1
) -> list[Result]:
    transport = open_transport(transport_name, loopback_options(ca_bundle=ca_bundle))
    with HostileReceiver(answer_every(OK), tls=context) as receiver:
        results = [send(transport, receiver.url(host="localhost")) for _ in range(times)]
        transport.close(0)
        if isinstance(results[0], Answer):
            assert len(receiver.received) == times
        else:
            assert receiver.received == []
    return results


def test_a_good_certificate_is_accepted_and_its_connection_reused(
    transport_name: TransportName, authority: trustme.CA, ca_bundle: str
) -> None:
    first, second = exchange(transport_name, serve_as(authority.issue_cert("localhost")), ca_bundle, times=2)
    assert isinstance(first, Answer)
    assert isinstance(second, Answer)
    assert first.timings.tls_ms is not None
    assert first.timings.tls_ms > 0
    assert (second.connection_reused, second.timings.tls_ms) == (True, None)


def test_a_certificate_for_another_name_is_refused(
    transport_name: TransportName, authority: trustme.CA, ca_bundle: str
) -> None:
    (got,) = exchange(transport_name, serve_as(authority.issue_cert("elsewhere.example")), ca_bundle)
    assert not isinstance(got, Answer)
    assert got.kind is FailureKind.TLS


def test_an_expired_certificate_is_refused(
    transport_name: TransportName, authority: trustme.CA, ca_bundle: str
) -> None:
    yesterday = datetime.now(UTC) - timedelta(days=1)
    expired = authority.issue_cert("localhost", not_before=yesterday - timedelta(days=1), not_after=yesterday)
    (got,) = exchange(transport_name, serve_as(expired), ca_bundle)
    assert not isinstance(got, Answer)
    assert got.kind is FailureKind.TLS


def test_an_unknown_authority_is_refused(transport_name: TransportName, authority: trustme.CA) -> None:
    (got,) = exchange(transport_name, serve_as(authority.issue_cert("localhost")), None)
    assert not isinstance(got, Answer)
    assert got.kind is FailureKind.TLS


def test_verification_can_be_switched_off(transport_name: TransportName, authority: trustme.CA) -> None:
    transport = open_transport(transport_name, loopback_options(verify_tls=False))
    with HostileReceiver(answer_every(OK), tls=serve_as(authority.issue_cert("elsewhere.example"))) as receiver:
        assert isinstance(send(transport, receiver.url()), Answer)
        transport.close(0)


def test_a_receiver_that_speaks_no_tls_is_a_tls_failure(transport_name: TransportName) -> None:
    def answer_in_plain(conversation: Conversation) -> None:
        conversation.send(b"HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n")
        conversation.hang()

    transport = open_transport(transport_name, loopback_options())
    with HostileReceiver(answer_in_plain) as receiver:
        got = send(transport, receiver.url().replace("http:", "https:"))
        transport.close(0)
    assert not isinstance(got, Answer)
    assert got.kind is FailureKind.TLS


def test_a_deadline_holds_over_tls(transport_name: TransportName, authority: trustme.CA, ca_bundle: str) -> None:
    def drip_body(conversation: Conversation) -> None:
        conversation.read_request()
        conversation.send(b"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n")
        conversation.drip(b"x" * 1000, every_seconds=0.1)

    transport = open_transport(transport_name, loopback_options(ca_bundle=ca_bundle))
    with HostileReceiver(drip_body, tls=serve_as(authority.issue_cert("localhost"))) as receiver:
        got = send(transport, receiver.url(host="localhost"), timeout_seconds=0.6)
        transport.close(0)
    assert not isinstance(got, Answer)
    assert (got.kind, got.status_code) == (FailureKind.TIMEOUT, 200)
