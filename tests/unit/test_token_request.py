"""How an access token is asked for, and what is made of the answer."""

from __future__ import annotations

import base64
import json
from typing import Any
from urllib.parse import parse_qs, unquote_plus

import pytest
from hypothesis import given
from hypothesis import strategies as st

from deliveries.token_request import LONGEST_TOKEN, Denied, Granted, build_token_request, read_token_answer
from deliveries.transport import Answer, FailureKind
from subscriptions.auth import OAuth2Auth
from tests.json_documents import DOCUMENTS
from tests.unit.results import answer, no_answer

AUTH = OAuth2Auth(
    token_url="https://id.example/token", client_id="the hub", client_secret="a:b+c/ü&=", scope="hooks all"
)
SECRET = "s3cr3t"
# RFC 6749, section 5.1.
EXAMPLE = {
    "access_token": "2YotnFZFEjr1zCsicMWpAA",
    "token_type": "example",
    "expires_in": 3600,
    "example_parameter": "example_value",
}


def answered(body: Any, status_code: int = 200) -> Answer:
    return answer(status_code)._replace(body=body if isinstance(body, bytes) else json.dumps(body).encode())


def granted(**members: Any) -> Granted | Denied:
    return read_token_answer(answered({"access_token": "t0k.en", "token_type": "Bearer"} | members))


def denied(body: Any, status_code: int = 200) -> str:
    result = read_token_answer(answered(body, status_code))
    assert isinstance(result, Denied)
    return result.reason


def test_it_is_a_form_with_the_client_in_http_basic() -> None:
    request = build_token_request(AUTH, user_agent="WebhookHub/1.0")
    headers = {name.lower(): value for name, value in request.headers}
    assert request.url == AUTH.token_url
    assert headers["content-type"] == "application/x-www-form-urlencoded"
    assert (headers["accept"], headers["user-agent"]) == ("application/json", "WebhookHub/1.0")
    assert parse_qs(request.body.decode()) == {"grant_type": ["client_credentials"], "scope": ["hooks all"]}
    kind, _, client = headers["authorization"].partition(" ")
    # RFC 6749, section 2.3.1: both encoded as in a form, before they are joined.
    client_id, _, client_secret = base64.b64decode(client).decode().partition(":")
    assert (kind, client_id, client_secret) == ("Basic", "the+hub", "a%3Ab%2Bc%2F%C3%BC%26%3D")
    assert unquote_plus(client_secret) == AUTH.client_secret


def test_without_a_scope_none_is_sent() -> None:
    auth = OAuth2Auth(token_url="https://id.example/token", client_id="a", client_secret="b")
    assert build_token_request(auth, user_agent="-").body == b"grant_type=client_credentials"


@pytest.mark.parametrize(
    ("members", "lifetime_seconds"),
    [
        ({}, None),
        ({"expires_in": 3600}, 3600),
        ({"expires_in": "3600"}, 3600),
        ({"expires_in": 3600.5}, 3600.5),
        ({"token_type": "bearer"}, None),
        ({"token_type": "BEARER"}, None),
        ({"token_type": None}, None),
        ({"expires_in": 0}, 10),
        ({"expires_in": -5}, 10),
        ({"expires_in": 10**30}, 30 * 86_400),
        ({"expires_in": 1e300}, 30 * 86_400),
        ({"expires_in": "soon"}, None),
        ({"expires_in": "9" * 5000}, None),
        ({"expires_in": "٣"}, None),
        ({"expires_in": True}, None),
        ({"expires_in": [1]}, None),
        ({"scope": "less"}, None),
    ],
)
def test_a_token_lives_as_long_as_is_said_within_bounds(members: Any, lifetime_seconds: float | None) -> None:
    assert granted(**members) == Granted(token="t0k.en", lifetime_seconds=lifetime_seconds)


@pytest.mark.parametrize(
    "members",
    [
        {"access_token": ""},
        {"access_token": None},
        {"access_token": 5},
        {"access_token": ["t"]},
        {"access_token": "two words"},
        {"access_token": "line\r\nbreak: x"},
        {"access_token": "tökén"},
        {"access_token": "\ud83d"},
        {"access_token": "x" * (LONGEST_TOKEN + 1)},
    ],
)
def test_what_does_not_fit_into_a_header_is_no_token(members: Any) -> None:
    result = granted(**members)
    assert isinstance(result, Denied)
    assert "without an access_token that fits into a header" in result.reason


def test_a_token_of_another_type_than_bearer_is_not_used() -> None:
    assert denied(EXAMPLE) == "the token endpoint gave a token of another type than bearer"
    assert denied(EXAMPLE | {"token_type": 5}) == "the token endpoint gave a token of another type than bearer"


@pytest.mark.parametrize(
    ("body", "status_code", "reason"),
    [
        ({"error": "invalid_client"}, 401, "the token endpoint answered 401 (invalid_client)"),
        (
            {"error": "invalid_scope", "error_description": SECRET},
            400,
            "the token endpoint answered 400 (invalid_scope)",
        ),
        ({"error": SECRET}, 400, "the token endpoint answered 400"),
        ({"error": [SECRET]}, 400, "the token endpoint answered 400"),
        (SECRET.encode(), 500, "the token endpoint answered 500"),
        ([SECRET], 503, "the token endpoint answered 503"),
        (b"", 204, "the token endpoint answered 204"),
        (b"", 302, "the token endpoint answered 302"),
        (
            b"<html>" + SECRET.encode(),
            200,
            "the token endpoint answered 200 without an access_token that fits into a header",
        ),
        (b"\xff", 200, "the token endpoint answered 200 without an access_token that fits into a header"),
        (b"[" * 10_000, 200, "the token endpoint answered 200 without an access_token that fits into a header"),
    ],
)
def test_a_refusal_is_told_in_words_that_the_token_endpoint_cannot_choose(
    body: Any, status_code: int, reason: str
) -> None:
    assert denied(body, status_code) == reason


@pytest.mark.parametrize("kind", list(FailureKind))
def test_no_answer_is_told_as_the_transport_tells_it(kind: FailureKind) -> None:
    assert read_token_answer(no_answer(kind)) == Denied(reason="nothing came")


def test_neither_repr_shows_what_is_secret() -> None:
    assert "t0k.en" not in repr(granted())
    assert AUTH.client_secret not in repr(AUTH)


@given(DOCUMENTS, st.integers(200, 599))
def test_whatever_the_answer_there_is_a_token_or_a_reason(body: Any, status_code: int) -> None:
    result = read_token_answer(answered(body, status_code))
    assert isinstance(result, Granted | Denied)
