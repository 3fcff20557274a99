"""How is a moment written and read? As JavaScript's `Date.toISOString` prints it, in bodies and in the API alike."""

from __future__ import annotations

from datetime import UTC, datetime


def iso_moment(moment: datetime) -> str:
    """ISO 8601 in UTC to the millisecond, as JavaScript's `Date.toISOString` prints it."""
    return moment.astimezone(UTC).isoformat(timespec="milliseconds").removesuffix("+00:00") + "Z"


def parse_moment(text: str) -> datetime:
    """The moment (UTC) that ISO 8601 with a zone names, between 1971 and 9998. Raises ValueError."""
    moment = datetime.fromisoformat(text)
    if moment.tzinfo is None or not 1970 < moment.year < 9999:
        raise ValueError(text)
    return moment.astimezone(UTC)
