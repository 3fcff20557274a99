"""Which ids does a line of the log name? The first few of a batch, as people see them; the others are counted only."""

from __future__ import annotations

from collections.abc import Iterable
from itertools import islice
from uuid import UUID

from webhookhub import ids
from webhookhub.conf import hub_settings


def logged_ids(kind: str, identifiers: Iterable[UUID]) -> list[str]:
    """At most `log_ids` of them: a line costs the same however large its batch is."""
    return [ids.show(kind, identifier) for identifier in islice(identifiers, hub_settings().log_ids)]
