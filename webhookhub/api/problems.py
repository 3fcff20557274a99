"""How does the API say no? As RFC 9457 problem documents with a stable `code`, the field, and what would be right."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from django.core.exceptions import ObjectDoesNotExist, PermissionDenied
from django.db import IntegrityError, InterfaceError, OperationalError
from django.http import Http404, JsonResponse
from rest_framework import exceptions
from rest_framework.response import Response

from webhookhub.errors import BadIdError, ConflictError, EncryptionKeyError, EventTooLargeError, WebhookHubError

logger = logging.getLogger("webhookhub.api")

RETRY_AFTER_SECONDS = 1

CONTENT_TYPE = "application/problem+json"


@dataclass(frozen=True, kw_only=True, slots=True)
class FieldError:
    """One field that is wrong: its path in the request (`events[2].type`), and what would be right."""

    field: str
    message: str


class Problem(Exception):
    """A refusal that the caller can do something about."""

    def __init__(
        self,
        status: int,
        code: str,
        detail: str,
        *,
        errors: Sequence[FieldError] = (),
        headers: Mapping[str, str] | None = None,
    ) -> None:
        super().__init__(detail)
        self.status = status
        self.code = code
        self.detail = detail
        self.errors = tuple(errors)
        self.headers = dict(headers or {})

    @property
    def document(self) -> dict[str, Any]:
        """The members of RFC 9457, with `code` and `errors` as extensions."""
        shown: dict[str, Any] = {
            "type": "about:blank",
            "title": TITLES.get(self.status, "Refused"),
            "status": self.status,
            "code": self.code,
            "detail": self.detail,
        }
        if self.errors:
            shown["errors"] = [{"field": error.field, "message": error.message} for error in self.errors]
        return shown


TITLES = {
    400: "Bad request",
    401: "Unauthorized",
    403: "Forbidden",
    404: "Not found",
    405: "Method not allowed",
    406: "Not acceptable",
    408: "Request timeout",
    409: "Conflict",
    413: "Content too large",
    415: "Unsupported media type",
    422: "Unprocessable content",
    429: "Too many requests",
    500: "Internal server error",
    503: "Service unavailable",
}


_WHAT_WOULD_BE_RIGHT = {
    405: "This path does not take that method; the header Allow names those that it takes.",
    406: "The API answers in application/json, which the header Accept leaves out.",
    415: "The body has to be application/json; say so in Content-Type.",
}


def not_found(kind: str) -> Problem:
    """There is none, or it is another account's: nobody learns which."""
    return Problem(404, "not_found", f"There is no such {kind}.")


def invalid(field: str, message: str) -> Problem:
    """One field is wrong: the body as a whole where it has no name."""
    detail = f"{field}: {message}" if field else message
    return Problem(422, "invalid", detail, errors=[FieldError(field=field, message=message)])


def unknown_parameter(name: str, known: Iterable[str]) -> Problem:
    """Nobody reads this query parameter."""
    there_are = ", ".join(sorted(known))
    return invalid(name[:60], f"is no parameter here; there are {there_are}" if there_are else "is no parameter here")


def unavailable(detail: str) -> Problem:
    """Not now."""
    return Problem(503, "unavailable", detail, headers={"Retry-After": str(RETRY_AFTER_SECONDS)})


def answer_exception(error: Exception, context: Mapping[str, Any]) -> Response | None:
    """REST framework's exception handler: every refusal as a problem document; None for what nobody foresaw."""
    problem = to_problem(error)
    if problem is None:
        return None
    return Response(problem.document, status=problem.status, content_type=CONTENT_TYPE, headers=problem.headers)


def to_problem(error: Exception) -> Problem | None:
    """The refusal that this error means to a caller; None where it means a mistake of ours."""
    match error:
        case Problem():
            return error
        case exceptions.ValidationError():
            errors = list(_field_errors(error.detail))
            detail = "; ".join(f"{one.field}: {one.message}" if one.field else one.message for one in errors)
            return Problem(422, "invalid", detail[:1000], errors=errors)
        case Http404() | ObjectDoesNotExist():
            return not_found("thing")
        case PermissionDenied():
            return Problem(403, "forbidden", str(error) or "This key may not do that.")
        case exceptions.MethodNotAllowed() | exceptions.NotAcceptable() | exceptions.UnsupportedMediaType():
            return Problem(error.status_code, error.default_code, _WHAT_WOULD_BE_RIGHT[error.status_code])
        case exceptions.APIException():
            code = error.default_code
            headers = {"WWW-Authenticate": error.auth_header} if hasattr(error, "auth_header") else {}
            return Problem(error.status_code, code, str(error.detail), headers=headers)
        case BadIdError():
            return Problem(404, "not_found", str(error))
        case EncryptionKeyError():
            return None
        case IntegrityError():
            return _conflict(error)
        case OperationalError() | InterfaceError():
            return _database_away(error)
        case EventTooLargeError():
            return Problem(413, "data_too_large", str(error), errors=[FieldError(field="data", message=str(error))])
        case ConflictError():
            return Problem(
                409, error.code, str(error), errors=[FieldError(field=camel(error.field), message=str(error))]
            )
        case WebhookHubError():
            return invalid(camel(getattr(error, "field", "")), str(error))
        case _:
            return None


def _conflict(error: IntegrityError) -> Problem:
    """Two requests at the same moment, of which the other was first: it took the name, or removed what this builds on."""
    # The constraint says which; the message would repeat the row.
    logger.warning(
        "conflict", extra={"constraint": getattr(getattr(error.__cause__, "diag", None), "constraint_name", "")}
    )
    return Problem(409, "conflict", "Another request changed what this one builds on, at the same moment. Look again.")


def _database_away(error: Exception) -> Problem:
    """The database restarts, or is busy beyond what it was given to wait: no mistake, and soon over."""
    logger.warning("database away", extra={"reason": str(error)[:200]})
    return unavailable("The database does not answer; try again after a moment.")


def json_problem(problem: Problem) -> JsonResponse:
    """The same outside of REST framework's views."""
    return JsonResponse(problem.document, status=problem.status, content_type=CONTENT_TYPE, headers=problem.headers)


def _field_errors(detail: Any, path: str = "") -> Iterator[FieldError]:
    match detail:
        case Mapping():
            for name, inner in detail.items():
                yield from _field_errors(inner, _join(path, name))
        case list():
            for position, inner in enumerate(detail):
                is_item = isinstance(inner, Mapping | list)
                if not is_item or inner:
                    yield from _field_errors(inner, f"{path}[{position}]" if is_item else path)
        case _:
            yield FieldError(field=path, message=str(detail))


def _join(path: str, name: Any) -> str:
    # REST framework names the items of a list by their numbers.
    if isinstance(name, int):
        return f"{path}[{name}]"
    return f"{path}.{name}".strip(".") if name != "non_field_errors" else path


def camel(name: str) -> str:
    """`entity_type` as the API's JSON has it: `entityType`."""
    first, *rest = name.split("_")
    return first + "".join(word.capitalize() for word in rest)
