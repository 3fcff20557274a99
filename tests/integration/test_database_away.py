"""The database is away: whoever asks is told so, and when to ask again."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
from typing import Any

import pytest

from scripts.local.state import CHECKOUT

# A process of its own: pytest's has a database, and a transaction in it.
ASK = """
import json, sys
import django
django.setup()
from django.test import Client
client = Client(SERVER_NAME="localhost", HTTP_AUTHORIZATION="Bearer whk_" + 64 * "0", raise_request_exception=False)
method, path, body = sys.argv[1:]
answer = client.generic(method, path, body, content_type="application/json")
print(json.dumps([answer.status_code, answer.headers.get("Retry-After"), answer.json()]))
"""


def ask(method: str, path: str, body: str = "") -> tuple[int, str | None, dict[str, Any]]:
    """Status, Retry-After and body of the answer."""
    with socket.create_server(("127.0.0.1", 0)) as unused:
        away = f"postgres://webhookhub@127.0.0.1:{unused.getsockname()[1]}/webhookhub"
    done = subprocess.run(
        [sys.executable, "-c", ASK, method, path, body],
        cwd=CHECKOUT,
        env=os.environ | {"DATABASE_URL": away, "DJANGO_SETTINGS_MODULE": "config.settings"},
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    )
    status, retry_after, document = json.loads(done.stdout.splitlines()[-1])
    return status, retry_after, document


def test_readiness_fails_and_names_the_database() -> None:
    status, _, document = ask("GET", "/readyz")
    assert (status, document) == (503, {"status": "unavailable", "database": "unreachable", "broker": "ok"})


@pytest.mark.parametrize(
    ("method", "path", "body"),
    [("GET", "/api/v1/webhooks", ""), ("POST", "/api/v1/events", '{"type": "a", "data": 1}')],
)
def test_a_route_says_when_to_ask_again_and_that_it_is_no_mistake(method: str, path: str, body: str) -> None:
    status, retry_after, problem = ask(method, path, body)
    assert (status, retry_after, problem["code"]) == (503, "1", "unavailable")
