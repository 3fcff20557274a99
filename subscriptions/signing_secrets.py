"""Which texts can be a signing secret, and which bytes are its key?"""

from __future__ import annotations

import base64
from collections.abc import Callable
from dataclasses import dataclass, field

PREFIX = "whsec_"

# Standard Webhooks 1.0.0: a symmetric secret is 24 to 64 random bytes.
MIN_KEY_BYTES = 24
MAX_KEY_BYTES = 64

# Bytes of a new secret: as many as the hash has (RFC 2104, section 3: more add nothing, fewer weaken it).
NEW_KEY_BYTES = 32

# A secret in the subscriber's own form. The lower bound is 96 bits written as base64; the upper one keeps out mistakes.
MIN_OWN_BYTES = 16
MAX_OWN_BYTES = 256

# Key pairs of Standard Webhooks' asymmetric scheme: as an HMAC secret they would only look as if they worked.
_ASYMMETRIC_PREFIXES = ("whsk_", "whpk_")


class SigningSecretError(ValueError):
    """A text that cannot be a signing secret. The message says what is allowed, and never repeats the text."""


@dataclass(frozen=True, kw_only=True, slots=True)
class SigningSecret:
    """A secret ready to sign with. Its repr shows neither the text nor the key."""

    text: str = field(repr=False)
    """As the subscriber knows it, prefix included."""

    text_key: bytes = field(repr=False)
    """Key of the plain family: the text itself, in UTF-8."""

    standard_key: bytes = field(repr=False)
    """Key of Standard Webhooks: the bytes that a `whsec_` text encodes; of any other text the same as `text_key`."""


def generate_secret(random_bytes: Callable[[int], bytes]) -> str:
    """A new `whsec_` secret from a source of random bytes such as `secrets.token_bytes`."""
    return PREFIX + base64.b64encode(random_bytes(NEW_KEY_BYTES)).decode()


def parse_secret(text: str) -> SigningSecret:
    """The secret that `text` is: `whsec_` and base64 of 24 to 64 bytes (Standard Webhooks 1.0.0), or a form of its own.

    A secret of the subscriber's own form is 16 to 256 bytes of printable text, used as it stands by both families; a
    receiver with a Standard Webhooks library hands it over as bytes. Raises SigningSecretError.
    """
    if text.startswith(PREFIX):
        standard_key = _decoded(text.removeprefix(PREFIX))
        return SigningSecret(text=text, text_key=text.encode(), standard_key=standard_key)
    own_key = _own_key(text)
    return SigningSecret(text=text, text_key=own_key, standard_key=own_key)


def _decoded(encoded: str) -> bytes:
    try:
        key = base64.b64decode(encoded, validate=True)
    except ValueError:
        raise SigningSecretError(f"after {PREFIX} there must be base64 (A-Z a-z 0-9 + /, padded with =)") from None
    # Trailing bits and padding can be written in several ways, and libraries disagree about all but one of them.
    if base64.b64encode(key).decode() != encoded:
        raise SigningSecretError(f"after {PREFIX} there must be base64 in its one canonical form")
    if not MIN_KEY_BYTES <= len(key) <= MAX_KEY_BYTES:
        raise SigningSecretError(
            f"a {PREFIX} secret must encode {MIN_KEY_BYTES} to {MAX_KEY_BYTES} bytes; this one encodes {len(key)}"
        )
    return key


def _own_key(text: str) -> bytes:
    if text.startswith(_ASYMMETRIC_PREFIXES):
        raise SigningSecretError(
            f"{text[:5]} marks an asymmetric key; a signing secret is {PREFIX} and base64, or text"
        )
    # A line break or a space that came along when copying is in one party's secret and not in the other's.
    if not text.isprintable() or text != text.strip():
        raise SigningSecretError("a secret must be printable text without spaces at its ends")
    key = text.encode()
    if not MIN_OWN_BYTES <= len(key) <= MAX_OWN_BYTES:
        raise SigningSecretError(
            f"a secret without {PREFIX} must have {MIN_OWN_BYTES} to {MAX_OWN_BYTES} bytes; this one has {len(key)}"
        )
    return key
