"""The bytes of a request."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from deliveries.claim import Claim, Fact
from deliveries.request import add_parameter, build_body, build_request
from subscriptions.auth import Auth, BasicAuth, BearerAuth, HeaderAuth, NoAuth
from subscriptions.builtin_profiles import ENTITY_CHANGE, INTEGRATION, STANDARD
from subscriptions.custom_headers import CustomHeader
from subscriptions.endpoints import DatedSecret, Endpoint
from subscriptions.profiles import BodyForm
from subscriptions.signing import sign
from tests.unit.claimed import NOON, OLD_SECRET, SECRET, claim, endpoint, fact
from webhookhub.moments import iso_moment


def headers(one: Claim, there: Endpoint, *, now: datetime = NOON) -> dict[str, str]:
    request = build_request(one, there, now=now, default_user_agent="WebhookHub/1.0")
    names = [name.lower() for name, _ in request.headers]
    assert len(set(names)) == len(names)
    return {name.lower(): value for name, value in request.headers}


def in_form(form: BodyForm) -> Endpoint:
    return endpoint(profile=replace(STANDARD, body_form=form))


@pytest.mark.parametrize(
    ("form", "of", "body"),
    [
        (
            BodyForm.ENVELOPE,
            fact(),
            '{"id":"evt_0192f0c1d5a37abc8123456789abcdef","type":"order.shipped",'
            '"createdAt":"2026-03-01T11:59:58.007Z","data":{"n":1}}',
        ),
        (
            BodyForm.NOTIFICATION,
            fact(entity_type="product", action="UPDATE", subject="https://hub.example/product/1"),
            '{"events":[{"meta":{"type":"product","href":"https://hub.example/product/1"},"action":"UPDATE",'
            '"accountId":"0192f0c1-d5a3-7abc-8123-456789abcdef"}]}',
        ),
        (BodyForm.DATA, fact(data='{"é":[1e+21]}'), '{"é":[1e+21]}'),
    ],
)
def test_each_form_has_its_body(form: BodyForm, of: Fact, body: str) -> None:
    assert build_body(of, in_form(form)).decode() == body


def test_a_notification_of_an_event_without_entity_says_the_event_type() -> None:
    body = json.loads(build_body(fact(), in_form(BodyForm.NOTIFICATION)))
    assert body["events"][0]["meta"] == {"type": "order.shipped", "href": ""}


def test_a_subject_in_a_notification_cannot_break_out_of_its_string() -> None:
    subject = 'https://hub.example/"},{"\\'
    body = json.loads(build_body(fact(subject=subject), in_form(BodyForm.NOTIFICATION)))
    assert body["events"][0]["meta"]["href"] == subject


@pytest.mark.parametrize("form", list(BodyForm))
def test_the_body_is_the_same_on_every_attempt(form: BodyForm) -> None:
    first = build_request(claim(), in_form(form), now=NOON, default_user_agent="-")
    later = build_request(claim(attempt_number=9), in_form(form), now=NOON + timedelta(days=3), default_user_agent="-")
    assert first.body == later.body


def test_the_signature_headers_are_those_of_the_body_and_the_moment_of_the_attempt() -> None:
    now = NOON + timedelta(seconds=7, milliseconds=999)
    request = build_request(claim(), endpoint(), now=now, default_user_agent="-")
    signed = sign(request.body, event_id=fact().shown_id, timestamp=int(NOON.timestamp()) + 7, secrets=[SECRET])
    assert set(signed) <= set(request.headers)


def test_only_the_secrets_that_are_valid_at_the_moment_of_the_attempt_sign() -> None:
    overlap = (
        DatedSecret(secret=SECRET, expires_at=None),
        DatedSecret(secret=OLD_SECRET, expires_at=NOON + timedelta(hours=1)),
    )
    later = NOON + timedelta(hours=1)
    during = headers(claim(), endpoint(secrets=overlap), now=NOON)["webhook-signature"]
    after = headers(claim(claimed_at=later), endpoint(secrets=overlap), now=later)["webhook-signature"]
    assert (len(during.split()), len(after.split())) == (2, 1)


def test_a_request_says_that_it_is_json_and_who_sends_it() -> None:
    found = headers(claim(), endpoint())
    assert (found["content-type"], found["user-agent"]) == ("application/json", "WebhookHub/1.0")


def test_a_profile_s_own_user_agent_comes_before_the_hub_s() -> None:
    assert headers(claim(), endpoint(profile=ENTITY_CHANGE))["user-agent"] == ENTITY_CHANGE.user_agent


def test_a_secret_that_ends_between_claim_and_request_still_signs_it() -> None:
    ending = (DatedSecret(secret=SECRET, expires_at=NOON + timedelta(milliseconds=1)),)
    assert headers(claim(), endpoint(secrets=ending), now=NOON + timedelta(milliseconds=2))["webhook-signature"]


@pytest.mark.parametrize(
    ("correlation_id", "header"),
    [
        ("", None),
        ("req-1/ü", "req-1/%C3%BC"),
        ("100%", "100%25"),  # so that decoding gives it back
        ("a b", "a b"),
        ("\u2028\u00a0", "%E2%80%A8%C2%A0"),
    ],
)
def test_a_correlation_id_is_a_header_where_there_is_one(correlation_id: str, header: str | None) -> None:
    found = headers(claim(fact=fact(correlation_id=correlation_id)), endpoint())
    assert found.get("x-correlation-id") == header


@pytest.mark.parametrize(
    ("auth", "name", "value"),
    [
        (NoAuth(), "authorization", None),
        (BasicAuth(username="a", password="b"), "authorization", "Basic YTpi"),
        # RFC 7617, section 2.1: in UTF-8.
        (BasicAuth(username="é", password=""), "authorization", "Basic w6k6"),
        (BearerAuth(token="t0k.en"), "authorization", "Bearer t0k.en"),
        (HeaderAuth(name="X-Api-Key", value="k"), "x-api-key", "k"),
    ],
)
def test_credentials_are_a_header_where_there_are_any(auth: Auth, name: str, value: str | None) -> None:
    assert headers(claim(), endpoint(auth=auth)).get(name) == value


def test_headers_of_the_webhook_s_own_are_sent_as_they_were_given() -> None:
    own = (
        CustomHeader(name="X-ENVIRONMENT", value="Test", is_secret=False),
        CustomHeader(name="x-token", value="hush", is_secret=True),
    )
    request = build_request(claim(), endpoint(headers=own), now=NOON, default_user_agent="-")
    assert {("X-ENVIRONMENT", "Test"), ("x-token", "hush")} <= set(request.headers)


def test_the_deadline_is_the_profile_s() -> None:
    request = build_request(claim(), endpoint(profile=INTEGRATION), now=NOON, default_user_agent="-")
    assert request.timeout_seconds == INTEGRATION.timeout_seconds


def test_a_request_id_is_in_the_query_and_the_same_on_every_attempt() -> None:
    one = claim()
    there = endpoint(profile=ENTITY_CHANGE)
    urls = {
        build_request(one._replace(attempt_number=number), there, now=NOON, default_user_agent="-").url
        for number in (1, 2, 3)
    }
    assert urls == {f"https://example.com/hooks?requestId={one.delivery_id}"}


@pytest.mark.parametrize(
    ("url", "with_parameter"),
    [
        ("https://a.example", "https://a.example?n=v"),
        ("https://a.example/", "https://a.example/?n=v"),
        ("https://a.example/?", "https://a.example/?n=v"),
        ("https://a.example/?b=1", "https://a.example/?b=1&n=v"),
        ("https://a.example/?b=%20#top", "https://a.example/?b=%20&n=v#top"),
        ("https://u:p@a.example:8443/x;y", "https://u:p@a.example:8443/x;y?n=v"),
        ("http://[::1]/", "http://[::1]/?n=v"),
    ],
)
def test_a_parameter_comes_behind_those_that_are_there(url: str, with_parameter: str) -> None:
    assert add_parameter(url, "n", "v") == with_parameter


@pytest.mark.parametrize(
    ("moment", "text"),
    [
        (datetime(2026, 3, 1, tzinfo=UTC), "2026-03-01T00:00:00.000Z"),
        (datetime(2026, 3, 1, 12, 0, 0, 999_999, tzinfo=UTC), "2026-03-01T12:00:00.999Z"),
        (datetime(2026, 3, 1, 1, tzinfo=timezone(timedelta(hours=2))), "2026-02-28T23:00:00.000Z"),
    ],
)
def test_a_moment_is_written_as_javascript_writes_it(moment: datetime, text: str) -> None:
    assert iso_moment(moment) == text


@given(st.text(max_size=256).filter(lambda text: text.isprintable()))
def test_whatever_a_correlation_id_is_its_header_is_visible_ascii(correlation_id: str) -> None:
    value = headers(claim(fact=fact(correlation_id=correlation_id)), endpoint()).get("x-correlation-id", "")
    assert value.isascii()
    assert value.isprintable()
