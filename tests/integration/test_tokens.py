"""Where access tokens are kept: one for each webhook and all workers, fetched by one of them at a time."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import datetime, timedelta
from threading import Barrier
from uuid import UUID

import pytest
from cryptography.fernet import Fernet
from django.db import connection

from deliveries.token_request import Denied, Granted
from deliveries.tokens import (
    LEASE_SECONDS,
    REJECTED_SECONDS,
    RETRY_SECONDS,
    Failing,
    FetchedToken,
    Missing,
    Ready,
    TokenState,
    begin_fetch,
    end_fetch,
    load_tokens,
    reject_tokens,
)
from subscriptions.auth import BearerAuth, OAuth2Auth
from subscriptions.models import AccessToken, Subscription
from subscriptions.subscribe import change_subscription, set_enabled
from tests.integration.rows import answered, claim_one, land, make_pending, run_at_once
from webhookhub.models import Account

AUTH = OAuth2Auth(token_url="http://127.0.0.1:9/token", client_id="hub", client_secret="hush")


@pytest.fixture
def subscription(subscribed: Callable[..., Subscription]) -> Subscription:
    """A webhook with OAuth2 credentials."""
    return subscribed(auth=AUTH)


def version_of(subscription: Subscription) -> int:
    return Subscription.objects.values_list("version", flat=True).get(id=subscription.id)


def begin(subscription: Subscription) -> datetime | None:
    return begin_fetch(subscription.id, version_of(subscription))


def store(subscription: Subscription, token: str = "t0k.en", lifetime_seconds: float | None = 3600) -> FetchedToken:
    """A token was fetched."""
    asked_at = begin(subscription)
    assert asked_at is not None
    assert end_fetch(subscription.id, asked_at, Granted(token=token, lifetime_seconds=lifetime_seconds))
    state = state_of(subscription)
    assert isinstance(state, Ready)
    return state.token


def state_of(subscription: Subscription) -> TokenState | None:
    return load_tokens([subscription.id]).get(subscription.id)


def let_pass(seconds: float) -> None:
    """So much time goes by for every token. `fetched_at` stays: it only tells tokens apart."""
    columns = ("refresh_at", "expires_at", "rejected_at", "asked_at", "retry_at")
    with connection.cursor() as cursor:
        changes = ", ".join(f"{column} = {column} - %(seconds)s * interval '1 second'" for column in columns)
        cursor.execute(f"UPDATE webhookhub_access_token SET {changes}", {"seconds": seconds})


def test_a_token_is_stored_encrypted_and_read_back(subscription: Subscription) -> None:
    assert state_of(subscription) is None
    assert store(subscription, "t0k.en").token == "t0k.en"
    row = AccessToken.objects.get()
    assert "t0k.en" not in row.encrypted_token
    assert row.asked_at is None


def test_of_several_at_once_one_fetches_the_token(subscription: Subscription) -> None:
    version = version_of(subscription)
    barrier = Barrier(4)

    def try_to_begin() -> datetime | None:
        barrier.wait()
        return begin_fetch(subscription.id, version)

    began = [asked_at for asked_at in run_at_once([try_to_begin] * 4) if asked_at is not None]
    assert len(began) == 1
    assert state_of(subscription) == Missing(is_asked=True)


def test_nothing_is_locked_while_a_token_is_fetched(subscription: Subscription) -> None:
    begin(subscription)

    def take_both_rows() -> None:
        with connection.cursor() as cursor:
            cursor.execute(
                """SELECT 1 FROM webhookhub_access_token JOIN webhookhub_subscription ON id = subscription_id
                      FOR UPDATE NOWAIT"""
            )
            assert cursor.rowcount == 1

    run_at_once([take_both_rows])


def test_a_token_that_is_there_is_not_fetched_again(subscription: Subscription) -> None:
    store(subscription)
    assert begin(subscription) is None


@pytest.mark.parametrize(
    ("lifetime_seconds", "used_seconds"),
    [
        (3600, 3240),  # a tenth before the end
        (300, 240),  # a minute before
        (100, 50),  # not in the first half
        (10, 5),
    ],
)
def test_a_token_is_replaced_before_its_end_and_used_until_then(
    subscription: Subscription, lifetime_seconds: float, used_seconds: float
) -> None:
    token = store(subscription, lifetime_seconds=lifetime_seconds)
    let_pass(used_seconds - 1)
    assert state_of(subscription) == Ready(token=token, is_due=False)
    let_pass(2)
    assert state_of(subscription) == Ready(token=token, is_due=True)
    assert begin(subscription) is not None
    assert state_of(subscription) == Ready(token=token, is_due=False), "somebody is about to replace it"
    let_pass(lifetime_seconds - used_seconds)
    assert isinstance(state_of(subscription), Missing)


def test_a_lifetime_counts_from_when_the_token_was_asked_for(subscription: Subscription) -> None:
    begin(subscription)
    let_pass(12)
    asked_at = AccessToken.objects.get().asked_at
    assert asked_at is not None
    end_fetch(subscription.id, asked_at, Granted(token="t", lifetime_seconds=60))
    let_pass(47)
    assert isinstance(state_of(subscription), Ready)
    let_pass(2)
    assert isinstance(state_of(subscription), Missing)


def test_a_token_without_a_lifetime_is_used_until_it_is_turned_away(subscription: Subscription) -> None:
    token = store(subscription, lifetime_seconds=None)
    let_pass(10**8)
    assert state_of(subscription) == Ready(token=token, is_due=False)
    assert begin(subscription) is None


def test_where_none_was_to_be_had_nobody_asks_for_a_moment_and_the_reason_is_told(subscription: Subscription) -> None:
    asked_at = begin(subscription)
    assert asked_at is not None
    assert end_fetch(subscription.id, asked_at, Denied(reason="the token endpoint answered 503"))
    assert state_of(subscription) == Failing(reason="the token endpoint answered 503")
    assert begin(subscription) is None
    let_pass(RETRY_SECONDS)
    assert state_of(subscription) == Missing(is_asked=False)
    assert begin(subscription) is not None


def test_a_good_token_is_used_while_the_next_one_is_not_to_be_had(subscription: Subscription) -> None:
    token = store(subscription)
    let_pass(3300)
    asked_at = begin(subscription)
    assert asked_at is not None
    end_fetch(subscription.id, asked_at, Denied(reason="no"))
    assert state_of(subscription) == Ready(token=token, is_due=False)
    let_pass(RETRY_SECONDS)
    assert state_of(subscription) == Ready(token=token, is_due=True)


@pytest.mark.parametrize("result", [Granted(token="late", lifetime_seconds=60), Denied(reason="late"), None])
def test_whoever_lost_the_lease_changes_nothing(subscription: Subscription, result: Granted | Denied | None) -> None:
    first = begin(subscription)
    let_pass(LEASE_SECONDS)
    second = begin(subscription)
    assert first is not None
    assert second is not None
    assert not end_fetch(subscription.id, first, result)
    assert state_of(subscription) == Missing(is_asked=True)
    assert end_fetch(subscription.id, second, Granted(token="in time", lifetime_seconds=60))


def test_a_fetch_that_was_given_up_may_begin_anew_at_once(subscription: Subscription) -> None:
    asked_at = begin(subscription)
    assert asked_at is not None
    end_fetch(subscription.id, asked_at, None)
    assert begin(subscription) is not None


def other_secret(subscription: Subscription) -> None:
    fresh = Subscription.objects.get(id=subscription.id)
    change_subscription(fresh, lambda terms: replace(terms, auth=replace(AUTH, client_secret="another")))


def other_kind(subscription: Subscription) -> None:
    fresh = Subscription.objects.get(id=subscription.id)
    change_subscription(fresh, lambda terms: replace(terms, auth=BearerAuth(token="b")))


def in_sql(_: Subscription) -> None:
    with connection.cursor() as cursor:
        cursor.execute("UPDATE webhookhub_subscription SET encrypted_credentials = 'x'")


@pytest.mark.parametrize("change", [other_secret, other_kind, in_sql])
def test_a_change_of_the_credentials_drops_the_token_and_what_is_fetched_with_the_old_ones(
    subscription: Subscription, change: Callable[[Subscription], None]
) -> None:
    store(subscription)
    let_pass(3300)
    old_version, asked_at = version_of(subscription), begin(subscription)
    assert asked_at is not None
    change(subscription)
    assert state_of(subscription) is None
    assert not end_fetch(subscription.id, asked_at, Granted(token="of the old ones", lifetime_seconds=60))
    assert begin_fetch(subscription.id, old_version) is None
    assert state_of(subscription) is None


def test_other_changes_keep_the_token(subscription: Subscription) -> None:
    token = store(subscription)
    set_enabled(subscription, False)
    Subscription.objects.update(url="http://127.0.0.1:9/moved")
    assert state_of(subscription) == Ready(token=token, is_due=False)


def delete_in_sql(_: Subscription) -> None:
    with connection.cursor() as cursor:
        cursor.execute("DELETE FROM webhookhub_secret")
        cursor.execute("DELETE FROM webhookhub_subscription")


@pytest.mark.parametrize(
    "delete",
    [
        lambda one: Subscription.objects.get(id=one.id).delete(),
        lambda one: Account.objects.all().delete(),
        delete_in_sql,
    ],
)
def test_a_token_goes_with_its_webhook(subscription: Subscription, delete: Callable[[Subscription], object]) -> None:
    store(subscription)
    delete(subscription)
    assert not AccessToken.objects.exists()
    assert begin_fetch(subscription.id, 1) is None


def turn_away(subscription: Subscription, token: FetchedToken, status_code: int = 401) -> None:
    """The receiver answered a request that had this token."""
    (delivery_id,) = make_pending(subscription)
    landing = land(claim_one(delivery_id), answered(status_code))
    endpoint = replace(landing.flight.endpoint, auth=token)
    reject_tokens([landing._replace(flight=landing.flight._replace(endpoint=endpoint))])


def test_a_token_that_is_turned_away_is_fetched_anew_at_once(subscription: Subscription) -> None:
    token = store(subscription)
    turn_away(subscription, token)
    assert state_of(subscription) == Missing(is_asked=False)
    assert store(subscription, "another").token == "another"


@pytest.mark.parametrize("status_code", [200, 403, 407, 500])
def test_any_other_answer_leaves_the_token_alone(subscription: Subscription, status_code: int) -> None:
    token = store(subscription)
    turn_away(subscription, token, status_code)
    assert isinstance(state_of(subscription), Ready)


def test_a_401_to_an_older_token_leaves_the_newer_one_alone(subscription: Subscription) -> None:
    older = store(subscription)
    turn_away(subscription, older)
    newer = store(subscription, "another")
    let_pass(REJECTED_SECONDS)
    turn_away(subscription, older)
    assert state_of(subscription) == Ready(token=newer, is_due=False)


def test_a_receiver_that_turns_every_token_away_has_one_fetched_a_minute(subscription: Subscription) -> None:
    turn_away(subscription, store(subscription))
    second = store(subscription, "second")
    turn_away(subscription, second)
    assert state_of(subscription) == Ready(token=second, is_due=False)
    let_pass(REJECTED_SECONDS)
    turn_away(subscription, second)
    assert state_of(subscription) == Missing(is_asked=False)


def test_a_401_to_credentials_that_were_not_fetched_is_nothing_to_us(subscribed: Callable[..., Subscription]) -> None:
    plain = subscribed()
    (delivery_id,) = make_pending(plain)
    reject_tokens([land(claim_one(delivery_id), answered(401))])
    assert not AccessToken.objects.exists()


def make_unreadable(token: FetchedToken) -> None:
    """A worker stored the token under a key that this one does not have."""
    foreign = Fernet(Fernet.generate_key()).encrypt(token.token.encode()).decode()
    AccessToken.objects.filter(fetched_at=token.fetched_at).update(
        encrypted_token=foreign, fetched_at=token.fetched_at + timedelta(seconds=1)
    )


def test_a_token_that_cannot_be_read_is_fetched_anew_once_a_minute(
    subscription: Subscription, log: pytest.LogCaptureFixture
) -> None:
    make_unreadable(store(subscription))
    assert state_of(subscription) == Failing(reason="the stored one cannot be read")
    assert "token not readable" in log.messages
    make_unreadable(store(subscription, "another"))
    assert isinstance(state_of(subscription), Failing)
    assert begin(subscription) is None
    let_pass(REJECTED_SECONDS)
    assert isinstance(state_of(subscription), Failing)
    assert store(subscription, "a third").token == "a third"


def test_tokens_of_many_webhooks_are_read_in_one_statement_and_decrypted_once(
    subscribed: Callable[..., Subscription], monkeypatch: pytest.MonkeyPatch
) -> None:
    tokens: dict[UUID, str] = {}
    for number in range(3):
        subscription = subscribed(auth=AUTH)
        tokens[subscription.id] = store(subscription, f"token-{number}").token
    monkeypatch.setattr("deliveries.tokens.decrypt", None)
    states = load_tokens(tokens)
    assert {identifier: state.token.token for identifier, state in states.items() if isinstance(state, Ready)} == tokens
