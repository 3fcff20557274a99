"""/metrics: what Prometheus reads is true, well-formed, and for those alone who may read it."""

from __future__ import annotations

import random
import shutil
import subprocess
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from django.db import connection
from django.http import HttpResponse
from django.test import Client
from prometheus_client.parser import text_string_to_metric_families
from pydantic import SecretStr

from deliveries.claim import claim
from deliveries.figure_models import BOUNDS_SECONDS, HourFigures
from deliveries.metrics.families import HubCollector
from deliveries.models import Delivery, DeliveryAttempt, Status
from deliveries.outcome import OutcomeCode
from deliveries.record import record_landings
from deliveries.tally import fold, forget_old_figures
from deliveries.tasks import sweep_task
from subscriptions.models import Circuit, Subscription
from tests.integration.rows import answered, change, database_now, land, make_pending
from tests.repo.documents import OPERATIONS, read_table_rows
from webhookhub import doorbell
from webhookhub.conf import hub_settings
from webhookhub.models import ProcessKind
from webhookhub.presence import see

TOKEN = "of-these-tests"
pytestmark = pytest.mark.usefixtures("db", "token")


@pytest.fixture
def token(settings: Any) -> None:
    settings.WEBHOOKHUB = hub_settings().model_copy(update={"metrics_token": SecretStr(TOKEN)})
    # Looking for static files warns where there are none.
    settings.MIDDLEWARE = [name for name in settings.MIDDLEWARE if "whitenoise" not in name]


def get(authorization: str | None = f"Bearer {TOKEN}", **headers: str) -> HttpResponse:
    given = {} if authorization is None else {"Authorization": authorization}
    response: HttpResponse = Client(SERVER_NAME="10.1.2.3").get("/metrics", headers=given | headers)
    return response


def scrape() -> dict[str, float]:
    """The samples by their names, with labels as Prometheus writes them."""
    response = get()
    assert response.status_code == 200
    samples: dict[str, float] = {}
    for family in text_string_to_metric_families(response.content.decode()):
        assert family.documentation
        for sample in family.samples:
            labels = ",".join(f'{name}="{value}"' for name, value in sample.labels.items())
            name = f"{sample.name}{{{labels}}}" if labels else sample.name
            assert name not in samples, "twice"
            samples[name.removeprefix("webhookhub_")] = sample.value
    return samples


def attempt(subscription: Subscription, *total_ms: float, status_code: int = 200) -> None:
    claims = claim(make_pending(subscription, len(total_ms)))
    results = [answered(status_code, total_ms=one)._replace(connection_reused=True) for one in total_ms]
    record_landings([land(*pair) for pair in zip(claims, results, strict=True)], rng=random.Random(1))
    fold()


@pytest.mark.parametrize("authorization", [None, "Bearer", "Bearer ", "Bearer wrong", f"Basic {TOKEN}", TOKEN])
def test_who_does_not_know_the_token_reads_nothing(authorization: str | None) -> None:
    response = get(authorization)
    assert (response.status_code, response.content) == (401, b"")
    assert response.headers["WWW-Authenticate"] == "Bearer"


def test_without_a_token_of_the_settings_there_is_no_such_page(settings: Any) -> None:
    settings.WEBHOOKHUB = hub_settings().model_copy(update={"metrics_token": SecretStr("")})
    settings.ALLOWED_HOSTS = ["10.1.2.3"]
    assert get("Bearer ").status_code == get(None).status_code == 404


def test_a_hub_that_has_done_nothing_says_so_of_everything() -> None:
    samples = scrape()
    assert {f'attempts_total{{outcome="{code}"}}' for code in OutcomeCode} <= samples.keys()
    assert {f'workers{{queue="{queue}"}}' for queue in doorbell.QUEUES} <= samples.keys()
    assert set(samples.values()) == {0.0, 1.0}
    assert [name for name, value in samples.items() if value] == ["broker_up"]


def test_what_is_outstanding_is_told_by_state_and_by_age(subscription: Subscription) -> None:
    due, held = make_pending(subscription, 2)
    change([due], due_at=database_now() - timedelta(seconds=50), wake_at=database_now() - timedelta(seconds=20))
    change([held], status=Status.HELD)
    samples = scrape()
    assert samples['deliveries_outstanding{state="pending"}'] == samples["deliveries_due"] == 1
    assert samples['deliveries_outstanding{state="held"}'] == 1
    assert 50 <= samples["oldest_due_seconds"] < 80
    assert 20 <= samples["sweep_lag_seconds"] < 50


def test_endpoints_that_fail_are_counted_by_the_states_of_their_circuits(
    subscription: Subscription, subscribed: Callable[..., Subscription]
) -> None:
    now = database_now()
    for state, one in zip(("open", "would_open", "closed"), (subscription, subscribed(), subscribed()), strict=True):
        Circuit.objects.create(subscription=one, state=state, since=now)
    samples = {name: value for name, value in scrape().items() if name.startswith("circuits")}
    assert samples == {
        'circuits{state="open"}': 1,
        'circuits{state="half_open"}': 0,
        'circuits{state="recovering"}': 0,
        'circuits{state="would_open"}': 1,
    }


