"""What does unfold's chart component take? Numbers and names, as the JSON that Chart.js reads."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import orjson

# Colours of unfold's theme, and of nothing else: they are legible in the light and in the dark.
GOOD, BAD, NEUTRAL = "#22c55e", "#ef4444", "var(--color-primary-600)"

_AXIS: dict[str, Any] = {"stacked": True, "grid": {"display": False}, "ticks": {"maxTicksLimit": 8, "color": "#6b7280"}}
STACKED_BARS = orjson.dumps(
    {
        "animation": False,
        "maintainAspectRatio": False,
        "plugins": {"legend": {"display": False}},
        "scales": {
            "x": _AXIS,
            "y": {**_AXIS, "beginAtZero": True, "ticks": {"maxTicksLimit": 4, "precision": 0, "color": "#6b7280"}},
        },
    }
).decode()


def to_chart(labels: Sequence[str], series: Mapping[str, tuple[str, Sequence[float | None]]]) -> str:
    """One dataset for each name, with its colour and numbers."""
    datasets = [
        {"label": name, "data": list(numbers), "backgroundColor": colour, "borderColor": colour}
        for name, (colour, numbers) in series.items()
    ]
    return orjson.dumps({"labels": list(labels), "datasets": datasets}).decode()
