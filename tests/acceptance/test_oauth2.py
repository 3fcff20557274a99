"""A webhook whose requests carry an access token: fetched once for all workers, replaced when it is turned away."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from scripts.local.roles import DELIVERIES
from tests.acceptance.customer import Customer, Subscriber
from tests.acceptance.hub import Hub
from tests.receivers.oauth import CLIENT_ID, CLIENT_SECRET, TokenEndpoint, token_endpoint
from tests.receivers.recording import ACCEPTED, Answer

pytestmark = pytest.mark.acceptance


@pytest.fixture(scope="module")
def hub(hub: Hub) -> Hub:
    """A hub with two delivery workers of several processes each."""
    for _ in range(2):
        hub.start(DELIVERIES)
    return hub


@pytest.fixture
def tokens() -> Iterator[TokenEndpoint]:
    with token_endpoint() as endpoint:
        yield endpoint


def protect(customer: Customer, subscriber: Subscriber, tokens: TokenEndpoint, secret: str = CLIENT_SECRET) -> None:
    """The subscriber's endpoint asks for a token from there."""
    customer.hub.application(
        "use_oauth2", subscription=subscriber.id, token_url=tokens.url, client_id=CLIENT_ID, client_secret=secret
    )


def tokens_seen(subscriber: Subscriber) -> list[str]:
    return [request.header["authorization"] for request in subscriber.requests]


def test_all_workers_together_fetch_one_token_and_every_request_carries_it(
    customer: Customer, tokens: TokenEndpoint
) -> None:
    subscriber = customer.subscribe()
    protect(customer, subscriber, tokens)

    for _ in range(20):
        customer.emit(10)
    customer.wait_until_settled()

    assert set(tokens_seen(subscriber)) == {"Bearer token-1"}
    (asked,) = tokens.asked
    assert asked.client == f"{CLIENT_ID}:{CLIENT_SECRET}"
    assert asked.form == {"grant_type": ["client_credentials"]}
    assert {delivery.attempt_count for delivery in customer.deliveries()} == {1}, (
        "waiting for a token spends no attempt"
    )
    customer.check_story()


def test_a_401_is_a_failed_attempt_and_the_next_attempt_carries_another_token(
    customer: Customer, tokens: TokenEndpoint
) -> None:
    subscriber = customer.subscribe(Answer(status=401), ACCEPTED, intervals_seconds=[0.5])
    protect(customer, subscriber, tokens)

    customer.emit()
    customer.wait_until_settled()

    assert tokens_seen(subscriber) == ["Bearer token-1", "Bearer token-2"]
    assert [(one.outcome, one.status_code) for one in customer.delivery().attempts] == [
        ("status", 401),
        ("delivered", 204),
    ]
    assert len(tokens.asked) == 2
    customer.check_story()


def test_a_client_that_the_token_endpoint_does_not_know_shows_as_failed_attempts_that_hold_no_secret(
    customer: Customer, tokens: TokenEndpoint
) -> None:
    subscriber = customer.subscribe(intervals_seconds=[0.5])
    protect(customer, subscriber, tokens, secret="an0ther-secret")

    customer.emit()
    customer.wait_until_settled()

    delivery = customer.delivery()
    assert (delivery.status, delivery.failure_reason) == ("failed", "exhausted")
    assert [(one.outcome, one.status_code) for one in delivery.attempts] == [("token", None)] * 2
    assert {one.error for one in delivery.attempts} == {"token: the token endpoint answered 401 (invalid_client)"}
    assert subscriber.requests == []
    assert "an0ther-secret" not in "".join(log.read_text() for log in customer.hub.folder.glob("*.log"))
    customer.check_story()


def test_what_could_not_go_while_the_token_endpoint_was_down_goes_when_it_is_back(
    customer: Customer, tokens: TokenEndpoint
) -> None:
    # Nobody asks again within five seconds.
    subscriber = customer.subscribe(intervals_seconds=[1, 1, 1, 1, 1, 1, 1, 1, 1, 1])
    protect(customer, subscriber, tokens)
    tokens.is_down = True
    customer.emit()
    customer.wait_until_recorded(1)
    tokens.is_down = False
    customer.wait_until_settled()

    *failed, last = customer.delivery().attempts
    assert {one.error for one in failed} == {"token: the token endpoint answered 503 (temporarily_unavailable)"}
    assert last.outcome == "delivered"
    assert len(subscriber.requests) == 1
    customer.check_story()


def test_a_token_endpoint_that_takes_its_time_holds_nobody_else_up_and_costs_no_attempt(
    customer: Customer, tokens: TokenEndpoint
) -> None:
    protected, plain = customer.subscribe(), customer.subscribe()
    protect(customer, protected, tokens)
    tokens.hold()
    for _ in range(20):
        customer.emit(5)
    customer.hub.wait_until(lambda: len(plain.requests) == 100, "what needs no token")
    assert protected.requests == []
    tokens.release()
    customer.wait_until_settled()

    assert {delivery.attempt_count for delivery in customer.deliveries()} == {1}
    assert len(tokens.asked) == 1
    customer.check_story()


def test_a_worker_that_just_started_uses_the_token_that_others_fetched(
    customer: Customer, tokens: TokenEndpoint
) -> None:
    subscriber = customer.subscribe()
    protect(customer, subscriber, tokens)
    customer.emit()
    customer.wait_until_settled()
    with customer.hub.without(DELIVERIES), customer.hub.deliverers():
        customer.emit()
        customer.wait_until_settled()

    assert tokens_seen(subscriber) == ["Bearer token-1"] * 2
    assert len(tokens.asked) == 1
    customer.check_story()
