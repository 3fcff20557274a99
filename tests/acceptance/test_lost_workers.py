"""A delivery worker is killed, stopped or frozen in the middle of its work: what becomes of what it had in hand?"""

from __future__ import annotations

import contextlib
import os
import signal

import pytest

from tests.acceptance.customer import LOST, Customer
from tests.acceptance.hub import Hub
from tests.receivers.recording import ACCEPTED, HELD, Answer, RecordingReceiver

pytestmark = pytest.mark.acceptance

# What `scripts/run` and docker compose give a worker before they kill it.
GRACE_SECONDS = 20.0
ONE_CHILD = ("--concurrency", "1")


@pytest.fixture(scope="module")
def hub(each_hub: Hub) -> Hub:
    return each_hub


def test_kill_9_of_a_worker_doubles_exactly_what_was_on_the_wire_and_loses_nothing(
    hub: Hub, customer: Customer
) -> None:
    held, prompt = customer.subscribe(HELD, ACCEPTED), customer.subscribe()
    with hub.deliverers() as (worker,):
        customer.emit(30)
        hub.wait_until(
            lambda: held.endpoint.waiting == 30 and customer.recorded() == 30, "half of the batch on the wire"
        )
        worker.kill()

    with hub.deliverers():
        customer.wait_until_settled()

    assert len(held.requests) == 60
    assert len(prompt.requests) == 30
    assert {attempt.outcome for one in customer.deliveries() for attempt in one.attempts if attempt.number == 1} == {
        LOST,
        "delivered",
    }
    customer.check_story(on_wire_at_fault=30)


def test_kill_9_of_one_of_two_workers_under_load_doubles_at_most_what_it_had_in_hand(
    hub: Hub, customer: Customer
) -> None:
    for _ in range(4):
        customer.subscribe(Answer(delay_seconds=0.02))
    with hub.deliverers(2) as (killed, _):
        customer.emit(300)
        customer.wait_until_recorded(200)
        killed.kill()
        claimed = customer.claimed()
        customer.wait_until_settled()

    customer.check_story(on_wire_at_fault=claimed)


def test_kill_9_of_a_workers_only_child_is_made_good_by_the_child_that_follows(hub: Hub, customer: Customer) -> None:
    held = customer.subscribe(HELD, ACCEPTED)
    with hub.deliverers(1, *ONE_CHILD) as (worker,):
        customer.emit(10)
        hub.wait_until(lambda: held.endpoint.waiting == 10, "the batch on the wire")
        (child,) = worker.children
        os.kill(child, signal.SIGKILL)
        customer.wait_until_settled()

    assert len(held.requests) == 20
    customer.check_story(on_wire_at_fault=10)


def test_a_delivery_whose_last_attempt_was_lost_is_attempted_once_more(hub: Hub, customer: Customer) -> None:
    held = customer.subscribe(HELD, ACCEPTED, intervals_seconds=[])
    with hub.deliverers() as (worker,):
        customer.emit()
        hub.wait_until(lambda: held.endpoint.waiting == 1, "the request on the wire")
        worker.kill()

    with hub.deliverers():
        customer.wait_until_settled()

    assert customer.delivery().status == "delivered"
    customer.check_story(on_wire_at_fault=1)


def test_a_lost_attempt_is_on_record_even_if_a_doorbell_comes_before_the_sweep(hub: Hub, customer: Customer) -> None:
    held = customer.subscribe(HELD, ACCEPTED)
    with hub.deliverers() as (worker,):
        customer.emit()
        hub.wait_until(lambda: held.endpoint.waiting == 1, "the request on the wire")
        worker.kill()
    # The very moment at which the lease ends, before any sweep.
    hub.query(
        "UPDATE webhookhub_delivery SET due_at = now(), wake_at = now() + interval '3 s' WHERE account_id = %s RETURNING 1",
        customer.id,
    )

    with hub.deliverers():
        hub.application(
            "ring", task="deliveries.deliver", identifiers=[customer.delivery().id], queue="deliveries", times=1
        )
        customer.wait_until_settled()

    assert [attempt.outcome for attempt in customer.delivery().attempts] == [LOST, "delivered"]
    customer.check_story(on_wire_at_fault=1)


