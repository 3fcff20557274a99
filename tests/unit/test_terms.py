"""What can be agreed on for a subscription."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from pytest_django import Settings

from subscriptions.auth import BasicAuth, BearerAuth, HeaderAuth, NoAuth, OAuth2Auth, read_auth
from subscriptions.custom_headers import CustomHeader
from subscriptions.errors import AuthError, SubscriptionError
from subscriptions.models import AuthKind, Subscription
from subscriptions.terms import Terms, read_terms, settle, to_columns
from webhookhub.conf import HubSettings
from webhookhub.errors import BadUidError, WebhookHubError
from webhookhub.models import Account

URL = "https://client.com/webhooks"
KEY = "JCODj5WzsWtpFjUoOdwx7KT5syx0VZN7y1h0114EFFM="


@pytest.fixture(autouse=True)
def nothing_private_is_open(settings: Settings) -> None:
    settings.WEBHOOKHUB = HubSettings(encryption_keys=KEY)  # type: ignore[arg-type]  # as text, as in the environment


def test_who_names_nothing_wants_everything_and_who_names_an_entity_that_alone() -> None:
    assert settle(Terms(url=URL)).event_types == ("*",)
    assert settle(Terms(url=URL, entity_type="product")).event_types == ()


def test_a_pattern_that_is_named_twice_counts_once() -> None:
    assert settle(Terms(url=URL, event_types=["b", "a", "b"])).event_types == ("b", "a")


@pytest.mark.parametrize(
    ("terms", "field"),
    [
        ({"url": "http://127.0.0.1/"}, "url"),
        ({"url": "http://localhost/"}, "url"),
        ({"url": "https://a:b@client.com/"}, "url"),
        ({"event_types": ["order*"]}, "event_types"),
        ({"event_types": ["a"] * 101}, "event_types"),
        ({"entity_type": "a b", "action": "UPDATE"}, "entity_type"),
        ({"entity_type": "a", "action": "x" * 33}, "action"),
        ({"action": "UPDATE"}, "entity_type"),
        ({"payload_filter": {"$what": 1}}, "filter"),
        ({"headers": (CustomHeader(name="Host", value="x", is_secret=False),)}, "headers.Host"),
        ({"auth": BearerAuth(token="a b")}, "auth.token"),
        ({"auth": OAuth2Auth(token_url="http://10.0.0.1/", client_id="a", client_secret="b")}, "auth.token_url"),
        ({"rate_limit_per_second": 0}, "rate_limit_per_second"),
        ({"concurrency_limit": 10_001}, "concurrency_limit"),
    ],
)
def test_what_cannot_be_agreed_on_is_named(terms: dict[str, Any], field: str) -> None:
    with pytest.raises(SubscriptionError) as error:
        settle(Terms(**{"url": URL} | terms))
    assert error.value.field == field


@pytest.mark.parametrize("uid", ["", "sub_0192f0c1", "a/b", "a b", "é", "..", "x" * 257, "a\n"])
def test_a_uid_that_could_not_be_told_from_an_id_of_ours_or_not_stand_in_a_path_is_refused(uid: str) -> None:
    with pytest.raises(BadUidError):
        settle(Terms(url=URL, uid=uid))


def test_rules_that_became_stricter_do_not_count_for_what_stays_as_it_was(settings: Settings) -> None:
    before = Terms(
        url="http://10.0.0.1/",
        auth=OAuth2Auth(token_url="http://10.0.0.1/token", client_id="a", client_secret="b"),
    )
    assert settle(replace(before, description="x"), before=before).description == "x"
    for changed in (replace(before, url="http://10.0.0.2/"), replace(before, auth=replace(before.auth, scope="s"))):
        with pytest.raises(WebhookHubError):
            settle(changed, before=before)


def test_terms_are_read_from_a_row_as_they_were_written_to_it() -> None:
    terms = settle(
        Terms(
            url=URL,
            uid="mine",
            description="x",
            event_types=["order.*"],
            entity_type="order",
            action="UPDATE",
            payload_filter={"a": 1},
            enabled=False,
            profile="crm",
            overrides={"timeout_seconds": 5},
            headers=(CustomHeader(name="X-A", value="1", is_secret=True),),
            auth=BasicAuth(username="a", password="b"),
            rate_limit_per_second=5,
            concurrency_limit=6,
            metadata={"a": [1]},
        )
    )
    assert read_terms(Subscription(account=Account(), **to_columns(terms))) == terms


@pytest.mark.parametrize(
    ("kind", "given", "stored", "read"),
    [
        (AuthKind.NONE, {}, BearerAuth(token="t"), NoAuth()),
        (
            AuthKind.BASIC,
            {"username": "b"},
            BasicAuth(username="a", password="p"),
            BasicAuth(username="b", password="p"),
        ),
        (AuthKind.BEARER, {"token": "new"}, BearerAuth(token="old"), BearerAuth(token="new")),
        (AuthKind.HEADER, {"name": "X-B"}, HeaderAuth(name="X-A", value="v"), HeaderAuth(name="X-B", value="v")),
        (
            AuthKind.OAUTH2,
            {"token_url": URL, "client_id": "new"},
            OAuth2Auth(token_url=URL, client_id="old", client_secret="s", scope="all"),
            OAuth2Auth(token_url=URL, client_id="new", client_secret="s"),
        ),
    ],
)
def test_of_credentials_only_what_is_secret_is_kept_when_it_is_left_out(
    kind: AuthKind, given: dict[str, str], stored: Any, read: Any
) -> None:
    assert read_auth(kind, given, stored=stored) == read


@pytest.mark.parametrize("stored", [NoAuth(), BasicAuth(username="a", password="p")])
def test_a_secret_that_nobody_gave_is_missing(stored: Any) -> None:
    with pytest.raises(AuthError) as error:
        read_auth(AuthKind.BEARER, {}, stored=stored)
    assert error.value.field == "auth.token"
