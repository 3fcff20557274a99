"""URLs are read in one way, or refused."""

from __future__ import annotations

from urllib.parse import urlsplit

import pytest
from hypothesis import given
from hypothesis import strategies as st

from webhookhub.errors import BadUrlError
from webhookhub.targets import parse_url

# what was given; what is requested, and the host and port that are connected to
ACCEPTED = [
    ("http://example.com", "http://example.com/", "example.com", 80),
    ("https://example.com/hook?a=1&b=2", "https://example.com/hook?a=1&b=2", "example.com", 443),
    ("HTTPS://EXAMPLE.COM:443/Hook", "https://example.com/Hook", "example.com", 443),
    ("http://example.com:443/", "http://example.com:443/", "example.com", 443),
    ("http://example.com:8080?a", "http://example.com:8080/?a", "example.com", 8080),
    ("http://example.com:/", "http://example.com/", "example.com", 80),
    ("http://example.com./", "http://example.com/", "example.com", 80),
    ("http://a_b.internal-name/", "http://a_b.internal-name/", "a_b.internal-name", 80),
    ("http://localhost/", "http://localhost/", "localhost", 80),
    ("http://bücher.example/", "http://xn--bcher-kva.example/", "xn--bcher-kva.example", 80),
    ("http://xn--bcher-kva.example/", "http://xn--bcher-kva.example/", "xn--bcher-kva.example", 80),
    ("http://faß.example/", "http://xn--fa-hia.example/", "xn--fa-hia.example", 80),
    ("http://1.2.3.4/", "http://1.2.3.4/", "1.2.3.4", 80),
    ("http://[2001:DB8:0::1]:81/", "http://[2001:db8::1]:81/", "2001:db8::1", 81),
    ("http://１２７.０.０.１/", "http://127.0.0.1/", "127.0.0.1", 80),
    ("http://①②⑦.0.0.1/", "http://127.0.0.1/", "127.0.0.1", 80),
    ("http://127。0。0。1/", "http://127.0.0.1/", "127.0.0.1", 80),
    ("http://h/%2f%zz%", "http://h/%2F%25zz%25", "h", 80),
    ("http://h/ä?ö=ü", "http://h/%C3%A4?%C3%B6=%C3%BC", "h", 80),
    ("http://h/a/../b;c=d?x=[1]", "http://h/a/../b;c=d?x=%5B1%5D", "h", 80),
    ("http://h/a?b?c", "http://h/a?b?c", "h", 80),
    ("http://h/" + "a" * 2039, "http://h/" + "a" * 2039, "h", 80),  # 9 + 2039 = 2048
    ("http://" + "a" * 63 + ".b/", "http://" + "a" * 63 + ".b/", "a" * 63 + ".b", 80),
]

REFUSED = [
    ("", "http://"),
    ("example.com", "http://"),
    ("ftp://example.com/", "http://"),
    ("file:///etc/passwd", "http://"),
    ("gopher://h/", "http://"),
    ("//example.com/", "http://"),
    ("http://", "host"),
    ("http:///path", "host"),
    ("http://./", "host"),
    ("http://a..b/", "host"),
    ("http://-a.b/", "host"),
    ("http://a-.b/", "host"),
    ("http://a%2eb/", "host"),
    ("http://%31%32%37.0.0.1/", "host"),
    ("http://" + "a" * 64 + ".b/", "host"),
    ("http://" + "a." * 127 + "b/", "host"),  # 2 * 127 + 1 = 255 characters
    ("http://\u2028.example/", "host"),
    ("http://h/" + "a" * 2040, "2048"),
    ("http://user@h/", "user"),
    ("http://user:password@h/", "user"),
    ("http://@h/", "user"),
    ("http://example.com@127.0.0.1/", "user"),
    ("http://h/#fragment", "fragment"),
    ("http://h/#", "fragment"),
    ("http://h /", "space"),
    (" http://h/", "space"),
    ("http://h/a b", "space"),
    ("http://h/\t", "control"),
    ("http://h/\r\nX: y", "control"),
    ("ht\ntp://h/", "control"),
    ("http://h/\0", "control"),
    ("http://h/\x7f", "control"),
    ("http://h\\@evil.example/", "backslash"),
    ("http://h:0/", "port"),
    ("http://h:65536/", "malformed"),
    ("http://h:port/", "malformed"),
    ("http://h:-1/", "malformed"),
    ("http://[::1/", "malformed"),
    ("http://[fe80::1%eth0]/", "zone"),
    ("http://[fe80::1%25eth0]/", "zone"),
    ("http://[1.2.3.4]/", "malformed"),
    ("http://[v1.x]/", "malformed"),
    # All of these are an IPv4 address to inet_aton, and most to libcurl.
    ("http://2130706433/", "address"),
    ("http://0x7f000001/", "address"),
    ("http://0x7f.1/", "address"),
    ("http://0177.0.0.1/", "address"),
    ("http://017700000001/", "address"),
    ("http://127.1/", "address"),
    ("http://127.0.0.0x1/", "address"),
    ("http://0/", "address"),
    ("http://1.2.3.256/", "address"),
    ("http://1.2.3.4.5/", "address"),
    ("http://example.1/", "address"),
]


@pytest.mark.parametrize(("url", "normal", "host", "port"), ACCEPTED, ids=lambda value: repr(value)[:60])
def test_a_url_is_brought_into_one_form(url: str, normal: str, host: str, port: int) -> None:
    target = parse_url(url)
    assert (target.url, target.host, target.port) == (normal, host, port)


@pytest.mark.parametrize(("url", "reason"), REFUSED, ids=lambda value: repr(value)[:60])
def test_a_url_that_could_mislead_is_refused_with_its_reason(url: str, reason: str) -> None:
    with pytest.raises(BadUrlError, match=reason):
        parse_url(url)


def test_only_an_address_has_an_address() -> None:
    assert parse_url("http://example.com/").address is None
    assert str(parse_url("http://1.2.3.4/").address) == "1.2.3.4"
    assert str(parse_url("http://[::1]/").address) == "::1"


def test_ports_can_be_limited() -> None:
    ports = frozenset({80, 443, 8443})
    assert parse_url("https://h:8443/", ports=ports).port == 8443
    with pytest.raises(BadUrlError, match="port 8080 is not allowed"):
        parse_url("http://h:8080/", ports=ports)


@given(st.text(max_size=40), st.text(max_size=40))
def test_what_is_accepted_means_the_same_to_another_parser(host: str, rest: str) -> None:
    try:
        target = parse_url(f"http://{host}/{rest}")
    except BadUrlError:
        return
    assert target.url.isascii()
    parts = urlsplit(target.url)
    assert (parts.hostname, parts.port or 80, parts.username) == (target.host, target.port, None)
    assert parse_url(target.url) == target
