"""Is PostgreSQL as the hub needs it? Its version, room, settings and clock, and the hub's own tables in it."""

from __future__ import annotations

import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any, NamedTuple

from django.db import DatabaseError, connection
from django.db.migrations.executor import MigrationExecutor

from deliveries.doctor.finding import Finding, Severity
from deliveries.fan_out import CLOCKS_APART_SECONDS
from deliveries.partitions import TABLES
from webhookhub.partitions import default_is_empty, missing_partitions

AREA = "database"
LEAST_VERSION = 140000
# CREATE INDEX CONCURRENTLY of 14.0 to 14.3 may leave rows out of an index.
BAD_VERSIONS = range(140000, 140004)
# Connections that one process of a role may have: the web server one for each request at work and three for events, a delivery
# worker one for each of four threads of its three processes, a worker one or two for each of its two; and one to say that
# it is there.
ROLE_CONNECTIONS = {"web": 36, "deliveries": 13, "worker": 4, "beat": 1}
# From here on the next process of a role may find none left.
CROWDED = 0.8
LONG_TRANSACTION_SECONDS = 60
# Partitions are made eight days ahead, every hour: a day without maintenance is noticed here.
AHEAD = timedelta(days=7)
NOTICEABLE_SECONDS = 1.0


class Unwanted(NamedTuple):
    """A setting of PostgreSQL's with a value that harms the hub."""

    name: str
    values: tuple[str, ...]
    instead: str
    severity: Severity
    harm: str
    is_of_server: bool = False


UNWANTED = (
    Unwanted("jit", ("on",), "off", Severity.WARNING, "a statement is compiled for longer than it runs"),
    Unwanted(
        "idle_in_transaction_session_timeout",
        ("0",),
        "60s",
        Severity.WARNING,
        "a client that vanished in a transaction keeps its locks, and dead rows from being cleaned up",
    ),
    Unwanted(
        "synchronous_commit",
        ("off",),
        "on",
        Severity.WARNING,
        "a crash of the server forgets events that were accepted",
    ),
    Unwanted(
        "default_transaction_isolation",
        ("repeatable read", "serializable"),
        "read committed",
        Severity.ERROR,
        "workers that meet at a row fail instead of passing it over",
    ),
    Unwanted("fsync", ("off",), "on", Severity.ERROR, "a crash of the machine may damage every table", True),
    Unwanted("full_page_writes", ("off",), "on", Severity.ERROR, "a crash of the machine may damage pages", True),
    Unwanted("autovacuum", ("off",), "on", Severity.ERROR, "what claims leave behind makes every look slower", True),
)


def examine_database() -> list[Finding]:
    """All of it; where PostgreSQL does not answer, that alone."""
    try:
        connection.ensure_connection()
        return [
            _version(),
            _room(),
            *_settings(),
            *_long_transactions(),
            _clock(),
            *(_behind(missing) if (missing := _missing_migrations()) else _partitions()),
        ]
    except DatabaseError as error:
        remedy = "see that PostgreSQL runs and that DATABASE_URL is right"
        return [_bad(f"PostgreSQL does not answer: {_one_line(error)}", remedy)]


def tables_are_current() -> bool:
    """Whether PostgreSQL answers and has the tables as this version knows them."""
    try:
        return not _missing_migrations()
    except DatabaseError:
        return False


def judge_clocks(apart_seconds: float) -> Finding:
    """By how much this machine's clock is ahead of PostgreSQL's."""
    what = f"this machine's clock is {abs(apart_seconds):.1f} s {'ahead of' if apart_seconds > 0 else 'behind'} PostgreSQL's"
    remedy = "have both machines keep their clocks by NTP (chronyd, systemd-timesyncd)"
    if abs(apart_seconds) > CLOCKS_APART_SECONDS:
        return _bad(f"{what}: events wait for the sweep", remedy)
    if abs(apart_seconds) > NOTICEABLE_SECONDS:
        return _bad(what, remedy, severity=Severity.WARNING)
    return _ok("this machine's clock and PostgreSQL's agree to a second")


def _version() -> Finding:
    ((number,),) = _query("SELECT current_setting('server_version_num')::int")
    shown = f"PostgreSQL {number // 10000}.{number % 10000}"
    if number < LEAST_VERSION:
        return _bad(f"{shown} is older than 14", "upgrade to PostgreSQL 14 or newer")
    if number in BAD_VERSIONS:
        return _bad(f"{shown} may leave rows out of an index", "upgrade to the newest 14, and REINDEX DATABASE")
    return _ok(shown)


