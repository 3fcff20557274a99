"""Which headers let a receiver prove that a body came from here, whole, and when it was sent?"""

from __future__ import annotations

from binascii import b2a_base64
from collections.abc import Sequence
from typing import assert_never

from subscriptions.errors import SigningSecretError
from subscriptions.signing_secrets import Ed25519Secret, HmacSecret, SigningSecret

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
    """Standard Webhooks 1.0.0: a signature over `id.timestamp.body` for every valid secret, newest first.

    Secrets sign as `v1`, key pairs as `v1a`; both may stand in one header.
    """
    signed = b"%b.%d.%b" % (event_id.encode(), timestamp, body)
    return (
        ("webhook-id", event_id),
        ("webhook-timestamp", str(timestamp)),
        ("webhook-signature", " ".join([_signature(signed, secret) for secret in secrets])),
    )


def plain_headers(body: bytes, *, event_id: str, timestamp: int, secrets: Sequence[SigningSecret]) -> Headers:
    """The plain family (004_0606a3681fd2e877.txt): one hexadecimal signature of the body, keyed with the secret's text.

    Its receivers compare the header with one expected value, so it can carry only one signature: the oldest secret's.
    Where only key pairs sign there is no secret, and no `X-Webhook-Signature`.
    """
    names: Headers = (("X-Webhook-Id", event_id), ("X-Webhook-Timestamp", str(timestamp)))
    # While two secrets are valid, a receiver with one of them still has the old one: the newest would turn it away the
    # moment somebody rotates. It changes over when the overlap ends, and ending it early is in its owner's hands.
    for secret in reversed(secrets):
        if isinstance(secret, HmacSecret):
            return (*names, ("X-Webhook-Signature", "sha256=" + secret.plain.digest(body).hex()))
    return names


def _signature(signed: bytes, secret: SigningSecret) -> str:
    match secret:
        case HmacSecret(standard=standard):
            return "v1," + b2a_base64(standard.digest(signed), newline=False).decode()
        case Ed25519Secret(private_key=private_key):
            return "v1a," + b2a_base64(private_key.sign(signed), newline=False).decode()
        case _:
            assert_never(secret)
