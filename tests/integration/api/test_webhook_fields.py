"""What of a webhook is secret, what it may carry, where it may point, and what it does otherwise than its profile."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from django.db import connection
from pytest_django import Settings

from subscriptions.models import Subscription
from subscriptions.terms import read_terms
from tests.integration.api.conftest import Client
from webhookhub.conf import hub_settings
from webhookhub.models import EventType

WEBHOOKS = "/api/v1/webhooks"
URL = "https://client.com/webhooks/orders"

Make = Callable[..., str]


@pytest.fixture
def make(api: Client) -> Make:
    """Makes a webhook; returns its path."""

    def post(**fields: Any) -> str:
        answer = api.post(WEBHOOKS, {"url": URL} | fields)
        assert answer.status_code == 201, answer.content
        return str(answer["Location"])

    return post


def sent_headers() -> dict[str, str]:
    """What the only webhook's requests carry."""
    return {header.name: header.value for header in read_terms(Subscription.objects.get()).headers}


def wrong_fields(answer: Any) -> list[str]:
    """The fields that a refusal names."""
    assert answer.status_code == 422, answer.content
    return [error["field"] for error in answer.json()["errors"]]


# ------------------------------------------------------------------------------------------------ headers


def test_a_secret_header_is_never_shown_again_and_others_are(api: Client, make: Make) -> None:
    headers = {
        "X-Environment": "production",
        "X-Api-KEY": "looks-secret",
        "X-Plain": {"value": "said-secret", "secret": True},
        "X-Token-Kind": {"value": "shown", "secret": False},
    }
    path = make(headers=headers)
    shown = {
        "X-Environment": "production",
        "X-Api-KEY": {"secret": True},
        "X-Plain": {"secret": True},
        "X-Token-Kind": "shown",
    }
    for answer in (api.get(path), api.patch(path, {"description": "x"}), api.get(WEBHOOKS)):
        webhook = answer.json().get("items", [answer.json()])[0]
        assert webhook["headers"] == shown
    assert sent_headers() == {
        "X-Environment": "production",
        "X-Api-KEY": "looks-secret",
        "X-Plain": "said-secret",
        "X-Token-Kind": "shown",
    }


def test_neither_headers_nor_credentials_are_stored_in_the_clear(make: Make) -> None:
    make(headers={"X-Token": "hush-1"}, auth={"type": "basic", "username": "hub", "password": "hush-2"})
    with connection.cursor() as cursor:
        cursor.execute("SELECT subscription::text FROM webhookhub_subscription AS subscription")
        (stored,) = cursor.fetchone()
    assert "hush" not in stored
    assert "X-Token" not in stored


def test_a_patch_merges_headers_and_null_takes_one_away(api: Client, make: Make) -> None:
    path = make(headers={"X-A": "1", "X-Token": "t", "X-C": "3"})
    api.patch(path, {"headers": {"x-a": "one", "X-C": None, "X-D": "4", "X-Unknown": None}})
    assert sent_headers() == {"x-a": "one", "X-Token": "t", "X-D": "4"}
    api.patch(path, {"headers": {}})
    assert sent_headers() == {"x-a": "one", "X-Token": "t", "X-D": "4"}
    api.patch(path, {"headers": {"X-Token": {"secret": True}, "X-D": {"secret": True}}})
    assert api.get(path).json()["headers"] == {"x-a": "one", "X-Token": {"secret": True}, "X-D": {"secret": True}}
    api.patch(path, {"headers": None})
    assert sent_headers() == {}


def test_a_put_replaces_headers_and_keeps_only_values_that_it_says_are_kept(api: Client, make: Make) -> None:
    path = make(headers={"X-A": "1", "X-Token": "t", "X-Secret": "s"})
    api.put(path, {"url": URL, "headers": {"X-B": "2", "x-token": {"secret": True}}})
    assert sent_headers() == {"x-token": "t", "X-B": "2"}
    api.put(path, {"url": URL})
    assert sent_headers() == {}


