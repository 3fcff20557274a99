"""Columns of a list that are shown as a coloured label."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, TypeVar

from unfold.decorators import display

Column = TypeVar("Column", bound=Callable[..., Any])


def label(description: str, colours: Mapping[str, str]) -> Callable[[Column], Column]:
    """Colours are unfold's: `info`, `success`, `warning`, `danger`, or none."""
    return display(description=description, label=dict(colours))  # type: ignore[no-any-return]  # unfold carries no types
