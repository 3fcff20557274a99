"""judge: what an endpoint's figures, its probes and its recovery make of its circuit, and what may then be sent to it."""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import timedelta
from typing import Any
from uuid import UUID

import pytest
from django.db import connection

from deliveries.admit import Admission, Refusal, admit, give_back
from deliveries.breaker import judge
from deliveries.cancel import cancel
from deliveries.circuit import FIRST_STEP
from deliveries.claim import Claim, claim
from deliveries.figure_models import MinuteFigures
from deliveries.hold import release
from deliveries.models import CIRCUIT_OPEN, TEST_TRIGGER, Delivery, Status
from deliveries.record import record_landings
from deliveries.sweep import sweep
from deliveries.tally import fold
from subscriptions.custom_headers import CustomHeader
from subscriptions.endpoints import load_endpoints
from subscriptions.models import Circuit, CircuitState, Subscription
from subscriptions.subscribe import change_subscription, delete_subscription, pause, resume
from tests.integration.conftest import Listen
from tests.integration.rows import answered, change, land, let_pass, make_pending, read_delivery, run_at_once
from webhookhub.conf import hub_settings
from webhookhub.models import Account

pytestmark = pytest.mark.usefixtures("subscription")

LEAST = 10


def configure(settings: Any, **changes: Any) -> None:
    settings.WEBHOOKHUB = hub_settings().model_copy(update=changes)


def answer(claims: Sequence[Claim], status_code: int) -> None:
    """The claims' requests come back with this."""
    record_landings([land(one, answered(status_code), jitter_ratio=0) for one in claims], rng=random.Random(1))
    fold()


def fail(subscription: Subscription, count: int = LEAST) -> list[UUID]:
    """So many deliveries, each attempted once in vain."""
    identifiers = make_pending(subscription, count)
    answer(claim(identifiers), 500)
    return identifiers


def open_circuit(subscription: Subscription, failures: int = LEAST) -> None:
    fail(subscription, failures)
    judge()
    assert read(subscription).state == CircuitState.OPEN


def read(subscription: Subscription) -> Circuit:
    return Circuit.objects.get(subscription=subscription)


def try_to_send(identifiers: Sequence[UUID]) -> Admission:
    """Claim those that are due, and give those back that may not go."""
    claims = claim(identifiers)
    versions = {one.subscription_id: one.subscription_version for one in claims if one.subscription_version is not None}
    admission = admit(claims, load_endpoints(versions))
    for refusal, refused in admission.refused.items():
        give_back(refused, refusal)
    return admission


def hold(subscription: Subscription, count: int = 1) -> list[UUID]:
    """New deliveries that find the circuit open."""
    identifiers = make_pending(subscription, count)
    assert {*try_to_send(identifiers).refused} == {Refusal.CIRCUIT_OPEN}
    return identifiers


def let_probe_come(subscription: Subscription) -> Circuit:
    """The moment of the next probe comes."""
    Circuit.objects.filter(subscription=subscription).update(probe_at=read(subscription).since)
    judge()
    return read(subscription)


def pending_ids() -> list[UUID]:
    return sorted(Delivery.objects.filter(status=Status.PENDING, attempt_count=0).values_list("id", flat=True))


def send_all(status_code: int) -> int:
    """Whatever may go is sent, and comes back with this. Returns how many went."""
    sent = [one for one, _ in try_to_send(pending_ids()).admitted]
    answer(sent, status_code)
    return len(sent)


def test_enough_failures_without_a_success_open_the_circuit_and_one_fewer_does_not(subscription: Subscription) -> None:
    fail(subscription, LEAST - 1)
    judge()
    assert not Circuit.objects.exists()
    fail(subscription, 1)
    judge()
    circuit = read(subscription)
    assert (circuit.state, circuit.openings) == (CircuitState.OPEN, 1)
    assert circuit.reason == "none of 10 attempts was accepted"
    assert circuit.probe_at == circuit.since + timedelta(seconds=30)


def test_what_is_recorded_before_the_window_does_not_count(subscription: Subscription) -> None:
    fail(subscription)
    MinuteFigures.objects.update(starts_at=read_minute() - timedelta(minutes=5))
    judge()
    assert not Circuit.objects.exists()


