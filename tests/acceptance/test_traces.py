"""Does OpenTelemetry show the way of an event, through all processes, as one trace? And is nothing sent where none is wanted?"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator

import pytest

from scripts.local.roles import BEAT, DELIVERIES, WORKER
from scripts.local.servers import ValkeyServer
from scripts.local.state import temporary_state
from tests.acceptance.conftest import MakeHub
from tests.acceptance.customer import Customer
from tests.acceptance.hub import DEADLINE_SECONDS, Hub
from tests.acceptance.web import Caller, start_web
from tests.receivers.collector import Collector, running_collector
from tests.receivers.recording import ACCEPTED, Answer, RecordingReceiver

pytestmark = pytest.mark.acceptance

ROLES = (WORKER, DELIVERIES, BEAT)


@pytest.fixture(scope="module")
def collector() -> Iterator[Collector]:
    with running_collector() as collector:
        yield collector


def start_hub(make_hub: MakeHub, collector: Collector, **settings: str) -> Hub:
    hub = make_hub(OTEL_EXPORTER_OTLP_ENDPOINT=collector.url, OTEL_BSP_SCHEDULE_DELAY="100", **settings)
    for role in ROLES:
        hub.start(role)
    return hub


@pytest.fixture(scope="module")
def hub(make_hub: MakeHub, collector: Collector) -> Hub:
    """A hub that traces everything."""
    return start_hub(make_hub, collector, WEBHOOKHUB_TRACE_SHARE="1")


def names(collector: Collector, event_id: str) -> Counter[str]:
    """How many spans of each name the event's trace has so far."""
    return Counter(span.name for span in collector.of_trace(event_id.removeprefix("evt_")))


def test_a_published_event_and_its_attempts_are_one_trace_with_the_event_s_id(
    hub: Hub, customer: Customer, collector: Collector
) -> None:
    subscriber = customer.subscribe(Answer(status=500), ACCEPTED)
    caller = Caller(start_web(hub), hub.application("make_key", account=customer.id))
    event_id = caller.post("/events", {"type": "order.shipped", "data": {}}).json()["id"]
    customer.events = [event_id]
    customer.wait_until_settled()

    # What could not be fanned out where it was published has a span of that, too.
    hub.wait_until(lambda: {"attempt": 2, "publish": 1}.items() <= names(collector, event_id).items(), "the trace")
    spans = collector.of_trace(event_id.removeprefix("evt_"))
    (publish,) = [span for span in spans if span.name == "publish"]
    attempts = [span for span in spans if span.name == "attempt"]
    assert publish.parent_id == ""
    assert publish.span_id == event_id[-16:]
    assert {attempt.parent_id for attempt in attempts} == {publish.span_id}
    assert sorted((one.attributes["webhookhub.attempt"], one.attributes["webhookhub.outcome"]) for one in attempts) == [
        (1, "status"),
        (2, "delivered"),
    ]
    assert {one.attributes["webhookhub.subscription"] for one in attempts} == {f"sub_{subscriber.id.replace('-', '')}"}
    assert {span.service for span in spans} == {"webhookhub"}
    assert all(0 <= span.seconds < 60 for span in spans)


def test_an_event_that_an_application_emitted_has_its_fan_out_in_the_trace(
    hub: Hub, customer: Customer, collector: Collector
) -> None:
    customer.subscribe()
    (event_id,) = customer.emit()
    customer.wait_until_settled()
    hub.wait_until(lambda: names(collector, event_id) == {"attempt": 1, "fan out": 1, "publish": 1}, "the trace")


def test_an_event_that_was_rolled_back_has_no_trace(hub: Hub, customer: Customer, collector: Collector) -> None:
    customer.subscribe()
    hub.application("emit_and_roll_back", account=customer.id)
    (event_id,) = customer.emit()
    customer.wait_until_settled()
    hub.wait_until(lambda: names(collector, event_id)["publish"], "the later event's span")
    recorded = {trace_id for (trace_id,) in hub.query("SELECT replace(id::text, '-', '') FROM webhookhub_event")}
    assert {span.trace_id for span in collector.spans if span.name == "publish"} <= recorded


def test_without_a_share_no_process_sends_anything_or_loads_what_would(
    make_hub: MakeHub, recorder: RecordingReceiver, collector: Collector
) -> None:
    # A broker of its own: the workers of the other hub would take its messages, and trace them.
    with temporary_state() as state, ValkeyServer(state) as valkey:
        check_untraced(start_hub(make_hub, collector, broker_url=valkey.url), recorder, collector)


def check_untraced(hub: Hub, recorder: RecordingReceiver, collector: Collector) -> None:
    customer = Customer(hub, recorder)
    customer.subscribe()
    (event_id,) = customer.emit()
    customer.wait_until_settled()
    for process in [process for role in ROLES for process in hub.running(role)]:
        process.terminate()
        process.popen.wait(DEADLINE_SECONDS)
    assert not names(collector, event_id)
    loaded = hub.manage("shell", "--no-imports", "-c", "import sys; print('webhookhub.otel' in sys.modules)")
    assert loaded.stdout.strip() == "False"
