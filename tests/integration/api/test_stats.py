"""How a webhook does, over the API: counts of a window of time."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Any
from uuid import UUID

import pytest
from pytest_django import DjangoAssertNumQueries

from deliveries.cancel import cancel
from deliveries.models import Delivery
from deliveries.transport import FailureKind, NoAnswer, Timings
from subscriptions.models import Subscription
from subscriptions.subscribe import subscribe
from tests.integration.api.conftest import ApiOf, Client, make_keys_unused
from tests.integration.api.log_rows import attempt, deliveries_of, get, record_ago
from tests.integration.rows import answered, change, database_now, make_pending
from webhookhub.models import Account
from webhookhub.moments import iso_moment
from webhookhub.roles import Role

DAY_SECONDS = 86_400


def stats(client: Client, subscription: Subscription | str, **parameters: Any) -> dict[str, Any]:
    named = subscription if isinstance(subscription, str) else subscription.shown_id
    return get(client, f"webhooks/{named}/stats", **parameters)


def test_of_a_new_webhook_all_is_zero(api: Client, subscription: Subscription) -> None:
    found = stats(api, subscription)
    assert found["deliveries"] == dict.fromkeys(["total", "pending", "held", "delivered", "failed", "cancelled"], 0)
    assert found["successRate"] is None
    assert found["attempts"] == {
        "total": 0,
        "byOutcome": {},
        "byStatusCodeClass": {"2xx": 0, "3xx": 0, "4xx": 0, "5xx": 0, "none": 0},
        "medianMs": None,
        "p95Ms": None,
    }


def test_deliveries_are_counted_by_status_and_attempts_by_outcome(
    api: Client, subscribed: Callable[..., Subscription]
) -> None:
    subscription, _other = subscribed(), subscribed()
    identifiers = make_pending(subscription, 8)
    for delivery_id in identifiers[:3]:
        attempt(delivery_id, answered(200, total_ms=10.0))
    attempt(identifiers[3], answered(410, total_ms=30.0))
    attempt(identifiers[4], answered(503, total_ms=50.0))
    change([identifiers[4]], due_at=database_now())
    attempt(identifiers[4], NoAnswer(kind=FailureKind.TIMEOUT, message="", timings=Timings(total_ms=15_000.0)))
    cancel([identifiers[5]])
    change([identifiers[6]], status="held")
    found = stats(api, subscription)
    assert found["deliveries"] == {
        "total": 8,
        "pending": 2,
        "held": 1,
        "delivered": 3,
        "failed": 1,
        "cancelled": 1,
    }
    assert found["successRate"] == 0.75
    assert found["attempts"] == {
        "total": 6,
        "byOutcome": {"delivered": 3, "gone": 1, "status": 1, "timeout": 1},
        "byStatusCodeClass": {"2xx": 3, "3xx": 0, "4xx": 1, "5xx": 1, "none": 1},
        "medianMs": 10.0,
        "p95Ms": 15_000.0,
    }


def test_the_window_is_a_day_unless_another_is_named(api: Client, account: Account, subscription: Subscription) -> None:
    for seconds in (10, DAY_SECONDS - 60, DAY_SECONDS + 60, 20 * DAY_SECONDS):
        record_ago(account, seconds)
    assert stats(api, subscription)["deliveries"]["total"] == 2
    now = database_now()
    since, until = (iso_moment(now - timedelta(days=days)) for days in (30, 2))
    assert stats(api, subscription, since=since)["deliveries"]["total"] == 4
    found = stats(api, subscription, since=since, until=until)
    assert (found["deliveries"]["total"], found["since"], found["until"]) == (1, since, until)


def test_the_newest_attempts_are_counted_where_there_are_many(
    api: Client, account: Account, subscription: Subscription, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("deliveries.stats.NEWEST_DELIVERIES", 2)
    for seconds, status_code in ((30, 500), (20, 200), (10, 200)):
        attempt(deliveries_of(record_ago(account, seconds))[0], status_code)
    found = stats(api, subscription)
    assert (found["deliveries"]["total"], found["attempts"]["byOutcome"]) == (3, {"delivered": 2})


def test_a_window_of_more_than_31_days_is_refused(api: Client, subscription: Subscription) -> None:
    path = f"/api/v1/webhooks/{subscription.shown_id}/stats"
    fits = {"since": "2026-01-01T00:00:00Z", "until": "2026-02-01T00:00:00Z"}
    assert api.get(path, fits).status_code == 200
    refused = api.get(path, fits | {"until": "2026-02-01T00:00:01Z"})
    assert (refused.status_code, refused.json()["code"]) == (400, "window_too_long")


@pytest.mark.parametrize(
    ("parameters", "field"),
    [
        ({"since": "2999-01-01T00:00:00Z"}, "since"),
        ({"since": "2026-02-01T00:00:00Z", "until": "2026-01-01T00:00:00Z"}, "since"),
        ({"until": "soon"}, "until"),
    ],
)
def test_a_window_that_cannot_be_is_refused(
    api: Client, subscription: Subscription, parameters: dict[str, str], field: str
) -> None:
    refused = api.get(f"/api/v1/webhooks/{subscription.shown_id}/stats", parameters)
    assert (refused.status_code, refused.json()["errors"][0]["field"]) == (422, field)


def test_another_accounts_webhook_is_not_found(api: Client, foreign_account: Account) -> None:
    foreign = subscribe(foreign_account, "http://127.0.0.1:9/")
    assert api.get(f"/api/v1/webhooks/{foreign.shown_id}/stats").status_code == 404


def test_a_reader_looks_and_a_publisher_does_not(api_of: ApiOf, subscription: Subscription) -> None:
    stats(api_of(Role.READER), subscription)
    refused = api_of(Role.PUBLISHER).get(f"/api/v1/webhooks/{subscription.shown_id}/stats")
    assert refused.status_code == 403


def test_they_take_six_queries_at_most(
    operator: Client,
    account: Account,
    pending: list[UUID],
    django_assert_max_num_queries: DjangoAssertNumQueries,
) -> None:
    attempt(pending[0])
    Subscription.objects.update(uid="shop")
    make_keys_unused()
    with django_assert_max_num_queries(6):
        found = stats(operator, "shop", account=account.shown_id)
    assert found["attempts"]["total"] == Delivery.objects.count() == 1
