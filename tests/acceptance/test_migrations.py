"""`manage.py migrate` as deployments run it: on nothing, again, two at once, and after one that was killed."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator

import psycopg2
import pytest

from scripts.local.servers import LocalServers
from scripts.local.state import CHECKOUT
from tests.acceptance.conftest import MakeHub
from tests.acceptance.hub import DEADLINE_SECONDS, Hub
from webhookhub.management.commands.migrate import LOCK

pytestmark = pytest.mark.acceptance

DONE = "No migrations to apply"


@pytest.fixture
def hub(make_hub: MakeHub, servers: LocalServers) -> Iterator[Hub]:
    """A hub whose database has no table."""
    hub = make_hub()
    hub.environment["DATABASE_URL"] = hub.database_url = servers.postgresql.create_database("empty")
    yield hub
    servers.postgresql.drop_database("empty")


def start_migrate(hub: Hub) -> subprocess.Popen[str]:
    command = [sys.executable, "-P", "-m", "manage", "migrate", "--no-input"]
    return subprocess.Popen(
        command, env=hub.environment, cwd=CHECKOUT, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    )


def tables(hub: Hub) -> int:
    ((count,),) = hub.query("SELECT count(*) FROM pg_tables WHERE schemaname = 'public'")
    return int(count)


def test_two_at_once_do_the_work_once_and_a_third_finds_nothing_to_do(hub: Hub) -> None:
    outputs = []
    for process in [start_migrate(hub), start_migrate(hub)]:
        outputs.append(process.communicate(timeout=DEADLINE_SECONDS)[0])
        assert process.returncode == 0, outputs[-1]
    assert sorted(DONE in output for output in outputs) == [False, True]
    assert DONE in hub.manage("migrate", "--no-input").stdout
    assert hub.manage("migrate", "--check").returncode == 0


def test_whoever_comes_second_waits_for_the_first(hub: Hub) -> None:
    with psycopg2.connect(hub.database_url) as first, first.cursor() as cursor:
        cursor.execute("SELECT pg_advisory_lock(%s)", [LOCK])
        second = start_migrate(hub)
        hub.wait_until(
            lambda: hub.query(
                "SELECT 1 FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND wait_event = 'advisory'"
            ),
            "a migrate that waits",
        )
        assert tables(hub) == 0
    first.close()
    second.communicate(timeout=DEADLINE_SECONDS)
    assert second.returncode == 0
    assert tables(hub) > 0


def test_one_that_is_killed_leaves_nothing_half_and_the_next_one_finishes(hub: Hub) -> None:
    killed = start_migrate(hub)
    hub.wait_until(lambda: tables(hub) > 5, "some of the tables")
    killed.kill()
    killed.communicate()
    assert hub.manage("migrate", "--check").returncode != 0, "it was done before it was killed"
    assert hub.manage("migrate", "--no-input").returncode == 0
    assert hub.manage("migrate", "--check").returncode == 0
