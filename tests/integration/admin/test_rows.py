"""What an administrator sees and does, through the pages."""

from __future__ import annotations

from typing import Any

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse

from deliveries.models import Delivery
from subscriptions.builtin_profiles import BUILT_IN_PROFILES
from subscriptions.models import Profile, Subscription
from webhookhub.models import Account

# Static files come from the packages; the folder for collected ones need not exist.
pytestmark = pytest.mark.filterwarnings("ignore:No directory at:UserWarning")

MODELS = [
    "webhookhub_account",
    "webhookhub_apikey",
    "webhookhub_event",
    "subscriptions_profile",
    "subscriptions_subscription",
    "deliveries_delivery",
    "deliveries_deliveryattempt",
]


@pytest.mark.usefixtures("delivery")
@pytest.mark.parametrize("model", MODELS)
def test_the_list_of_every_model_opens_and_shows_its_rows(model: str, admin_client: Client) -> None:
    response = admin_client.get(reverse(f"admin:{model}_changelist"))
    assert response.status_code == 200
    assert len(response.context["cl"].result_list) > 0


@pytest.mark.usefixtures("delivery")
@pytest.mark.parametrize("model", MODELS)
def test_the_page_of_a_row_of_every_model_opens(model: str, admin_client: Client) -> None:
    row = admin_client.get(reverse(f"admin:{model}_changelist")).context["cl"].result_list[0]
    assert admin_client.get(reverse(f"admin:{model}_change", args=[row.pk])).status_code == 200


def test_what_a_receiver_answered_cannot_script_the_page(delivery: Delivery, admin_client: Client) -> None:
    listed = admin_client.get(reverse("admin:deliveries_deliveryattempt_changelist")).context["cl"].result_list
    page = admin_client.get(reverse("admin:deliveries_deliveryattempt_change", args=[listed[0].pk])).content.decode()
    assert "&lt;script&gt;" in page


@pytest.mark.usefixtures("db")
@pytest.mark.parametrize("model", MODELS)
def test_nobody_sees_a_list_without_logging_in(model: str, client: Client) -> None:
    response = client.get(reverse(f"admin:{model}_changelist"))
    assert (response.status_code, "login" in response["Location"]) == (302, True)


@pytest.mark.usefixtures("delivery")
@pytest.mark.parametrize("model", ["webhookhub_event", "deliveries_delivery", "deliveries_deliveryattempt"])
def test_what_the_hub_recorded_is_not_added_changed_or_deleted_by_hand(model: str, admin_client: Client) -> None:
    row = admin_client.get(reverse(f"admin:{model}_changelist")).context["cl"].result_list[0]
    assert admin_client.get(reverse(f"admin:{model}_add")).status_code == 403
    assert admin_client.post(reverse(f"admin:{model}_change", args=[row.pk]), {}).status_code == 403
    assert admin_client.post(reverse(f"admin:{model}_delete", args=[row.pk]), {"post": "yes"}).status_code == 403


def test_no_secret_is_on_any_page_of_a_subscription(subscription: Subscription, admin_client: Client) -> None:
    stored = subscription.secrets.get().encrypted_text
    page = admin_client.get(reverse("admin:subscriptions_subscription_change", args=[subscription.pk])).content.decode()
    assert stored not in page
    assert "whsec_" not in page


def act(client: Client, model: str, action: str, *rows: Any, **said: str) -> str:
    response = client.post(
        reverse(f"admin:{model}_changelist"),
        {"action": action, "_selected_action": [str(row) for row in rows], **said},
        follow=True,
    )
    assert response.status_code == 200
    return " ".join(str(message) for message in response.context["messages"])


def test_deliveries_to_a_subscription_that_was_deleted_are_still_listed(
    delivery: Delivery, subscription: Subscription, admin_client: Client
) -> None:
    subscription.delete()
    response = admin_client.get(reverse("admin:deliveries_delivery_changelist"))
    assert [row.pk for row in response.context["cl"].result_list] == [delivery.id]
    assert admin_client.get(reverse("admin:deliveries_delivery_change", args=[delivery.id])).status_code == 200


def test_events_of_an_account_that_was_deleted_are_still_listed(delivery: Delivery, admin_client: Client) -> None:
    Subscription.objects.get().account.delete()
    response = admin_client.get(reverse("admin:webhookhub_event_changelist"))
    assert [row.pk for row in response.context["cl"].result_list] == [delivery.event_id]


