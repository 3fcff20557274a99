"""How are many events read from a file? One JSON object a line (ndjson); a bad line is named, and then none is recorded."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from uuid import UUID

from webhookhub.ecmascript import NotJsonError, parse
from webhookhub.errors import BadEventError, EventFileError
from webhookhub.events import NewEvent, check_event, emit_many
from webhookhub.models import Account

# The keys of a line, as they are written in JSON, and the fields they fill.
FIELDS = {
    "type": "type",
    "data": "data",
    "entityType": "entity_type",
    "action": "action",
    "subject": "subject",
    "correlationId": "correlation_id",
}
_REPORT_EVERY_LINES = 500


class EventFile:
    """An ndjson file of events. `progress` is told the share (0 to 1) that has been read."""

    def __init__(self, path: Path, *, progress: Callable[[float], None] | None = None) -> None:
        self._path = path
        self._progress = progress
        self.problems: list[EventFileError] = []

    def emit(self, *, account: Account | UUID | str, skip_bad: bool = False) -> int:
        """Record all events of the file, in one transaction; returns how many there were.

        The first bad line raises EventFileError, which names it, and nothing is recorded. With `skip_bad` such lines are
        left out and gathered in `problems`. Raises OSError where the file cannot be read.
        """
        return len(emit_many(self._events(skip_bad, account), account=account))

    def _events(self, skip_bad: bool, account: Account | UUID | str) -> Iterator[NewEvent]:
        size = max(self._path.stat().st_size, 1)
        read = 0
        with self._path.open("rb") as file:
            for number, line in enumerate(file, start=1):
                read += len(line)
                if self._progress is not None and number % _REPORT_EVERY_LINES == 0:
                    self._progress(read / size)
                if not line.strip():
                    continue
                try:
                    event = _read_event(line)
                    check_event(event, account=account)
                    yield event
                except (BadEventError, NotJsonError) as error:
                    reason = error.reason if isinstance(error, NotJsonError) else str(error)
                    problem = EventFileError(reason, line_number=number)
                    if not skip_bad:
                        raise problem from error
                    self.problems.append(problem)
        if self._progress is not None:
            self._progress(1.0)


def _read_event(line: bytes) -> NewEvent:
    """Raises BadEventError or NotJsonError."""
    value = parse(line)
    if not isinstance(value, dict) or "type" not in value or "data" not in value:
        raise BadEventError('expected an object with "type" and "data"')
    if unknown := set(value) - set(FIELDS):
        raise BadEventError(f"unknown key {min(unknown)!r}; known are {', '.join(FIELDS)}")
    fields: dict[str, Any] = {FIELDS[key]: part for key, part in value.items()}
    for key, field in FIELDS.items():
        if field != "data" and not isinstance(fields.get(field, ""), str):
            raise BadEventError(f"{key} must be a string")
    return NewEvent(**fields)