def read_minute() -> Any:
    return MinuteFigures.objects.values_list("starts_at", flat=True)[0]


def test_attempts_whose_worker_was_lost_say_nothing_of_the_endpoint(subscription: Subscription) -> None:
    claim(make_pending(subscription, LEAST))
    let_pass(hub_settings().lease_seconds)
    sweep()
    fold()
    assert MinuteFigures.objects.filter(lost=LEAST).exists()
    judge()
    assert not Circuit.objects.exists()


def test_an_open_circuit_holds_what_comes_spends_no_attempt_and_says_why(subscription: Subscription) -> None:
    open_circuit(subscription)
    (delivery_id,) = hold(subscription)
    row = read_delivery(delivery_id)
    assert (row.status, row.last_outcome, row.attempt_count) == (Status.HELD, CIRCUIT_OPEN, 0)
    assert row.wake_at is not None
    assert row.wake_at <= row.expires_at


def test_another_endpoint_is_not_held(subscription: Subscription, subscribed: Callable[..., Subscription]) -> None:
    open_circuit(subscription)
    other = subscribed()
    admission = try_to_send(make_pending(other))
    assert [one.subscription_id for one, _ in admission.admitted] == [other.id]


def test_opening_a_circuit_leaves_the_index_of_the_account_s_subscriptions_alone(
    subscription: Subscription, account: Account
) -> None:
    account.refresh_from_db()
    before = account.subscriptions_version
    open_circuit(subscription)
    account.refresh_from_db()
    assert account.subscriptions_version == before
    pause(subscription)
    Subscription.objects.filter(id=subscription.id).update(enabled=False)
    account.refresh_from_db()
    assert account.subscriptions_version == before + 1


def test_somebody_s_test_goes_through_an_open_circuit(subscription: Subscription) -> None:
    open_circuit(subscription)
    identifiers = make_pending(subscription)
    change(identifiers, trigger=TEST_TRIGGER)
    assert len(try_to_send(identifiers).admitted) == 1


def test_at_its_moment_the_oldest_that_is_held_goes_alone_and_is_attempted_once(
    subscription: Subscription, listen: Listen
) -> None:
    open_circuit(subscription)
    oldest, *others = hold(subscription, 3)
    judge()
    assert read(subscription).state == CircuitState.OPEN  # its moment has not come
    listen("deliveries")
    circuit = let_probe_come(subscription)
    assert (circuit.state, circuit.probe_id, circuit.probe_attempt) == (CircuitState.HALF_OPEN, oldest, 1)
    assert [rung.ids for rung in listen("deliveries")] == [[oldest]]
    judge()
    assert listen("deliveries") == []
    (new,) = hold(subscription)
    (probe,) = [one for one, _ in try_to_send([oldest, *others, new]).admitted]
    assert probe.delivery_id == oldest
    answer([probe], 500)
    let_pass(3_600)
    assert [*try_to_send([oldest]).refused] == [Refusal.CIRCUIT_OPEN]


def test_what_has_expired_is_no_probe(subscription: Subscription) -> None:
    open_circuit(subscription)
    expired, other = hold(subscription, 2)
    change([expired], expires_at=read(subscription).since)
    assert let_probe_come(subscription).probe_id == other


def test_where_nothing_is_held_it_stays_open_until_something_is(subscription: Subscription) -> None:
    open_circuit(subscription)
    assert let_probe_come(subscription).state == CircuitState.OPEN
    (delivery_id,) = hold(subscription)
    judge()
    assert read(subscription).probe_id == delivery_id


@pytest.mark.parametrize(
    "changes",
    [{"url": "http://127.0.0.1:9/moved"}, {"headers": [CustomHeader(name="X-New", value="1", is_secret=False)]}],
)
def test_an_endpoint_that_is_changed_is_probed_at_once(changes: dict[str, Any], subscription: Subscription) -> None:
    open_circuit(subscription)
    (delivery_id,) = hold(subscription)
    change_subscription(Subscription.objects.get(), lambda before: replace(before, description="still down"))
    judge()
    assert read(subscription).state == CircuitState.OPEN
    change_subscription(Subscription.objects.get(), lambda before: replace(before, **changes))
    judge()
    assert read(subscription).probe_id == delivery_id