def _room() -> Finding:
    ((room, used),) = _query(
        """SELECT least(current_setting('max_connections')::int - current_setting('superuser_reserved_connections')::int,
                        nullif(datconnlimit, -1), nullif(rolconnlimit, -1)),
                  (SELECT count(*) FROM pg_stat_activity WHERE backend_type = 'client backend')
             FROM pg_database, pg_roles WHERE datname = current_database() AND rolname = current_user"""
    )
    needed = sum(ROLE_CONNECTIONS.values())
    what = f"{used} of {room} connections are taken; one process of each role may take {needed}"
    if room < needed or used > room * CROWDED:
        each = ", ".join(f"{role} {count}" for role, count in ROLE_CONNECTIONS.items())
        return _bad(what, f"raise max_connections; each process may take: {each}", severity=Severity.WARNING)
    return _ok(what)


def _settings() -> Iterator[Finding]:
    names = [unwanted.name for unwanted in UNWANTED]
    found = dict(_query("SELECT name, setting FROM pg_settings WHERE name = ANY(%s)", names))
    for unwanted in UNWANTED:
        if (value := found.get(unwanted.name)) in unwanted.values:
            what = f"{unwanted.name} is {value}: {unwanted.harm}"
            yield _bad(what, _setting_remedy(unwanted), severity=unwanted.severity)


def _setting_remedy(unwanted: Unwanted) -> str:
    if unwanted.is_of_server:
        return f"ALTER SYSTEM SET {unwanted.name} = '{unwanted.instead}'; SELECT pg_reload_conf()"
    database = connection.ops.quote_name(connection.settings_dict["NAME"])
    return f"ALTER DATABASE {database} SET {unwanted.name} = '{unwanted.instead}', and start the roles anew"


def _long_transactions() -> Iterator[Finding]:
    rows = _query(
        """SELECT pid, extract(epoch FROM now() - state_change)::int FROM pg_stat_activity
            WHERE datname = current_database() AND state LIKE 'idle in transaction%%'
              AND state_change < now() - %s * interval '1 second' ORDER BY state_change""",
        LONG_TRANSACTION_SECONDS,
    )
    for pid, seconds in rows:
        what = f"process {pid} has done nothing in its transaction for {seconds} s: its locks and dead rows stay"
        yield _bad(what, f"SELECT pg_terminate_backend({pid})", severity=Severity.WARNING)


def _clock() -> Finding:
    before = time.time()
    ((there,),) = _query("SELECT extract(epoch FROM clock_timestamp())::float")
    return judge_clocks((before + time.time()) / 2 - there)


def _missing_migrations() -> list[str]:
    executor = MigrationExecutor(connection)
    return [str(migration) for migration, _ in executor.migration_plan(executor.loader.graph.leaf_nodes())]


def _behind(missing: list[str]) -> Iterator[Finding]:
    what = f"the tables are older than this version: {len(missing)} migrations are missing, the first is {missing[0]}"
    yield _bad(what, "python manage.py migrate")


def _partitions() -> Iterator[Finding]:
    now = datetime.now(UTC)
    for table in TABLES:
        if missing := missing_partitions(table, now, now + AHEAD):
            what = f"{table} has no partition for the coming week ({', '.join(missing)})"
            yield _bad(what, "see that beat and a worker run; `deliveries.maintain_partitions` makes them")
        if not default_is_empty(table):
            what = f"{table}_default has rows: there was no partition of their time"
            remedy = (
                "see that beat and a worker run, and this machine's clock; maintenance moves the rows within the hour"
            )
            yield _bad(what, remedy, severity=Severity.WARNING)


def _query(statement: str, *parameters: Any) -> list[tuple[Any, ...]]:
    with connection.cursor() as cursor:
        cursor.execute(statement, parameters or None)
        rows: list[tuple[Any, ...]] = cursor.fetchall()
    return rows


def _ok(what: str) -> Finding:
    return Finding(area=AREA, severity=Severity.OK, what=what)


def _bad(what: str, remedy: str, *, severity: Severity = Severity.ERROR) -> Finding:
    return Finding(area=AREA, severity=severity, what=what, remedy=remedy)


def _one_line(error: Exception) -> str:
    return " ".join(str(error).split())[:200]
