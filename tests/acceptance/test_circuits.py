"""Endpoints that are down: what reaches them meanwhile, and how they get what they missed. With two workers at once."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from deliveries.circuit import FIRST_STEP, LARGEST_STEP
from scripts.local.roles import BEAT, WORKER
from tests.acceptance.conftest import MakeHub
from tests.acceptance.customer import Customer, Subscriber
from tests.acceptance.hub import Hub
from tests.receivers.recording import HELD, Answer, RecordingReceiver

pytestmark = pytest.mark.acceptance

DOWN = Answer(status=500)
HANGING = Answer(status=500, is_held=True)
LEAST = 5
SETTINGS = {
    "WEBHOOKHUB_CIRCUIT_LEAST_UNACCEPTED": str(LEAST),
    # Probes go when a test says so.
    "WEBHOOKHUB_CIRCUIT_PROBE_SECONDS": "3600",
    "WEBHOOKHUB_CIRCUIT_LONGEST_PROBE_SECONDS": "3600",
}


@pytest.fixture(scope="module")
def hub(make_hub: MakeHub) -> Hub:
    return start(make_hub(WEBHOOKHUB_CIRCUIT_BREAKER="on", **SETTINGS))


@pytest.fixture(scope="module")
def dry_hub(make_hub: MakeHub) -> Hub:
    return start(make_hub(WEBHOOKHUB_CIRCUIT_BREAKER="dry-run", **SETTINGS))


def start(hub: Hub) -> Hub:
    hub.start(WORKER)
    hub.start(BEAT)
    return hub


def state_of(subscriber: Subscriber, hub: Hub) -> str:
    rows = hub.query("SELECT state FROM webhookhub_circuit WHERE subscription_id = %s", subscriber.id)
    return str(rows[0][0]) if rows else "none"


def wait_for_state(state: str, subscriber: Subscriber, hub: Hub) -> None:
    hub.wait_until(lambda: state_of(subscriber, hub) == state, f"a circuit that is {state}")


def break_down(customer: Customer) -> Subscriber:
    """An endpoint that is down, and whose circuit is open; what was sent until then is cancelled."""
    hub, subscriber = customer.hub, customer.subscribe(intervals_seconds=[1] * 30)
    subscriber.endpoint.break_down(DOWN)
    customer.emit(LEAST)
    wait_for_state("open", subscriber, hub)
    hub.application("cancel", deliveries=[one.id for one in customer.deliveries()])
    customer.wait_until_settled()
    return subscriber


def emit_and_wait_until_held(customer: Customer, count: int) -> list[str]:
    """So many more events, none of which is sent; their ids by age."""
    events = customer.emit(count)
    statement = "SELECT count(*) FROM webhookhub_delivery WHERE account_id = %s AND status = 'held'"
    hub = customer.hub
    hub.wait_until(lambda: hub.query(statement, customer.id)[0][0] >= count, f"{count} held")
    return events


def let_probe_go(subscriber: Subscriber, hub: Hub) -> None:
    """The moment of the next probe comes."""
    hub.query(
        "UPDATE webhookhub_circuit SET probe_at = now() WHERE subscription_id = %s RETURNING state", subscriber.id
    )


@pytest.fixture
def workers(hub: Hub) -> Iterator[None]:
    with hub.deliverers(2):
        yield


@pytest.mark.usefixtures("workers")
def test_an_endpoint_that_is_down_is_asked_by_one_probe_alone_until_it_answers(hub: Hub, customer: Customer) -> None:
    subscriber = break_down(customer)
    emit_and_wait_until_held(customer, 20)
    before = len(subscriber.requests)

    subscriber.endpoint.break_down(HANGING)
    let_probe_go(subscriber, hub)
    hub.wait_until(lambda: subscriber.endpoint.waiting == 1, "the probe on the wire")
    identifiers = [one.id for one in customer.deliveries()]
    hub.application("ring", task="deliveries.deliver", identifiers=identifiers, queue="deliveries", times=3)
    emit_and_wait_until_held(customer, 20)
    assert (subscriber.endpoint.waiting, len(subscriber.requests)) == (1, before + 1)

    subscriber.endpoint.release()
    wait_for_state("open", subscriber, hub)
    subscriber.endpoint.mend()
    let_probe_go(subscriber, hub)
    customer.wait_until_settled()
    assert {one.status for one in customer.deliveries()} == {"cancelled", "delivered"}
    # Nothing was attempted in vain, but for the probe.
    assert sum(len(one.attempts) - 1 for one in customer.deliveries() if one.status == "delivered") == 1
    customer.check_story()


@pytest.mark.usefixtures("workers")
def test_what_an_endpoint_missed_reaches_it_by_age_in_steps_of_which_none_begins_before_the_last_is_over(
    hub: Hub, customer: Customer
) -> None:
    subscriber = break_down(customer)
    events = emit_and_wait_until_held(customer, 3000)
    before = len(subscriber.requests)

    subscriber.endpoint.mend()
    let_probe_go(subscriber, hub)
    customer.wait_until_settled()

    arrived = [request.webhook_id for request in subscriber.requests[before:]]
    assert arrived[:1] == events[:1]
    begin, size = 1, FIRST_STEP
    while begin < len(events):
        assert sorted(arrived[begin : begin + size]) == events[begin : begin + size]
        begin, size = begin + size, min(2 * size, LARGEST_STEP)
    assert len(arrived) == len(events)
    customer.check_story()


@pytest.mark.usefixtures("workers")
def test_an_endpoint_that_is_back_never_has_more_of_what_it_missed_than_a_step_at_once(
    hub: Hub, customer: Customer, recorder: RecordingReceiver
) -> None:
    subscriber = break_down(customer)
    events = emit_and_wait_until_held(customer, 100)
    before = len(subscriber.requests)

    subscriber.endpoint.mend()
    let_probe_go(subscriber, hub)
    hub.wait_until(lambda: len(subscriber.requests) > before, "the probe")
    subscriber.endpoint.break_down(HELD)
    hub.wait_until(lambda: subscriber.endpoint.waiting == FIRST_STEP, "the first step on the wire")
    for _ in range(3):
        hub.application("judge")
    assert [len(subscriber.requests), subscriber.endpoint.waiting] == [before + 1 + FIRST_STEP, FIRST_STEP]
    assert sorted(request.webhook_id for request in subscriber.requests[-FIRST_STEP:]) == events[1 : 1 + FIRST_STEP]

    recorder.release()
    customer.wait_until_settled()
    customer.check_story()


def test_a_circuit_is_still_open_after_all_workers_were_replaced(hub: Hub, customer: Customer) -> None:
    with hub.deliverers(2):
        subscriber = break_down(customer)
        before = len(subscriber.requests)
    for worker in hub.running(WORKER):
        worker.kill()
    hub.start(WORKER)
    with hub.deliverers(2):
        emit_and_wait_until_held(customer, 10)
        assert len(subscriber.requests) == before
        subscriber.endpoint.mend()
        let_probe_go(subscriber, hub)
        customer.wait_until_settled()
    customer.check_story()


def test_kill_9_of_the_worker_with_the_probe_leaves_no_circuit_stuck(hub: Hub, customer: Customer) -> None:
    with hub.deliverers() as (worker,):
        subscriber = break_down(customer)
        emit_and_wait_until_held(customer, 10)
        subscriber.endpoint.break_down(HANGING)
        let_probe_go(subscriber, hub)
        hub.wait_until(lambda: subscriber.endpoint.waiting == 1, "the probe on the wire")
        worker.kill()
    subscriber.endpoint.mend()
    with hub.deliverers(2):
        customer.wait_until_settled()
    customer.check_story(on_wire_at_fault=1)


def test_an_endpoint_that_takes_long_is_told_by_workers_of_its_own(
    make_hub: MakeHub, recorder: RecordingReceiver
) -> None:
    hub = start(make_hub(WEBHOOKHUB_SLOW_ENDPOINT_SECONDS="0.2", WEBHOOKHUB_CIRCUIT_LEAST_UNACCEPTED=str(LEAST)))
    customer = Customer(hub, recorder)
    slow, prompt = customer.subscribe(Answer(delay_seconds=0.5)), customer.subscribe()
    with hub.deliverers():
        customer.emit(LEAST)
        hub.wait_until(
            lambda: hub.query("SELECT 1 FROM webhookhub_circuit WHERE subscription_id = %s AND is_slow", slow.id),
            "an endpoint that is known to be slow",
        )
        customer.wait_until_settled()
    with hub.deliverers(1, "-Q", "deliveries"):
        customer.emit(20)
        hub.wait_until(lambda: len(prompt.requests) == LEAST + 20, "the others told")
        assert len(slow.requests) == LEAST
        with hub.deliverers(1, "-Q", "deliveries.slow"):
            customer.wait_until_settled()
    customer.check_story()


def test_a_dry_run_holds_nothing(dry_hub: Hub, recorder: RecordingReceiver) -> None:
    customer = Customer(dry_hub, recorder)
    with dry_hub.deliverers(2):
        subscriber = customer.subscribe(intervals_seconds=[1] * 30)
        subscriber.endpoint.break_down(DOWN)
        customer.emit(LEAST)
        wait_for_state("would_open", subscriber, dry_hub)
        before = len(subscriber.requests)
        customer.emit(20)
        dry_hub.wait_until(lambda: len(subscriber.requests) >= before + 20, "all of them attempted")
        subscriber.endpoint.mend()
        customer.wait_until_settled()
    assert not dry_hub.query("SELECT FROM webhookhub_delivery WHERE status = 'held'")
    customer.check_story()
