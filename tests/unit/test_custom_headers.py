"""Which headers a webhook may carry, and what becomes of those that are stored."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from deliveries.transport.headers import check_names, check_values
from subscriptions.custom_headers import (
    CustomHeader,
    GivenHeader,
    check_headers,
    check_name,
    check_value,
    merge_headers,
    replace_headers,
    seal_headers,
    unseal_headers,
)
from subscriptions.errors import HeaderError


def header(name: str, value: str = "1", *, is_secret: bool = False) -> CustomHeader:
    return CustomHeader(name=name, value=value, is_secret=is_secret)


@pytest.mark.parametrize(
    "name",
    [
        *("Host", "content-length", "Content-Type", "Content-Encoding", "Expect", "Accept-Encoding", "User-Agent"),
        # RFC 9110, section 7.6.1, and what older HTTP had besides.
        *("Connection", "Keep-Alive", "TE", "Trailer", "Transfer-Encoding", "Upgrade", "Proxy-Connection"),
        *("Proxy-Authorization", "HTTP2-Settings"),
        # The hub's own.
        *(
            "webhook-id",
            "Webhook-Signature",
            "webhook-anything",
            "X-Webhook-Id",
            "x-webhook-anything",
            "X-Correlation-Id",
        ),
    ],
)
def test_names_of_the_connection_and_of_the_hub_are_not_the_webhook_s_to_set(name: str) -> None:
    with pytest.raises(HeaderError) as error:
        check_name(name, field=f"headers.{name}")
    assert error.value.field == f"headers.{name}"


@pytest.mark.parametrize("name", ["", "X-A:", "X A", "X\r\nB", "X\0", "Ü", "X-(A)", "x" * 129])
def test_what_is_no_token_is_no_name(name: str) -> None:
    with pytest.raises(HeaderError, match="is no header name"):
        check_name(name, field="-")


@pytest.mark.parametrize("name", ["X-Environment", "Authorization", "Cookie", "X_Under", "!#$%&'*+.^_`|~", "webhooks"])
def test_other_names_are_allowed(name: str) -> None:
    check_name(name, field="-")


@pytest.mark.parametrize("value", ["a\r\nb", "a\nb", "a\rb", "a\0", "a\tb", "a\x7f", "é", " a", "a ", " ", "x" * 4097])
def test_a_value_that_would_break_out_or_not_arrive_as_it_is_given_is_refused(value: str) -> None:
    with pytest.raises(HeaderError):
        check_value(value, field="-")


@pytest.mark.parametrize("value", ["", "a", "a b  c", '"{}:;,', "x" * 4096])
def test_a_value_of_visible_ascii_is_allowed(value: str) -> None:
    check_value(value, field="-")


@given(st.text(max_size=8), st.text(max_size=8))
def test_what_is_allowed_here_is_sendable_by_the_transports(name: str, value: str) -> None:
    try:
        check_headers([header(name, value)])
    except HeaderError:
        return
    check_names((name,))
    check_values(((name, value),))
    assert re.fullmatch(r"[!-~]+: [ -~]*", f"{name}: {value}")


def test_no_message_repeats_a_value() -> None:
    for given_value in ("hush\n", "hush" * 2000):
        with pytest.raises(HeaderError) as error:
            check_value(given_value, field="-")
        assert "hush" not in str(error.value)
    assert "hush" not in repr(header("X-A", "hush"))


def test_stored_headers_stay_in_their_places_and_new_ones_come_behind() -> None:
    stored = (header("X-A"), header("X-B"), header("X-C"))
    merged = merge_headers(stored, {"X-D": GivenHeader("4"), "x-b": GivenHeader("2"), "X-A": None})
    assert [(one.name, one.value) for one in merged] == [("x-b", "2"), ("X-C", "1"), ("X-D", "4")]


def test_replaced_headers_are_those_that_are_given() -> None:
    stored = (header("X-A"), header("X-Key", "kept", is_secret=True))
    replaced = replace_headers(stored, {"X-B": GivenHeader("2"), "X-Key": GivenHeader(None, True)})
    assert {(one.name, one.value) for one in replaced} == {("X-B", "2"), ("X-Key", "kept")}


@pytest.mark.parametrize(
    ("name", "is_secret"),
    [
        *(
            ("Authorization", True),
            ("Cookie", True),
            ("X-Auth-Token", True),
            ("client-SECRET", True),
            ("X-Api-Key", True),
        ),
        *(("X-Password", True), ("X-Environment", False), ("Accept", False), ("X-Author", False)),
    ],
)
def test_names_that_credentials_have_are_secret_unless_they_are_said_not_to_be(name: str, is_secret: bool) -> None:
    (as_it_looks,) = merge_headers((), {name: GivenHeader("1")})
    (as_said,) = merge_headers((), {name: GivenHeader("1", not is_secret)})
    assert (as_it_looks.is_secret, as_said.is_secret) == (is_secret, not is_secret)


def test_headers_are_read_as_they_were_sealed() -> None:
    headers = (header("X-B", "é"), header("X-A", "", is_secret=True))
    assert unseal_headers(seal_headers(headers)) == headers
    assert (seal_headers(()), unseal_headers("")) == ("", ())


@pytest.mark.parametrize(
    "headers",
    [
        [header("X-A"), header("x-a")],
        [header(f"X-{number}") for number in range(33)],
        [header(f"X-{number}", "1" * 4096) for number in range(2)],
    ],
    ids=["twice", "many", "large"],
)
def test_headers_that_are_fine_alone_may_be_wrong_together(headers: list[CustomHeader]) -> None:
    with pytest.raises(HeaderError):
        check_headers(headers)
    check_headers(headers[:1])
