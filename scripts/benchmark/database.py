"""Where do the rows of a benchmark go? Into a database of its own beside the hub's, dropped afterwards."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from urllib.parse import urlsplit, urlunsplit

import psycopg2
from psycopg2 import errors, sql

from scripts.benchmark.errors import BenchmarkRunning, ServerMissing

SUFFIX = "_benchmark"


@contextlib.contextmanager
def benchmark_database(url: str) -> Iterator[str]:
    """The URL of an empty database on the same server, for as long as the block runs.

    Raises BenchmarkRunning, ServerMissing.
    """
    parts = urlsplit(url)
    name = f"{parts.path.strip('/')}{SUFFIX}"
    with _connected(url) as cursor:
        _create(cursor, name)
        try:
            yield urlunsplit(parts._replace(path=f"/{name}"))
        finally:
            cursor.execute(sql.SQL("DROP DATABASE {} WITH (FORCE)").format(sql.Identifier(name)))


@contextlib.contextmanager
def _connected(url: str) -> Iterator[psycopg2.extensions.cursor]:
    try:
        connection = psycopg2.connect(url)
    except psycopg2.OperationalError as error:
        raise ServerMissing(f"The database of DATABASE_URL cannot be reached: {error}") from error
    connection.autocommit = True
    with contextlib.closing(connection), connection.cursor() as cursor:
        yield cursor


def _create(cursor: psycopg2.extensions.cursor, name: str) -> None:
    try:
        # One that was left behind by a benchmark that was killed.
        cursor.execute(sql.SQL("DROP DATABASE IF EXISTS {}").format(sql.Identifier(name)))
        cursor.execute(sql.SQL("CREATE DATABASE {}").format(sql.Identifier(name)))
    except errors.ObjectInUse as error:
        raise BenchmarkRunning(f"Somebody works in the database {name}: is another benchmark running?") from error
    except errors.InsufficientPrivilege as error:
        raise ServerMissing(f"The user of DATABASE_URL may not make the database {name}: {error}") from error
