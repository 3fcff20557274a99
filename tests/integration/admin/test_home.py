"""The first page of the admin: how the hub does now, and how it did over the last day."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from django.test import Client
from django.urls import reverse
from pytest_django import DjangoAssertNumQueries

from deliveries.admin.home import percent, rate
from deliveries.figures.history import Stretch
from deliveries.models import Delivery, Status
from deliveries.tally import fold
from tests.integration.admin.conftest import ClientOf
from tests.integration.rows import change
from webhookhub.models import ProcessKind
from webhookhub.presence import see, see_beat

# Static files come from the packages; the folder for collected ones need not exist.
pytestmark = pytest.mark.filterwarnings("ignore:No directory at:UserWarning")

NOON = datetime(2026, 1, 15, 12, tzinfo=UTC)


def minute(delivered: int, failed: int = 0) -> Stretch:
    return Stretch(starts_at=NOON, delivered=delivered, failed=failed)


def test_points_of_the_charts_are_averages_of_their_minutes() -> None:
    assert rate([minute(3), minute(0), minute(6)]) == 3
    assert percent([minute(3, 1), minute(0), minute(0)]) == 75
    assert percent([minute(0), minute(0)]) is None


def test_the_page_tells_what_is_outstanding_who_is_slow_and_who_is_alive(
    delivery: Delivery, admin_client: Client
) -> None:
    fold()
    see(ProcessKind.WORKER, "deliveries@here", is_new=True, queues=["deliveries"])
    see_beat()
    page = admin_client.get(reverse("admin:index")).content.decode()
    for part in ("1 pending, 0 held", "deliveries@here", delivery.subscription.url, "1 of 1 attempt failed", "s ago"):
        assert part in page


def test_what_changes_is_there_without_the_page_around_it(delivery: Delivery, admin_client: Client) -> None:
    url = reverse("admin:deliveries_delivery_figures")
    assert "1 pending" in admin_client.get(url).content.decode()
    change([delivery.id], status=Status.CANCELLED, wake_at=None)
    part = admin_client.get(url).content.decode()
    assert "0 pending" in part
    assert "<html" not in part


def test_where_nothing_has_happened_the_page_says_so(db: None, admin_client: Client) -> None:
    page = admin_client.get(reverse("admin:index")).content.decode()
    for part in ("There was no attempt.", "None failed.", "None is alive", "never"):
        assert part in page


def test_figures_are_for_those_who_may_see_deliveries(delivery: Delivery, client_of: ClientOf) -> None:
    client = client_of("view_account")
    assert client.get(reverse("admin:deliveries_delivery_figures")).status_code == 403
    page = client.get(reverse("admin:index"))
    assert page.status_code == 200
    assert "Outstanding deliveries" not in page.content.decode()


def test_the_page_takes_a_handful_of_statements(
    delivery: Delivery, admin_client: Client, django_assert_max_num_queries: DjangoAssertNumQueries
) -> None:
    with django_assert_max_num_queries(12):
        admin_client.get(reverse("admin:index"))
