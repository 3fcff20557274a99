"""Health routes answer whoever asks, and say who does not answer them."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
from typing import Any

import pytest
from django.test import Client

from scripts.local.state import CHECKOUT

ASK = """
import django
django.setup()
from django.test import Client
response = Client().get("/readyz")
print(response.status_code, response.json()["database"], response.json()["broker"])
"""


@pytest.mark.usefixtures("db")
@pytest.mark.parametrize("path", ["/healthz", "/healthz/", "/readyz", "/readyz/"])
def test_a_health_route_answers_without_a_key_with_and_without_a_slash_whatever_the_host(
    path: str, settings: Any
) -> None:
    # Looking for static files warns where there are none.
    settings.MIDDLEWARE = [name for name in settings.MIDDLEWARE if "whitenoise" not in name]
    response = Client(SERVER_NAME="a-name-of-the-load-balancers").get(path)
    assert (response.status_code, response.json()["status"]) == (200, "ok")


def test_readiness_fails_and_names_the_database() -> None:
    with socket.create_server(("127.0.0.1", 0)) as unused:
        away = f"postgres://webhookhub@127.0.0.1:{unused.getsockname()[1]}/webhookhub"
    done = subprocess.run(
        [sys.executable, "-c", ASK],
        cwd=CHECKOUT,
        env=os.environ | {"DATABASE_URL": away, "DJANGO_SETTINGS_MODULE": "config.settings"},
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    )
    assert done.stdout.splitlines()[-1] == "503 unreachable ok"
