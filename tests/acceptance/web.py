"""The hub's web server as a process of its own, and requests to it over real sockets."""

from __future__ import annotations

from typing import Any

import requests

from scripts.local.embedded import find_free_port
from scripts.local.roles import WEB
from tests.acceptance.hub import Hub

HOST = "127.0.0.1"
TIMEOUT_SECONDS = 30.0


def start_web(hub: Hub) -> str:
    """Start the hub's web server; returns its URL once it answers."""
    port = find_free_port()
    hub.environment |= {"GRANIAN_HOST": HOST, "GRANIAN_PORT": str(port)}
    process = hub.start(WEB)
    url = f"http://{HOST}:{port}"
    hub.wait_until(lambda: process.has_ended or answers(url), f"an answer of {url}")
    assert not process.has_ended, process.log.read_text()
    return url


def answers(url: str) -> bool:
    """Whether somebody answers there."""
    try:
        return requests.get(f"{url}/healthz", timeout=TIMEOUT_SECONDS).ok
    except requests.ConnectionError:
        return False


class Caller:
    """Somebody with a key: `caller.post("/webhooks", {...})`."""

    def __init__(self, url: str, key: str) -> None:
        self.url = url
        self.session = requests.Session()
        self.session.headers["Authorization"] = f"Bearer {key}"

    def post(self, path: str, document: Any = None, **headers: str) -> requests.Response:
        """POST a JSON document to a route of the API."""
        return self.session.post(self.url + "/api/v1" + path, json=document, headers=headers, timeout=TIMEOUT_SECONDS)

    def get(self, path: str, **parameters: str) -> requests.Response:
        """GET a route of the API."""
        return self.session.get(self.url + "/api/v1" + path, params=parameters, timeout=TIMEOUT_SECONDS)