def test_a_secret_value_is_not_brought_to_light_by_calling_it_plain(api: Client, make: Make) -> None:
    path = make(headers={"X-Token": "t"})
    assert wrong_fields(api.patch(path, {"headers": {"X-Token": {"secret": False}}})) == ["headers.X-Token"]
    api.patch(path, {"headers": {"X-Token": "another"}})
    assert api.get(path).json()["headers"] == {"X-Token": {"secret": True}}
    api.patch(path, {"headers": {"X-Token": {"value": "shown", "secret": False}}})
    assert api.get(path).json()["headers"] == {"X-Token": "shown"}


@pytest.mark.parametrize(
    ("headers", "field"),
    [
        ({"Content-Length": "1"}, "headers.Content-Length"),
        ({"webhook-id": "1"}, "headers.webhook-id"),
        ({"X-A:": "1"}, "headers.X-A:"),
        ({"X_Some_Name": "a\r\nb: c"}, "headers.X_Some_Name"),
        ({"X-A": 5}, "headers.X-A"),
        ({"X-A": ["1"]}, "headers.X-A"),
        ({"X-A": {"value": 5}}, "headers.X-A.value"),
        ({"X-A": {"value": "1", "hidden": True}}, "headers.X-A.hidden"),
        ({"X-A": {"secret": True}}, "headers.X-A"),
        ({"X-A": "1", "x-a": "2"}, "headers.x-a"),
        ({f"X-{number}": "1" for number in range(33)}, "headers"),
        ({f"X-{number}": "1" * 4000 for number in range(3)}, "headers"),
        ("X-A: 1", "headers"),
        (["X-A"], "headers"),
    ],
)
def test_a_header_that_may_not_be_sent_is_named(api: Client, headers: Any, field: str) -> None:
    assert wrong_fields(api.post(WEBHOOKS, {"url": URL, "headers": headers})) == [field]
    assert not Subscription.objects.exists()


def test_a_header_and_the_credentials_do_not_both_send_authorization(api: Client, make: Make) -> None:
    path = make(headers={"Authorization": "Custom x"})
    bearer = {"type": "bearer", "token": "t"}
    assert wrong_fields(api.patch(path, {"auth": bearer})) == ["headers.Authorization"]
    assert api.patch(path, {"auth": bearer, "headers": {"authorization": None}}).status_code == 200
    assert wrong_fields(api.patch(path, {"headers": {"authorization": "Custom"}})) == ["headers.authorization"]
    own = {"type": "header", "name": "X-Own", "value": "1"}
    assert wrong_fields(api.patch(path, {"auth": own, "headers": {"x-own": "2"}})) == ["headers.x-own"]


# ------------------------------------------------------------------------------------------------ credentials

BASIC = {"type": "basic", "username": "hub", "password": "hush"}
BEARER = {"type": "bearer", "token": "hush"}
HEADER = {"type": "header", "name": "X-Own", "value": "hush"}
OAUTH2 = {
    "type": "oauth2",
    "tokenUrl": "https://CLIENT.com/token",
    "clientId": "hub",
    "clientSecret": "hush",
    "scope": "a b",
}


@pytest.mark.parametrize(
    ("auth", "shown"),
    [
        ({"type": "none"}, {"type": "none"}),
        (BASIC, {"type": "basic", "username": "hub"}),
        (BEARER, {"type": "bearer"}),
        (HEADER, {"type": "header", "name": "X-Own"}),
        (OAUTH2, {"type": "oauth2", "tokenUrl": "https://client.com/token", "clientId": "hub", "scope": "a b"}),
    ],
    ids=lambda value: value["type"],
)
def test_credentials_are_shown_without_what_is_secret_and_kept_when_it_is_left_out(
    api: Client, make: Make, auth: dict[str, Any], shown: dict[str, Any]
) -> None:
    path = make(auth=auth)
    before = read_terms(Subscription.objects.get()).auth
    for answer in (
        api.get(path),
        api.patch(path, {"auth": shown}),
        api.put(path, {"url": URL, "auth": shown}),
    ):
        assert (answer.status_code, answer.json()["auth"]) == (200, shown)
        assert "hush" not in answer.content.decode()
    assert read_terms(Subscription.objects.get()).auth == before


