"""What all of the hub's pages in the admin have in common, and those of rows that the hub writes and people read."""

from __future__ import annotations

from typing import Any, ClassVar

from django.contrib import admin
from django.core.paginator import Paginator
from django.http import HttpRequest
from django.utils.functional import cached_property
from unfold.admin import ModelAdmin

# Rows that a list counts, and pages through: whoever looks for one behind them searches.
MOST_COUNTED = 10_000


class BoundedPaginator(Paginator):  # type: ignore[type-arg]  # generic for the type checker only
    """Pages of Django's own, of the first rows alone: counting a million takes longer than reading a page of them."""

    @cached_property
    def count(self) -> int:
        """How many there are, or the most that are counted."""
        rows: Any = self.object_list
        # Whatever their order is, there are as many.
        return int(rows.order_by()[:MOST_COUNTED].count())


class HubAdmin(ModelAdmin):  # type: ignore[misc]  # unfold carries no types
    """A page of the hub's, with its few styles and scripts beside unfold's."""

    paginator: ClassVar[type[Paginator[Any]]] = BoundedPaginator
    show_full_result_count = False

    class Media:
        css: ClassVar = {"all": ["webhookhub/admin.css"]}
        js: ClassVar = ["webhookhub/admin.js"]

    @admin.display(description="id")
    def row_id(self, row: Any) -> str:
        """As it appears to people."""
        return str(row.shown_id)


class ReadOnlyAdmin(HubAdmin):
    """Nothing is added, changed or deleted by hand."""

    def has_add_permission(self, request: HttpRequest) -> bool:
        """Nobody adds such rows by hand."""
        return False

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """Nobody edits them."""
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """Retention removes them."""
        return False
