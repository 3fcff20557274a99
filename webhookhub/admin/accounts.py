"""What does an administrator see and change of accounts and their keys?"""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import Any

from django import forms
from django.contrib import admin, messages
from django.core.exceptions import ValidationError
from django.db import transaction
from django.db.models import QuerySet
from django.http import HttpRequest
from unfold.forms import ActionForm
from unfold.widgets import UnfoldAdminTextInputWidget

from webhookhub.accounts import delete_account
from webhookhub.admin.checked import checked
from webhookhub.admin.hub_admin import HubAdmin, ReadOnlyAdmin
from webhookhub.admin.journal import LONGEST_REASON, note
from webhookhub.api_keys import check_api_key, generate_api_key, revoke_api_key, save_as
from webhookhub.errors import ApiKeyError
from webhookhub.models import Account, ApiKey
from webhookhub.uids import check_uid


class AccountForm(forms.ModelForm):  # type: ignore[type-arg]  # generic for the type checker only
    """An account, checked as the API checks it."""

    class Meta:
        model = Account
        fields = "__all__"

    def clean_uid(self) -> str | None:
        """Raises ValidationError where no account can have this uid."""
        uid: str | None = self.cleaned_data["uid"]
        return uid if uid is None else checked(partial(check_uid, "account"), uid)


class ApiKeyForm(forms.ModelForm):  # type: ignore[type-arg]  # generic for the type checker only
    """A key to be made."""

    class Meta:
        model = ApiKey
        fields = ("account", "name", "role", "expires_at")

    def clean(self) -> dict[str, Any]:
        """Raises ValidationError that names the field and what would be right."""
        cleaned: dict[str, Any] = super().clean() or {}
        if not self.errors:
            try:
                check_api_key(**cleaned)
            except ApiKeyError as error:
                raise ValidationError({error.field: str(error)}) from error
        return cleaned


class ReasonForm(ActionForm):  # type: ignore[misc]  # unfold carries no types
    """What is done to the selected rows, and why."""

    reason = forms.CharField(
        label="",
        required=False,
        max_length=LONGEST_REASON,
        widget=UnfoldAdminTextInputWidget(attrs={"placeholder": "Why", "aria-label": "Why"}),
    )


@admin.register(Account)
class AccountAdmin(HubAdmin):
    form = AccountForm
    change_form_outer_before_template = "webhookhub/admin/account_above.html"
    # By their key, the newest first: by name, all of them would have to be sorted.
    ordering = ("-id",)
    list_display = ("name", "row_id", "uid", "contact_email", "has_webhooks", "created_at")
    search_fields = ("name", "uid", "contact_email")

    def get_deleted_objects(
        self, objs: QuerySet[Account], request: HttpRequest
    ) -> tuple[list[Any], dict[str, int], set[str], list[Any]]:
        """Whoever may delete an account may delete what belongs to it, though nobody deletes a key by itself."""
        shown, counts, _, protected = super().get_deleted_objects(objs, request)
        return shown, counts, set(), protected

    def delete_model(self, request: HttpRequest, obj: Account) -> None:
        """Its keys stop at once."""
        delete_account(obj)

    def delete_queryset(self, request: HttpRequest, queryset: QuerySet[Account]) -> None:
        """The same for several."""
        for account in queryset:
            delete_account(account)


@admin.register(ApiKey)
class ApiKeyAdmin(ReadOnlyAdmin):
    form = ApiKeyForm
    list_display = ("name", "prefix", "role", "account", "created_at", "expires_at", "last_used_at", "revoked_at")
    list_filter = ("role",)
    list_select_related = ("account",)
    search_fields = ("name", "prefix", "account__name")
    autocomplete_fields = ("account",)
    action_form = ReasonForm
    actions = ("revoke",)

    def has_add_permission(self, request: HttpRequest) -> bool:
        """Keys are made by hand, too; changing one would make it another."""
        return bool(HubAdmin.has_add_permission(self, request))

    def get_fields(self, request: HttpRequest, obj: ApiKey | None = None) -> Sequence[str]:
        """What a new key takes, or all that is known of one."""
        return ApiKeyForm.Meta.fields if obj is None else self.list_display

    def save_model(self, request: HttpRequest, obj: ApiKey, form: forms.ModelForm[ApiKey], change: bool) -> None:
        """Make the key, and show it this one time."""
        key = generate_api_key()
        save_as(obj, key)
        messages.warning(request, f"This is the key; it is not shown again: {key}")

    @admin.action(description="Revoke", permissions=["revoke"])
    def revoke(self, request: HttpRequest, queryset: QuerySet[ApiKey]) -> None:
        """Take them back, for good. Whoever does it says why."""
        reason = request.POST.get("reason", "").strip()
        if not reason:
            messages.error(request, "Nothing was revoked: say why, in the field beside the action.")
            return
        keys = list(queryset)
        with transaction.atomic():
            for key in keys:
                revoke_api_key(key)
            note(request, keys, "Revoked", reason=reason[:LONGEST_REASON])

    def has_revoke_permission(self, request: HttpRequest) -> bool:
        """Whoever may change keys may revoke them."""
        return request.user.has_perm("webhookhub.change_apikey")
