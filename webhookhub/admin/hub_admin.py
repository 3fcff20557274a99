"""What all of the hub's pages in the admin have in common, and those of rows that the hub writes and people read."""

from __future__ import annotations

from typing import Any, ClassVar

from django.contrib import admin
from django.http import HttpRequest
from unfold.admin import ModelAdmin


class HubAdmin(ModelAdmin):  # type: ignore[misc]  # unfold carries no types
    """A page of the hub's, with its few styles and scripts beside unfold's."""

    class Media:
        css: ClassVar = {"all": ["webhookhub/admin.css"]}
        js: ClassVar = ["webhookhub/admin.js"]

    @admin.display(description="id")
    def row_id(self, row: Any) -> str:
        """As it appears to people."""
        return str(row.shown_id)


class ReadOnlyAdmin(HubAdmin):
    """Nothing is added, changed or deleted by hand."""

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
