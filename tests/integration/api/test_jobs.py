"""Jobs over the API: what to do and to which deliveries, how far it is, and enough of it."""

from __future__ import annotations

import random
from collections.abc import Callable
from datetime import timedelta
from typing import Any
from uuid import UUID

import pytest
from pytest_django import DjangoAssertNumQueries

from deliveries.claim import claim
from deliveries.jobs import run_job
from deliveries.models import Delivery, Job, Status
from deliveries.record import record_landings
from subscriptions.models import Subscription
from tests.integration.api.conftest import ApiOf, Client
from tests.integration.conftest import Listen
from tests.integration.rows import answered, database_now, land, make_pending, read_delivery
from webhookhub.conf import hub_settings
from webhookhub.ids import new_id, read, show
from webhookhub.models import Account
from webhookhub.roles import Role

JOBS = "/api/v1/jobs"
CANCEL_ALL = {"kind": "cancel", "filter": {}}


def make_failed(subscription: Subscription, count: int) -> list[UUID]:
    identifiers = make_pending(subscription, count)
    record_landings([land(one, answered(410)) for one in claim(identifiers)], rng=random.Random())
    return identifiers


def job_route(shown_id: str, action: str = "") -> str:
    return f"{JOBS}/{shown_id}{action}"


def test_a_job_is_accepted_done_by_a_worker_and_tells_how_far_it_is(
    api: Client, subscription: Subscription, listen: Listen
) -> None:
    failed = make_failed(subscription, 3)
    since = database_now() - timedelta(minutes=5)
    wanted = {"status": ["failed"], "webhook": subscription.shown_id, "since": since.isoformat()}
    answer = api.post(JOBS, {"kind": "replay", "filter": wanted, "reason": "their database was down"})
    assert answer.status_code == 202
    shown = answer.json()
    assert (shown["status"], shown["examined"], shown["changed"], shown["position"]) == ("waiting", 0, 0, None)
    assert (shown["kind"], shown["reason"], shown["startedAt"]) == ("replay", "their database was down", None)
    assert (shown["filter"]["status"], shown["filter"]["webhook"]) == (["failed"], subscription.shown_id)
    assert [message.ids for message in listen("maintenance")] == [[read("job", shown["id"])]]

    run_job(read("job", shown["id"]))

    done = api.get(job_route(shown["id"])).json()
    assert (done["status"], done["examined"], done["changed"]) == ("done", 3, 3)
    assert done["position"] == show("delivery", failed[-1])
    assert done["startedAt"] <= done["finishedAt"]
    assert Delivery.objects.filter(trigger__startswith="replay:").count() == 3


def test_every_parameter_of_the_list_narrows_a_job(
    api: Client, subscription: Subscription, subscribed: Callable[..., Subscription]
) -> None:
    (chosen, _) = make_failed(subscription, 2)
    make_failed(subscribed(), 1)
    Subscription.objects.filter(id=subscription.id).update(uid="of-mine")
    Delivery.objects.filter(id=chosen).update(last_status_code=503)
    wanted = {
        "status": ["failed", "cancelled"],
        "webhook": "of-mine",
        "eventType": ["order.shipped"],
        "statusCodeClass": ["5xx"],
        "statusCode": [503],
        "until": "2099-01-01T00:00:00Z",
    }
    shown = api.post(JOBS, {"kind": "replay", "filter": wanted}).json()
    run_job(read("job", shown["id"]))
    assert api.get(job_route(shown["id"])).json()["examined"] == 1


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({"filter": {}}, "kind"),
        ({"kind": "delete", "filter": {}}, "kind"),
        ({"kind": "cancel"}, "filter"),
        ({"kind": "cancel", "filter": []}, "filter"),
        ({"kind": "cancel", "filter": {"status": "failed"}}, "filter.status"),
        ({"kind": "cancel", "filter": {"status": []}}, "filter.status"),
        ({"kind": "cancel", "filter": {"status": ["sent"]}}, "filter.status"),
        ({"kind": "cancel", "filter": {"since": "yesterday"}}, "filter.since"),
        ({"kind": "cancel", "filter": {"statusCode": [20]}}, "filter.statusCode"),
        ({"kind": "cancel", "filter": {"lastOutcome": ["fine"]}}, "filter.lastOutcome"),
        ({"kind": "cancel", "filter": {"attemptsAtLeast": -1}}, "filter.attemptsAtLeast"),
        ({"kind": "cancel", "filter": {}, "expiresAt": "2026-01-31T12:00:00Z"}, "expiresAt"),
        ({"kind": "move_expiry", "filter": {}}, "expiresAt"),
        ({"kind": "move_expiry", "filter": {}, "expiresAt": "tomorrow"}, "expiresAt"),
        ({"kind": "cancel", "filter": {"colour": "red"}}, "filter.colour"),
        ({"kind": "cancel", "filter": {}, "reason": "x" * 201}, "reason"),
        ({"kind": "replay", "filter": {}}, "filter.status"),
        ({"kind": "cancel", "filter": {"webhook": "nobody"}}, "filter.webhook"),
        (
            {"kind": "cancel", "filter": {"since": "2026-01-02T00:00:00Z", "until": "2026-01-01T00:00:00Z"}},
            "filter.until",
        ),
    ],
)
def test_a_job_that_makes_no_sense_is_refused_with_the_field(api: Client, body: dict[str, Any], field: str) -> None:
    answer = api.post(JOBS, body)
    assert answer.status_code == 422
    assert answer.json()["errors"][0]["field"].partition("[")[0] == field
    assert not Job.objects.exists()


