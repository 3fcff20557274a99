"""The page of one delivery: what was sent, what came back, what comes next, and what may be done."""

from __future__ import annotations

import html
from dataclasses import replace
from random import Random

import pytest
from django.contrib.admin.models import LogEntry
from django.test import Client
from django.urls import reverse

from deliveries.expunge import expunge_response
from deliveries.models import Delivery, Status
from deliveries.record import record_landings
from subscriptions.auth import BasicAuth
from subscriptions.custom_headers import CustomHeader
from subscriptions.models import Subscription
from subscriptions.rotation import read_secrets
from subscriptions.subscribe import change_subscription
from tests.integration.admin.conftest import ClientOf
from tests.integration.rows import answered, change, claim_one, land, make_pending, read_delivery
from webhookhub.models import Event

# Static files come from the packages; the folder for collected ones need not exist.
pytestmark = pytest.mark.filterwarnings("ignore:No directory at:UserWarning")

DEEDS = ["cancel", "retry", "replay", "move_expiry"]


def read_page(client: Client, delivery: Delivery) -> str:
    """The text of the delivery's page, as a browser would show its characters."""
    response = client.get(reverse("admin:deliveries_delivery_change", args=[delivery.id]))
    assert response.status_code == 200
    return html.unescape(response.content.decode())


def test_the_page_tells_event_request_attempt_and_answer(delivery: Delivery, admin_client: Client) -> None:
    page = read_page(admin_client, delivery)
    event = delivery.event
    for part in (
        event.shown_id,
        event.data,
        "Attempt 1: 500",
        f"webhook-id: {event.shown_id}",
        "webhook-signature: v1,",
    ):
        assert part in page
    assert "Attempt 2 comes in" in page


def test_what_a_receiver_answered_is_text_and_nothing_else(delivery: Delivery, admin_client: Client) -> None:
    url = reverse("admin:deliveries_delivery_change", args=[delivery.id])
    page = admin_client.get(url).content.decode()
    assert "&lt;script&gt;" in page
    assert "<script></pre>" not in page


def test_secrets_are_on_no_page(subscription: Subscription, admin_client: Client) -> None:
    headers = [CustomHeader(name="X-Token", value="open sesame", is_secret=True)]
    auth = BasicAuth(username="ada", password="swordfish")
    change_subscription(subscription, lambda before: replace(before, headers=headers, auth=auth))
    (identifier,) = make_pending(subscription)
    page = read_page(admin_client, read_delivery(identifier))
    assert "X-Token: ***" in page
    assert "Authorization: ***" in page
    for secret in ("open sesame", "swordfish", "YWRhOnN3b3JkZmlzaA", read_secrets(subscription).shown):
        assert secret not in page


def test_before_the_first_attempt_the_request_is_shown_as_it_would_be_sent(
    subscription: Subscription, admin_client: Client
) -> None:
    (identifier,) = make_pending(subscription)
    page = read_page(admin_client, read_delivery(identifier))
    assert "As it would be sent now" in page
    assert "There was none so far." in page


def test_only_the_last_fifty_attempts_are_shown(subscription: Subscription, admin_client: Client) -> None:
    (identifier,) = make_pending(subscription)
    for _ in range(3):
        change([identifier], due_at=read_delivery(identifier).expires_at.replace(year=2000))
        record_landings([land(claim_one(identifier), answered(500))], rng=Random())
    page = read_page(admin_client, read_delivery(identifier))
    assert page.index("Attempt 3: 500") < page.index("Attempt 1: 500")
    change([identifier], attempt_count=52)
    assert "The first 2 are not shown." in read_page(admin_client, read_delivery(identifier))


def test_the_page_of_a_delivery_whose_webhook_event_and_answer_are_gone_still_opens(
    delivery: Delivery, admin_client: Client
) -> None:
    expunge_response(delivery.id, 1)
    assert "What was answered was expunged." in read_page(admin_client, delivery)
    Subscription.objects.all().delete()
    assert "A webhook that was deleted" in read_page(admin_client, delivery)
    Event.objects.all().delete()
    assert "It is past its retention." in read_page(admin_client, delivery)


@pytest.mark.parametrize(
    ("status", "expected"),
    [
        (Status.PENDING, DEEDS),
        (Status.HELD, DEEDS),
        (Status.DELIVERED, ["replay"]),
        (Status.FAILED, ["replay"]),
        (Status.CANCELLED, ["replay"]),
    ],
)
def test_what_may_be_done_has_a_button(
    status: Status, expected: list[str], delivery: Delivery, admin_client: Client
) -> None:
    change([delivery.id], status=status)
    page = read_page(admin_client, delivery)
    assert [deed for deed in DEEDS if f"/act/{deed}/" in page] == expected


def test_whoever_may_only_look_has_no_buttons(delivery: Delivery, client_of: ClientOf) -> None:
    assert "/act/" not in read_page(client_of("view_delivery"), delivery)


def test_without_permission_to_look_nothing_is_seen(delivery: Delivery, client_of: ClientOf) -> None:
    url = reverse("admin:deliveries_delivery_change", args=[delivery.id])
    assert client_of("view_account").get(url).status_code == 403


def test_the_page_says_what_people_did_and_why(delivery: Delivery, admin_client: Client) -> None:
    url = reverse("admin:deliveries_delivery_act", args=["cancel"], query={"ids": delivery.id.hex})
    admin_client.post(url, {"reason": "the customer called"})
    assert "Cancelled: the customer called" in read_page(admin_client, delivery)
    assert LogEntry.objects.count() == 1
