"""Health routes answer whoever asks."""

from __future__ import annotations

from typing import Any

import pytest
from django.test import Client


@pytest.mark.usefixtures("db")
@pytest.mark.parametrize("path", ["/healthz", "/healthz/", "/readyz", "/readyz/"])
def test_a_health_route_answers_without_a_key_with_and_without_a_slash_whatever_the_host(
    path: str, settings: Any
) -> None:
    # Looking for static files warns where there are none.
    settings.MIDDLEWARE = [name for name in settings.MIDDLEWARE if "whitenoise" not in name]
    response = Client(SERVER_NAME="a-name-of-the-load-balancers").get(path)
    assert (response.status_code, response.json()["status"]) == (200, "ok")
