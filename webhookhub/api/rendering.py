"""How is an answer written? As compact JSON."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from typing import Any

import orjson
from rest_framework.negotiation import DefaultContentNegotiation
from rest_framework.renderers import BaseRenderer


class AcceptNegotiation(DefaultContentNegotiation):
    """By the header Accept alone: `?format=` is no parameter of this API."""

    def filter_renderers(self, renderers: Iterable[BaseRenderer], format: str) -> list[BaseRenderer]:
        """All of them, whatever `?format=` says."""
        return list(renderers)


class JSONRenderer(BaseRenderer):
    """What is written is the same whatever a client accepts: this API speaks JSON."""

    media_type = "application/json"
    format = "json"
    charset = None

    def render(
        self, data: Any, accepted_media_type: str | None = None, renderer_context: Mapping[str, Any] | None = None
    ) -> bytes:
        """UTF-8. Nothing for an answer without a body."""
        if data is None:
            return b""
        try:
            return bytes(orjson.dumps(data, default=str))
        except orjson.JSONEncodeError:
            # Whole numbers beyond 64 bits: JSON and PostgreSQL have them, orjson does not.
            return json.dumps(data, default=str, ensure_ascii=False, separators=(",", ":")).encode()