def test_a_probe_that_fails_opens_the_circuit_again_for_twice_as_long(subscription: Subscription) -> None:
    open_circuit(subscription)
    since = read(subscription).since
    (probe_id,) = hold(subscription)
    let_probe_come(subscription)
    answer([one for one, _ in try_to_send([probe_id]).admitted], 503)
    judge()
    circuit = read(subscription)
    assert (circuit.state, circuit.openings, circuit.probe_id) == (CircuitState.OPEN, 2, None)
    assert circuit.since == since
    assert circuit.probe_at is not None
    assert circuit.probe_at - since >= timedelta(seconds=60)


def test_a_probe_that_arrives_closes_the_circuit_and_what_failed_before_counts_no_more(
    subscription: Subscription,
) -> None:
    open_circuit(subscription, failures=30)
    hold(subscription, 3)
    let_probe_come(subscription)
    assert send_all(200) == 1
    judge()
    assert read(subscription).state == CircuitState.RECOVERING
    assert send_all(200) == 2
    judge()
    assert read(subscription).state == CircuitState.CLOSED
    judge()
    assert read(subscription).state == CircuitState.CLOSED


def lose(probe: Claim) -> None:
    let_pass(hub_settings().lease_seconds)
    sweep()


def cancel_unsent(probe: Claim) -> None:
    give_back([probe], Refusal.TOKEN)
    cancel([probe.delivery_id], reason="by Alice")


def expire_unsent(probe: Claim) -> None:
    give_back([probe], Refusal.TOKEN)
    let_pass(8 * 86_400)
    sweep()


def hold_unsent(probe: Claim) -> None:
    give_back([probe], Refusal.DISABLED)
    Delivery.objects.filter(id=probe.delivery_id).delete()


@pytest.mark.parametrize("end", [lose, cancel_unsent, expire_unsent, hold_unsent])
def test_a_probe_that_says_nothing_is_followed_by_the_next_one(
    end: Callable[[Claim], None], subscription: Subscription
) -> None:
    open_circuit(subscription)
    (probe_id,) = hold(subscription)
    let_probe_come(subscription)
    ((probe, _),) = try_to_send([probe_id]).admitted
    judge()
    assert read(subscription).state == CircuitState.HALF_OPEN
    end(probe)
    (next_id,) = hold(subscription)
    judge()
    circuit = read(subscription)
    assert (circuit.state, circuit.probe_id, circuit.openings) == (CircuitState.HALF_OPEN, next_id, 1)


def test_a_subscription_that_is_paused_is_not_probed_until_it_is_resumed(subscription: Subscription) -> None:
    open_circuit(subscription)
    (probe_id,) = hold(subscription)
    let_probe_come(subscription)
    pause(subscription)
    assert [*try_to_send([probe_id]).refused] == [Refusal.DISABLED]
    judge()
    assert read(subscription).state == CircuitState.OPEN
    resume(subscription)
    assert release(subscription.id) == 0  # the circuit holds it still
    judge()
    assert read(subscription).probe_id == probe_id


def recover(subscription: Subscription, count: int) -> list[UUID]:
    """So many are held, and one more as a probe finds the endpoint well again."""
    open_circuit(subscription)
    _, *held = hold(subscription, count + 1)
    let_probe_come(subscription)
    assert send_all(200) == 1
    judge()
    return held


def test_what_was_held_goes_in_the_order_of_its_age_in_steps_that_double(subscription: Subscription) -> None:
    held = recover(subscription, 7 * FIRST_STEP + 1)
    begin = 0
    for size in (FIRST_STEP, 2 * FIRST_STEP, 4 * FIRST_STEP, 1):
        assert pending_ids() == held[begin : begin + size]
        judge()
        assert pending_ids() == held[begin : begin + size]  # the step is not over
        assert send_all(200) == size
        judge()
        begin += size
    assert read(subscription).state == CircuitState.CLOSED
    assert not Delivery.objects.filter(status=Status.HELD).exists()


def test_an_endpoint_that_fails_in_the_middle_of_its_recovery_is_left_alone_again(subscription: Subscription) -> None:
    recover(subscription, 4 * FIRST_STEP)
    send_all(200)
    judge()
    assert send_all(500) == 2 * FIRST_STEP
    judge()
    circuit = read(subscription)
    assert (circuit.state, circuit.openings) == (CircuitState.OPEN, 2)
    assert circuit.reason == "16 of 16 released deliveries were not accepted"
    assert [*try_to_send(make_pending(subscription)).refused] == [Refusal.CIRCUIT_OPEN]


