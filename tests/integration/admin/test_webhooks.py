"""A subscription in the admin: how it does, who is told when it does not, and what may be done about it."""

from __future__ import annotations

import html
import re
from datetime import UTC, datetime

import pytest
from django.contrib.admin.models import LogEntry
from django.core import mail
from django.test import Client
from django.urls import reverse
from pytest_django import Settings

from deliveries.admin.health import judge
from deliveries.admin.webhook_deeds import DEEDS, Kind
from deliveries.figures.history import Stretch
from deliveries.models import Delivery
from subscriptions.models import Circuit, Subscription
from subscriptions.rotation import read_secrets
from subscriptions.subscribe import pause, set_enabled
from tests.integration.admin.conftest import ClientOf
from tests.integration.conftest import Listen

# Static files come from the packages; the folder for collected ones need not exist.
pytestmark = pytest.mark.filterwarnings("ignore:No directory at:UserWarning")

REASON = {"reason": "they asked for it"}
SAID = dict.fromkeys(Kind, REASON) | {
    Kind.ROTATE: REASON | {"grace_hours": "2"},
    Kind.NOTIFY: REASON | {"to": "alice@example.com", "subject": "Your webhook", "text": "It is not responding."},
}
NOON = datetime(2026, 1, 15, 12, tzinfo=UTC)


def act_url(kind: Kind, *subscriptions: Subscription) -> str:
    ids = ",".join(one.id.hex for one in subscriptions)
    return reverse("admin:subscriptions_subscription_act", args=[kind.value], query={"ids": ids})


def do(client: Client, kind: Kind, *subscriptions: Subscription, **changes: str) -> str:
    """Do it; what the page says afterwards."""
    response = client.post(act_url(kind, *subscriptions), SAID[kind] | changes, follow=True)
    assert response.status_code == 200
    return " ".join(str(message) for message in response.context["messages"])


def read_page(client: Client, subscription: Subscription) -> str:
    response = client.get(reverse("admin:subscriptions_subscription_change", args=[subscription.id]))
    assert response.status_code == 200
    return html.unescape(response.content.decode())


@pytest.fixture(autouse=True)
def _no_patience(monkeypatch: pytest.MonkeyPatch) -> None:
    """No worker runs here: nobody waits for one."""
    monkeypatch.setattr("deliveries.try_out.GRACE_SECONDS", 0.1)


@pytest.mark.parametrize("kind", Kind)
def test_a_deed_takes_its_permission(kind: Kind, subscription: Subscription, client_of: ClientOf) -> None:
    others = {deed.permission.partition(".")[2] for deed in DEEDS.values()} - {DEEDS[kind].permission.partition(".")[2]}
    client = client_of("view_subscription", *others)
    before = Subscription.objects.values().get()
    assert client.get(act_url(kind, subscription)).status_code == 403
    assert client.post(act_url(kind, subscription), SAID[kind]).status_code == 403
    assert Subscription.objects.values().get() == before
    assert (LogEntry.objects.count(), Delivery.objects.count(), mail.outbox) == (0, 0, [])


@pytest.mark.parametrize("kind", Kind)
def test_a_deed_is_on_record_with_its_reason_and_who_did_it(
    kind: Kind, subscription: Subscription, client_of: ClientOf
) -> None:
    client = client_of("view_subscription", DEEDS[kind].permission.partition(".")[2])
    do(client, kind, subscription)
    entry = LogEntry.objects.get(object_id=str(subscription.id))
    assert entry.user.get_username() == "bob"
    assert entry.get_change_message().endswith(": they asked for it")
    assert entry.get_change_message() in read_page(client, subscription)


@pytest.mark.parametrize("kind", Kind)
def test_nothing_is_done_without_a_reason(kind: Kind, subscription: Subscription, admin_client: Client) -> None:
    response = admin_client.post(act_url(kind, subscription), SAID[kind] | {"reason": ""})
    assert "reason" in response.context["form"].errors
    assert not LogEntry.objects.exists()


def test_several_are_disabled_and_enabled_again_from_the_list(
    subscription: Subscription, admin_client: Client, listen: Listen
) -> None:
    row = {"action": "disable", "_selected_action": [str(subscription.id)]}
    asked = admin_client.post(reverse("admin:subscriptions_subscription_changelist"), row)
    admin_client.post(asked["Location"], REASON)
    subscription.refresh_from_db()
    assert (subscription.enabled, listen("maintenance")) == (False, [])
    do(admin_client, Kind.ENABLE, subscription)
    subscription.refresh_from_db()
    assert (subscription.enabled, [rung.ids for rung in listen("maintenance")]) == (True, [[subscription.id]])


def test_a_webhook_is_paused_and_resumed(subscription: Subscription, admin_client: Client, listen: Listen) -> None:
    do(admin_client, Kind.PAUSE, subscription)
    subscription.refresh_from_db()
    assert subscription.paused_at is not None
    assert "Paused since" in read_page(admin_client, subscription)
    do(admin_client, Kind.RESUME, subscription)
    subscription.refresh_from_db()
    assert (subscription.paused_at, [rung.ids for rung in listen("maintenance")]) == (None, [[subscription.id]])


