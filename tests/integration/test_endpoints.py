"""Subscriptions as the delivery stages see them: secrets, rotation, profiles, and changes that every process sees."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from django.db import connection
from django.utils import timezone
from pytest_django import DjangoAssertNumQueries

from subscriptions.auth import BasicAuth
from subscriptions.builtin_profiles import BUILT_IN_PROFILES
from subscriptions.endpoints import Endpoint, load_endpoints
from subscriptions.errors import PatternError, SigningSecretError, SubscriptionError, UnsuitableUrlError
from subscriptions.models import Profile, Secret, Subscription
from subscriptions.profiles import DeliveryProfile
from subscriptions.rotation import add_secret, rotate_secret
from subscriptions.subscribe import set_enabled, subscribe
from webhookhub.models import Account

SECRET = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
OTHER = "a secret of one's own"


def load(subscription: Subscription) -> Endpoint:
    version = Subscription.objects.values_list("version", flat=True).get(id=subscription.id)
    return load_endpoints({subscription.id: version})[subscription.id]


def live_texts(subscription: Subscription, *, after: timedelta = timedelta()) -> list[str]:
    return [secret.text for secret in load(subscription).live_secrets(timezone.now() + after)]


def test_a_secret_and_credentials_are_stored_encrypted_and_read_back(subscribed: Callable[..., Subscription]) -> None:
    subscription = subscribed(secret=SECRET, auth=BasicAuth(username="a", password="hush"))
    with connection.cursor() as cursor:
        cursor.execute("SELECT encrypted_text || encrypted_credentials FROM webhookhub_secret, webhookhub_subscription")
        (stored,) = cursor.fetchone()
    assert SECRET not in stored
    assert "hush" not in stored
    assert live_texts(subscription) == [SECRET]
    assert load(subscription).auth == BasicAuth(username="a", password="hush")


def test_without_a_secret_of_its_own_each_subscription_gets_another_one(
    subscribed: Callable[..., Subscription],
) -> None:
    (first,), (second,) = live_texts(subscribed()), live_texts(subscribed())
    assert first.startswith("whsec_")
    assert first != second


def in_sql(statement: str) -> Callable[[Subscription], None]:
    def run(_: Subscription) -> None:
        with connection.cursor() as cursor:
            cursor.execute(statement)

    return run


@pytest.mark.parametrize(
    ("change", "seen"),
    [
        (lambda one: Subscription.objects.update(url="http://127.0.0.1:9/new"), "url"),
        (in_sql("UPDATE webhookhub_subscription SET url = 'http://127.0.0.1:9/new'"), "url"),
        (lambda one: set_enabled(one, False), "enabled"),
        (lambda one: add_secret(one, OTHER), "secrets"),
        (lambda one: rotate_secret(one, grace=timedelta(0)), "secrets"),
        (lambda one: one.secrets.all().delete(), "secrets"),
        (in_sql("UPDATE webhookhub_secret SET expires_at = now()"), "secrets"),
        (lambda one: Subscription.objects.update(profile="crm"), "profile"),
    ],
)
def test_a_change_is_seen_with_the_next_load_whoever_makes_it(
    change: Callable[[Subscription], object], seen: str, subscription: Subscription
) -> None:
    before = load(subscription)
    change(subscription)
    after = load(subscription)
    assert after.version > before.version
    assert getattr(after, seen) != getattr(before, seen)


def test_a_change_of_a_profile_reaches_the_endpoints_that_follow_it(subscribed: Callable[..., Subscription]) -> None:
    copy = Profile.objects.get(name="standard")
    copy.name = "patient"
    copy.save(force_insert=True)
    follower, other = subscribed(profile="patient"), subscribed()
    versions = load(follower).version, load(other).version
    Profile.objects.filter(name="patient").update(timeout_seconds=30)
    assert load(follower).profile.timeout_seconds == 30
    assert (load(follower).version > versions[0], load(other).version) == (True, versions[1])


def test_what_did_not_change_is_loaded_without_asking_the_database(
    subscription: Subscription, django_assert_num_queries: DjangoAssertNumQueries
) -> None:
    version = load(subscription).version
    with django_assert_num_queries(0):
        load_endpoints({subscription.id: version})


def test_what_changed_is_loaded_in_two_statements_for_all(
    subscribed: Callable[..., Subscription], django_assert_num_queries: DjangoAssertNumQueries
) -> None:
    versions = {subscribed().id: -1 for _ in range(20)}
    with django_assert_num_queries(2):
        assert len(load_endpoints(versions)) == 20


def test_a_deleted_subscription_has_no_endpoint_though_it_had_one_here(subscription: Subscription) -> None:
    version = load(subscription).version
    identifier = subscription.id
    subscription.delete()
    # It was claimed at a version that nobody here has seen, and deleted before it could be read.
    assert load_endpoints({identifier: version + 1}) == {}


@pytest.mark.usefixtures("db")
@pytest.mark.parametrize("profile", BUILT_IN_PROFILES, ids=lambda profile: profile.name)
def test_a_built_in_profile_is_in_the_database_as_it_is_in_the_code(profile: DeliveryProfile) -> None:
    assert Profile.objects.get(name=profile.name).to_value() == profile


@pytest.mark.usefixtures("db")
def test_there_are_no_other_profiles_in_a_new_database() -> None:
    assert set(Profile.objects.values_list("name", flat=True)) == {profile.name for profile in BUILT_IN_PROFILES}


@pytest.mark.parametrize(
    "url",
    [
        *("", "example.com", "ftp://example.com", "http://", "http:///x", "https://[::1", "http://a:99999"),
        *("http://a:0", "javascript:alert(1)", "http://a/" + "x" * 2_048),
    ],
)
def test_what_is_no_web_address_is_refused_at_once(account: Account, url: str) -> None:
    with pytest.raises(UnsuitableUrlError) as error:
        subscribe(account, url)
    assert (error.value.field, "http" in str(error.value) or "2048" in str(error.value)) == ("url", True)
    assert not Subscription.objects.exists()


@pytest.mark.parametrize(
    "pattern", ["", "order*", "*.order", "order.*.added", "**", "order.", "order shipped", "x" * 129]
)
def test_what_no_event_type_can_match_is_refused_with_what_is_right(account: Account, pattern: str) -> None:
    with pytest.raises(PatternError, match=r"write `\*`, a type such as order\.shipped, or order\.\*"):
        subscribe(account, "http://127.0.0.1:9/", event_types=[pattern])
    assert not Subscription.objects.exists()


@pytest.mark.parametrize(
    "wanted",
    [{"profile": "nonsense"}, {"action": "UPDATE"}, {"entity_type": "x" * 129, "action": "UPDATE"}],
    ids=["unknown profile", "action of no entity", "long entity type"],
)
def test_what_cannot_be_subscribed_to_is_refused_by_name(account: Account, wanted: dict[str, Any]) -> None:
    with pytest.raises(SubscriptionError):
        subscribe(account, "http://127.0.0.1:9/", **wanted)
    assert not Subscription.objects.exists()


def test_a_subscription_without_a_right_secret_is_not_made(account: Account) -> None:
    with pytest.raises(SigningSecretError):
        subscribe(account, "http://127.0.0.1:9/", secret="short")
    assert (Subscription.objects.count(), Secret.objects.count()) == (0, 0)
