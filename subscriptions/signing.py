"""Which headers let a receiver prove that a body came from here, whole, and when it was sent?"""

from __future__ import annotations

import base64
import hmac
from collections.abc import Sequence

from subscriptions.signing_secrets import SigningSecret, SigningSecretError

Headers = tuple[tuple[str, str], ...]


def sign(body: bytes, *, event_id: str, timestamp: int, secrets: Sequence[SigningSecret]) -> Headers:
    """Both families of signature headers, so that any receiver can check with the one it knows.

    `event_id` has no dot in it and is the same on every retry; `timestamp` is the attempt's, in whole Unix seconds;
    `secrets` are those still valid, newest first. Without any it raises SigningSecretError.
    """
    if not secrets:
        raise SigningSecretError("no valid secret to sign with")
    return standard_headers(body, event_id=event_id, timestamp=timestamp, secrets=secrets) + plain_headers(
        body, event_id=event_id, timestamp=timestamp, secrets=secrets
    )


def standard_headers(body: bytes, *, event_id: str, timestamp: int, secrets: Sequence[SigningSecret]) -> Headers:
    """Standard Webhooks 1.0.0: one `v1` signature over `id.timestamp.body` for every valid secret, newest first."""
    signed = b"%b.%d.%b" % (event_id.encode(), timestamp, body)
    return (
        ("webhook-id", event_id),
        ("webhook-timestamp", str(timestamp)),
        ("webhook-signature", " ".join([_v1_signature(signed, secret) for secret in secrets])),
    )


def plain_headers(body: bytes, *, event_id: str, timestamp: int, secrets: Sequence[SigningSecret]) -> Headers:
    """The plain family (004_0606a3681fd2e877.txt): one hexadecimal signature of the body, keyed with the secret's text.

    Its receivers compare the header with one expected value, so it can carry only one signature: the oldest secret's.
    """
    # While two secrets are valid, a receiver with one of them still has the old one: the newest would turn it away the
    # moment somebody rotates. It changes over when the overlap ends, and ending it early is in its owner's hands.
    signature = hmac.digest(secrets[-1].text_key, body, "sha256").hex()
    return (
        ("X-Webhook-Id", event_id),
        ("X-Webhook-Timestamp", str(timestamp)),
        ("X-Webhook-Signature", f"sha256={signature}"),
    )


def _v1_signature(signed: bytes, secret: SigningSecret) -> str:
    return "v1," + base64.b64encode(hmac.digest(secret.standard_key, signed, "sha256")).decode()