def test_what_was_held_for_a_webhook_that_is_deleted_is_looked_after(
    subscription: Subscription, admin_client: Client, listen: Listen
) -> None:
    row = {"action": "delete_selected", "_selected_action": [str(subscription.id)], "post": "yes"}
    admin_client.post(reverse("admin:subscriptions_subscription_changelist"), row)
    assert not Subscription.objects.exists()
    assert [rung.ids for rung in listen("maintenance")] == [[subscription.id]]


def test_a_rotated_secret_is_shown_once_and_the_old_one_signs_along(
    subscription: Subscription, admin_client: Client
) -> None:
    said = do(admin_client, Kind.ROTATE, subscription)
    secrets = read_secrets(subscription)
    assert secrets.shown in said
    assert len(secrets.older) == 1
    assert secrets.shown not in read_page(admin_client, subscription)
    assert secrets.shown not in " ".join(entry.get_change_message() for entry in LogEntry.objects.all())


def test_a_secret_is_not_rotated_with_too_long_a_grace(subscription: Subscription, admin_client: Client) -> None:
    response = admin_client.post(act_url(Kind.ROTATE, subscription), REASON | {"grace_hours": "169"})
    assert "grace_hours" in response.context["form"].errors


def test_a_test_event_goes_to_the_webhook_alone(
    subscription: Subscription, admin_client: Client, listen: Listen
) -> None:
    assert "There is no answer yet" in do(admin_client, Kind.TEST, subscription)
    delivery = Delivery.objects.get()
    assert (delivery.trigger, delivery.subscription_id) == ("test", subscription.id)
    assert [rung.ids for rung in listen("deliveries")] == [[delivery.id]]


def test_what_takes_no_deliveries_is_sent_no_test_event(subscription: Subscription, admin_client: Client) -> None:
    pause(subscription)
    assert "resume it first" in do(admin_client, Kind.TEST, subscription)
    set_enabled(subscription, False)
    assert "enable it first" in do(admin_client, Kind.TEST, subscription)
    assert not Delivery.objects.exists()
    assert not LogEntry.objects.exists()


def test_a_contact_is_written_to_with_a_prepared_mail_that_can_be_edited(
    delivery: Delivery, subscription: Subscription, admin_client: Client
) -> None:
    form = admin_client.get(act_url(Kind.NOTIFY, subscription)).context["form"]
    assert form["to"].value() == "alice@example.com"
    assert form["subject"].value() == "Your webhook address is not responding"
    for part in (subscription.url, "not responding", "(500)", "pending so far; attempts: 1"):
        assert part in form["text"].value()
    do(admin_client, Kind.NOTIFY, subscription, subject="Your webhook\nBcc: everybody@example.com", text="Please look.")
    (sent,) = mail.outbox
    assert (sent.to, sent.body) == (["alice@example.com"], "Please look.")
    assert sent.subject == "Your webhook Bcc: everybody@example.com"


@pytest.mark.parametrize("host", ["127.0.0.1", ""])
def test_a_mail_that_cannot_be_sent_is_told_and_not_logged_as_sent(
    host: str, subscription: Subscription, admin_client: Client, settings: Settings
) -> None:
    settings.EMAIL_BACKEND = "django.core.mail.backends.smtp.EmailBackend"
    settings.EMAIL_HOST, settings.EMAIL_PORT = host, 1
    assert "could not be sent" in do(admin_client, Kind.NOTIFY, subscription)
    assert not LogEntry.objects.exists()


def test_the_page_tells_how_the_webhook_does_and_what_it_got_last(
    delivery: Delivery, subscription: Subscription, admin_client: Client
) -> None:
    page = read_page(admin_client, subscription)
    assert "order.shipped" in page
    assert re.search(r"pending: attempt 1 .*?500", page, re.DOTALL)
    assert "alice@example.com" in page


def test_the_page_tells_that_the_endpoint_is_down_and_when_it_is_asked_again(
    subscription: Subscription, admin_client: Client
) -> None:
    assert "Endpoint" not in read_page(admin_client, subscription)
    Circuit.objects.create(subscription=subscription, state="open", since=NOON, probe_at=NOON, reason="it failed")
    assert "Down since 2026-01-15 12:00:00 (UTC) (it failed)." in read_page(admin_client, subscription)


def test_whoever_may_only_look_has_no_buttons(subscription: Subscription, client_of: ClientOf) -> None:
    assert "/act/" not in read_page(client_of("view_subscription"), subscription)


def hour(attempts: int, accepted: int) -> Stretch:
    return Stretch(starts_at=NOON, attempts=attempts, accepted=accepted)


@pytest.mark.parametrize(
    ("hours", "word"),
    [
        ([hour(0, 0)] * 3, "quiet"),
        ([hour(5, 5), hour(0, 0), hour(4, 4)], "well"),
        ([hour(5, 0), hour(0, 0), hour(4, 4)], "well"),
        ([hour(5, 5), hour(4, 1), hour(4, 4)], "troubled"),
        ([hour(5, 5), hour(4, 0), hour(4, 0)], "not responding"),
    ],
)
def test_health_is_what_the_last_hours_were_like(hours: list[Stretch], word: str) -> None:
    assert judge(hours) == word
