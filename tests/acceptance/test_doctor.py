"""What the doctor says of real servers: a hub that is well, a broker that evicts, forgets or is short of memory, no limits."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator

import pytest
import redis

from scripts.local.roles import BEAT, DELIVERIES, WORKER
from scripts.local.servers import ValkeyServer
from scripts.local.state import CHECKOUT, temporary_state
from tests.acceptance.conftest import MakeHub
from tests.acceptance.hub import DEADLINE_SECONDS, Hub
from tests.acceptance.rabbitmq_node import RabbitMQNode

pytestmark = pytest.mark.acceptance

Finding = tuple[str, str]


@pytest.fixture
def valkey() -> Iterator[ValkeyServer]:
    """A Valkey that a test may set as it likes."""
    with temporary_state() as state, ValkeyServer(state) as server:
        yield server


def ask_doctor(hub: Hub, *options: str) -> tuple[int, dict[str, list[str]]]:
    """The exit code, and what is wrong in each area."""
    done = hub.manage("hub", "doctor", "--json", *options)
    wrong: dict[str, list[str]] = {}
    for finding in json.loads(done.stdout)["findings"]:
        if finding["severity"] != "ok":
            wrong.setdefault(finding["area"], []).append(finding["what"])
    return done.returncode, wrong


def test_of_a_hub_that_is_well_it_says_so(make_hub: MakeHub) -> None:
    hub = make_hub(WEBHOOKHUB_HTTPS="true", WEBHOOKHUB_LEASE_SECONDS="90")
    for role in (WORKER, DELIVERIES, BEAT):
        hub.start(role)
    hub.wait_until(lambda: ask_doctor(hub, "--strict") == (0, {}), "nothing wrong")


def test_a_broker_that_evicts_and_forgets_is_found(make_hub: MakeHub, valkey: ValkeyServer) -> None:
    hub = make_hub(broker_url=valkey.url)
    assert "broker" not in ask_doctor(hub)[1]
    with redis.Redis.from_url(valkey.url) as client:
        client.config_set("maxmemory-policy", "allkeys-lru")
        client.config_set("appendonly", "no")
    code, wrong = ask_doctor(hub)
    assert code == 1
    assert [what.split(":")[0] for what in wrong["broker"]] == [
        "maxmemory-policy is allkeys-lru",
        "it forgets all messages when it restarts",
    ]


def test_a_broker_that_may_not_be_asked_for_its_settings_is_looked_at_all_the_same(
    make_hub: MakeHub, valkey: ValkeyServer
) -> None:
    hub = make_hub(broker_url=valkey.url)
    with redis.Redis.from_url(valkey.url) as client:
        client.config_set("appendonly", "no")
        client.execute_command("ACL", "SETUSER", "default", "-config")
    assert "broker" not in ask_doctor(hub)[1]


def test_a_rabbitmq_that_is_short_of_memory_is_found(make_hub: MakeHub, rabbitmq_node: RabbitMQNode) -> None:
    hub = make_hub(broker_url=rabbitmq_node.url)
    assert "broker" not in ask_doctor(hub)[1]
    rabbitmq_node.limit_memory(0)
    hub.wait_until(
        lambda: ask_doctor(hub)[1].get("broker") == ["RabbitMQ takes no messages: it is short of memory or disk"],
        "the alarm",
    )
    rabbitmq_node.limit_memory(0.4)
    hub.wait_until(lambda: "broker" not in ask_doctor(hub)[1], "the end of the alarm")


def test_servers_that_are_away_are_named_with_what_to_look_at(make_hub: MakeHub) -> None:
    hub = make_hub()
    hub.environment["CELERY_BROKER_URL"] = "redis://127.0.0.1:1/0"
    hub.environment["DATABASE_URL"] = "postgres://nobody@127.0.0.1:1/nothing"
    code, wrong = ask_doctor(hub)
    assert code == 1
    assert wrong["broker"][0].startswith("the broker does not answer")
    assert wrong["database"][0].startswith("PostgreSQL does not answer")


def test_settings_that_start_nothing_else_start_the_doctor(make_hub: MakeHub) -> None:
    hub = make_hub(WEBHOOKHUB_ENCRYPTION_KEYS="nonsense")
    code, wrong = ask_doctor(hub)
    assert code == 1
    assert "an entry of encryption_keys is no Fernet key" in wrong["configuration"][0]


def test_too_few_files_a_process_may_have_open_are_found(make_hub: MakeHub) -> None:
    hub = make_hub()
    done = subprocess.run(
        ["sh", "-c", f"ulimit -n 256 && exec {sys.executable} -P -m manage hub doctor"],
        env=hub.environment,
        cwd=CHECKOUT,
        capture_output=True,
        text=True,
        timeout=DEADLINE_SECONDS,
        check=False,
    )
    assert "a process may have 256 files and connections open; a delivery worker may want 1200" in done.stdout
