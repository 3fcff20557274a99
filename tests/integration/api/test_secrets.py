"""GET …/secret and POST …/secret/rotate: what a webhook signs with."""

from __future__ import annotations

import base64
from collections.abc import Callable
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from django.utils import timezone
from pytest_django import DjangoAssertNumQueries

from subscriptions.models import Secret, Subscription
from subscriptions.rotation import MOST_OLD_SECRETS
from subscriptions.subscribe import subscribe
from tests.integration.api.conftest import ApiOf, Client
from webhookhub.models import Account
from webhookhub.roles import Role

# Nobody collects static files for a test.
pytestmark = pytest.mark.filterwarnings("ignore:No directory at:UserWarning")

SECRET = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
SEED = bytes(range(32))
PUBLIC_KEY = Ed25519PrivateKey.from_private_bytes(SEED).public_key().public_bytes_raw()
PUBLIC = "whpk_" + base64.b64encode(PUBLIC_KEY).decode()


@pytest.fixture
def webhook(subscribed: Callable[..., Subscription]) -> str:
    """The path of a webhook that signs with SECRET."""
    return f"/api/v1/webhooks/{subscribed(secret=SECRET).shown_id}"


def in_base64(prefix: str, content: bytes) -> str:
    return prefix + base64.b64encode(content).decode()


def test_a_new_webhook_shows_the_secret_that_it_was_given(api: Client, webhook: str) -> None:
    shown = api.get(f"{webhook}/secret").json()
    created_at = shown.pop("createdAt")
    assert shown == {"type": "hmac", "secret": SECRET, "older": []}
    assert created_at.endswith("Z")


def test_a_rotation_shows_a_new_secret_and_when_the_old_one_ends(api: Client, webhook: str) -> None:
    answer = api.post(f"{webhook}/secret/rotate", {"graceSeconds": 3600})
    assert answer.status_code == 200
    shown = answer.json()
    assert shown["secret"].startswith("whsec_")
    assert shown["secret"] != SECRET
    (old,) = shown["older"]
    assert set(old) == {"type", "createdAt", "expiresAt"}
    assert old["expiresAt"] > shown["createdAt"] > old["createdAt"]
    assert api.get(f"{webhook}/secret").json() == shown


@pytest.mark.parametrize("body", [{}, {"secret": None, "type": None}])
def test_a_rotation_without_a_word_lets_the_old_secret_sign_for_a_day(api: Client, webhook: str, body: Any) -> None:
    api.post(f"{webhook}/secret/rotate", body)
    old = Secret.objects.exclude(expires_at=None).get()
    assert old.expires_at is not None
    assert 86_300 < (old.expires_at - timezone.now()).total_seconds() <= 86_400


@pytest.mark.parametrize(
    ("given", "kind", "shown"),
    [
        (in_base64("whsec_", bytes(24)), "hmac", in_base64("whsec_", bytes(24))),
        (in_base64("whsec_", bytes(64)), "hmac", in_base64("whsec_", bytes(64))),
        ("a secret of one's own", "hmac", "a secret of one's own"),
        ("x" * 256, "hmac", "x" * 256),
        (in_base64("whsk_", SEED), "ed25519", PUBLIC),
        (in_base64("whsk_", SEED + PUBLIC_KEY), "ed25519", PUBLIC),
    ],
)
def test_a_secret_of_one_s_own_comes_back_as_given_and_of_a_key_pair_the_public_key(
    api: Client, webhook: str, given: str, kind: str, shown: str
) -> None:
    answer = api.post(f"{webhook}/secret/rotate", {"secret": given, "type": kind})
    assert (answer.json()["secret"], answer.json()["type"]) == (shown, kind)
    again = api.get(f"{webhook}/secret")
    assert again.json()["secret"] == shown
    assert (given in again.content.decode()) is (given == shown)


def test_a_new_webhook_shows_the_public_key_of_the_key_pair_that_was_given_and_nothing_of_the_private_one(
    api: Client,
) -> None:
    given = in_base64("whsk_", SEED)
    answer = api.post("/api/v1/webhooks", {"url": "http://127.0.0.1:9/", "secret": given})
    assert answer.json()["secret"] == PUBLIC
    assert given not in answer.content.decode()


def test_a_new_webhook_signs_with_a_key_pair_on_request(api: Client) -> None:
    answer = api.post("/api/v1/webhooks", {"url": "http://127.0.0.1:9/", "secretType": "ed25519"})
    assert len(base64.b64decode(answer.json()["secret"].removeprefix("whpk_"))) == 32


