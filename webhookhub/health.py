"""Is this process alive, and can it work? `/healthz` asks nobody, `/readyz` asks the database and the broker."""

from __future__ import annotations

from collections.abc import Callable

from django.db import DatabaseError, connection
from django.http import HttpRequest, JsonResponse
from django.http.response import HttpResponseBase

from webhookhub import doorbell


def healthz(request: HttpRequest) -> JsonResponse:
    """200 while the process answers at all: what a container is restarted by."""
    return JsonResponse({"status": "ok"})


def readyz(request: HttpRequest) -> JsonResponse:
    """200 when the database and the broker answer, else 503 that names who does not: what traffic is routed by."""
    checks = {"database": _database_answers(), "broker": doorbell.broker_answers()}
    ready = all(checks.values())
    return JsonResponse(
        {
            "status": "ok" if ready else "unavailable",
            **{name: "ok" if up else "unreachable" for name, up in checks.items()},
        },
        status=200 if ready else 503,
    )


class HealthMiddleware:
    """Answers both before any other middleware looks at the request's host or scheme."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponseBase]) -> None:
        self._get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        """`/healthz` and `/readyz`, with and without a slash behind."""
        match request.path_info.rstrip("/"):
            case "/healthz":
                return healthz(request)
            case "/readyz":
                return readyz(request)
            case _:
                return self._get_response(request)


def _database_answers() -> bool:
    try:
        with connection.cursor() as cursor:
            cursor.execute("SELECT 1")
    except DatabaseError:
        return False
    return True
