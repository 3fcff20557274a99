"""Deliveries to webhooks with OAuth2 credentials: they wait for their token, nobody else does, and it is fetched once."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable
from typing import Any
from uuid import UUID

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from deliveries.deliver import deliver
from deliveries.models import Delivery, Status
from deliveries.sweep import sweep
from deliveries.token_desk import TokenDesk
from deliveries.token_request import Granted
from deliveries.tokens import TokenState, begin_fetch, end_fetch, load_tokens
from deliveries.transport import Answer, FailureKind
from deliveries.wire import Wire
from subscriptions.auth import OAuth2Auth
from subscriptions.models import AccessToken, Subscription
from tests.integration.conftest import Listen, Rung
from tests.integration.receiver import CONCURRENCY, WAITING, Receiver, wait_until
from tests.integration.rows import change, make_pending, read_attempts, read_delivery
from tests.integration.test_tokens import let_pass, make_unreadable, store, version_of
from tests.unit.results import answer, no_answer
from tests.unit.scripted_transport import ScriptedTransport

AUTH = OAuth2Auth(token_url="http://127.0.0.1:9/token", client_id="hub", client_secret="hush", scope="hooks")
BATCH = CONCURRENCY + WAITING


@pytest.fixture
def subscription(subscribed: Callable[..., Subscription]) -> Subscription:
    """A webhook with OAuth2 credentials."""
    return subscribed(auth=AUTH)


def grant(token: str = "t0k.en", **members: Any) -> Answer:
    body = {"access_token": token, "token_type": "Bearer", "expires_in": 3600} | members
    return answer(200)._replace(body=json.dumps(body).encode())


def asked(token_endpoint: ScriptedTransport, times: int) -> None:
    """Wait until so many requests for a token have been sent."""
    wait_until(lambda: len(token_endpoint.started) == times)


def rung(listen: Listen, count: int) -> list[UUID]:
    """Wait until so many deliveries were rung for."""
    heard: list[Rung] = []

    def have_all() -> bool:
        heard.extend(listen("deliveries"))
        return sum(len(message.ids) for message in heard) >= count

    wait_until(have_all)
    return [identifier for message in heard for identifier in message.ids]


def tokens_sent(receiver: Receiver) -> list[str | None]:
    return [dict(request.headers).get("Authorization") for request in receiver.started]


@pytest.mark.usefixtures("wire")
def test_what_has_no_token_waits_unspent_and_goes_when_it_is_there(
    subscription: Subscription, receiver: Receiver, token_endpoint: ScriptedTransport, listen: Listen
) -> None:
    identifiers = make_pending(subscription, BATCH)
    listen("deliveries")
    deliver(identifiers)
    asked(token_endpoint, 1)
    assert receiver.started == []
    assert set(Delivery.objects.values_list("status", "attempt_count", "claimed_at")) == {(Status.PENDING, 0, None)}

    token_endpoint.answer_next(grant())
    assert sorted(rung(listen, BATCH)) == identifiers
    deliver(identifiers)
    assert tokens_sent(receiver) == ["Bearer t0k.en"] * BATCH
    assert set(Delivery.objects.values_list("status", "attempt_count")) == {(Status.DELIVERED, 1)}
    assert len(token_endpoint.started) == 1


@pytest.mark.usefixtures("wire")
def test_however_many_batches_wait_a_token_is_asked_for_once(
    subscription: Subscription, token_endpoint: ScriptedTransport, listen: Listen
) -> None:
    identifiers = make_pending(subscription, 3)
    listen("deliveries")
    for identifier in identifiers:
        deliver([identifier])
    asked(token_endpoint, 1)
    token_endpoint.answer_next(grant())
    assert sorted(rung(listen, 3)) == identifiers
    assert len(token_endpoint.started) == 1


@pytest.mark.usefixtures("wire")
def test_the_request_for_a_token_is_the_client_credentials_grant(
    subscription: Subscription, token_endpoint: ScriptedTransport
) -> None:
    deliver(make_pending(subscription))
    asked(token_endpoint, 1)
    (request,) = token_endpoint.started
    assert (request.url, request.body) == (AUTH.token_url, b"grant_type=client_credentials&scope=hooks")
    assert dict(request.headers)["User-Agent"] == "WebhookHub/1.0"


@pytest.mark.usefixtures("wire")
def test_a_token_endpoint_that_hangs_holds_nobody_else_up(
    subscription: Subscription, subscribed: Callable[..., Subscription], token_endpoint: ScriptedTransport
) -> None:
    plain = subscribed()
    make_pending(subscription)
    deliver(list(Delivery.objects.values_list("id", flat=True)))
    asked(token_endpoint, 1)
    assert Delivery.objects.get(subscription=plain).status == Status.DELIVERED
    assert Delivery.objects.get(subscription=subscription).status == Status.PENDING


@pytest.mark.usefixtures("wire")
@pytest.mark.parametrize(
    ("result", "reason"),
    [
        (no_answer(FailureKind.TIMEOUT), "token: nothing came"),
        (
            answer(401)._replace(body=b'{"error":"invalid_client"}'),
            "token: the token endpoint answered 401 (invalid_client)",
        ),
    ],
)
def test_where_no_token_is_to_be_had_the_attempt_fails_with_the_reason_and_is_retried_by_the_profile(
    result: Any,
    reason: str,
    subscription: Subscription,
    receiver: Receiver,
    token_endpoint: ScriptedTransport,
    listen: Listen,
) -> None:
    (delivery_id,) = make_pending(subscription)
    listen("deliveries")
    deliver([delivery_id])
    asked(token_endpoint, 1)
    token_endpoint.answer_next(result)
    assert rung(listen, 1) == [delivery_id]

    (retry,) = deliver([delivery_id])
    # The standard profile waits 5 s after the first attempt, with a jitter of 10 %.
    assert (retry.delivery_id, 4.5 <= retry.countdown_seconds <= 5.5) == (delivery_id, True)
    (attempt,) = read_attempts(delivery_id)
    assert (attempt.outcome, attempt.status_code, attempt.error) == ("token", None, reason)
    delivery = read_delivery(delivery_id)
    assert (delivery.status, delivery.attempt_count, delivery.last_outcome) == (Status.PENDING, 1, "token")
    assert receiver.started == []
    assert len(token_endpoint.started) == 1, "nobody asks again at once"


@pytest.mark.usefixtures("wire")
def test_after_a_moment_a_token_is_asked_for_again(
    subscription: Subscription,
    receiver: Receiver,
    token_endpoint: ScriptedTransport,
    listen: Listen,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    # A moment that is not over before the next line, however slow the machine.
    monkeypatch.setattr("deliveries.tokens.RETRY_SECONDS", 1000.0)
    (delivery_id,) = make_pending(subscription)
    deliver([delivery_id])
    asked(token_endpoint, 1)
    token_endpoint.answer_next(answer(503))
    rung(listen, 1)
    deliver([delivery_id])
    let_pass(1000.0)
    change([delivery_id], due_at="2026-01-01T00:00:00Z")
    deliver([delivery_id])
    asked(token_endpoint, 2)
    token_endpoint.answer_next(grant())
    rung(listen, 1)
    deliver([delivery_id])
    assert [attempt.outcome for attempt in read_attempts(delivery_id)] == ["token", "delivered"]
    assert tokens_sent(receiver) == ["Bearer t0k.en"]


@pytest.mark.usefixtures("wire")
def test_a_401_is_a_failed_attempt_and_the_next_one_has_another_token(
    subscription: Subscription, receiver: Receiver, token_endpoint: ScriptedTransport, listen: Listen
) -> None:
    store(subscription, "stale")
    identifiers = make_pending(subscription, BATCH)
    listen("deliveries")
    receiver.status_code = 401
    retries = deliver(identifiers)
    assert len(retries) == BATCH
    assert {(one.outcome, one.status_code) for id in identifiers for one in read_attempts(id)} == {("status", 401)}

    receiver.status_code = 200
    change(identifiers, due_at="2026-01-01T00:00:00Z")
    deliver(identifiers)
    asked(token_endpoint, 1)
    token_endpoint.answer_next(grant("fresh"))
    rung(listen, BATCH)
    deliver(identifiers)
    assert set(tokens_sent(receiver)[BATCH:]) == {"Bearer fresh"}
    assert set(Delivery.objects.values_list("status", "attempt_count")) == {(Status.DELIVERED, 2)}


@pytest.mark.usefixtures("wire")
def test_a_token_near_its_end_is_replaced_while_it_is_still_used(
    subscription: Subscription, receiver: Receiver, token_endpoint: ScriptedTransport, listen: Listen
) -> None:
    store(subscription, "old", lifetime_seconds=3600)
    let_pass(3300)
    first, second = make_pending(subscription, 2)
    listen("deliveries")
    deliver([first])
    asked(token_endpoint, 1)
    token_endpoint.answer_next(grant("new"))
    wait_until(lambda: AccessToken.objects.get().asked_at is None)
    deliver([second])
    assert tokens_sent(receiver) == ["Bearer old", "Bearer new"]
    assert listen("deliveries") == []


@pytest.mark.usefixtures("wire")
def test_a_token_that_cannot_be_read_costs_one_attempt_and_the_neighbours_nothing(
    subscription: Subscription,
    subscribed: Callable[..., Subscription],
    receiver: Receiver,
    token_endpoint: ScriptedTransport,
    listen: Listen,
) -> None:
    make_unreadable(store(subscription))
    plain = subscribed()
    make_pending(subscription)
    identifiers = list(Delivery.objects.values_list("id", flat=True))
    deliver(identifiers)
    assert Delivery.objects.get(subscription=plain).status == Status.DELIVERED
    delivery_id = Delivery.objects.get(subscription=subscription).id
    assert [attempt.outcome for attempt in read_attempts(delivery_id)] == ["token"]

    listen("deliveries")
    change([delivery_id], due_at="2026-01-01T00:00:00Z")
    deliver([delivery_id])
    asked(token_endpoint, 1)
    token_endpoint.answer_next(grant())
    assert rung(listen, 1) == [delivery_id]
    deliver([delivery_id])
    assert tokens_sent(receiver) == [None, "Bearer t0k.en"]


@pytest.fixture
def looks(monkeypatch: pytest.MonkeyPatch) -> list[object]:
    """One entry for each time that the desk looked how it stands with a token that another process fetches."""
    looked: list[object] = []

    def look(subscription_ids: Iterable[UUID]) -> dict[UUID, TokenState]:
        states = load_tokens(subscription_ids)
        looked.append(states)
        return states

    monkeypatch.setattr("deliveries.token_desk.load_tokens", look)
    return looked


@pytest.mark.usefixtures("wire")
def test_what_another_process_fetches_is_waited_for_and_not_asked_for(
    subscription: Subscription,
    receiver: Receiver,
    token_endpoint: ScriptedTransport,
    listen: Listen,
    looks: list[object],
) -> None:
    elsewhere = begin_fetch(subscription.id, version_of(subscription))
    assert elsewhere is not None
    (delivery_id,) = make_pending(subscription)
    listen("deliveries")
    deliver([delivery_id])
    wait_until(lambda: len(looks) >= 2)
    assert receiver.started == []
    assert listen("deliveries") == []

    end_fetch(subscription.id, elsewhere, Granted(token="of another process", lifetime_seconds=3600))
    assert rung(listen, 1) == [delivery_id]
    deliver([delivery_id])
    assert tokens_sent(receiver) == ["Bearer of another process"]
    assert token_endpoint.started == []


@pytest.mark.usefixtures("wire")
def test_what_another_process_gave_up_is_fetched_here(
    subscription: Subscription, token_endpoint: ScriptedTransport, looks: list[object]
) -> None:
    elsewhere = begin_fetch(subscription.id, version_of(subscription))
    assert elsewhere is not None
    deliver(make_pending(subscription))
    wait_until(lambda: len(looks) >= 2)
    end_fetch(subscription.id, elsewhere, None)
    asked(token_endpoint, 1)


@pytest.mark.usefixtures("wire")
def test_a_webhook_whose_credentials_changed_meanwhile_has_its_token_fetched_with_the_new_ones(
    subscription: Subscription, receiver: Receiver, token_endpoint: ScriptedTransport, listen: Listen
) -> None:
    (delivery_id,) = make_pending(subscription)
    listen("deliveries")
    deliver([delivery_id])
    asked(token_endpoint, 1)
    AccessToken.objects.all().delete()
    token_endpoint.answer_next(grant("of the old ones"))
    assert rung(listen, 1) == [delivery_id]
    deliver([delivery_id])
    asked(token_endpoint, 2)
    assert receiver.started == []


def test_at_the_end_of_a_worker_what_it_fetches_is_left_to_others(
    subscription: Subscription, wire: Wire, token_endpoint: ScriptedTransport
) -> None:
    for identifier in make_pending(subscription, 2):
        deliver([identifier])
        asked(token_endpoint, 1)
    wire.tokens.close(5)
    assert token_endpoint.closed
    assert AccessToken.objects.get().asked_at is None
    assert begin_fetch(subscription.id, version_of(subscription)) is not None


@pytest.mark.usefixtures("wire")
def test_where_whoever_fetches_is_lost_the_sweep_brings_the_deliveries_again(
    subscription: Subscription, token_endpoint: ScriptedTransport, listen: Listen
) -> None:
    (delivery_id,) = make_pending(subscription)
    deliver([delivery_id])
    asked(token_endpoint, 1)
    listen("deliveries")
    delivery = read_delivery(delivery_id)
    assert delivery.wake_at is not None
    assert (delivery.wake_at - delivery.due_at).total_seconds() == 5
    change([delivery_id], wake_at="2026-01-01T00:00:00Z")
    sweep()
    assert rung(listen, 1) == [delivery_id]


@pytest.mark.usefixtures("wire")
@pytest.mark.filterwarnings("ignore::pytest.PytestUnhandledThreadExceptionWarning")
def test_a_desk_that_fell_over_something_serves_the_next_ones(
    subscribed: Callable[..., Subscription],
    token_endpoint: ScriptedTransport,
    monkeypatch: pytest.MonkeyPatch,
    wire: Wire,
) -> None:
    def fall(*_: object, **__: object) -> None:
        raise LookupError

    with monkeypatch.context() as broken:
        broken.setattr("deliveries.token_desk.begin_fetch", fall)
        deliver(make_pending(subscribed(auth=AUTH)))
        thread = wire.tokens._thread
        assert thread is not None
        thread.join(5)
    token_endpoint.closed = False
    deliver(make_pending(subscribed(auth=AUTH)))
    wait_until(lambda: bool(token_endpoint.started))


@pytest.mark.usefixtures("wire")
def test_a_batch_with_such_webhooks_costs_one_statement_more_and_any_other_none(
    subscription: Subscription, subscribed: Callable[..., Subscription]
) -> None:
    store(subscription)

    def statements(to: Subscription) -> list[str]:
        warm, *identifiers = make_pending(to, BATCH + 1)
        deliver([warm])
        with CaptureQueriesContext(connection) as captured:
            deliver(identifiers)
        return [query["sql"] for query in captured.captured_queries]

    assert sum("access_token" in statement for statement in statements(subscription)) == 1
    plain = subscribed()
    Delivery.objects.all().delete()
    Subscription.objects.filter(id=subscription.id).update(enabled=False)
    assert sum("access_token" in statement for statement in statements(plain)) == 0


def test_a_desk_that_nobody_asks_opens_nothing() -> None:
    def open_transport() -> ScriptedTransport:
        raise AssertionError

    desk = TokenDesk(open_transport, user_agent="-")
    desk.ask([])
    desk.close(1)