def test_what_is_past_the_retention_cannot_be_recovered(api: Client) -> None:
    since = database_now() - timedelta(days=hub_settings().retention_days + 1)
    answer = api.post(JOBS, {"kind": "replay", "filter": {"status": ["failed"], "since": since.isoformat()}})
    assert (answer.status_code, answer.json()["errors"][0]["field"]) == (422, "filter.since")
    assert "retention" in answer.json()["detail"]


def test_a_job_of_an_administrator_touches_the_own_account_alone(
    api_of: ApiOf, foreign_account: Account, subscription: Subscription
) -> None:
    (pending,) = make_pending(subscription)
    stranger = api_of(Role.ADMINISTRATOR, foreign_account)
    shown = stranger.post(JOBS, {"kind": "cancel", "filter": {"webhook": subscription.shown_id}}).json()
    run_job(read("job", shown["id"]))
    assert stranger.get(job_route(shown["id"])).json()["examined"] == 0
    assert read_delivery(pending).status == Status.PENDING


def test_an_operator_says_whose_deliveries_are_meant(
    operator: Client, account: Account, subscription: Subscription
) -> None:
    answer = operator.post(JOBS, CANCEL_ALL)
    assert (answer.status_code, answer.json()["errors"][0]["field"]) == (422, "account")
    shown = operator.post(f"{JOBS}?account={account.shown_id}", CANCEL_ALL).json()
    assert shown["account"] == account.shown_id


def test_jobs_of_others_are_not_there(api: Client, api_of: ApiOf, foreign_account: Account) -> None:
    shown = api.post(JOBS, CANCEL_ALL).json()
    stranger = api_of(Role.ADMINISTRATOR, foreign_account)
    assert stranger.get(job_route(shown["id"])).status_code == 404
    assert stranger.post(job_route(shown["id"], "/cancel")).status_code == 404
    assert stranger.get(JOBS).json()["items"] == []
    assert stranger.get(job_route(show("job", new_id()))).status_code == 404
    assert stranger.get(job_route("nonsense")).status_code == 404
    assert Job.objects.get().status == "waiting"


def test_the_list_of_jobs_begins_with_the_newest_and_goes_on_in_pages(api: Client) -> None:
    made = [api.post(JOBS, CANCEL_ALL).json()["id"] for _ in range(3)]
    first = api.get(f"{JOBS}?limit=2").json()
    second = api.get(f"{JOBS}?limit=2&cursor={first['next']}").json()
    assert [job["id"] for job in first["items"] + second["items"]] == made[::-1]
    assert (first["done"], second["done"]) == (False, True)


def test_a_stopped_job_says_so_and_cannot_be_stopped_again(api: Client, subscription: Subscription) -> None:
    make_pending(subscription)
    shown = api.post(JOBS, CANCEL_ALL).json()
    answer = api.post(job_route(shown["id"], "/cancel"))
    assert (answer.status_code, answer.json()["status"]) == (200, "failed")
    assert answer.json()["error"] == "stopped on request"
    assert answer.json()["finishedAt"] is not None
    run_job(read("job", shown["id"]))
    assert Delivery.objects.get().status == Status.PENDING
    answer = api.post(job_route(shown["id"], "/cancel"))
    assert (answer.status_code, answer.json()["code"]) == (409, "job_over")


def test_readers_see_jobs_and_create_none(api: Client, api_of: ApiOf) -> None:
    shown = api.post(JOBS, CANCEL_ALL).json()
    reader = api_of(Role.READER)
    assert reader.get(JOBS).json()["items"] == [shown]
    assert reader.post(JOBS, CANCEL_ALL).status_code == 403
    assert reader.post(job_route(shown["id"], "/cancel")).status_code == 403
    assert api_of(Role.PUBLISHER).get(JOBS).status_code == 403


def test_jobs_take_few_queries(
    api: Client, subscription: Subscription, django_assert_max_num_queries: DjangoAssertNumQueries
) -> None:
    for _ in range(10):
        api.post(JOBS, CANCEL_ALL)
    Subscription.objects.filter(id=subscription.id).update(uid="of-mine")
    for call in (lambda: api.get(JOBS), lambda: api.post(JOBS, CANCEL_ALL | {"filter": {"webhook": "of-mine"}})):
        with django_assert_max_num_queries(6):
            assert call().status_code < 300


def test_a_job_moves_the_expiry_of_what_is_outstanding(api: Client, subscription: Subscription) -> None:
    (pending,) = make_pending(subscription)
    body = {"kind": "move_expiry", "filter": {"status": ["pending"]}, "expiresAt": "2999-01-31T12:00:00.000Z"}
    shown = api.post(JOBS, body).json()
    assert (shown["kind"], shown["expiresAt"]) == ("move_expiry", body["expiresAt"])
    run_job(read("job", shown["id"]))
    assert read_delivery(pending).expires_at.year == 2999
