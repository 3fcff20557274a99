"""Roles are told to end, and replaced, while events come in all the time: what becomes of the events?"""

from __future__ import annotations

import contextlib
import signal
import threading
from collections.abc import Iterator

import pytest
import requests

from scripts.local.embedded import find_free_port
from scripts.local.roles import BEAT, DELIVERIES, WEB, WORKER, Role
from tests.acceptance.conftest import MakeHub
from tests.acceptance.customer import Customer
from tests.acceptance.hub import Hub, Process
from tests.acceptance.web import HOST, Caller
from tests.receivers.recording import ACCEPTED, HELD, Answer

pytestmark = pytest.mark.acceptance

# What `scripts/run` and docker compose give a worker before they kill it.
GRACE_SECONDS = 20.0
# Before and after each replacement, so that all roles are at work when it comes.
EVENTS_BETWEEN = 50
# What a worker, beat and the web server say when they have started.
STARTED = (" ready.", "beat: Starting", "Listening at")


@pytest.fixture
def hub(each_broker: str | None, make_hub: MakeHub) -> Hub:
    """A hub without processes, on each broker. Leases are longer than a replacement takes: nothing has to be found again."""
    return make_hub(broker_url=each_broker, WEBHOOKHUB_LEASE_SECONDS="60")


class Load(threading.Thread):
    """Publishes one event after the other until it is told to stop, each again until it is accepted, as a client should."""

    def __init__(self, caller: Caller) -> None:
        super().__init__(daemon=True)
        self.accepted: list[str] = []
        self._caller = caller
        self._stopping = threading.Event()

    def run(self) -> None:
        number = 0
        while not self._stopping.is_set():
            number += 1
            self.accepted.append(self._publish(f"event-{number}"))

    def stop(self) -> None:
        self._stopping.set()
        self.join(GRACE_SECONDS)
        assert not self.is_alive()

    def _publish(self, key: str) -> str:
        while True:
            with contextlib.suppress(requests.ConnectionError, requests.Timeout):
                response = self._caller.post("/events", {"type": "order.shipped", "data": {"key": key}, "id": key})
                if response.ok:
                    return str(response.json()["id"])
            threading.Event().wait(0.05)


@contextlib.contextmanager
def load(caller: Caller) -> Iterator[Load]:
    running = Load(caller)
    running.start()
    try:
        yield running
    finally:
        running.stop()


def replace(hub: Hub, role: Role) -> None:
    """As an orchestrator does: tell the old one to end, wait until it has, start the new one. It ends well, and in time."""
    for process in hub.running(role):
        process.terminate()
        assert process.popen.wait(GRACE_SECONDS) == 0, process.log.read_text()[-2000:]
        wait_until_started(hub, hub.start(role))


def wait_until_started(hub: Hub, process: Process) -> None:
    hub.wait_until(lambda: any(said in process.log.read_text() for said in STARTED), f"the start of {process.name}")


def test_all_roles_replaced_one_after_the_other_under_constant_load_lose_and_double_nothing(
    hub: Hub, customer: Customer
) -> None:
    port = find_free_port()
    hub.environment |= {"GRANIAN_HOST": HOST, "GRANIAN_PORT": str(port)}
    for process in [hub.start(role) for role in (WEB, WORKER, DELIVERIES, DELIVERIES, BEAT)]:
        wait_until_started(hub, process)
    for _ in range(2):
        customer.subscribe(Answer(delay_seconds=0.02))

    caller = Caller(f"http://{HOST}:{port}", hub.application("make_key", account=customer.id))
    with load(caller) as publishing:
        for role in (WORKER, DELIVERIES, BEAT, WEB):
            target = len(publishing.accepted) + EVENTS_BETWEEN
            hub.wait_until(lambda target=target: len(publishing.accepted) >= target, "a load")
            replace(hub, role)
        target = len(publishing.accepted) + EVENTS_BETWEEN
        hub.wait_until(lambda: len(publishing.accepted) >= target, "events after the last replacement")

    customer.events = publishing.accepted
    customer.wait_until_settled()
    assert {delivery.attempt_count for delivery in customer.deliveries()} == {1}
    customer.check_story()


def test_a_worker_told_to_end_while_it_fans_out_leaves_the_rest_to_the_next_one(hub: Hub, customer: Customer) -> None:
    customer.subscribe()
    first = hub.start(WORKER, "--concurrency", "1")
    wait_until_started(hub, first)
    # A message for each event, so that most of them wait in the broker or in the worker's hands.
    customer.emit_from_producers(producers=5, messages=100)
    hub.wait_until(lambda: len(customer.deliveries()) > 0, "some of it fanned out")
    first.terminate()
    assert first.popen.wait(GRACE_SECONDS) == 0

    hub.start(WORKER)
    with hub.deliverers():
        customer.wait_until_settled()
    customer.check_story()


def test_a_worker_told_to_end_at_once_loses_nothing_and_doubles_at_most_what_was_on_the_wire(
    each_broker: str | None, make_hub: MakeHub, customer: Customer
) -> None:
    # Found by their leases, which are seconds here.
    hub = customer.hub = make_hub(broker_url=each_broker)
    customer.id = hub.application("make_account", name="impatient")
    hub.start(WORKER)
    hub.start(BEAT)
    held = customer.subscribe(HELD, ACCEPTED)
    with hub.deliverers() as (worker,):
        customer.emit(20)
        hub.wait_until(lambda: held.endpoint.waiting == 20, "the batch on the wire")
        worker.terminate()
        hub.wait_until(lambda: "Warm shutdown" in worker.log.read_text(), "the worker's farewell")
        worker.popen.send_signal(signal.SIGQUIT)
        worker.popen.wait(GRACE_SECONDS)

    with hub.deliverers():
        customer.wait_until_settled()
    customer.check_story(on_wire_at_fault=20)
