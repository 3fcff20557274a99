"""Accounts, keys and event types in the admin, through the pages."""

from __future__ import annotations

import re
from typing import Any

import pytest
from django.contrib.admin.models import LogEntry
from django.contrib.auth.models import Permission, User
from django.test import Client
from django.urls import reverse
from pytest_django import Settings

from tests.integration.admin.test_rows import act, form_of
from webhookhub.api_keys import create_api_key
from webhookhub.callers import find_caller, forget_callers
from webhookhub.event_types import create_event_type
from webhookhub.models import Account, ApiKey, EventType, IdempotencyKey
from webhookhub.roles import Role

ADD_KEY = "admin:webhookhub_apikey_add"
NOT_SPLIT = {"expires_at_0": "", "expires_at_1": ""}


@pytest.fixture(autouse=True)
def _cheap(settings: Settings) -> None:
    """Hashing a password well and looking through all static files take longer than the rest of a test."""
    settings.PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]
    settings.MIDDLEWARE = [name for name in settings.MIDDLEWARE if "whitenoise" not in name]
    forget_callers()


def add_key(client: Client, **fields: Any) -> Any:
    return client.post(reverse(ADD_KEY), {"name": "a key", "role": "reader", **NOT_SPLIT} | fields, follow=True)


def test_a_key_that_is_added_is_shown_once(account: Account, admin_client: Client) -> None:
    response = add_key(admin_client, account=str(account.id))
    (key,) = re.findall(r"whk_[0-9a-f]{64}", " ".join(str(message) for message in response.context["messages"]))
    caller = find_caller(key)
    assert caller is not None
    assert (caller.account_id, caller.role) == (account.id, Role.READER)
    row = ApiKey.objects.get()
    for page in ("changelist", "change", "history"):
        arguments = [] if page == "changelist" else [row.pk]
        shown = admin_client.get(reverse(f"admin:webhookhub_apikey_{page}", args=arguments)).content.decode()
        assert key not in shown
        assert row.key_hash not in shown
    assert row.prefix in admin_client.get(reverse("admin:webhookhub_apikey_change", args=[row.pk])).content.decode()


def test_an_operator_s_key_is_added_without_an_account(db: None, admin_client: Client) -> None:
    add_key(admin_client, role="operator")
    assert ApiKey.objects.get().account_id is None


@pytest.mark.parametrize(
    ("fields", "wrong"),
    [
        ({"role": "reader"}, "role"),
        ({"role": "operator", "account": "own"}, "role"),
        ({"role": "operator", "expires_at_0": "2001-01-01", "expires_at_1": "00:00:00"}, "expires_at"),
        ({"role": "operator", "name": ""}, "name"),
    ],
)
def test_a_key_that_nobody_can_have_is_refused_by_the_name_of_its_field(
    account: Account, admin_client: Client, fields: dict[str, str], wrong: str
) -> None:
    if fields.get("account") == "own":
        fields = fields | {"account": str(account.id)}
    response = add_key(admin_client, **fields)
    assert list(response.context["adminform"].form.errors) == [wrong]
    assert not ApiKey.objects.exists()


def test_a_key_is_not_changed_or_deleted_by_hand(account: Account, admin_client: Client) -> None:
    create_api_key(account, "a key")
    row = ApiKey.objects.get()
    assert admin_client.post(reverse("admin:webhookhub_apikey_change", args=[row.pk]), {"name": "b"}).status_code == 403
    assert (
        admin_client.post(reverse("admin:webhookhub_apikey_delete", args=[row.pk]), {"post": "yes"}).status_code == 403
    )


def test_keys_are_revoked_as_an_action_at_once(account: Account, admin_client: Client) -> None:
    keys = [create_api_key(account, str(number)) for number in range(3)]
    assert all(find_caller(key) is not None for key in keys)
    revoked = ApiKey.objects.filter(name__in=["0", "1"])
    act(admin_client, "webhookhub_apikey", "revoke", *revoked.values_list("id", flat=True), reason="it leaked")
    assert [find_caller(key) is not None for key in keys] == [False, False, True]
    noted = LogEntry.objects.filter(change_message="Revoked: it leaked", user__username="admin")
    assert set(noted.values_list("object_id", flat=True)) == {str(key.pk) for key in revoked}


def test_without_a_reason_no_key_is_revoked(account: Account, admin_client: Client) -> None:
    create_api_key(account, "a key")
    said = act(admin_client, "webhookhub_apikey", "revoke", ApiKey.objects.get().id, reason=" ")
    assert said == "Nothing was revoked: say why, in the field beside the action."
    assert ApiKey.objects.get().revoked_at is None


