"""Events in the admin: found without counting them, and with those who were told."""

from __future__ import annotations

from uuid import UUID

import pytest
from django.test import Client
from django.urls import reverse
from pytest_django import DjangoAssertNumQueries

from deliveries.models import Delivery
from webhookhub.events import NewEvent, emit_many
from webhookhub.models import Account

# Static files come from the packages; the folder for collected ones need not exist.
pytestmark = pytest.mark.filterwarnings("ignore:No directory at:UserWarning")

LIST = "admin:webhookhub_event_changelist"


def shown(client: Client, **filters: str) -> list[UUID]:
    return [row.pk for row in client.get(reverse(LIST), filters).context["cl"].result_list]


@pytest.mark.parametrize(
    ("filters", "expected"),
    [
        ({}, [1, 0]),
        ({"type": "order.paid"}, [1]),
        ({"account": "Alice's shop"}, [1, 0]),
        ({"account": "alice's shop", "correlation": "c-1"}, [0]),
        ({"type": "order.lost"}, []),
        ({"account": "nobody"}, []),
    ],
)
def test_events_are_found_by_account_type_and_correlation_id(
    filters: dict[str, str], expected: list[int], account: Account, admin_client: Client
) -> None:
    events = [NewEvent(type="order.shipped", data={}, correlation_id="c-1"), NewEvent(type="order.paid", data={})]
    recorded = emit_many(events, account=account)
    assert shown(admin_client, **filters) == [recorded[number] for number in expected]


def test_pages_lead_through_all_of_them(
    account: Account, admin_client: Client, django_assert_max_num_queries: DjangoAssertNumQueries
) -> None:
    recorded = emit_many([NewEvent(type="order.shipped", data={}) for _ in range(70)], account=account)
    with django_assert_max_num_queries(6):
        first = admin_client.get(reverse(LIST)).context["cl"]
    second = admin_client.get(reverse(LIST) + first.older_url).context["cl"]
    assert [row.pk for page in (first, second) for row in page.result_list] == recorded[::-1]


def test_the_page_of_an_event_names_who_was_told(delivery: Delivery, admin_client: Client) -> None:
    page = admin_client.get(reverse("admin:webhookhub_event_change", args=[delivery.event_id])).content.decode()
    assert delivery.subscription.url in page
    assert reverse("admin:deliveries_delivery_change", args=[delivery.id]) in page


def test_an_event_that_nobody_wanted_says_so(account: Account, admin_client: Client) -> None:
    (event_id,) = emit_many([NewEvent(type="order.shipped", data={})], account=account)
    page = admin_client.get(reverse("admin:webhookhub_event_change", args=[event_id])).content.decode()
    assert "Nobody, so far." in page
