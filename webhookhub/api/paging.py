"""How are long lists read? In pages by key, not by number: page 10,000 costs what page 1 costs, and no row is seen twice."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Generic, TypeVar
from uuid import UUID

from django.db.models import Model, QuerySet
from rest_framework.request import Request

from webhookhub import ids
from webhookhub.api.problems import invalid
from webhookhub.bounded_search import Found
from webhookhub.moments import parse_moment

DEFAULT_LIMIT = 50
MAX_LIMIT = 250

Row = TypeVar("Row")
ModelRow = TypeVar("ModelRow", bound=Model)
_FORWARDS, _BACKWARDS = "f", "b"


@dataclass(frozen=True, kw_only=True, slots=True)
class PageRequest:
    """Which page is wanted: `?limit=`, `?cursor=`, `?order=asc|desc`."""

    limit: int
    ascending: bool
    """The order of the page as it is shown."""
    after: str | None = None
    """The key beyond which the page begins, in the direction that is read."""
    backwards: bool = False
    """Whether the rows before `after` are wanted: they are read the other way round."""

    @property
    def reads_ascending(self) -> bool:
        """The direction in which rows are read."""
        return self.ascending != self.backwards

    @property
    def after_id(self) -> UUID | None:
        """`after` where the key is an id. Raises a Problem (422) where it is none."""
        return None if self.after is None else _read_id(self.after)


@dataclass(frozen=True, kw_only=True, slots=True)
class Page(Generic[Row]):
    """Rows in the order in which they are shown, and the cursors of the pages beside it."""

    rows: list[Row]
    next: str | None
    previous: str | None

    def show(self, show_row: Callable[[Row], Any]) -> dict[str, Any]:
        """The page as the API answers it."""
        return {
            "items": [show_row(row) for row in self.rows],
            "next": self.next,
            "previous": self.previous,
            "done": self.next is None,
        }


def read_page_request(request: Request, *, default_order: str = "desc") -> PageRequest:
    """The page that the request's parameters ask for. Raises a Problem (422) that names the parameter."""
    parameters = request.query_params
    limit = _read_limit(parameters.get("limit"))
    order = parameters.get("order", default_order)
    if order not in ("asc", "desc"):
        raise invalid("order", "is `desc` or `asc`")
    if (cursor := parameters.get("cursor")) is None:
        return PageRequest(limit=limit, ascending=order == "asc")
    direction, key = _read_cursor(cursor)
    return PageRequest(limit=limit, ascending=order == "asc", after=key or None, backwards=direction == _BACKWARDS)


def _read_limit(text: str | None) -> int:
    if text is None:
        return DEFAULT_LIMIT
    if not text.isascii() or not text.isdigit() or len(text) > 6 or not 1 <= int(text) <= MAX_LIMIT:
        raise invalid("limit", f"is a number from 1 to {MAX_LIMIT}")
    return int(text)


def page_by_id(rows: QuerySet[ModelRow], wanted: PageRequest) -> Page[ModelRow]:
    """A page of rows whose primary key `id` is a UUIDv7, which is the order in which they were made."""
    if wanted.after is not None:
        after = _read_id(wanted.after)
        rows = rows.filter(id__gt=after) if wanted.reads_ascending else rows.filter(id__lt=after)
    found = list(rows.order_by("id" if wanted.reads_ascending else "-id")[: wanted.limit + 1])
    return cut_page(found, wanted, lambda row: row.pk.hex)


def page_by_name(rows: QuerySet[ModelRow], wanted: PageRequest) -> Page[ModelRow]:
    """A page of rows whose primary key is their name, in the database's order of names."""
    if wanted.after is not None:
        rows = rows.filter(pk__gt=wanted.after) if wanted.reads_ascending else rows.filter(pk__lt=wanted.after)
    found = list(rows.order_by("pk" if wanted.reads_ascending else "-pk")[: wanted.limit + 1])
    return cut_page(found, wanted, lambda row: str(row.pk))


