"""Which requests of a batch go with a token, which wait for one, and which fail without."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

from deliveries.authorize import Want, authorize, fail_without_token, sort_by_token, wants_of
from deliveries.request import build_request
from deliveries.tokens import Failing, FetchedToken, Missing, Ready
from deliveries.transport import FailureKind, NoAnswer
from subscriptions.auth import OAuth2Auth
from tests.unit.claimed import NOON, SUBSCRIPTION, claim, endpoint
from webhookhub.ids import new_id

AUTH = OAuth2Auth(token_url="https://id.example/token", client_id="hub", client_secret="s")
TOKEN = FetchedToken(token="t0k.en", fetched_at=NOON)
OTHER = new_id()
PROTECTED = endpoint(auth=AUTH, version=7)
PLAIN = endpoint(subscription_id=OTHER)


def test_a_request_goes_with_the_token_that_there_is() -> None:
    one = claim()
    sorted_ = sort_by_token([(one, PROTECTED)], {SUBSCRIPTION: Ready(token=TOKEN, is_due=False)})
    ((_, there),) = sorted_.ready
    request = build_request(one, there, now=NOON, default_user_agent="-")
    assert ("Authorization", "Bearer t0k.en") in request.headers
    assert wants_of(sorted_) == []


def test_a_token_that_is_due_is_used_and_another_one_wanted_once() -> None:
    state = Ready(token=TOKEN, is_due=True)
    sorted_ = sort_by_token([(claim(), PROTECTED), (claim(), PROTECTED)], {SUBSCRIPTION: state})
    assert len(sorted_.ready) == 2
    assert wants_of(sorted_) == [Want(SUBSCRIPTION, 7, AUTH, ())]


def test_without_a_token_requests_wait_and_one_is_wanted_for_all_of_them() -> None:
    claims = [claim(), claim()]
    for tokens in ({}, {SUBSCRIPTION: Missing(is_asked=True)}):
        sorted_ = sort_by_token([(one, PROTECTED) for one in claims], tokens)
        assert (sorted_.ready, sorted_.failing) == ([], [])
        assert wants_of(sorted_) == [Want(SUBSCRIPTION, 7, AUTH, tuple(one.delivery_id for one in claims))]


def test_where_none_was_to_be_had_the_attempt_fails_and_says_so() -> None:
    one = claim()
    sorted_ = sort_by_token([(one, PROTECTED)], {SUBSCRIPTION: Failing(reason="connection refused")})
    assert (sorted_.ready, wants_of(sorted_)) == ([], [])
    (landing,) = fail_without_token(sorted_.failing)
    assert landing.flight.claim == one
    assert isinstance(landing.result, NoAnswer)
    assert (landing.result.kind, landing.result.message) == (FailureKind.TOKEN, "token: connection refused")


def test_requests_that_need_no_token_go_on_whatever_is_the_matter_with_the_others() -> None:
    plain, protected = claim(subscription_id=OTHER), claim()
    for tokens in ({}, {SUBSCRIPTION: Failing(reason="no")}):
        sorted_ = sort_by_token([(protected, PROTECTED), (plain, PLAIN)], tokens)
        assert sorted_.ready == [(plain, PLAIN)]


def test_each_webhook_has_a_token_of_its_own() -> None:
    another = replace(TOKEN, token="another", fetched_at=NOON + timedelta(seconds=1))
    protected = replace(PROTECTED, subscription_id=OTHER)
    tokens = {SUBSCRIPTION: Ready(token=TOKEN, is_due=False), OTHER: Ready(token=another, is_due=False)}
    sorted_ = sort_by_token([(claim(), PROTECTED), (claim(subscription_id=OTHER), protected)], tokens)
    assert [there.auth for _, there in sorted_.ready] == [TOKEN, another]


def test_a_batch_without_such_webhooks_asks_nobody() -> None:
    # Without a database: a statement would fail.
    batch = [(claim(), endpoint())]
    assert authorize(batch).ready == batch


def test_a_token_shows_itself_to_nobody() -> None:
    assert "t0k.en" not in repr(TOKEN)
