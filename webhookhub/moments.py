"""How is a moment written? As JavaScript's `Date.toISOString` prints it, in bodies and in the API alike."""

from __future__ import annotations

from datetime import UTC, datetime


def iso_moment(moment: datetime) -> str:
    """ISO 8601 in UTC to the millisecond, as JavaScript's `Date.toISOString` prints it."""
    return moment.astimezone(UTC).isoformat(timespec="milliseconds").removesuffix("+00:00") + "Z"
