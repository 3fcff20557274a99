"""The pages and the document that show the API. They work where there is no internet, and tell nobody elsewhere that they are read."""

from __future__ import annotations

import re

import pytest
from django.test import Client


@pytest.mark.parametrize("path", ["/api/docs", "/api/reference"])
def test_a_page_of_the_api_loads_nothing_from_elsewhere(path: str) -> None:
    page = Client().get(path).content.decode()
    loaded = re.findall(r'(?:src|href)="([^"]+)"', page)
    assert loaded
    assert [url for url in loaded if not url.startswith("/static/")] == []


def test_the_document_is_sent_to_no_validator() -> None:
    assert '"validatorUrl": null' in Client().get("/api/docs").content.decode()


def test_what_redoc_would_fetch_from_elsewhere_is_kept_from_it() -> None:
    page = Client().get("/api/reference").content.decode()
    (policy,) = re.findall(r'http-equiv="Content-Security-Policy" content="([^"]+)"', page)
    assert policy.startswith("default-src 'self' ")
    assert "http" not in policy


def test_the_document_says_that_every_route_takes_a_key_in_either_form() -> None:
    document = Client().get("/api/schema", {"format": "json"}).json()
    routes = [operation for methods in document["paths"].values() for operation in methods.values()]
    assert len(routes) > 40
    assert [route["operationId"] for route in routes if route["security"] != [{"bearer": []}, {"basic": []}]] == []
