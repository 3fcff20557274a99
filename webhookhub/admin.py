"""What does an administrator see of accounts, keys and events?"""

from __future__ import annotations

from typing import Any, ClassVar

from django.contrib import admin
from django.http import HttpRequest
from unfold.admin import ModelAdmin

from webhookhub.models import Account, ApiKey, Event


class ReadOnlyAdmin(ModelAdmin):  # type: ignore[misc]  # unfold carries no types
    """Rows that the hub writes, and people read."""

    # Counting a large table takes longer than reading a page of it.
    show_full_result_count = False

    def has_add_permission(self, request: HttpRequest) -> bool:
        """Nobody adds such rows by hand."""
        return False

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """Nobody edits them."""
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """Retention removes them."""
        return False


@admin.register(Account)
class AccountAdmin(ModelAdmin):  # type: ignore[misc]  # unfold carries no types
    list_display = ("name", "shown_id", "contact_email", "created_at")
    search_fields = ("name", "contact_email")


@admin.register(ApiKey)
class ApiKeyAdmin(ReadOnlyAdmin):
    list_display = ("name", "prefix", "account", "created_at", "revoked_at")
    list_select_related = ("account",)


@admin.register(Event)
class EventAdmin(ReadOnlyAdmin):
    list_display = ("type", "shown_id", "account", "created_at")
    # A join would hide the events of an account that was deleted; and an empty tuple keeps Django from joining by itself.
    list_select_related = ()
    ordering: ClassVar = ["-id"]
