"""Whose request it is: keys as bearer tokens and as users of HTTP basic, and one answer for all that are not valid."""

from __future__ import annotations

import base64
from datetime import timedelta
from typing import Any

import pytest
from django.utils import timezone
from pytest_django import DjangoAssertNumQueries

from tests.integration.api.conftest import Client, make_keys_unused
from webhookhub import callers
from webhookhub.api_keys import create_api_key, revoke_api_key
from webhookhub.callers import find_caller
from webhookhub.models import Account, ApiKey

# Whoever has a key may read it.
PATH = "/api/v1/event-types"


def basic(user: str, password: str = "") -> str:
    return "Basic " + base64.b64encode(f"{user}:{password}".encode()).decode()


def get(authorization: str | None) -> Any:
    headers = {} if authorization is None else {"Authorization": authorization}
    return Client().get(PATH, headers=headers)


@pytest.fixture
def key(account: Account) -> str:
    return create_api_key(account, "a key")


@pytest.mark.parametrize("scheme", ["Bearer", "bearer", "BEARER"])
def test_a_key_is_taken_as_a_bearer_token(key: str, scheme: str) -> None:
    assert get(f"{scheme} {key}").status_code == 200


@pytest.mark.parametrize("password", ["", "ignored", "with:colon"])
def test_a_key_is_taken_as_the_user_of_http_basic(key: str, password: str) -> None:
    assert get(basic(key, password)).status_code == 200
    assert get(basic(key, password).replace("Basic", "basic")).status_code == 200


WRONG = {
    "none": None,
    "empty": "",
    "no scheme": "{key}",
    "no key": "Bearer",
    "blank key": "Bearer  ",
    "another scheme": "Digest {key}",
    "unknown": "Bearer whk_" + "0" * 64,
    "cut": "Bearer {cut}",
    "longer": "Bearer {key}0",
    "two": "Bearer {key} {key}",
    "the stored hash": "Bearer {hash}",
    "not ASCII": "Bearer ü" + "0" * 10,
    "far too long": "Bearer " + "x" * 5_000,
    "no base64": "Basic %%%",
    "not UTF-8": "Basic /w==",
    "no user": basic("", "password"),
    "the key as password": "basic-password",
}


@pytest.mark.parametrize("case", WRONG)
def test_a_missing_malformed_or_wrong_key_gets_one_answer(key: str, case: str) -> None:
    authorization = WRONG[case]
    if authorization is not None:
        stored = ApiKey.objects.get().key_hash
        authorization = authorization.format(key=key, cut=key[:-1], hash=stored)
        if case == "the key as password":
            authorization = basic("", key)
    response = get(authorization)
    assert response.status_code == 401
    assert response["Content-Type"] == "application/problem+json"
    assert response["WWW-Authenticate"] == 'Bearer realm="WebhookHub"'
    assert response.json() == {
        "type": "about:blank",
        "title": "Unauthorized",
        "status": 401,
        "code": "unauthorized",
        "detail": "A valid API key is needed: `Authorization: Bearer whk_…`, or HTTP basic with the key as user.",
    }


def test_revoked_and_expired_keys_get_the_answer_of_wrong_ones(account: Account) -> None:
    wrong = get("Bearer whk_wrong").json()
    revoked = create_api_key(account, "revoked")
    revoke_api_key(ApiKey.objects.get(name="revoked"))
    expired = create_api_key(account, "expired", expires_at=timezone.now() + timedelta(hours=1))
    ApiKey.objects.filter(name="expired").update(expires_at=timezone.now())
    for key in (revoked, expired):
        response = get(f"Bearer {key}")
        assert (response.status_code, response.json()) == (401, wrong)


@pytest.mark.parametrize("prefix", ["whsec_", "whsk_", "whpk_"])
def test_a_signing_secret_as_key_gets_a_hint_of_its_own(db: None, prefix: str) -> None:
    secret = prefix + "MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
    for authorization in (f"Bearer {secret}", basic(secret)):
        response = get(authorization)
        assert (response.status_code, response.json()["code"]) == (401, "signing_secret_as_key")
        assert "signing secret" in response.json()["detail"]


def test_a_key_in_use_is_looked_up_once_in_two_seconds(
    key: str, django_assert_num_queries: DjangoAssertNumQueries
) -> None:
    find_caller(key)
    with django_assert_num_queries(0):
        assert find_caller(key) is not None
    make_keys_unused()
    with django_assert_num_queries(1):
        assert find_caller(key) is not None


def test_a_key_revoked_elsewhere_stops_when_it_is_looked_up_again(key: str, monkeypatch: pytest.MonkeyPatch) -> None:
    assert find_caller(key) is not None
    ApiKey.objects.update(revoked_at=timezone.now())
    kept_until = callers.time.monotonic() + callers.KEPT_SECONDS
    monkeypatch.setattr(callers.time, "monotonic", lambda: kept_until + 0.1)
    assert find_caller(key) is None


def test_a_key_that_expires_stops_at_its_moment_even_while_it_is_remembered(account: Account) -> None:
    end = timezone.now() + timedelta(hours=1)
    key = create_api_key(account, "a key", expires_at=end)
    assert find_caller(key) is not None
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("webhookhub.callers.timezone.now", lambda: end)
        assert find_caller(key) is None


def test_a_key_that_is_revoked_while_it_is_looked_up_is_not_remembered(
    key: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    look_up = callers._read_caller

    def look_up_slowly(key_hash: str) -> callers.Caller | None:
        found = look_up(key_hash)
        revoke_api_key(ApiKey.objects.get())
        return found

    monkeypatch.setattr(callers, "_read_caller", look_up_slowly)
    assert find_caller(key) is not None
    monkeypatch.undo()
    assert find_caller(key) is None
