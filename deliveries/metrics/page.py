"""Who may read the metrics? Whoever knows the token of the settings; without one there is no such page."""

from __future__ import annotations

import hmac
from collections.abc import Callable

from django.db import DatabaseError
from django.http import HttpRequest, HttpResponse
from django.http.response import HttpResponseBase
from prometheus_client.exposition import choose_encoder

from deliveries.metrics.families import HubCollector
from webhookhub.conf import hub_settings

PATH = "/metrics"


class MetricsMiddleware:
    """Answers before any other middleware looks at the request's host or scheme: Prometheus asks each process by its address."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponseBase]) -> None:
        self._get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        """`/metrics`, where a token is set."""
        token = hub_settings().metrics_token.get_secret_value()
        if not token or request.path_info.rstrip("/") != PATH:
            return self._get_response(request)
        if not _is_authorized(request, token):
            return HttpResponse(status=401, headers={"WWW-Authenticate": "Bearer"})
        return metrics(request)


def metrics(request: HttpRequest) -> HttpResponse:
    """All metrics, in the form that was asked for; 503 where PostgreSQL is away."""
    encode, content_type = choose_encoder(request.headers.get("Accept", ""))
    try:
        return HttpResponse(encode(HubCollector()), content_type=content_type)
    except DatabaseError:
        return HttpResponse(status=503)


def _is_authorized(request: HttpRequest, token: str) -> bool:
    scheme, _, given = request.headers.get("Authorization", "").partition(" ")
    return scheme.lower() == "bearer" and hmac.compare_digest(given.strip().encode(), token.encode())
