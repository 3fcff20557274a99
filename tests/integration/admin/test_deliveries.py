"""Outstanding deliveries in the admin: found, cancelled, retried, replayed and given more time, each with who and why."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Any
from uuid import UUID

import pytest
from django.contrib.admin.models import LogEntry
from django.test import Client
from django.urls import reverse
from pytest_django import DjangoAssertNumQueries

from deliveries.jobs import run_job
from deliveries.models import Delivery, Job, JobKind, JobStatus, Status
from subscriptions.models import Subscription
from subscriptions.subscribe import subscribe
from tests.integration.admin.conftest import ClientOf
from tests.integration.conftest import Listen
from tests.integration.rows import change, database_now, make_pending, read_delivery
from webhookhub.models import Account

# Static files come from the packages; the folder for collected ones need not exist.
pytestmark = pytest.mark.filterwarnings("ignore:No directory at:UserWarning")

LIST = "admin:deliveries_delivery_changelist"
SAID = {
    JobKind.CANCEL: {"reason": "wrong prices"},
    JobKind.RETRY: {"reason": "their host is back"},
    JobKind.REPLAY: {"reason": "they lost it"},
    JobKind.MOVE_EXPIRY: {"reason": "they need a week", "expires_at": "2999-01-01T12:00"},
}
PERMISSIONS = {
    JobKind.CANCEL: "cancel_delivery",
    JobKind.RETRY: "retry_delivery",
    JobKind.REPLAY: "replay_delivery",
    JobKind.MOVE_EXPIRY: "move_expiry_of_delivery",
}


def act_url(kind: JobKind, *delivery_ids: UUID, **filters: str) -> str:
    query = {"ids": ",".join(identifier.hex for identifier in delivery_ids)} if delivery_ids else filters
    return reverse("admin:deliveries_delivery_act", args=[kind.value], query=query)


def shown(client: Client, **filters: str) -> list[UUID]:
    """The deliveries that the list shows."""
    response = client.get(reverse(LIST), filters)
    assert response.status_code == 200
    return [row.pk for row in response.context["cl"].result_list]


def messages_of(response: Any) -> str:
    return " ".join(str(message) for message in response.context["messages"])


@pytest.fixture
def of_every_status(subscription: Subscription) -> dict[Status, UUID]:
    identifiers = make_pending(subscription, len(Status))
    for identifier, status in zip(identifiers, Status, strict=True):
        change([identifier], status=status)
    return dict(zip(Status, identifiers, strict=True))


def test_the_list_opens_on_what_is_neither_delivered_nor_cancelled(
    of_every_status: dict[Status, UUID], admin_client: Client
) -> None:
    found = {status for status, identifier in of_every_status.items() if identifier in shown(admin_client)}
    assert found == {Status.PENDING, Status.HELD, Status.FAILED}


@pytest.mark.parametrize(
    ("status", "expected"),
    [
        ("outstanding", {Status.PENDING, Status.HELD}),
        ("delivered", {Status.DELIVERED}),
        ("any", set(Status)),
    ],
)
def test_other_statuses_are_a_filter_away(
    status: str, expected: set[Status], of_every_status: dict[Status, UUID], admin_client: Client
) -> None:
    assert set(shown(admin_client, status=status)) == {of_every_status[one] for one in expected}


@pytest.fixture
def two_accounts(subscribed: Callable[..., Subscription]) -> dict[str, UUID]:
    """One delivery to Alice's webhook, due for two days, tried twice and timed out, and one to Bob's, which is new."""
    alices = subscribed("https://alice.example/hook")
    bobs = subscribe(Account.objects.create(name="Bob's mill", uid="bob"), "https://bob.example/hook")
    (old,), (new,) = make_pending(alices), make_pending(bobs)
    change([old], attempt_count=2, last_outcome="timeout")
    return {"alice": old, "bob": new}


@pytest.mark.parametrize(
    ("filters", "expected"),
    [
        ({"account": "bob"}, ["bob"]),
        ({"account": "Bob's Mill"}, ["bob"]),
        ({"account": "Bob's Mill", "webhook": "https://bob.example/hook"}, ["bob"]),
        ({"webhook": "https://alice.example/hook"}, ["alice"]),
        ({"type": "order.shipped"}, ["bob", "alice"]),
        ({"type": "order.paid"}, []),
        ({"attempts": "2"}, ["alice"]),
        ({"outcome": "timeout"}, ["alice"]),
        ({"age": "newer-1h"}, ["bob", "alice"]),
        ({"age": "older-1h"}, []),
    ],
)
def test_each_filter_finds_what_it_says(
    filters: dict[str, str], expected: list[str], two_accounts: dict[str, UUID], admin_client: Client
) -> None:
    assert shown(admin_client, **filters) == [two_accounts[name] for name in expected]


@pytest.mark.parametrize(
    "filters", [{"account": "nobody"}, {"webhook": "sub_1"}, {"status": "sent"}, {"age": "old"}, {"attempts": "many"}]
)
def test_a_filter_that_cannot_be_read_is_named_and_finds_nothing(
    filters: dict[str, str], two_accounts: dict[str, UUID], admin_client: Client
) -> None:
    response = admin_client.get(reverse(LIST), filters)
    assert response.context["cl"].result_list == []
    assert messages_of(response) != ""


def test_pages_lead_through_all_of_them_the_newest_first(subscription: Subscription, admin_client: Client) -> None:
    identifiers = make_pending(subscription, 120)
    seen: list[UUID] = []
    query = ""
    while True:
        changelist = admin_client.get(reverse(LIST) + query).context["cl"]
        seen += [row.pk for row in changelist.result_list]
        if changelist.stopped_at is None:
            break
        query = changelist.older_url
    assert seen == identifiers[::-1]


def test_a_page_takes_as_many_statements_however_long_it_is(
    subscription: Subscription, admin_client: Client, django_assert_max_num_queries: DjangoAssertNumQueries
) -> None:
    make_pending(subscription, 50)
    with django_assert_max_num_queries(7):
        assert len(shown(admin_client)) == 50


@pytest.mark.parametrize("kind", JobKind)
def test_a_deed_takes_its_own_permission(
    kind: JobKind, of_every_status: dict[Status, UUID], client_of: ClientOf
) -> None:
    others = [permission for other, permission in PERMISSIONS.items() if other is not kind]
    client = client_of("view_delivery", "change_delivery", *others)
    before = list(Delivery.objects.order_by("id").values())
    for url in (act_url(kind, *of_every_status.values()), act_url(kind)):
        assert client.get(url).status_code == 403
        assert client.post(url, SAID[kind]).status_code == 403
    assert list(Delivery.objects.order_by("id").values()) == before
    assert not Job.objects.exists()


@pytest.mark.parametrize("kind", JobKind)
def test_a_deed_is_done_to_those_that_are_selected_and_says_why_and_by_whom(
    kind: JobKind, of_every_status: dict[Status, UUID], client_of: ClientOf
) -> None:
    client = client_of("view_delivery", PERMISSIONS[kind])
    selected = [of_every_status[Status.PENDING], of_every_status[Status.DELIVERED]]
    asked = client.post(reverse(LIST), {"action": kind.value, "_selected_action": [str(one) for one in selected]})
    assert client.get(asked["Location"]).status_code == 200
    client.post(asked["Location"], SAID[kind])
    pending = read_delivery(selected[0])
    match kind:
        case JobKind.CANCEL:
            assert (pending.status, pending.failure_reason) == (Status.CANCELLED, "wrong prices")
        case JobKind.RETRY:
            assert pending.due_at <= database_now()
        case JobKind.REPLAY:
            assert Delivery.objects.filter(trigger__startswith="replay:").count() >= 1
        case JobKind.MOVE_EXPIRY:
            assert pending.expires_at.year == 2999
    entry = LogEntry.objects.filter(object_id=str(pending.id)).get()
    assert entry.user.get_username() == "bob"
    assert str(SAID[kind]["reason"]) in entry.get_change_message()


@pytest.mark.parametrize("kind", JobKind)
def test_nothing_is_done_without_a_reason(
    kind: JobKind, of_every_status: dict[Status, UUID], admin_client: Client
) -> None:
    before = list(Delivery.objects.order_by("id").values())
    response = admin_client.post(act_url(kind, *of_every_status.values()), {**SAID[kind], "reason": " "})
    assert "reason" in response.context["form"].errors
    assert list(Delivery.objects.order_by("id").values()) == before


def test_what_could_not_be_done_is_told_with_the_reason(
    of_every_status: dict[Status, UUID], admin_client: Client
) -> None:
    url = act_url(JobKind.CANCEL, *of_every_status.values())
    said = messages_of(admin_client.post(url, SAID[JobKind.CANCEL], follow=True))
    assert "Cancelled: 2 deliveries" in said
    assert "3 deliveries: The delivery is over" in said


def test_an_expiry_that_has_passed_is_refused(of_every_status: dict[Status, UUID], admin_client: Client) -> None:
    moment = (database_now() - timedelta(minutes=1)).strftime("%Y-%m-%dT%H:%M")
    url = act_url(JobKind.MOVE_EXPIRY, of_every_status[Status.PENDING])
    response = admin_client.post(url, {"reason": "a test", "expires_at": moment})
    assert "expires_at" in response.context["form"].errors


def test_all_that_a_filter_finds_is_done_by_a_job_whose_page_shows_how_far_it_is(
    two_accounts: dict[str, UUID], admin_client: Client, listen: Listen
) -> None:
    listen("maintenance")
    let_a_millisecond_pass()
    response = admin_client.post(act_url(JobKind.CANCEL, account="bob"), SAID[JobKind.CANCEL], follow=True)
    job = Job.objects.get()
    assert [rung.ids for rung in listen("maintenance")] == [[job.id]]
    assert response.context["original"] == job
    entry = LogEntry.objects.get(object_id=str(job.id))
    assert "wrong prices" in entry.get_change_message()
    run_job(job.id)
    progress = admin_client.get(reverse("admin:deliveries_job_progress", args=[job.id])).content.decode()
    assert "done" in progress
    assert "hx-get" not in progress
    assert read_delivery(two_accounts["bob"]).status == Status.CANCELLED
    assert read_delivery(two_accounts["alice"]).status == Status.PENDING


def test_without_a_filter_a_job_deals_with_what_the_list_opens_on(
    of_every_status: dict[Status, UUID], admin_client: Client
) -> None:
    let_a_millisecond_pass()
    admin_client.post(act_url(JobKind.CANCEL), SAID[JobKind.CANCEL])
    job = Job.objects.get()
    run_job(job.id)
    job.refresh_from_db()
    assert (job.account, job.filter["status"], job.examined) == (None, ["pending", "held", "failed"], 3)


def test_a_job_is_stopped_by_whoever_may_change_jobs(subscription: Subscription, client_of: ClientOf) -> None:
    job = Job.objects.create(account=subscription.account, kind=JobKind.CANCEL)
    client = client_of("view_job", "change_job")
    client.post(reverse("admin:deliveries_job_stop", args=[job.id]))
    job.refresh_from_db()
    assert job.status == JobStatus.FAILED
    assert LogEntry.objects.get(object_id=str(job.id)).get_change_message() == "Stopped"


def test_nobody_else_stops_a_job(subscription: Subscription, client_of: ClientOf) -> None:
    job = Job.objects.create(account=subscription.account, kind=JobKind.CANCEL)
    assert client_of("view_job").post(reverse("admin:deliveries_job_stop", args=[job.id])).status_code == 403
    job.refresh_from_db()
    assert job.status == JobStatus.WAITING


def let_a_millisecond_pass() -> None:
    """A job looks at events of the milliseconds before its own."""
    before = database_now()
    while database_now() - before < timedelta(milliseconds=2):
        pass
