"""Did a hub send these bytes, and of late? Asked by receivers, with the secret that both sides have."""

from __future__ import annotations

import base64
import hmac
import json
import time
from binascii import Error as Base64Error
from collections.abc import Mapping, Sequence
from typing import Any

from .errors import VerificationError

try:
    from cryptography.exceptions import InvalidSignature
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
except ImportError:  # Only public keys (`whpk_…`) need it.
    Ed25519PublicKey = None  # type: ignore[assignment,misc]  # looked at before it is used

TOLERANCE_SECONDS = 300.0
_SYMMETRIC, _PUBLIC, _PRIVATE = "whsec_", "whpk_", "whsk_"
_PUBLIC_KEY_BYTES = 32
# Twelve digits last for another 30,000 years.
_LONGEST_TIMESTAMP = 12


def verify(
    payload: bytes,
    headers: Mapping[str, str],
    secret: str | Sequence[str],
    tolerance_seconds: float | None = TOLERANCE_SECONDS,
) -> Any:
    """The JSON of a body that a hub signed with one of these secrets, not longer ago than `tolerance_seconds`.

    `payload` are the bytes as they came, `headers` are in upper or lower case, `secret` is `whsec_…`, `whpk_…` (a public
    key) or a text of your own; several during a rotation. Raises VerificationError, which says why, and ValueError for
    what cannot be a secret.

    The signature is that of Standard Webhooks. The plain one (`X-Webhook-Signature`) covers no time: with it alone, a
    request that somebody kept could be sent again for ever. It is enough only where `tolerance_seconds` is None.
    """
    if not isinstance(payload, bytes):
        raise TypeError("payload has to be the bytes of the body as they came, before anything parses them")
    secrets = [secret] if isinstance(secret, str) else list(secret)
    keys = [_read_key(text) for text in secrets]
    if not keys:
        raise ValueError("without a secret nothing can be verified")
    by_name = {name.lower(): value for name, value in headers.items()}
    if "webhook-signature" in by_name:
        _check_standard(payload, by_name, keys, tolerance_seconds)
    elif "x-webhook-signature" in by_name:
        _check_plain(payload, by_name, secrets, tolerance_seconds)
    else:
        raise VerificationError("there is no signature: neither webhook-signature nor X-Webhook-Signature")
    try:
        return json.loads(payload)
    except ValueError:
        raise VerificationError("the body is signed, but no JSON") from None


def _check_standard(
    payload: bytes,
    headers: Mapping[str, str],
    keys: Sequence[bytes | Ed25519PublicKey],
    tolerance_seconds: float | None,
) -> None:
    """Standard Webhooks 1.0.0: `v1` (HMAC-SHA256) or `v1a` (ed25519) over `id.timestamp.body`."""
    for name in ("webhook-id", "webhook-timestamp"):
        if name not in headers:
            raise VerificationError(f"there is no {name}")
    timestamp = headers["webhook-timestamp"]
    signed = _encode(f"{headers['webhook-id']}.{timestamp}.") + payload
    signatures = _encode(headers["webhook-signature"]).split()
    if not any(_is_signed(signed, signature, key) for signature in signatures for key in keys):
        raise VerificationError("no signature fits: another secret, or something was changed on the way")
    # Asked last: until then nobody knows whose time it is.
    if tolerance_seconds is not None:
        _check_age(timestamp, tolerance_seconds)


def _check_plain(
    payload: bytes, headers: Mapping[str, str], secrets: Sequence[str], tolerance_seconds: float | None
) -> None:
    """`sha256=` and the hexadecimal HMAC-SHA256 of the body, keyed with the text of the secret."""
    if tolerance_seconds is not None:
        raise VerificationError(
            "there is only X-Webhook-Signature, which does not tell when it was made; tolerance_seconds=None would do"
        )
    signature = _encode(headers["x-webhook-signature"])
    # A public key is known to everybody.
    texts = [text for text in secrets if not text.startswith(_PUBLIC)]
    expected = [b"sha256=" + hmac.digest(text.encode(), payload, "sha256").hex().encode() for text in texts]
    if not any(hmac.compare_digest(one, signature) for one in expected):
        raise VerificationError("X-Webhook-Signature does not fit: another secret, or something was changed on the way")


def _is_signed(signed: bytes, signature: bytes, key: bytes | Ed25519PublicKey) -> bool:
    """Whether the signature was made of these bytes with the key."""
    version, _, encoded = signature.partition(b",")
    if isinstance(key, bytes):
        expected = base64.b64encode(hmac.digest(key, signed, "sha256"))
        return version == b"v1" and hmac.compare_digest(expected, encoded)
    try:
        key.verify(base64.b64decode(encoded, validate=True), signed)
    except (InvalidSignature, Base64Error):
        return False
    return version == b"v1a"


def _check_age(timestamp: str, tolerance_seconds: float) -> None:
    if not (timestamp.isascii() and timestamp.isdecimal() and len(timestamp) <= _LONGEST_TIMESTAMP):
        raise VerificationError("webhook-timestamp is no number of seconds")
    age_seconds = time.time() - int(timestamp)
    if age_seconds > tolerance_seconds:
        raise VerificationError(f"it was sent {age_seconds:.0f} s ago; {tolerance_seconds:.0f} s are tolerated")
    if age_seconds < -tolerance_seconds:
        raise VerificationError(f"it was sent {-age_seconds:.0f} s from now, by the clock of this machine")


def _read_key(secret: str) -> bytes | Ed25519PublicKey:
    """What a secret verifies with. Raises ValueError, which never repeats it."""
    if not secret.removeprefix(_SYMMETRIC):
        raise ValueError("a secret is empty: everybody could sign with it")
    if secret.startswith(_PRIVATE):
        raise ValueError(f"{_PRIVATE} marks a private key, which is the sender's alone; receivers have {_PUBLIC}…")
    if secret.startswith(_PUBLIC):
        return _read_public_key(secret)
    return _decode(secret, _SYMMETRIC) if secret.startswith(_SYMMETRIC) else secret.encode()


def _read_public_key(secret: str) -> Ed25519PublicKey:
    if Ed25519PublicKey is None:
        raise ValueError(f"{_PUBLIC}… takes the package cryptography, which is not installed")
    key = _decode(secret, _PUBLIC)
    if len(key) != _PUBLIC_KEY_BYTES:
        raise ValueError(f"what follows {_PUBLIC} has to be base64 of {_PUBLIC_KEY_BYTES} bytes")
    return Ed25519PublicKey.from_public_bytes(key)


def _decode(secret: str, prefix: str) -> bytes:
    try:
        return base64.b64decode(secret.removeprefix(prefix), validate=True)
    except ValueError:
        raise ValueError(f"what follows {prefix} has to be base64") from None


def _encode(text: str) -> bytes:
    # Frameworks hand over bytes beyond ASCII in several ways; none of them stands in what a hub signs.
    return text.encode("utf-8", "replace")
