"""What administrators do over the API, on each broker: replays, retries, tests of webhooks, and jobs that outlive their workers."""

from __future__ import annotations

import contextlib
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import psycopg2
import pytest
import requests

from scripts.local.embedded import find_free_port
from scripts.local.roles import DELIVERIES, WEB, WORKER
from tests.acceptance.customer import Customer
from tests.acceptance.hub import Hub
from tests.receivers.recording import ACCEPTED, HELD, HOST, Answer

pytestmark = pytest.mark.acceptance

# More than the steps that a killed worker gets done, and a few of them.
DELIVERIES_OF_A_JOB = 1_700
FIRST_STEPS = 1_000

Api = Callable[..., requests.Response]


@pytest.fixture(scope="module")
def hub(whole_hub: Hub) -> Hub:
    return whole_hub


@pytest.fixture(scope="module")
def web(hub: Hub) -> str:
    """The URL of the hub's web server, which answers."""
    port = find_free_port()
    hub.start(WEB, "--host", HOST, "--port", str(port))
    url = f"http://{HOST}:{port}"

    def answers() -> bool:
        with contextlib.suppress(requests.ConnectionError):
            return requests.get(f"{url}/healthz", timeout=5).ok
        return False

    hub.wait_until(answers, "the web server's first answer")
    return url


@pytest.fixture
def api(hub: Hub, web: str, customer: Customer) -> Api:
    """Calls the API as the customer's administrator: `api("POST", "jobs", {...})`."""
    key = hub.application("make_key", account=customer.id)

    def call(method: str, route: str, body: dict[str, Any] | None = None) -> requests.Response:
        headers = {"Authorization": f"Bearer {key}"}
        return requests.request(method, f"{web}/api/v1/{route}", json=body, headers=headers, timeout=30)

    return call


def delivery_route(identifier: str, action: str) -> str:
    return f"deliveries/dlv_{identifier.replace('-', '')}/{action}"


def webhook_route(identifier: str) -> str:
    return f"webhooks/sub_{identifier.replace('-', '')}/test"


def test_a_replay_makes_exactly_one_new_request_with_the_same_id(customer: Customer, api: Api) -> None:
    subscriber = customer.subscribe()
    (event,) = customer.emit()
    customer.wait_until_settled()

    answer = api("POST", delivery_route(customer.delivery().id, "replay"))
    assert answer.status_code == 202
    shown = answer.json()
    customer.hub.wait_until(lambda: customer.recorded() == 2, "the replay's attempt")

    first, second = subscriber.requests
    assert first.webhook_id == second.webhook_id == event == shown["event"]
    assert first.body == second.body
    subscriber.verify(second)
    replayed = next(one for one in customer.deliveries() if one.id.replace("-", "") in shown["id"])
    assert (replayed.status, replayed.attempt_count, shown["manual"]) == ("delivered", 1, True)


def test_two_who_ask_for_a_retry_at_once_make_one_attempt(customer: Customer, api: Api) -> None:
    subscriber = customer.subscribe(Answer(status=500), HELD, intervals_seconds=[3_600, 3_600])
    customer.emit()
    customer.wait_until_recorded(1)
    route = delivery_route(customer.delivery().id, "retry")

    with ThreadPoolExecutor(2) as threads:
        answers = list(threads.map(lambda _: api("POST", route), range(2)))
    customer.hub.wait_until(lambda: subscriber.endpoint.waiting == 1, "the second attempt on the wire")
    late = api("POST", route)
    subscriber.endpoint.release()
    customer.wait_until_settled()

    statuses = [answer.status_code for answer in answers]
    assert 202 in statuses
    assert set(statuses) <= {202, 409}
    assert (late.status_code, late.json()["code"]) == (409, "on_the_wire")
    assert len(subscriber.requests) == customer.delivery().attempt_count == 2
    customer.check_story()


def test_a_test_of_a_webhook_answers_with_what_its_receiver_got_and_said(customer: Customer, api: Api) -> None:
    tested, other = customer.subscribe(Answer(status=201, body=b"thanks")), customer.subscribe()

    answer = api("POST", webhook_route(tested.id), {"eventType": "order.shipped", "data": {"n": 1}})

    assert answer.status_code == 200
    shown = answer.json()
    (request,) = tested.requests
    tested.verify(request)
    assert (shown["event"], shown["request"]["body"].encode()) == (request.webhook_id, request.body)
    headers = {header["name"].lower(): header["value"] for header in shown["request"]["headers"]}
    assert headers.keys() <= request.header.keys()
    assert shown["request"]["url"] == tested.endpoint.url
    assert (shown["success"], shown["attempt"]["statusCode"]) == (True, 201)
    assert shown["attempt"]["responseBody"] == "thanks"
    assert not other.requests