def test_a_new_webhook_s_secret_of_another_type_than_asked_for_is_refused(api: Client) -> None:
    answer = api.post("/api/v1/webhooks", {"url": "http://127.0.0.1:9/", "secret": SECRET, "secretType": "ed25519"})
    assert answer.status_code == 422
    assert [error["field"] for error in answer.json()["errors"]] == ["secret"]


def test_a_key_pair_is_made_on_request(api: Client, webhook: str) -> None:
    shown = api.post(f"{webhook}/secret/rotate", {"type": "ed25519"}).json()
    assert shown["type"] == "ed25519"
    assert len(base64.b64decode(shown["secret"].removeprefix("whpk_"))) == 32


@pytest.mark.parametrize(
    "secret",
    [
        in_base64("whsec_", bytes(23)),
        in_base64("whsec_", bytes(65)),
        "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaS",
        "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2La-_Sw",
        in_base64("whsk_", bytes(31)),
        in_base64("whsk_", bytes(64)),
        "whsk_not/base64==",
        PUBLIC,
        "too-short-by-far",
        "x" * 257,
        "a secret with a line break\n",
    ],
)
def test_what_is_no_secret_is_refused_without_being_repeated(api: Client, webhook: str, secret: str) -> None:
    secret = secret[:15] if secret == "too-short-by-far" else secret
    answer = api.post(f"{webhook}/secret/rotate", {"secret": secret})
    problem = answer.json()
    assert (answer.status_code, problem["code"]) == (422, "invalid")
    assert [error["field"] for error in problem["errors"]] == ["secret"]
    assert secret.strip() not in answer.content.decode()
    assert api.get(f"{webhook}/secret").json()["secret"] == SECRET


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({"graceSeconds": -1}, "graceSeconds"),
        ({"graceSeconds": 604_801}, "graceSeconds"),
        ({"graceSeconds": "3600"}, "graceSeconds"),
        ({"graceSeconds": None}, "graceSeconds"),
        ({"type": "rsa"}, "type"),
        ({"secret": SECRET, "type": "ed25519"}, "secret"),
        ({"secret": 5}, "secret"),
        ({"secret": ""}, "secret"),
        ({"grace": 5}, "grace"),
    ],
)
def test_a_wrong_field_is_named(api: Client, webhook: str, body: Any, field: str) -> None:
    answer = api.post(f"{webhook}/secret/rotate", body)
    assert answer.status_code == 422
    assert [error["field"] for error in answer.json()["errors"]] == [field]


def test_beyond_ten_old_secrets_a_rotation_is_refused_until_one_has_ended(api: Client, webhook: str) -> None:
    for _ in range(MOST_OLD_SECRETS):
        assert api.post(f"{webhook}/secret/rotate", {}).status_code == 200
    refused = api.post(f"{webhook}/secret/rotate", {})
    assert (refused.status_code, refused.json()["code"]) == (400, "too_many_secrets")
    oldest = Secret.objects.earliest("created_at")
    Secret.objects.filter(id=oldest.id).update(expires_at=timezone.now())
    assert api.post(f"{webhook}/secret/rotate", {}).status_code == 200


def test_a_webhook_is_found_by_its_uid(api: Client, webhook: str) -> None:
    Subscription.objects.update(uid="the-shop")
    assert api.get("/api/v1/webhooks/the-shop/secret").json()["secret"] == SECRET
    assert api.post("/api/v1/webhooks/the-shop/secret/rotate", {}).status_code == 200


def test_another_account_s_secret_is_nobody_s(api: Client, foreign_account: Account) -> None:
    path = f"/api/v1/webhooks/{subscribe(foreign_account, 'http://127.0.0.1:9/', secret=SECRET).shown_id}/secret"
    for answer in (api.get(path), api.post(f"{path}/rotate", {})):
        assert (answer.status_code, answer.json()["code"]) == (404, "not_found")
        assert SECRET not in answer.content.decode()
    assert Secret.objects.get().expires_at is None


@pytest.mark.parametrize("role", [Role.READER, Role.PUBLISHER])
def test_it_takes_an_administrator(api_of: ApiOf, webhook: str, role: Role) -> None:
    assert api_of(role).get(f"{webhook}/secret").status_code == 403
    assert api_of(role).post(f"{webhook}/secret/rotate", {}).status_code == 403


def test_each_route_takes_six_queries_at_most(
    api: Client, webhook: str, django_assert_max_num_queries: DjangoAssertNumQueries
) -> None:
    for _ in range(5):
        api.post(f"{webhook}/secret/rotate", {})
    with django_assert_max_num_queries(6):
        api.get(f"{webhook}/secret")
    with django_assert_max_num_queries(6):
        api.post(f"{webhook}/secret/rotate", {})
