"""How does the admin page through millions of rows? Along an index, from wherever the last page ended; nothing is counted."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from uuid import UUID

from django.contrib import messages
from django.contrib.admin.views.main import PAGE_VAR
from django.core.paginator import Paginator
from django.http import HttpRequest
from unfold.views import ChangeList

from webhookhub import ids
from webhookhub.bounded_search import Found
from webhookhub.errors import BadFilterError

# Searches for one page: a sparse filter is followed for some 0.2 s; after that the page says how far it got.
MOST_SEARCHES = 8

Find = Callable[[UUID | None, int], Found]


class Pager(Paginator):  # type: ignore[type-arg]  # generic for the type checker only
    """One page, and where the next one begins."""

    template_name = "webhookhub/admin/pager.html"


class SearchedChangeList(ChangeList):  # type: ignore[misc]  # unfold carries no types
    """A list whose rows come from a bounded search, the newest first. The page's number is the id that it goes on from."""

    begins_after: UUID | None
    stopped_at: UUID | None

    def find(self, after: UUID | None, limit: int) -> Found:
        """Up to so many ids after this one. Raises BadFilterError."""
        raise NotImplementedError

    def get_results(self, request: HttpRequest) -> None:
        """Sets what the templates read of a list."""
        self.begins_after = _read_cursor(request)
        try:
            found = find_page(self.find, after=self.begins_after, limit=self.list_per_page)
        except BadFilterError as error:
            messages.error(request, f"{error.field}: {error}")
            found = Found([], None)
        rows = {row.pk: row for row in self.root_queryset.filter(pk__in=found.ids)}
        self.result_list = [rows[identifier] for identifier in found.ids if identifier in rows]
        self.stopped_at = found.stopped_at
        self.paginator = Pager(self.result_list, self.list_per_page)
        self.result_count = self.full_result_count = len(self.result_list)
        self.show_admin_actions = bool(self.result_list)
        self.can_show_all = self.multi_page = False

    @property
    def older_url(self) -> str:
        """Where the list goes on."""
        return str(self.get_query_string({PAGE_VAR: self.stopped_at and self.stopped_at.hex}))

    @property
    def newest_url(self) -> str:
        """Where the list begins."""
        return str(self.get_query_string())

    @property
    def searched_back_to(self) -> datetime | None:
        """The moment that a search came to which ended before its page was full."""
        is_short = len(self.result_list) < self.list_per_page
        return ids.moment_of(self.stopped_at) if is_short and self.stopped_at is not None else None


def find_page(find: Find, *, after: UUID | None, limit: int) -> Found:
    """A whole page where there is one within reach: of a sparse filter, one search may stop before."""
    found: list[UUID] = []
    stopped_at = after
    for _ in range(MOST_SEARCHES):
        step = find(stopped_at, limit - len(found))
        found += step.ids
        stopped_at = step.stopped_at
        if stopped_at is None or len(found) == limit:
            break
    return Found(found, stopped_at)


def _read_cursor(request: HttpRequest) -> UUID | None:
    """What is no cursor begins with the newest."""
    try:
        return UUID(request.GET.get(PAGE_VAR, ""))
    except ValueError:
        return None
