"""How the API says no: always as a problem document, whoever refuses, and never with anything of our own in it."""

from __future__ import annotations

from typing import Any

import pytest
from rest_framework.test import APIClient

from tests.integration.api.conftest import Client

ACCOUNTS = "/api/v1/accounts"


def check(response: Any, status: int, code: str) -> dict[str, Any]:
    assert response.status_code == status, response.content[:300]
    assert response["Content-Type"] == "application/problem+json"
    problem: dict[str, Any] = response.json()
    assert {"type", "title", "status", "code", "detail"} <= problem.keys()
    assert (problem["status"], problem["code"]) == (status, code)
    assert all(isinstance(problem[name], str) and problem[name] for name in ("type", "title", "code", "detail"))
    return problem


@pytest.mark.parametrize("method", ["get", "post", "put", "delete", "options"])
@pytest.mark.parametrize(
    "path", ["/api/v1/nonsense", "/api/v1/accounts/", "/api/v1/accounts/acc_1/x", "/api/", "/api/v2/accounts"]
)
def test_a_path_that_leads_nowhere_is_a_problem_document_with_and_without_a_key(
    operator: Client, method: str, path: str
) -> None:
    for client in (operator, Client()):
        check(getattr(client, method)(path), 404, "no_such_route")


def test_outside_the_api_a_path_that_leads_nowhere_is_a_page(db: None) -> None:
    response = Client().get("/nonsense")
    assert (response.status_code, response["Content-Type"].partition(";")[0]) == (404, "text/html")


@pytest.mark.parametrize("method", ["delete", "patch", "put", "options", "trace"])
def test_a_method_that_a_route_does_not_have_is_refused_with_those_that_it_has(operator: Client, method: str) -> None:
    response = operator.generic(method.upper(), ACCOUNTS)
    assert "the header Allow" in check(response, 405, "method_not_allowed")["detail"]
    assert set(response["Allow"].split(", ")) == {"GET", "HEAD", "POST"}


def test_head_is_answered_as_get_without_a_body(operator: Client) -> None:
    response = operator.head(ACCOUNTS)
    assert (response.status_code, response.content) == (200, b"")


@pytest.mark.parametrize("accept", ["text/html", "application/xml;q=0.9, text/*", "application/problem+json"])
def test_a_client_that_accepts_no_json_is_told_so(operator: Client, accept: str) -> None:
    problem = check(operator.get(ACCOUNTS, headers={"Accept": accept}), 406, "not_acceptable")
    assert "answers in application/json" in problem["detail"]


@pytest.mark.parametrize("accept", ["*/*", "application/json", "text/html, */*;q=0.1", "application/json; indent=8"])
def test_an_answer_is_plain_json_however_it_is_accepted(operator: Client, accept: str) -> None:
    response = operator.get(ACCOUNTS, headers={"Accept": accept})
    assert (response.status_code, response["Content-Type"]) == (200, "application/json")


@pytest.mark.parametrize(
    "content_type", ["text/plain", "application/x-www-form-urlencoded", "application/xml", "nonsense"]
)
def test_a_body_that_is_not_json_by_its_content_type_is_refused(operator: Client, content_type: str) -> None:
    response = operator.generic("POST", ACCOUNTS, b'{"name": "a"}', content_type=content_type)
    assert "has to be application/json" in check(response, 415, "unsupported_media_type")["detail"]


def test_a_charset_beside_the_content_type_is_no_reason_to_refuse(operator: Client) -> None:
    response = operator.generic("POST", ACCOUNTS, b'{"name": "a"}', content_type="application/json; charset=utf-8")
    assert response.status_code == 201


@pytest.mark.parametrize(
    "body", [b"{", b'"\xff"', b'{"name": "a", "name": "b"}', b'{"name": "\\u0000"}', b"[" * 100_000]
)
def test_malformed_json_is_a_bad_request(operator: Client, body: bytes) -> None:
    check(operator.generic("POST", ACCOUNTS, body, content_type="application/json"), 400, "parse_error")


@pytest.mark.parametrize("body", [b"[]", b"null", b"5", b'"text"', b"[{}]"])
def test_json_that_is_no_object_is_a_field_error_without_a_field(operator: Client, body: bytes) -> None:
    response = operator.generic("POST", ACCOUNTS, body, content_type="application/json")
    problem = check(response, 422, "invalid")
    assert [error["field"] for error in problem["errors"]] == [""]


def test_no_body_at_all_lacks_its_fields(operator: Client) -> None:
    problem = check(operator.generic("POST", ACCOUNTS), 422, "invalid")
    assert [error["field"] for error in problem["errors"]] == ["name"]


def test_several_wrong_fields_are_all_named(operator: Client) -> None:
    problem = check(operator.post(ACCOUNTS, {"name": 5, "hasWebhooks": "no"}), 422, "invalid")
    assert problem["errors"] == [
        {"field": "name", "message": "has to be a text"},
        {"field": "hasWebhooks", "message": "has to be true or false"},
    ]
    assert problem["detail"] == "name: has to be a text; hasWebhooks: has to be true or false"


def test_a_wrong_parameter_is_named(operator: Client) -> None:
    problem = check(operator.get(ACCOUNTS, {"limit": "many"}), 422, "invalid")
    assert problem["errors"] == [{"field": "limit", "message": "is a number from 1 to 250"}]


def test_a_body_over_the_limit_is_refused(operator: Client, settings: Any) -> None:
    settings.WEBHOOKHUB = settings.WEBHOOKHUB.model_copy(update={"request_max_bytes": 1_024})
    check(operator.post(ACCOUNTS, {"name": "x" * 1_024}), 413, "body_too_large")


def test_a_host_that_is_not_ours_is_a_problem_document(operator: Client) -> None:
    check(operator.get(ACCOUNTS, headers={"Host": "evil.example"}), 400, "bad_request")


def test_a_mistake_of_ours_is_answered_without_anything_of_it(
    operator: Client, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def fail(*_: object) -> None:
        raise RuntimeError("postgres://hub:secret@db/hub")

    monkeypatch.setattr("webhookhub.api.accounts.show_account", fail)
    operator.raise_request_exception = False
    problem = check(operator.get(ACCOUNTS), 500, "internal")
    assert "secret" not in str(problem)
    assert "RuntimeError" in caplog.text


def test_outside_the_api_a_mistake_of_ours_is_a_page(db: None, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: object, **__: object) -> None:
        raise RuntimeError

    monkeypatch.setattr("django.views.generic.RedirectView.get_redirect_url", fail)
    client = APIClient(raise_request_exception=False)
    response = client.get("/")
    assert (response.status_code, response["Content-Type"].partition(";")[0]) == (500, "text/html")
