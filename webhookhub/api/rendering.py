"""How is an answer written? As compact JSON, by orjson."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import orjson
from rest_framework.renderers import BaseRenderer


class JSONRenderer(BaseRenderer):
    """What is written is the same whatever a client accepts: this API speaks JSON."""

    media_type = "application/json"
    format = "json"
    charset = None

    def render(
        self, data: Any, accepted_media_type: str | None = None, renderer_context: Mapping[str, Any] | None = None
    ) -> bytes:
        """UTF-8. Nothing for an answer without a body."""
        return b"" if data is None else orjson.dumps(data, default=str)