def cut_page(
    found: Iterable[Row], wanted: PageRequest, key_of: Callable[[Row], str], *, stopped_at: str | None = None
) -> Page[Row]:
    """A page of rows that were read in the request's direction, one more of them than the page holds where there are more.

    `stopped_at` is the key where a search ended that had looked at enough: the page goes on from there, however full it is.
    """
    rows = list(found)
    goes_on = len(rows) > wanted.limit
    rows = rows[: wanted.limit]
    if goes_on:
        far_key: str | None = key_of(rows[-1])
    else:
        far_key = stopped_at
    near_key = key_of(rows[0]) if rows and wanted.after is not None else None
    if wanted.backwards:
        rows.reverse()
        # Whoever came back from a page can return to it; from an empty one, to the beginning.
        return Page(rows=rows, next=_cursor(_FORWARDS, near_key or ""), previous=_cursor(_BACKWARDS, far_key))
    return Page(rows=rows, next=_cursor(_FORWARDS, far_key), previous=_cursor(_BACKWARDS, near_key))


def page_found(found: Found, wanted: PageRequest, read: Callable[[list[UUID]], list[Row]]) -> Page[Row]:
    """The page of a search for one row more than the page holds; `read` reads the rows of ids, in their order."""
    stopped_at = None if found.stopped_at is None else found.stopped_at.hex
    page = cut_page(found.ids, wanted, lambda identifier: identifier.hex, stopped_at=stopped_at)
    return Page(rows=read(page.rows), next=page.next, previous=page.previous)


def _cursor(direction: str, key: str | None) -> str | None:
    if key is None:
        return None
    return base64.urlsafe_b64encode(f"{direction}{key}".encode()).decode().rstrip("=")


def _read_cursor(cursor: str) -> tuple[str, str]:
    try:
        text = base64.b64decode(cursor.encode() + b"=" * (-len(cursor) % 4), altchars=b"-_", validate=True).decode()
    except (binascii.Error, UnicodeError, ValueError):
        text = ""
    if text[:1] not in (_FORWARDS, _BACKWARDS) or "\x00" in text:
        raise invalid("cursor", "is the `next` or `previous` of another page, as it was given")
    return text[0], text[1:]


def _read_id(key: str) -> UUID:
    try:
        return UUID(key)
    except ValueError:
        raise invalid("cursor", "belongs to another list") from None


def id_bounds(request: Request) -> tuple[UUID | None, UUID | None]:
    """The ids between `?since=` (included) and `?until=` (not). Raises a Problem (422) that names the parameter."""
    since, until = (read_moment(request, name) for name in ("since", "until"))
    if since is not None and until is not None and since >= until:
        raise invalid("until", "lies after since")
    return (since and ids.first_id_at(since)) or None, (until and ids.first_id_at(until)) or None


def read_moment(request: Request, name: str) -> datetime | None:
    """A moment among the parameters: ISO 8601 with a zone. Raises a Problem (422)."""
    if (text := request.query_params.get(name)) is None:
        return None
    try:
        # A plus that nobody encoded arrives as a space.
        return parse_moment(text.replace(" ", "+"))
    except ValueError:
        raise invalid(name, "is a moment such as 2026-01-31T12:00:00Z") from None


def read_flag(request: Request, name: str, *, default: bool = False) -> bool:
    """A parameter that is `true` or `false`. Raises a Problem (422)."""
    text = request.query_params.get(name)
    return default if text is None else parse_flag(name, text)


def parse_flag(name: str, text: str) -> bool:
    """The text of a parameter that is `true` or `false`. Raises a Problem (422)."""
    match text:
        case "true":
            return True
        case "false":
            return False
        case _:
            raise invalid(name, "is `true` or `false`")


def read_choices(request: Request, name: str, allowed: Iterable[str]) -> list[str]:
    """A parameter that may be repeated, or hold several values between commas. Raises a Problem (422)."""
    allowed = list(allowed)
    values = [value for text in request.query_params.getlist(name) for value in text.split(",") if value]
    if wrong := [value for value in values if value not in allowed]:
        raise invalid(name, f"{wrong[0][:60]!r} is none of {', '.join(allowed)}")
    return values
