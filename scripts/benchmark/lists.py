"""How long does it take to look things up among a million deliveries? Each list of the API and the admin through its view."""

from __future__ import annotations

import statistics
import time
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

from django.conf import settings
from django.contrib.auth.models import User
from django.test import Client, override_settings
from django.urls import reverse

from deliveries.models import Delivery
from scripts.benchmark.errors import WrongResult
from scripts.benchmark.past import RARE_TYPE, Owner, store_past
from scripts.benchmark.rows import clear_rows
from scripts.benchmark.scenario import MILLISECONDS, Bench, Figures, Scenario
from scripts.local.console import Progress
from webhookhub.api_keys import create_api_key
from webhookhub.ids import show
from webhookhub.models import Event
from webhookhub.moments import iso_moment
from webhookhub.roles import Role

# Of each account; enough for a median, and the first ones find cold caches.
PAGES = 7
ADMINISTRATOR = "benchmark"


def run(bench: Bench, size: int) -> Figures:
    """Read each list of three accounts, page by page, by its route; medians in milliseconds."""
    clear_rows()
    owners = store_past(size)
    key = create_api_key(None, "benchmark", role=Role.OPERATOR)
    client = Client(SERVER_NAME="localhost", HTTP_AUTHORIZATION=f"Bearer {key}")
    administrator = _log_in()
    progress = Progress("reading lists")
    took: dict[str, list[float]] = {}
    # Static files are none of its business, and looking for them warns where there are none.
    with override_settings(MIDDLEWARE=[name for name in settings.MIDDLEWARE if "whitenoise" not in name]):
        for owner in owners:
            for name, (path, parameters) in _lists(owner).items():
                bench.check_deadline("Reading lists")
                took.setdefault(name, []).extend(_read_pages(client, path, parameters))
                progress.show(name)
        for name, url in _admin_pages(owners[0]).items():
            bench.check_deadline("Opening pages of the admin")
            took[name] = list(_open(administrator, url))
            progress.show(name)
    progress.done()
    medians = {f"{name}_ms": statistics.median(times) * MILLISECONDS for name, times in took.items()}
    of_admin = {name: value for name, value in medians.items() if name.startswith("admin_")}
    return {
        **medians,
        "slowest_ms": max(value for name, value in medians.items() if name not in of_admin),
        "slowest_admin_ms": max(of_admin.values()),
    }


def _log_in() -> Client:
    """An administrator of the admin's."""
    User.objects.filter(username=ADMINISTRATOR).delete()
    client = Client(SERVER_NAME="localhost")
    client.force_login(User.objects.create_superuser(ADMINISTRATOR))
    return client


def _admin_pages(owner: Owner) -> dict[str, str]:
    """The pages by name: their addresses."""
    deliveries = reverse("admin:deliveries_delivery_changelist")
    newest = Delivery.objects.order_by("-id").values_list("id", flat=True)[0]
    return {
        "admin_home": reverse("admin:index"),
        "admin_undelivered": deliveries,
        "admin_all_deliveries": f"{deliveries}?status=any",
        "admin_rare_type": f"{deliveries}?status=any&type={RARE_TYPE}",
        "admin_by_outcome": f"{deliveries}?outcome=refused",
        "admin_of_account": f"{deliveries}?account={owner.account.shown_id}",
        "admin_delivery": reverse("admin:deliveries_delivery_change", args=[newest]),
        "admin_webhook": reverse("admin:subscriptions_subscription_change", args=[owner.webhooks[0]]),
        "admin_events": reverse("admin:webhookhub_event_changelist"),
    }


def _open(client: Client, url: str) -> Iterator[float]:
    """Seconds that the page takes, each time anew."""
    for _ in range(PAGES):
        begin = time.perf_counter()
        response = client.get(url)
        yield time.perf_counter() - begin
        if response.status_code != 200:
            raise WrongResult(f"{url} answered {response.status_code}")


def _lists(owner: Owner) -> dict[str, tuple[str, dict[str, str]]]:
    """The lists by name: the path of each, and its parameters."""
    account = {"account": owner.account.shown_id}
    webhook = show("subscription", owner.webhooks[0])
    event = Event.objects.filter(account=owner.account).exclude(correlation_id="").order_by("-id").first()
    correlation = {"correlationId": event.correlation_id if event is not None else "checkout-1"}
    wanted = _lists_of_deliveries({"webhook": webhook}, correlation)
    return {name: ("deliveries", account | parameters) for name, parameters in wanted.items()} | {
        "all_accounts": ("deliveries", {}),
        "all_accounts_by_status": ("deliveries", {"status": "failed"}),
        "webhook_stats": (f"webhooks/{webhook}/stats", account),
        "events": ("events", account),
        "events_by_type": ("events", account | {"type": "order.step3"}),
        "events_by_rare_type": ("events", account | {"type": RARE_TYPE}),
        "events_by_correlation": ("events", account | correlation),
    }


def _lists_of_deliveries(webhook: dict[str, str], correlation: dict[str, str]) -> dict[str, dict[str, str]]:
    """Their parameters by name."""
    week = {
        "since": iso_moment(datetime.now(UTC) - timedelta(days=14)),
        "until": iso_moment(datetime.now(UTC) - timedelta(days=7)),
    }
    common, rare = {"eventType": "order.step3"}, {"eventType": RARE_TYPE}
    return {
        "deliveries": {},
        "deliveries_oldest_first": {"order": "asc"},
        "deliveries_by_status": {"status": "failed"},
        "deliveries_by_statuses": {"status": "pending,held"},
        "deliveries_by_delivered": {"status": "delivered"},
        "deliveries_by_webhook": webhook,
        "deliveries_by_type": common,
        "deliveries_by_rare_type": rare,
        "deliveries_by_correlation": correlation,
        "deliveries_by_code_class": {"statusCodeClass": "5xx"},
        "deliveries_unanswered": {"statusCodeClass": "none"},
        "deliveries_by_code": {"statusCode": "204"},
        "deliveries_by_absent_code": {"statusCode": "418"},
        "deliveries_of_a_week": week,
        "webhook_and_status": webhook | {"status": "failed"},
        "webhook_and_type": webhook | common,
        "webhook_and_rare_type": webhook | rare,
        "status_and_rare_type": {"status": "failed"} | rare,
    }


def _read_pages(client: Client, path: str, parameters: Mapping[str, str]) -> Iterator[float]:
    """Seconds that each page of a list takes; after the last one, the first again."""
    cursor: dict[str, Any] = {}
    for _ in range(PAGES):
        begin = time.perf_counter()
        response = client.get(f"/api/v1/{path}", {**parameters, **cursor})
        yield time.perf_counter() - begin
        if response.status_code != 200:
            raise WrongResult(f"{path} answered {response.status_code}: {response.content[:500]!r}")
        following = response.json().get("next")
        cursor = {} if following is None else {"cursor": following}


SCENARIO = Scenario(
    summary="deliveries of a month, and lists of them read by the views of the API and the admin",
    default_size=1_000_000,
    run=run,
)
