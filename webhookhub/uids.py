"""What may a caller's own id of something be? Whatever can stand in a URL and is not taken for an id of ours."""

from __future__ import annotations

import re

from webhookhub import ids
from webhookhub.errors import BadUidError

LONGEST_UID = 256
# Printable ASCII without space and slash.
UID_CHARACTERS = re.compile(r"\A[!-.0-~]+\Z")
# Steps of a path, which clients resolve before they ask.
_STEPS = (".", "..")


def check_uid(kind: str, uid: str) -> None:
    """Raises BadUidError where no `kind` (`account`, `subscription`, …) can have this uid."""
    prefix = f"{ids.PREFIXES[kind]}_"
    is_written = len(uid) <= LONGEST_UID and UID_CHARACTERS.fullmatch(uid) is not None and uid not in _STEPS
    if not is_written or uid.startswith(prefix):
        raise BadUidError(
            f"{uid[:80]!r} is no uid: it takes 1 to {LONGEST_UID} printable ASCII characters without spaces and slashes, "
            f"and does not begin with {prefix}"
        )