def test_the_secret_of_a_client_is_not_sent_to_another_token_url_than_it_was_given_for(api: Client, make: Make) -> None:
    path = make(auth=OAUTH2)
    without_secret = {name: value for name, value in OAUTH2.items() if name != "clientSecret"}
    elsewhere = without_secret | {"tokenUrl": "https://client.com.example/token"}
    assert wrong_fields(api.patch(path, {"auth": elsewhere})) == ["auth.clientSecret"]
    assert wrong_fields(api.put(path, {"url": URL, "auth": elsewhere})) == ["auth.clientSecret"]
    assert api.patch(path, {"auth": without_secret}).status_code == 200


def test_credentials_of_another_kind_take_nothing_over(api: Client, make: Make) -> None:
    path = make(auth=BASIC)
    assert wrong_fields(api.patch(path, {"auth": {"type": "bearer"}})) == ["auth.token"]
    assert api.patch(path, {"auth": BEARER}).json()["auth"] == {"type": "bearer"}
    assert api.patch(path, {"auth": None}).json()["auth"] == {"type": "none"}
    assert wrong_fields(api.patch(path, {"auth": {"type": "bearer"}})) == ["auth.token"]


@pytest.mark.parametrize(
    ("auth", "field"),
    [
        ("Bearer x", "auth"),
        ({}, "auth.type"),
        ({"type": "digest"}, "auth.type"),
        ({"type": ["basic"]}, "auth.type"),
        ({"type": "none", "token": "x"}, "auth.token"),
        ({"type": "basic"}, "auth.username"),
        ({"type": "basic", "username": "hub"}, "auth.password"),
        (BASIC | {"username": "a:b"}, "auth.username"),
        (BASIC | {"password": "a\nb"}, "auth.password"),
        (BASIC | {"password": 5}, "auth.password"),
        (BASIC | {"password": "x" * 4097}, "auth.password"),
        (BEARER | {"token": ""}, "auth.token"),
        (BEARER | {"token": "a b"}, "auth.token"),
        (HEADER | {"name": "Host"}, "auth.name"),
        (HEADER | {"name": "a b"}, "auth.name"),
        (HEADER | {"value": "é"}, "auth.value"),
        (OAUTH2 | {"tokenUrl": "http://10.0.0.1/"}, "auth.tokenUrl"),
        (OAUTH2 | {"tokenUrl": "nonsense"}, "auth.tokenUrl"),
        (OAUTH2 | {"clientId": ""}, "auth.clientId"),
        (OAUTH2 | {"clientSecret": "a\0"[:1] + "\x7f"}, "auth.clientSecret"),
        (OAUTH2 | {"scope": "é"}, "auth.scope"),
    ],
)
def test_credentials_that_no_request_could_carry_are_refused_by_field(api: Client, auth: Any, field: str) -> None:
    answer = api.post(WEBHOOKS, {"url": URL, "auth": auth})
    assert wrong_fields(answer) == [field]
    assert "hush" not in answer.content.decode()


# ------------------------------------------------------------------------------------------------ where to


@pytest.mark.parametrize(
    ("url", "stored"),
    [
        ("HTTPS://Client.COM/Orders?Key=Value", "https://client.com/Orders?Key=Value"),
        ("http://www.example.com", "http://www.example.com"),
        ("https://bücher.example:443/ä", "https://xn--bcher-kva.example/ä"),
        ("http://127.0.0.1:8001/hook", "http://127.0.0.1:8001/hook"),  # the tests' own network is open
    ],
)
def test_a_url_is_stored_with_its_host_in_lower_case_and_ascii(
    api: Client, make: Make, url: str, stored: str, settings: Settings
) -> None:
    settings.WEBHOOKHUB = hub_settings().model_copy(update={"allow_cidrs": _networks("127.0.0.0/8")})
    assert api.get(make(url=url)).json()["url"] == stored


