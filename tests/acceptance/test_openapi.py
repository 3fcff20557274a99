"""The OpenAPI document is true: a foreign client that reads it, and sends what it allows and what it does not, finds no fault."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import requests

from scripts.local.state import CHECKOUT
from tests.acceptance.conftest import MakeHub
from tests.acceptance.hub import Hub
from tests.acceptance.web import Caller, start_web

pytestmark = [pytest.mark.acceptance, pytest.mark.timeout(600)]

EXAMPLES = "8"
# What operators alone may change.
OPERATORS_PATHS = "/(accounts|event-types)"
SEED = "20261122"
# Before 3.12, Python's ast module falls over itself where threads share it (gh-106905), as they do in the phase `coverage`.
PHASES = "examples,coverage,fuzzing" if sys.version_info >= (3, 12) else "examples,fuzzing"
TIMEOUT_SECONDS = 30.0
METHODS = ("get", "post", "put", "patch", "delete")

DEEP = b"[" * 100_000 + b"]" * 100_000
# What a client sends that means harm, or is broken.
NASTY_BODIES: dict[str, bytes] = {
    "nothing": b"",
    "no JSON": b"{",
    "another type": b'"text"',
    "a list": b"[]",
    "null": b"null",
    "NaN": b'{"url": NaN}',
    "a huge number": b'{"url": 1' + b"0" * 5000 + b"}",
    "a huge exponent": b'{"type": "a", "data": 1e99999, "name": 1e99999}',
    "much depth": DEEP,
    "much depth in a field": b'{"url": ' + DEEP + b', "metadata": ' + DEEP + b"}",
    "equal names": b'{"url": "http://a.example", "url": "http://b.example", "type": "a", "type": "b", "data": 1}',
    "NUL": b'{"url": "http://a.example/\\u0000", "name": "\\u0000", "type": "\\u0000", "data": "\\u0000"}',
    "NUL in a name": b'{"\\u0000": 1}',
    "half a pair": b'{"url": "\\ud800", "name": "\\ud800", "type": "a", "data": "\\ud800"}',
    "not UTF-8": b'{"url": "\xff\xfe", "name": "\xff"}',
    "UTF-16": '{"url": "http://a.example"}'.encode("utf-16"),
    "a long text": b'{"url": "' + b"x" * 1_000_000 + b'", "name": "' + b"x" * 1_000_000 + b'"}',
}
NASTY_PARAMETERS = (
    "\x00",
    "\ud7ff",
    "'",
    "-1",
    "99999999999999999999",
    "x" * 5000,
    "%",
    "[]",
    "null",
    "2026-99-99T00:00:00Z",
)
NASTY_IDS = ("%00", "%2e%2e", "'", "x" * 3000, "sub_", "sub_zz", "evt_" + "f" * 32, "-1", "%ff", "%F0%9F%92%A9")


@pytest.fixture(scope="module")
def hub(make_hub: MakeHub) -> Hub:
    return make_hub()


@pytest.fixture(scope="module")
def operator(hub: Hub) -> Caller:
    """Somebody who may do everything, at a web server of its own."""
    return Caller(start_web(hub), hub.application("make_operator_key"))


@pytest.fixture
def administrator(hub: Hub, operator: Caller) -> Caller:
    """Somebody who may do everything to one account, a new one each time: whoever tries everything revokes its own key, too."""
    account = hub.application("make_account", name="of the OpenAPI tests")
    return Caller(operator.url, hub.application("make_key", account=account))


@pytest.fixture(scope="module")
def document(operator: Caller) -> dict[str, Any]:
    response = operator.session.get(f"{operator.url}/api/schema?format=json", timeout=TIMEOUT_SECONDS)
    found: dict[str, Any] = response.json()
    return found


def operations(document: dict[str, Any]) -> Iterator[tuple[str, str, dict[str, Any]]]:
    """Each path, method and operation of the document."""
    for path, methods in document["paths"].items():
        for method, operation in methods.items():
            if method in METHODS:
                yield path, method, operation


def test_every_route_has_an_example(document: dict[str, Any]) -> None:
    assert len(list(operations(document))) > 40
    without = [f"{method} {path}" for path, method, operation in operations(document) if not has_example(operation)]
    assert without == []


def has_example(operation: dict[str, Any]) -> bool:
    """A route that answers with a body shows one; one that takes a body shows one."""
    bodies = [operation["requestBody"]] if "requestBody" in operation else []
    fine = [answer for status, answer in operation["responses"].items() if status.startswith("2")]
    return all(
        "example" in content or "examples" in content
        for part in (*bodies, *fine)
        for content in part.get("content", {}).values()
    )


@pytest.mark.parametrize(
    ("role", "option"), [("administrator", "--exclude-path-regex"), ("operator", "--include-path-regex")]
)
def test_schemathesis_finds_no_fault(
    request: pytest.FixtureRequest, document: dict[str, Any], tmp_path: Path, role: str, option: str
) -> None:
    caller: Caller = request.getfixturevalue(role)
    file = tmp_path / "schema.json"
    file.write_text(json.dumps(document))
    done = subprocess.run(
        [
            *(sys.executable, "-m", "schemathesis.cli", "run", str(file), "--url", caller.url, option, OPERATORS_PATHS),
            *("--header", f"Authorization: {caller.session.headers['Authorization']!s}"),
            *("--phases", PHASES, "--mode", "all", "--max-examples", EXAMPLES, "--seed", SEED),
            *("--request-timeout", "20", "--no-color", "--workers", "1"),
            *("--checks", CHECKS),
            # Routes answer 404 to whatever id is made up, as they should.
            *("--suppress-health-check", "all", "--warnings", "off"),
        ],
        cwd=tmp_path,
        env=os.environ | {"PYTHONPATH": str(CHECKOUT)},
        capture_output=True,
        text=True,
        timeout=540,
        check=False,
    )
    assert done.returncode == 0, done.stdout[-20_000:] + done.stderr[-2_000:]
    assert "No issues found" in done.stdout


# Left out: what is told of a route that is not there (405 with Allow), which the OpenAPI document does not speak of.
CHECKS = ",".join(
    (
        "not_a_server_error",
        "status_code_conformance",
        "content_type_conformance",
        "response_headers_conformance",
        "response_schema_conformance",
        "negative_data_rejection",
        "ignored_auth",
    )
)


@pytest.mark.parametrize("nasty", NASTY_BODIES)
def test_no_route_falls_over_a_body_that_means_harm(
    administrator: Caller, document: dict[str, Any], nasty: str
) -> None:
    body = NASTY_BODIES[nasty]
    answers = {
        f"{method} {path}": send(administrator, method, fill(path), data=body).status_code
        for path, method, operation in operations(document)
        if "requestBody" in operation
    }
    assert answers
    assert {route: status for route, status in answers.items() if status >= 500} == {}


@pytest.mark.parametrize(
    "content_type", ["", "text/plain", "application/xml", "multipart/form-data; boundary=x", "a/b;c"]
)
def test_no_route_takes_a_body_that_is_not_json(
    administrator: Caller, document: dict[str, Any], content_type: str
) -> None:
    answers = {
        f"{method} {path}": send(administrator, method, fill(path), data=b"a=b", content_type=content_type).status_code
        for path, method, operation in operations(document)
        if "requestBody" in operation
    }
    assert {route: status for route, status in answers.items() if status not in (403, 404, 415)} == {}


def test_no_route_falls_over_parameters_and_ids_that_mean_harm(administrator: Caller, document: dict[str, Any]) -> None:
    answers = {}
    for path, method, operation in operations(document):
        if method != "get":
            continue
        for given in operation.get("parameters", []):
            for nasty in NASTY_PARAMETERS if given["in"] == "query" else ():
                response = send(administrator, "get", fill(path), params={given["name"]: nasty})
                answers[f"{path}?{given['name']}={nasty[:20]!r}"] = response.status_code
        for nasty in NASTY_IDS if "{" in path else ():
            answers[f"{path} {nasty[:20]}"] = send(administrator, "get", fill(path, nasty)).status_code
    assert {route: status for route, status in answers.items() if status >= 500} == {}


def fill(path: str, value: str = "evt_0192f0c1d5a37abc8123456789abcdef") -> str:
    """The path with this for each of its parameters."""
    while "{" in path:
        start, end = path.index("{"), path.index("}")
        path = path[:start] + value + path[end + 1 :]
    return path


def send(
    caller: Caller,
    method: str,
    path: str,
    *,
    data: bytes | None = None,
    params: dict[str, str] | None = None,
    content_type: str = "application/json",
) -> requests.Response:
    return caller.session.request(
        method,
        caller.url + path,
        data=data,
        params=params,
        headers={"Content-Type": content_type},
        timeout=TIMEOUT_SECONDS,
    )