def test_a_lost_attempt_of_a_cancelled_delivery_is_on_record(hub: Hub, customer: Customer) -> None:
    held = customer.subscribe(HELD)
    with hub.deliverers() as (worker,):
        customer.emit()
        hub.wait_until(lambda: held.endpoint.waiting == 1, "the request on the wire")
        hub.application("cancel", deliveries=[customer.delivery().id])
        worker.kill()

    customer.wait_until_settled()

    assert customer.delivery().status == "cancelled"
    assert [attempt.outcome for attempt in customer.delivery().attempts] == [LOST]
    customer.check_story(on_wire_at_fault=1)


def test_a_worker_that_was_frozen_beyond_its_lease_changes_nothing_that_happened_since(
    hub: Hub, customer: Customer
) -> None:
    held = customer.subscribe(HELD, HELD, ACCEPTED)
    with hub.deliverers() as (frozen,):
        customer.emit(5)
        hub.wait_until(lambda: held.endpoint.waiting == 5, "the batch on the wire")
        frozen.freeze()
        with hub.deliverers():
            hub.wait_until(lambda: held.endpoint.waiting == 10, "another worker's attempts on the wire")
            frozen.thaw()
            hub.wait_until(
                lambda: not any(one.lost for one in customer.deliveries()),
                "the late results in the lost attempts' place",
            )
            assert customer.claimed() == 5, "the other worker's attempts are still its own"
            held.endpoint.release()
            customer.wait_until_settled()

    for delivery in customer.deliveries():
        assert [attempt.outcome for attempt in delivery.attempts] == ["timeout", "delivered"]
    customer.check_story(on_wire_at_fault=5)


def test_a_worker_told_to_end_finishes_what_is_on_the_wire_and_begins_nothing(
    hub: Hub, customer: Customer, recorder: RecordingReceiver
) -> None:
    held = customer.subscribe(HELD)
    later = Customer(hub, recorder)
    missed = later.subscribe()
    with hub.deliverers() as (worker,):
        customer.emit(40)
        hub.wait_until(lambda: held.endpoint.waiting == 32, "an endpoint's share on the wire")

        worker.terminate()
        hub.wait_until(lambda: "Warm shutdown" in worker.log.read_text(), "the worker's farewell")
        later.emit(20)
        hub.wait_until(lambda: len(later.deliveries()) == 20, "the later events' deliveries")
        # Its tasks are over; what they left on the wire is waited for.
        hub.wait_until(lambda: '"event": "closing"' in worker.log.read_text(), "the end of its tasks")
        held.endpoint.release()
        worker.popen.wait(GRACE_SECONDS)

    assert not missed.requests
    assert customer.claimed() == later.claimed() == 0
    assert customer.recorded() == len(held.requests) >= 32
    with hub.deliverers():
        customer.wait_until_settled()
        later.wait_until_settled()
    customer.check_story()
    later.check_story()


def test_workers_replaced_one_by_one_under_load_lose_and_double_nothing(hub: Hub, customer: Customer) -> None:
    for _ in range(2):
        customer.subscribe(Answer(delay_seconds=0.01))
    with contextlib.ExitStack() as running:
        for worker in running.enter_context(hub.deliverers(2)):
            customer.emit(800)
            customer.wait_until_recorded(customer.recorded() + 200)
            worker.terminate()
            running.enter_context(hub.deliverers())
            worker.popen.wait(GRACE_SECONDS)
        customer.wait_until_settled()

    customer.check_story()


def test_a_worker_whose_name_is_taken_works_all_the_same(hub: Hub, customer: Customer) -> None:
    # By a second worker here; by its own connection of before, where RabbitMQ has not noticed that it ended.
    customer.subscribe()
    with hub.deliverers(2, "-n", "twin@%h") as twins:
        hub.wait_until(
            lambda: all(twin.has_ended or " ready." in twin.log.read_text() for twin in twins), "both started"
        )
        customer.emit(200)
        customer.wait_until_settled()
        assert not any(twin.has_ended for twin in twins)

    customer.check_story()