def form_of(client: Client, url: str) -> dict[str, Any]:
    """The values of an admin form as a browser would send them back."""
    form = client.get(url).context["adminform"].form
    sent: dict[str, Any] = {}
    for name in form.fields:
        value = form[name].value()
        if value is True:
            sent[name] = "on"
        elif value is not False and value is not None:
            sent[name] = ",".join(map(str, value)) if isinstance(value, list) else value
    return sent


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("url", "not a url"),
        ("url", "http://[::1"),
        ("url", "http://169.254.169.254/"),
        ("event_types", "order shipped"),
        ("event_types", "*.order"),
        ("uid", "sub_0192f0c1"),
        ("entity_type", "a product"),
        ("payload_filter", '{"$what": 1}'),
        ("overrides", '{"timeout_seconds": 99}'),
        ("overrides", "[1]"),
        ("rate_limit_per_second", "0"),
    ],
)
def test_the_page_of_a_subscription_refuses_what_could_not_be_delivered(
    field: str, value: str, subscription: Subscription, admin_client: Client
) -> None:
    url = reverse("admin:subscriptions_subscription_change", args=[subscription.pk])
    response = admin_client.post(url, form_of(admin_client, url) | {field: value})
    assert response.status_code == 200
    assert list(response.context["adminform"].form.errors) == [field]


def test_what_is_agreed_on_can_be_changed_on_the_page_and_an_emptied_box_means_nothing(
    subscription: Subscription, admin_client: Client
) -> None:
    url = reverse("admin:subscriptions_subscription_change", args=[subscription.pk])
    agreed = {"url": "HTTPS://Client.com/x", "payload_filter": '{"a": 1}', "overrides": '{"timeout_seconds": 5}'}
    sent = form_of(admin_client, url) | agreed | {"metadata": "", "event_types": ""}
    assert admin_client.post(url, sent).status_code == 302
    subscription.refresh_from_db()
    assert (subscription.url, subscription.payload_filter) == ("https://client.com/x", {"a": 1})
    assert (subscription.overrides, subscription.metadata) == ({"timeout_seconds": 5}, {})
    assert subscription.event_types == ["*"]


@pytest.mark.usefixtures("db")
@pytest.mark.parametrize("name", [profile.name for profile in BUILT_IN_PROFILES])
def test_a_profile_that_is_saved_unchanged_stays_as_it_was(name: str, admin_client: Client) -> None:
    before = Profile.objects.get(name=name).to_value()
    url = reverse("admin:subscriptions_profile_change", args=[name])
    assert admin_client.post(url, form_of(admin_client, url)).status_code == 302
    assert Profile.objects.get(name=name).to_value() == before


@pytest.mark.usefixtures("db")
def test_a_profile_is_copied_under_another_name(admin_client: Client) -> None:
    url = reverse("admin:subscriptions_profile_change", args=["standard"])
    changed = {"name": "patient", "timeout_seconds": "30", "_saveasnew": "1"}
    assert admin_client.post(url, form_of(admin_client, url) | changed).status_code == 302
    assert Profile.objects.get(name="patient").to_value().timeout_seconds == 30
    assert Profile.objects.get(name="standard").to_value().timeout_seconds == 15


@pytest.mark.usefixtures("db")
@pytest.mark.parametrize(
    ("field", "value", "right"),
    [
        ("name", "Patient", "lower-case letters"),
        ("timeout_seconds", "0", "from 0.1 to 60"),
        ("timeout_seconds", "61", "from 0.1 to 60"),
        ("timeout_seconds", "nan", "number"),
        ("success_statuses", "banana", "codes from 200 to 599"),
        ("success_statuses", "", "required"),
        ("retry_on", "sometimes", "any alone"),
        ("retry_on", "200", "counts as success already"),
        ("intervals_seconds", "5,-1", "from 0 to"),
        ("intervals_seconds", "5,soon", "number"),
        ("max_interval_seconds", "1e9", "from 1 to"),
        ("backoff_factor", "0.9", "from 1 to 10"),
        ("max_attempts", "0", "from 1 to"),
        ("expires_after_seconds", "0", "from 1 to"),
        ("jitter_ratio", "0.51", "from 0 to 0.5"),
        ("retry_after_cap_seconds", "-1", "from 0 to"),
        ("body_form", "xml", "valid choice"),
        ("user_agent", "a\tb", "visible ASCII"),
        ("request_id_parameter", "a=b", "such as requestId"),
    ],
)
def test_a_wrong_value_of_a_profile_is_named_with_what_would_be_right(
    field: str, value: str, right: str, admin_client: Client
) -> None:
    url = reverse("admin:subscriptions_profile_change", args=["standard"])
    sent = form_of(admin_client, url) | {"name": "patient", "_saveasnew": "1", field: value}
    errors = admin_client.post(url, sent).context["adminform"].form.errors
    assert field in errors
    assert right in " ".join(errors[field])
    assert not Profile.objects.filter(name__in=["patient", "Patient"]).exists()


def test_a_list_counts_so_many_rows_and_no_more(
    account: Account, admin_client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("webhookhub.admin.hub_admin.MOST_COUNTED", 3)
    for number in range(5):
        Account.objects.create(name=f"shop {number}")
    with CaptureQueriesContext(connection) as queries:
        page = admin_client.get(reverse("admin:webhookhub_account_changelist"))
    assert page.context["cl"].result_count == 3
    counted = [one["sql"] for one in queries if "COUNT(" in one["sql"] and "webhookhub_account" in one["sql"]]
    assert all("LIMIT 3" in sql for sql in counted)
    assert counted
