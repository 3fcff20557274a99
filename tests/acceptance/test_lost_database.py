"""PostgreSQL ends in the middle of a drain and returns: what became of the answers that came meanwhile?"""

from __future__ import annotations

import pytest

from scripts.local.roles import BEAT, WORKER
from scripts.local.servers import LocalServers
from tests.acceptance.conftest import MakeHub
from tests.acceptance.customer import Customer
from tests.acceptance.hub import Hub
from tests.receivers.recording import ACCEPTED, HELD, Answer

pytestmark = pytest.mark.acceptance

# Claimed by a statement whose answer broke off: one batch for each of the three processes of a worker. They were not sent.
CLAIMED_UNKNOWINGLY = 300


@pytest.fixture(scope="module")
def hub(make_hub: MakeHub, each_broker: str | None) -> Hub:
    """A hub whose lease is longer than a restart of the database takes: results wait in memory for it."""
    hub = make_hub(broker_url=each_broker, WEBHOOKHUB_LEASE_SECONDS="20")
    hub.start(WORKER)
    hub.start(BEAT)
    return hub


@pytest.mark.parametrize("end", ["stop", "kill"])
def test_a_database_that_restarts_in_the_middle_of_a_drain_costs_no_result(
    hub: Hub, customer: Customer, servers: LocalServers, end: str
) -> None:
    for _ in range(3):
        customer.subscribe(Answer(delay_seconds=0.05))
    customer.subscribe(Answer(status=503, delay_seconds=0.05), ACCEPTED)
    with hub.deliverers():
        customer.emit(300)
        customer.wait_until_recorded(150)

        getattr(servers.postgresql, end)()
        servers.postgresql.start()

        customer.wait_until_settled()
    deliveries = customer.deliveries()
    assert sum(customer.requests_seen().values()) == sum(delivery.arrived for delivery in deliveries)
    customer.check_story(on_wire_at_fault=CLAIMED_UNKNOWINGLY)


def test_answers_that_come_while_the_database_is_away_are_recorded_when_it_returns(
    hub: Hub, customer: Customer, servers: LocalServers
) -> None:
    # More than the endpoint's share of a worker process: some wait for their turn, and are looked at meanwhile.
    held = customer.subscribe(HELD)
    with hub.deliverers(1, "--concurrency", "1"):
        customer.emit(40)
        hub.wait_until(lambda: held.endpoint.waiting == 32, "an endpoint's share on the wire")

        servers.postgresql.stop()
        held.endpoint.release()
        hub.wait_until(lambda: held.endpoint.waiting == 0, "all answers")
        servers.postgresql.start()

        customer.wait_until_settled()
    assert len(held.requests) == 40
    customer.check_story()