def _networks(*texts: str) -> Any:
    return type(hub_settings())(allow_cidrs=",".join(texts)).allow_cidrs  # type: ignore[arg-type]  # as text, as in the environment


@pytest.mark.parametrize(
    "url",
    [
        "http://127.0.0.1/",
        "http://localhost/",
        "http://x.LOCALHOST:8000/",
        "http://10.1.2.3/",
        "http://169.254.169.254/latest/meta-data",
        "http://192.168.0.1/",
        "http://[::1]/",
        "http://[::ffff:127.0.0.1]/",
        "http://[fd00::1]/",
        "http://0.0.0.0/",
        "http://１２７.0.0.1/",
    ],
)
def test_a_private_address_is_refused_at_once_in_one_wording_for_all(api: Client, url: str, settings: Settings) -> None:
    settings.WEBHOOKHUB = hub_settings().model_copy(update={"allow_cidrs": ()})
    answer = api.post(WEBHOOKS, {"url": url})
    assert wrong_fields(answer) == ["url"]
    assert answer.json()["detail"] == "url: the destination is not allowed: webhooks are sent to public addresses"


@pytest.mark.parametrize(
    "url",
    [
        *("", "nonsense", "ftp://client.com/", "http://", "https://user:password@client.com/", "https://client.com/#x"),
        *(
            "https://client.com:0/",
            "https://client.com:65536/",
            "http://2130706433/",
            "http://0x7f.1/",
            "http://[fe80::1%25eth0]/",
        ),
        *("https://client.com/\nx", "https://client.com/ x", "https://" + "a" * 2048),
    ],
)
def test_a_malformed_url_is_refused_with_what_would_be_right(api: Client, url: str) -> None:
    assert wrong_fields(api.post(WEBHOOKS, {"url": url})) == ["url"]


def test_an_allowed_network_opens_only_itself_and_localhost_with_the_loopback(
    api: Client, make: Make, settings: Settings
) -> None:
    settings.WEBHOOKHUB = hub_settings().model_copy(update={"allow_cidrs": _networks("10.1.0.0/16")})
    make(url="http://10.1.2.3/")
    assert wrong_fields(api.post(WEBHOOKS, {"url": "http://10.2.0.1/"})) == ["url"]
    assert wrong_fields(api.post(WEBHOOKS, {"url": "http://localhost/"})) == ["url"]
    settings.WEBHOOKHUB = hub_settings().model_copy(update={"allow_cidrs": _networks("127.0.0.0/8")})
    make(url="http://localhost:8000/")


def test_where_only_https_is_allowed_http_is_refused_and_what_exists_can_still_be_changed(
    api: Client, make: Make, settings: Settings
) -> None:
    path = make(url="http://client.com/")
    settings.WEBHOOKHUB = hub_settings().model_copy(update={"https_only": True})
    assert wrong_fields(api.post(WEBHOOKS, {"url": "http://client.com/"})) == ["url"]
    auth = OAUTH2 | {"tokenUrl": "http://client.com/token"}
    assert wrong_fields(api.post(WEBHOOKS, {"url": URL, "auth": auth})) == ["auth.tokenUrl"]
    make(url="https://client.com/")
    assert api.patch(path, {"description": "x"}).status_code == 200
    assert wrong_fields(api.patch(path, {"url": "http://client.com/other"})) == ["url"]


# ------------------------------------------------------------------------------------------------ types in the catalogue