def test_queues_and_workers_are_told_together(subscription: Subscription) -> None:
    make_pending(subscription, 250)
    see(ProcessKind.WORKER, "one", is_new=True, queues=["deliveries", "deliveries.slow"])
    see(ProcessKind.WORKER, "two", is_new=True, queues=["deliveries"])
    samples = scrape()
    assert [samples[f'queue_messages{{queue="{queue}"}}'] for queue in ("fanout", "deliveries")] == [3, 3]
    assert [samples[f'workers{{queue="{queue}"}}'] for queue in doorbell.QUEUES] == [0, 2, 1, 0]
    assert samples['processes{kind="worker",state="alive"}'] == 2


def test_events_that_wait_are_those_of_all_web_processes() -> None:
    see(ProcessKind.WEB, "one", is_new=True, waiting_events=30)
    see(ProcessKind.WEB, "two", is_new=True, waiting_events=12)
    assert scrape()["ingest_waiting_events"] == 42


def test_the_last_sweep_has_a_moment() -> None:
    assert "last_sweep_timestamp_seconds" not in scrape()
    sweep_task.run()
    assert abs(scrape()["last_sweep_timestamp_seconds"] - datetime.now(UTC).timestamp()) < 30


def test_attempts_are_counted_by_outcome(subscription: Subscription) -> None:
    attempt(subscription, 1, 1, 1)
    attempt(subscription, 1, 1, status_code=410)
    samples = scrape()
    assert samples['attempts_total{outcome="delivered"}'] == samples['deliveries_ended_total{status="delivered"}'] == 3
    assert samples['attempts_total{outcome="gone"}'] == samples['deliveries_ended_total{status="failed"}'] == 2
    assert samples["connections_reused_total"] == 5


def test_a_histogram_is_cumulative_and_ends_with_all(subscription: Subscription) -> None:
    attempt(subscription, 5, 20, 20, 700, 400_000)
    samples = scrape()
    buckets = [samples[f'attempt_duration_seconds_bucket{{le="{bound}"}}'] for bound in (*BOUNDS_SECONDS, "+Inf")]
    assert buckets == [1, 1, 3, 3, 3, 3, 3, 4, 4, 4, 4, 4, 4, 4, 5]
    assert samples["attempt_duration_seconds_count"] == samples["first_attempt_latency_seconds_count"] == 5
    assert samples["attempt_duration_seconds_sum"] == pytest.approx(400.745)


def test_counters_never_fall_when_figures_and_deliveries_are_forgotten(subscription: Subscription) -> None:
    attempt(subscription, 1, 1, 1)
    before = scrape()
    forget_old_figures(datetime.now(UTC) + timedelta(days=hub_settings().retention_days, hours=1))
    DeliveryAttempt.objects.all().delete()
    Delivery.objects.all().delete()
    assert not HourFigures.objects.exists()
    after = scrape()
    counted = [name for name in before if name.partition("{")[0].endswith(("_total", "_bucket", "_count", "_sum"))]
    assert len(counted) > 40
    assert {name: after[name] for name in counted} == {name: before[name] for name in counted}


def test_the_page_for_operators_has_every_metric_and_no_other() -> None:
    documented = {row[0].strip("`").partition("{")[0] for row in read_table_rows(OPERATIONS) if "webhookhub_" in row[0]}
    families = HubCollector().collect()
    assert documented == {f"{family.name}_total" if family.type == "counter" else family.name for family in families}


def test_where_the_database_cannot_tell_the_answer_is_503() -> None:
    with connection.cursor() as cursor:
        cursor.execute("ALTER TABLE webhookhub_counter RENAME TO away")
    try:
        response = get()
    finally:
        with connection.cursor() as cursor:
            cursor.execute("ALTER TABLE away RENAME TO webhookhub_counter")
    assert (response.status_code, response.content) == (503, b"")


def test_openmetrics_is_given_to_who_asks_for_it() -> None:
    response = get(Accept="application/openmetrics-text; version=1.0.0")
    assert response.headers["Content-Type"].startswith("application/openmetrics-text")
    assert response.content.endswith(b"# EOF\n")


def test_promtool_has_nothing_to_object_to(subscription: Subscription) -> None:
    if (promtool := shutil.which("promtool")) is None:
        pytest.skip("promtool (of the package prometheus) is not installed")
    attempt(subscription, 5)
    done = subprocess.run([promtool, "check", "metrics"], input=get().content, capture_output=True, check=False)
    assert (done.returncode, done.stdout, done.stderr) == (0, b"", b"")
