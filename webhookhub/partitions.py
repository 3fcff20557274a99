"""How do the big tables stay small? They are cut by time on their UUIDv7 ids; old parts are dropped, not deleted row by row."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from typing import Any

from django.db import OperationalError, connection, transaction
from psycopg2 import sql
from psycopg2.errors import LockNotAvailable

from webhookhub.ids import first_id_at

logger = logging.getLogger("webhookhub.partitions")

# A week: retention is exact enough, and a statement that cannot prune meets half a dozen partitions, not a hundred.
PARTITION_DAYS = 7
# How far ahead partitions are made: a week without a maintenance run still finds one waiting.
AHEAD = timedelta(days=8)
# Ids are drawn by many clocks; one that lags by a day must still find its partition.
BEHIND = timedelta(days=1)
# Whoever waits for a table has everybody else wait behind: a backup or a report may read it for hours. The next run tries again.
LONGEST_WAIT_MS = 500
_GRID_START = datetime(2020, 1, 6, tzinfo=UTC)


def create_partitions(table: str, *, now: datetime) -> list[str]:
    """Make the partitions of `table` that hold BEHIND before `now` to AHEAD of it; returns the names of the new ones.

    Where somebody reads the table for longer than LONGEST_WAIT_MS, the others are left for the next time.
    """
    made = []
    with _leaving_what_is_in_use(table):
        for name, start in missing_partitions(table, now - BEHIND, now + AHEAD).items():
            _make_partition(table, name, start)
            made.append(name)
    return made


def missing_partitions(table: str, first: datetime, last: datetime) -> dict[str, datetime]:
    """The partitions that `table` needs for `first` to `last` and does not have, each with its first moment."""
    existing = {name for name, _ in _partitions(table)}
    needed = {f"{table}_{start:%Y%m%d}": start for start in _starts(first, last)}
    return {name: start for name, start in needed.items() if name not in existing}


def _make_partition(table: str, name: str, start: datetime) -> None:
    """Make one partition, with the rows of its time that the default partition caught while it was missing.

    Its storage parameters are the default partition's: a table that is cut has none of its own to inherit.
    """
    bounds = [str(first_id_at(start)), str(first_id_at(start + timedelta(days=PARTITION_DAYS)))]
    names = {"name": sql.Identifier(name), "table": sql.Identifier(table), "rest": sql.Identifier(f"{table}_default")}
    with _changing_tables() as cursor:
        # Nobody may add to the default partition between the move and the attachment.
        cursor.execute(sql.SQL("LOCK TABLE {rest} IN ACCESS EXCLUSIVE MODE").format(**names))
        cursor.execute(
            sql.SQL("CREATE TABLE {name} (LIKE {table} INCLUDING DEFAULTS INCLUDING CONSTRAINTS) {storage}").format(
                **names, storage=_storage(f"{table}_default")
            )
        )
        cursor.execute(
            sql.SQL(
                "WITH moved AS (DELETE FROM {rest} WHERE id >= %s AND id < %s RETURNING *) INSERT INTO {name} SELECT * FROM moved"
            ).format(**names),
            bounds,
        )
        cursor.execute(
            sql.SQL("ALTER TABLE {table} ATTACH PARTITION {name} FOR VALUES FROM (%s) TO (%s)").format(**names), bounds
        )


def _storage(table: str) -> sql.SQL:
    """The clause that gives another table the storage parameters of this one."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT reloptions FROM pg_class WHERE oid = %s::regclass", [table])
        (parameters,) = cursor.fetchone()
    return sql.SQL(f"WITH ({', '.join(parameters)})" if parameters else "")


def drop_partitions(table: str, *, before: datetime) -> list[str]:
    """Drop the partitions of `table` whose last moment lies before `before`; returns their names.

    Where somebody reads the table for longer than LONGEST_WAIT_MS, the others are left for the next time.
    """
    dropped = []
    with _leaving_what_is_in_use(table):
        for name, start in _partitions(table):
            if start + timedelta(days=PARTITION_DAYS) <= before:
                with _changing_tables() as cursor:
                    cursor.execute(sql.SQL("DROP TABLE IF EXISTS {}").format(sql.Identifier(name)))
                dropped.append(name)
    return dropped


@contextmanager
def _changing_tables() -> Iterator[Any]:
    """A cursor in a transaction of its own that waits for no lock for long."""
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute("SELECT set_config('lock_timeout', %s, true)", [f"{LONGEST_WAIT_MS}ms"])
        yield cursor


@contextmanager
def _leaving_what_is_in_use(table: str) -> Iterator[None]:
    try:
        yield
    except OperationalError as error:
        if not isinstance(error.__cause__, LockNotAvailable):
            raise
        logger.warning("table in use", extra={"table": table})


def default_is_empty(table: str) -> bool:
    """Whether every row found a partition of its time; if not, partitions were not made ahead."""
    with connection.cursor() as cursor:
        cursor.execute(sql.SQL("SELECT EXISTS (SELECT 1 FROM {})").format(sql.Identifier(f"{table}_default")))
        return not cursor.fetchone()[0]


def _starts(first: datetime, last: datetime) -> Iterator[datetime]:
    """The first moments of the partitions that hold `first` to `last`, on a grid that all processes share."""
    start = _GRID_START + timedelta(days=(first - _GRID_START).days // PARTITION_DAYS * PARTITION_DAYS)
    while start <= last:
        yield start
        start += timedelta(days=PARTITION_DAYS)


def _partitions(table: str) -> list[tuple[str, datetime]]:
    """The dated partitions of `table`, oldest first, each with its first moment."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT inhrelid::regclass::text FROM pg_inherits WHERE inhparent = to_regclass(%s)", [table])
        names = sorted(name for (name,) in cursor.fetchall() if not name.endswith("_default"))
    return [(name, datetime.strptime(name.rpartition("_")[2], "%Y%m%d").replace(tzinfo=UTC)) for name in names]