def test_where_types_have_to_be_known_an_unknown_one_is_refused_and_a_pattern_is_not(
    api: Client, make: Make, settings: Settings
) -> None:
    path = make(events=["order.unknown"])
    EventType.objects.create(name="order.paid")
    settings.WEBHOOKHUB = hub_settings().model_copy(update={"require_known_event_types": True})
    assert wrong_fields(api.post(WEBHOOKS, {"url": URL, "events": ["order.paid", "order.lost"]})) == ["events"]
    make(events=["order.paid", "invoice.*", "*"])
    assert api.patch(path, {"description": "x"}).status_code == 200


# ------------------------------------------------------------------------------------------------ overrides


def test_overrides_change_the_rules_of_one_webhook_and_are_replaced_as_a_whole(api: Client, make: Make) -> None:
    overrides = {
        "timeoutSeconds": 7.5,
        "successStatuses": "200,204",
        "retryOn": "no_answer,503",
        "stopOnGone": False,
        "intervalsSeconds": [1, 2.5, 60],
        "maxIntervalSeconds": 60,
        "backoffFactor": 3,
        "maxAttempts": 9,
        "expiresAfterSeconds": 3600,
        "jitterRatio": 0,
        "retryAfterCapSeconds": 30,
        "bodyForm": "data",
        "userAgent": "Shop/1",
        "requestIdParameter": "id",
    }
    path = make(overrides=overrides)
    assert api.get(path).json()["overrides"] == overrides
    stored = Subscription.objects.get().overrides
    assert (stored["timeout_seconds"], stored["retry_on"], stored["user_agent"]) == (7.5, "no_answer,503", "Shop/1")
    assert api.patch(path, {"overrides": {"maxAttempts": None}}).json()["overrides"] == {"maxAttempts": None}


@pytest.mark.parametrize(
    ("overrides", "field"),
    [
        ({"timeoutSeconds": 61}, "overrides.timeoutSeconds"),
        ({"timeoutSeconds": "5"}, "overrides.timeoutSeconds"),
        ({"timeoutSeconds": True}, "overrides.timeoutSeconds"),
        ({"timeoutSeconds": 10**399}, "overrides.timeoutSeconds"),
        ({"timeoutSeconds": None}, "overrides.timeoutSeconds"),
        ({"successStatuses": "fine"}, "overrides.successStatuses"),
        ({"successStatuses": ""}, "overrides.successStatuses"),
        ({"retryOn": "200"}, "overrides.retryOn"),
        ({"stopOnGone": 1}, "overrides.stopOnGone"),
        ({"intervalsSeconds": [-1]}, "overrides.intervalsSeconds"),
        ({"intervalsSeconds": ["1"]}, "overrides.intervalsSeconds[0]"),
        ({"intervalsSeconds": [1] * 101}, "overrides.intervalsSeconds"),
        ({"intervalsSeconds": [], "maxIntervalSeconds": 5}, "overrides.intervalsSeconds"),
        ({"maxAttempts": 1.5}, "overrides.maxAttempts"),
        ({"maxAttempts": 0}, "overrides.maxAttempts"),
        ({"bodyForm": "xml"}, "overrides.bodyForm"),
        ({"userAgent": "a\nb"}, "overrides.userAgent"),
        ({"requestIdParameter": "a=b"}, "overrides.requestIdParameter"),
        ({"name": "mine"}, "overrides.name"),
        ({"timeout_seconds": 5}, "overrides.timeout_seconds"),
        ([], "overrides"),
    ],
)
def test_an_override_that_no_profile_could_have_is_named(api: Client, overrides: Any, field: str) -> None:
    assert wrong_fields(api.post(WEBHOOKS, {"url": URL, "overrides": overrides})) == [field]
    assert not Subscription.objects.exists()


def test_overrides_have_to_fit_the_profile_that_the_webhook_changes_to(api: Client, make: Make) -> None:
    path = make(overrides={"maxIntervalSeconds": 86_400})
    # entity-change has waits of nothing, from which none grows.
    assert wrong_fields(api.patch(path, {"profile": "entity-change"})) == ["overrides.intervalsSeconds"]
    assert api.patch(path, {"profile": "entity-change", "overrides": None}).status_code == 200
