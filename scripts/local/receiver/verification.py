"""Did this request come from the hub, whole? Written as a receiver would write it, with no code of the hub's.

Either family is enough for a real receiver; this one checks both, to show that both are right.
"""

from __future__ import annotations

import base64
import hmac
from collections.abc import Mapping
from enum import StrEnum

# Standard Webhooks 1.0.0 leaves the tolerance to the receiver; its libraries take five minutes.
TOLERANCE_SECONDS = 300
SECRET_PREFIX = "whsec_"  # noqa: S105 - says what a secret is, and is none


class Verdict(StrEnum):
    """What a check came to."""

    VERIFIED = "verified"
    MISSING = "no signature"
    WRONG = "wrong signature"
    OUTDATED = "timestamp out of tolerance"


def verify_plain(headers: Mapping[str, str], body: bytes, *, secret: str) -> Verdict:
    """004_0606a3681fd2e877.txt: `sha256=` and the hexadecimal HMAC-SHA256 of the body, keyed with the secret's text.

    The names of `headers` are in lower case.
    """
    signature = headers.get("x-webhook-signature", "")
    if not signature:
        return Verdict.MISSING
    expected = "sha256=" + hmac.new(secret.encode(), body, "sha256").hexdigest()
    return Verdict.VERIFIED if _is_same(signature, expected) else Verdict.WRONG


def verify_standard(headers: Mapping[str, str], body: bytes, *, secret: str, now: float) -> Verdict:
    """Standard Webhooks 1.0.0: one of the `v1` signatures is the HMAC-SHA256 of `id.timestamp.body`.

    The key is what the secret encodes. `now` is in Unix seconds; the names of `headers` are in lower case.
    """
    signatures = headers.get("webhook-signature", "").split()
    if not signatures:
        return Verdict.MISSING
    identifier, timestamp = headers.get("webhook-id", ""), headers.get("webhook-timestamp", "")
    key = base64.b64decode(secret.removeprefix(SECRET_PREFIX))
    signed = b".".join([identifier.encode("latin-1"), timestamp.encode("latin-1"), body])
    expected = "v1," + base64.b64encode(hmac.new(key, signed, "sha256").digest()).decode()
    if not any(_is_same(signature, expected) for signature in signatures):
        return Verdict.WRONG
    return Verdict.VERIFIED if _is_recent(timestamp, now) else Verdict.OUTDATED


def is_authorized(headers: Mapping[str, str], *, authorization: str) -> bool:
    """Whether the request carries the Authorization header that was agreed on; an empty one means that none was."""
    return not authorization or _is_same(headers.get("authorization", ""), authorization)


def _is_recent(timestamp: str, now: float) -> bool:
    is_number = timestamp.isascii() and timestamp.isdigit() and len(timestamp) <= len("10000000000")
    return is_number and abs(now - int(timestamp)) <= TOLERANCE_SECONDS


def _is_same(given: str, expected: str) -> bool:
    # Headers are decoded as latin-1, and text outside ASCII is refused by compare_digest.
    return hmac.compare_digest(given.encode("latin-1"), expected.encode("latin-1"))
