"""How is something found among millions of rows? Along an index, in the order of ids, looking at a bounded number of them.

A sparse filter may end a search before it found what was asked for; it says where, so that the next one goes on from there.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Any, NamedTuple
from uuid import UUID

from django.db import connection

from webhookhub import ids

# Rows that one search looks at: some 20 ms of them where they lie far apart.
CANDIDATES = 5_000
_LOWEST, _HIGHEST = UUID(int=0), UUID(int=2**128 - 1)


class Span(NamedTuple):
    """Ids from `low` to `high`, both included; none where `low` is the higher one."""

    low: UUID
    high: UUID

    def within(self, other: Span) -> Span:
        """What both have."""
        return Span(max(self.low, other.low), min(self.high, other.high))


class Sql(NamedTuple):
    """A piece of a statement, with what its placeholders stand for."""

    text: str
    parameters: tuple[Any, ...] = ()

    @classmethod
    def value(cls, value: Any) -> Sql:
        """A value that is known."""
        return cls("%s", (value,))


class Table(NamedTuple):
    """Where to search: a table, and those of its columns that conditions may name."""

    name: str
    columns: tuple[str, ...]


class Stretch(NamedTuple):
    """The rows with these values in these columns: in an index of the columns and the id they lie in the order of ids."""

    columns: tuple[str, ...] = ()
    values: tuple[Sql, ...] = ()


class Found(NamedTuple):
    """What a search came to."""

    ids: list[UUID]
    """In the order that was asked for."""
    stopped_at: UUID | None
    """Where the next search goes on (`after`); None: there is nothing beyond."""

    @classmethod
    def of(cls, found: list[UUID], *, limit: int, looked_until: UUID | None) -> Found:
        """Of a search that goes on behind the last one found, or, where it found too few, behind what it looked at."""
        return cls(found, found[-1] if len(found) == limit else looked_until)


class Window(NamedTuple):
    """The rows that a search looks at: from the first to the last of them."""

    span: Span
    is_whole: bool
    """Whether there is nothing behind it."""


def span_of(since: datetime | None, until: datetime | None, *, after: UUID | None, ascending: bool) -> Span:
    """The ids of what was made from `since` on and before `until`, and comes after `after`."""
    low = _LOWEST.int if since is None else ids.first_id_at(since).int
    high = _HIGHEST.int if until is None else ids.first_id_at(until).int - 1
    if after is not None and ascending:
        low = min(max(low, after.int + 1), _HIGHEST.int)
    elif after is not None:
        high = max(min(high, after.int - 1), _LOWEST.int)
    return Span(UUID(int=low), UUID(int=high))


def find_along(
    table: Table,
    stretches: Sequence[Stretch],
    conditions: Iterable[Sql],
    *,
    span: Span,
    limit: int,
    ascending: bool,
    candidates: int,
) -> Found:
    """The ids in `span` of the table's rows that lie in one of the stretches and meet all conditions.

    The stretches (one or more) are of the same columns, and read side by side, `candidates` rows of them in all.
    """
    order = _order(stretches[0], ascending=ascending)
    if len({stretch.values[:1] for stretch in stretches}) > 1:
        # Side by side they are sorted, all that is read of them: no more is read in all than of one.
        order, candidates = f"id {direction_of(ascending=ascending)}", max(1, candidates // len(stretches))
    reads = [_read(table, stretch, span, ascending=ascending, rows=candidates) for stretch in stretches]
    read = _side_by_side(reads, order, rows=candidates)
    return find_among(read, conditions, limit=limit, ascending=ascending, candidates=candidates)


def find_among(read: Sql, conditions: Iterable[Sql], *, limit: int, ascending: bool, candidates: int) -> Found:
    """The same among the rows of a statement, which reads `candidates` of them at most, in the order of their ids.

    Conditions name the rows `candidate`.
    """
    condition = all_of(conditions)
    sql = _FIND.format(candidates=read.text, conditions=condition.text)
    rows = fetch(sql, [*read.parameters, *condition.parameters, limit, candidates - 1, limit])
    found = sorted((identifier for identifier, is_found in rows if is_found), reverse=not ascending)
    looked_until = next((identifier for identifier, is_found in rows if not is_found), None)
    return Found.of(found, limit=limit, looked_until=looked_until)


def find_window(table: Table, stretch: Stretch, *, span: Span, ascending: bool, candidates: int) -> Window | None:
    """Where the next `candidates` rows of a stretch lie; None: there are none in `span`."""
    read = _read(table, stretch, span, ascending=ascending, rows=candidates)
    rows = fetch(_WINDOW.format(candidates=read.text, direction=direction_of(ascending=ascending)), read.parameters)
    if not rows:
        return None
    first, last, count = rows[0]
    return Window(Span(min(first, last), max(first, last)), count < candidates)


def all_of(conditions: Iterable[Sql]) -> Sql:
    """That all of them hold."""
    conditions = list(conditions)
    text = " AND ".join(condition.text for condition in conditions) or "TRUE"
    return Sql(text, tuple(parameter for condition in conditions for parameter in condition.parameters))


def direction_of(*, ascending: bool) -> str:
    """The order as SQL says it."""
    return "ASC" if ascending else "DESC"


def fetch(sql: str, parameters: Sequence[Any]) -> list[tuple[Any, ...]]:
    """The rows that a statement returns. Its settings hold until the transaction ends, where there is one."""
    with connection.cursor() as cursor:
        # The first few rows of an order are wanted: neither compiling the plan nor sorting all rows pays.
        cursor.execute(f"SET LOCAL jit = off; SET LOCAL enable_sort = off; {sql}", parameters)
        rows: list[tuple[Any, ...]] = cursor.fetchall()
    return rows


def _read(table: Table, stretch: Stretch, span: Span, *, ascending: bool, rows: int) -> Sql:
    """So many rows of a stretch, in the order of their ids."""
    # Were the first column compared with `=`, PostgreSQL would see that the primary key has the same order, and might
    # read that one, past any number of other rows.
    comparisons = ["{} = ANY(ARRAY[{}])", *["{} = {}"] * len(stretch.columns)]
    held = all_of(
        Sql(comparison.format(column, value.text), value.parameters)
        for comparison, column, value in zip(comparisons, stretch.columns, stretch.values, strict=False)
    )
    text = _READ.format(
        shown=", ".join(table.columns),
        table=table.name,
        held=held.text,
        order=_order(stretch, ascending=ascending),
    )
    return Sql(text, (*held.parameters, *span, rows))


def _side_by_side(reads: Sequence[Sql], order: str, *, rows: int) -> Sql:
    if len(reads) == 1:
        return reads[0]
    text = " UNION ALL ".join(f"({read.text})" for read in reads)
    parameters = tuple(parameter for read in reads for parameter in read.parameters)
    text = f"SELECT * FROM ({text}) AS stretch ORDER BY {order} LIMIT %s"  # noqa: S608 - statements of this module
    return Sql(text, (*parameters, rows))


def _order(stretch: Stretch, *, ascending: bool) -> str:
    direction = direction_of(ascending=ascending)
    return ", ".join(f"{column} {direction}" for column in (*stretch.columns[:1], "id"))


_READ = """
    SELECT {shown} FROM {table}
     WHERE {held} AND id BETWEEN %s AND %s
     ORDER BY {order} LIMIT %s
"""
# What is materialized is read in the order in which it was made, and made no further than it is read.
_FIND = """
    WITH candidate AS MATERIALIZED ({candidates}),
         found AS MATERIALIZED (SELECT id FROM candidate WHERE {conditions} LIMIT %s)
    SELECT id, TRUE FROM found
     UNION ALL
    SELECT id, FALSE FROM (SELECT id FROM candidate OFFSET %s LIMIT 1) AS last_candidate
     WHERE (SELECT count(*) FROM found) < %s
"""
_WINDOW = """
    SELECT first, id, number
      FROM (SELECT id, first_value(id) OVER along AS first, row_number() OVER along AS number
              FROM ({candidates}) AS candidate
            WINDOW along AS (ORDER BY id {direction})) AS candidate
     ORDER BY number DESC
     LIMIT 1
"""