def test_what_comes_while_an_endpoint_recovers_is_sent(subscription: Subscription) -> None:
    recover(subscription, 3 * FIRST_STEP)
    assert len(try_to_send(make_pending(subscription)).admitted) == 1


def test_a_resumed_subscription_gets_what_was_held_in_steps_too(subscription: Subscription) -> None:
    pause(subscription)
    identifiers = make_pending(subscription, 2 * FIRST_STEP)
    try_to_send(identifiers)
    resume(subscription)
    assert release(subscription.id) == FIRST_STEP
    assert release(subscription.id) == 0
    assert pending_ids() == identifiers[:FIRST_STEP]
    send_all(200)
    judge()
    assert pending_ids() == identifiers[FIRST_STEP:]


def test_a_dry_run_says_what_it_would_do_and_holds_nothing(
    subscription: Subscription, settings: Any, log: pytest.LogCaptureFixture
) -> None:
    configure(settings, circuit_breaker="dry-run")
    fail(subscription)
    judge()
    judge()
    assert read(subscription).state == CircuitState.WOULD_OPEN
    said = [record for record in log.records if record.name == "webhookhub.circuit"]
    assert [(one.state, one.reason) for one in said] == [("would_open", "none of 10 attempts was accepted")]  # type: ignore[attr-defined]  # as we log
    assert len(try_to_send(make_pending(subscription)).admitted) == 1
    MinuteFigures.objects.all().delete()
    judge()
    assert read(subscription).state == CircuitState.CLOSED


@pytest.mark.parametrize("breaker", ["dry-run", "off"])
def test_a_breaker_that_is_switched_off_lets_go_what_it_held(
    breaker: str, subscription: Subscription, settings: Any
) -> None:
    open_circuit(subscription)
    held = hold(subscription, 2 * FIRST_STEP)
    configure(settings, circuit_breaker=breaker)
    judge()
    assert read(subscription).state == CircuitState.RECOVERING
    assert pending_ids() == held[:FIRST_STEP]
    send_all(500)
    judge()
    assert pending_ids() == held[FIRST_STEP:]


def test_switched_off_it_opens_nothing(subscription: Subscription, settings: Any) -> None:
    configure(settings, circuit_breaker="off")
    fail(subscription)
    judge()
    assert not Circuit.objects.exists()


def test_of_two_who_judge_at_once_one_does_nothing(subscription: Subscription) -> None:
    open_circuit(subscription)
    hold(subscription, 5)
    Circuit.objects.update(probe_at=read(subscription).since)
    assert sorted(run_at_once([judge, judge, judge])) == [0, 0, 1]
    assert len(pending_ids()) == 1


def test_a_circuit_that_closed_long_ago_is_forgotten(subscription: Subscription) -> None:
    recover(subscription, 0)
    assert read(subscription).state == CircuitState.CLOSED
    Circuit.objects.update(since=read(subscription).since - timedelta(minutes=6))
    MinuteFigures.objects.all().delete()
    judge()
    assert not Circuit.objects.exists()


def test_a_subscription_that_is_deleted_takes_its_circuit_along_and_nothing_stays_held(
    subscription: Subscription,
) -> None:
    open_circuit(subscription)
    held, identifier = hold(subscription), subscription.id
    delete_subscription(subscription)
    judge()
    assert not Circuit.objects.exists()
    assert release(identifier) == 1
    assert [*try_to_send(held).refused] == [Refusal.DELETED]


def test_without_failures_it_takes_five_statements_and_writes_nothing(subscription: Subscription) -> None:
    answer(claim(make_pending(subscription, 20)), 200)
    statements: list[str] = []

    def note(execute: Any, sql: str, *arguments: Any) -> Any:
        statements.append(sql)
        return execute(sql, *arguments)

    with connection.execute_wrapper(note):
        assert judge() == 0
    assert len(statements) <= 5
    assert not any(statement.lstrip().startswith(("INSERT", "UPDATE", "DELETE")) for statement in statements)