def test_a_receiver_that_fails_a_test_is_asked_once_and_its_answer_is_no_error_of_ours(
    customer: Customer, api: Api
) -> None:
    tested = customer.subscribe(Answer(status=503, body=b"not now"), intervals_seconds=[0, 0])

    answer = api("POST", webhook_route(tested.id))

    assert (answer.status_code, answer.json()["success"]) == (200, False)
    assert (answer.json()["attempt"]["statusCode"], answer.json()["attempt"]["responseBody"]) == (503, "not now")
    # Whatever was rung before this event has been looked at when it arrives.
    customer.subscribe()
    customer.emit()
    # One of the test, three of the event to the tested webhook, one to the other.
    customer.hub.wait_until(lambda: customer.recorded() == 1 + 3 + 1, "the attempts of the event")
    assert Counter(request.webhook_id for request in tested.requests)[answer.json()["event"]] == 1


def test_a_job_whose_worker_is_killed_goes_on_and_does_nothing_twice(hub: Hub, customer: Customer, api: Api) -> None:
    subscriber = customer.subscribe(ACCEPTED)
    with hub.without(DELIVERIES):
        customer.emit(DELIVERIES_OF_A_JOB)
        hub.wait_until(lambda: len(failed_deliveries(hub, customer)) == DELIVERIES_OF_A_JOB, "their deliveries")
        failed = failed_deliveries(hub, customer)

        with locked(hub, failed[FIRST_STEPS + 100]):
            answer = api("POST", "jobs", {"kind": "replay", "filter": {"status": ["failed"]}})
            assert answer.status_code == 202
            job = f"jobs/{answer.json()['id']}"
            hub.wait_until(lambda: job_row(hub, customer) == ("running", FIRST_STEPS), "the first steps of the job")
            hub.wait_until(lambda: is_waited_for(hub), "the worker in the middle of the next one")
            for worker in hub.running(WORKER):
                worker.kill()
            shown = api("GET", job).json()
            assert (shown["status"], shown["changed"]) == ("running", FIRST_STEPS)

        hub.start(WORKER)
        hub.wait_until(lambda: job_row(hub, customer)[0] == "done", "the end of the job")

    shown = api("GET", job).json()
    assert (shown["examined"], shown["changed"]) == (DELIVERIES_OF_A_JOB, DELIVERIES_OF_A_JOB)
    hub.wait_until(lambda: len(subscriber.requests) >= DELIVERIES_OF_A_JOB, "a request for each replay")
    customer.hub.wait_until(lambda: customer.recorded() == DELIVERIES_OF_A_JOB, "all of them on record")
    arrived = Counter(request.webhook_id for request in subscriber.requests)
    assert (set(arrived), set(arrived.values())) == (set(customer.events), {1})


def failed_deliveries(hub: Hub, customer: Customer) -> list[str]:
    """The customer's deliveries in the order of their ids. Those that are pending fail: nobody tried them."""
    hub.query(
        "UPDATE webhookhub_delivery SET status = 'failed', wake_at = NULL"
        " WHERE account_id = %s AND status = 'pending' RETURNING 1",
        customer.id,
    )
    rows = hub.query("SELECT id::text FROM webhookhub_delivery WHERE account_id = %s ORDER BY id", customer.id)
    return [identifier for (identifier,) in rows]


def job_row(hub: Hub, customer: Customer) -> tuple[str, int]:
    """How the customer's only job stands, and how many deliveries it has examined."""
    ((status, examined),) = hub.query("SELECT status, examined FROM webhookhub_job WHERE account_id = %s", customer.id)
    return status, examined


@contextlib.contextmanager
def locked(hub: Hub, delivery: str) -> Iterator[None]:
    """Nobody else can change the delivery for as long as the block runs."""
    connection = psycopg2.connect(hub.database_url)
    try:
        with connection.cursor() as cursor:
            cursor.execute("SELECT 1 FROM webhookhub_delivery WHERE id = %s FOR UPDATE", [delivery])
            yield
    finally:
        connection.close()


def is_waited_for(hub: Hub) -> bool:
    """Whether somebody waits for a lock."""
    return bool(
        hub.query("SELECT 1 FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND datname = current_database()")
    )