@pytest.mark.parametrize(("permission", "may_revoke"), [("view_apikey", False), ("change_apikey", True)])
def test_revoking_takes_the_permission_to_change_keys(
    permission: str, may_revoke: bool, account: Account, client: Client
) -> None:
    create_api_key(account, "a key")
    bob = User.objects.create_user("bob", is_staff=True)
    bob.user_permissions.add(*Permission.objects.filter(codename__in=["view_apikey", permission]))
    client.force_login(bob)
    act(client, "webhookhub_apikey", "revoke", ApiKey.objects.get().id, reason="it leaked")
    assert (ApiKey.objects.get().revoked_at is not None) is may_revoke


@pytest.mark.parametrize("way", ["page", "list"])
def test_deleting_an_account_ends_its_keys_and_removes_what_it_owns(
    account: Account, admin_client: Client, way: str
) -> None:
    key = create_api_key(account, "a key")
    IdempotencyKey.objects.create(account_id=account.id, key="k", fingerprint=b"", event_ids=[])
    assert find_caller(key) is not None
    if way == "page":
        admin_client.post(reverse("admin:webhookhub_account_delete", args=[account.pk]), {"post": "yes"})
    else:
        admin_client.post(
            reverse("admin:webhookhub_account_changelist"),
            {"action": "delete_selected", "_selected_action": [str(account.pk)], "post": "yes"},
        )
    assert not Account.objects.exists()
    assert not IdempotencyKey.objects.exists()
    assert find_caller(key) is None


@pytest.mark.parametrize(("uid", "is_taken_as"), [("customer-42", "customer-42"), ("", None)])
def test_an_account_s_own_id_is_set_and_emptied_on_its_page(
    account: Account, admin_client: Client, uid: str, is_taken_as: str | None
) -> None:
    Account.objects.update(uid="before")
    url = reverse("admin:webhookhub_account_change", args=[account.pk])
    sent = form_of(admin_client, url) | {"uid": uid, "metadata": "{}"}
    assert admin_client.post(url, sent).status_code == 302
    account.refresh_from_db()
    assert account.uid == is_taken_as


def test_an_own_id_that_looks_like_ours_is_refused_on_the_page(account: Account, admin_client: Client) -> None:
    url = reverse("admin:webhookhub_account_change", args=[account.pk])
    response = admin_client.post(url, form_of(admin_client, url) | {"uid": "acc_1", "metadata": "{}"})
    assert list(response.context["adminform"].form.errors) == ["uid"]


def save_type(client: Client, **fields: str) -> Any:
    given = {
        "name": "order.shipped",
        "description": "",
        "schema": "",
        "example": "",
        "archived_at_0": "",
        "archived_at_1": "",
    }
    return client.post(reverse("admin:webhookhub_eventtype_add"), given | fields)


def test_an_event_type_is_added_and_changed_on_its_page(db: None, admin_client: Client) -> None:
    assert save_type(admin_client, schema='{"type": "object"}', example="[1]").status_code == 302
    row = EventType.objects.get()
    assert (row.name, row.schema, row.example, row.archived_at) == ("order.shipped", {"type": "object"}, [1], None)
    url = reverse("admin:webhookhub_eventtype_change", args=["order.shipped"])
    changed = {
        "name": "another",
        "description": "Else.",
        "schema": "",
        "example": "",
        "archived_at_0": "",
        "archived_at_1": "",
    }
    assert admin_client.post(url, changed).status_code == 302
    row = EventType.objects.get()
    assert (row.name, row.description, row.schema, row.example) == ("order.shipped", "Else.", None, None)


@pytest.mark.parametrize(
    ("field", "value", "right"),
    [
        ("name", "order shipped", "letters, digits"),
        ("schema", '{"type": "nonsense"}', "schema.type"),
        ("schema", '{"$ref": "https://example.com/x"}', "disabled"),
        ("schema", "[]", "object"),
        ("schema", "{", "valid JSON"),
        ("example", "{", "valid JSON"),
    ],
)
def test_a_wrong_value_of_an_event_type_is_named_with_what_would_be_right(
    db: None, admin_client: Client, field: str, value: str, right: str
) -> None:
    errors = save_type(admin_client, **{field: value}).context["adminform"].form.errors
    assert list(errors) == [field]
    assert right in " ".join(errors[field])
    assert not EventType.objects.exists()


def test_the_list_of_event_types_shows_them(db: None, admin_client: Client) -> None:
    create_event_type("order.shipped", {})
    page = admin_client.get(reverse("admin:webhookhub_eventtype_changelist")).content.decode()
    assert "order.shipped" in page
