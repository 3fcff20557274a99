"""Who is alive is known of every process of a hub, and nobody is missed who was told to end."""

from __future__ import annotations

import pytest

from scripts.local.roles import BEAT, DELIVERIES, WEB, WORKER
from tests.acceptance.conftest import MakeHub
from tests.acceptance.hub import Hub
from tests.acceptance.web import start_web

pytestmark = pytest.mark.acceptance


def processes(hub: Hub) -> list[tuple[str, str, int]]:
    """Kind, queues, and children of each process that has been seen."""
    return sorted(hub.query("SELECT kind, array_to_string(queues, ' '), children FROM webhookhub_process"))


def test_every_process_is_seen_until_it_is_told_to_end(make_hub: MakeHub) -> None:
    hub = make_hub()
    for role in (WORKER, BEAT):
        hub.start(role)
    first, second = hub.start(DELIVERIES), hub.start(DELIVERIES)
    start_web(hub)
    deliverer = ("worker", "deliveries deliveries.slow", 3)
    others = [("beat", "", 0), ("web", "", 0), ("worker", "fanout maintenance", 2)]
    hub.wait_until(lambda: processes(hub) == sorted([*others, deliverer, deliverer]), "all of them to be seen")
    first.terminate()
    hub.wait_until(lambda: first.has_ended, "a worker to end")
    assert processes(hub) == sorted([*others, deliverer])
    second.kill()
    assert processes(hub) == sorted([*others, deliverer])  # missing, and not forgotten
    (web,) = hub.running(WEB)
    web.terminate()
    hub.wait_until(lambda: web.has_ended, "the web server to end")
    assert ("web", "", 0) not in processes(hub)
