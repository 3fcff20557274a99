"""Which texts can be a signing secret, and which key do they stand for?"""

from __future__ import annotations

import base64
from collections.abc import Callable
from dataclasses import dataclass, field
from enum import StrEnum
from hashlib import sha256

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from subscriptions.errors import SigningSecretError

PREFIX = "whsec_"
# Standard Webhooks 1.0.0: a key pair's private half, which stays here, and the public one that receivers verify with.
PRIVATE_PREFIX = "whsk_"
PUBLIC_PREFIX = "whpk_"

# Standard Webhooks 1.0.0: a symmetric secret is 24 to 64 random bytes.
MIN_KEY_BYTES = 24
MAX_KEY_BYTES = 64

# Bytes of a new secret: as many as the hash has (RFC 2104, section 3: more add nothing, fewer weaken it).
NEW_KEY_BYTES = 32

# A private key is its seed (RFC 8032, section 5.1.5); many libraries, Svix's server among them, append the public key.
SEED_BYTES = 32
PAIR_BYTES = 64

# A secret in the subscriber's own form. The lower bound is 96 bits written as base64; the upper one keeps out mistakes.
MIN_OWN_BYTES = 16
MAX_OWN_BYTES = 256

_SHA256_BLOCK_BYTES = 64
_INNER_PAD = bytes(byte ^ 0x36 for byte in range(256))
_OUTER_PAD = bytes(byte ^ 0x5C for byte in range(256))


class SecretKind(StrEnum):
    """How a secret signs."""

    HMAC = "hmac"  # HMAC-SHA256, with a secret that both sides have
    ED25519 = "ed25519"  # with a private key; receivers have the public one


class Mac:
    """HMAC-SHA256 (RFC 2104) under one key, whose two blocks are hashed once: less than half of `hmac.digest` a message."""

    __slots__ = ("_inner", "_outer")

    def __init__(self, key: bytes) -> None:
        block = (sha256(key).digest() if len(key) > _SHA256_BLOCK_BYTES else key).ljust(_SHA256_BLOCK_BYTES, b"\0")
        self._inner = sha256(block.translate(_INNER_PAD))
        self._outer = sha256(block.translate(_OUTER_PAD))

    def digest(self, message: bytes) -> bytes:
        """The message's 32 bytes."""
        inner = self._inner.copy()
        inner.update(message)
        outer = self._outer.copy()
        outer.update(inner.digest())
        return outer.digest()


@dataclass(frozen=True, kw_only=True, slots=True)
class HmacSecret:
    """A secret that both sides have, ready to sign with. Its repr shows neither the text nor a key."""

    text: str = field(repr=False)
    """As the subscriber knows it, prefix included."""
    plain: Mac = field(repr=False, compare=False)
    """Of the plain family, keyed with the text itself, in UTF-8."""
    standard: Mac = field(repr=False, compare=False)
    """Of Standard Webhooks, keyed with the bytes that a `whsec_` text encodes; with any other text as it stands."""

    @property
    def kind(self) -> SecretKind:
        return SecretKind.HMAC

    @property
    def shown(self) -> str:
        """What a receiver verifies with."""
        return self.text


@dataclass(frozen=True, kw_only=True, slots=True)
class Ed25519Secret:
    """A key pair, ready to sign with. Its repr shows the public half alone."""

    text: str = field(repr=False)
    """The private key as it was given; nobody is shown it."""
    private_key: Ed25519PrivateKey = field(repr=False, compare=False)
    public_text: str
    """`whpk_…`"""

    @property
    def kind(self) -> SecretKind:
        return SecretKind.ED25519

    @property
    def shown(self) -> str:
        """What a receiver verifies with."""
        return self.public_text


SigningSecret = HmacSecret | Ed25519Secret


def generate_secret(random_bytes: Callable[[int], bytes], kind: SecretKind = SecretKind.HMAC) -> str:
    """A new `whsec_` secret, or a `whsk_` private key, from a source of random bytes such as `secrets.token_bytes`."""
    prefix, count = (PREFIX, NEW_KEY_BYTES) if kind == SecretKind.HMAC else (PRIVATE_PREFIX, SEED_BYTES)
    return prefix + base64.b64encode(random_bytes(count)).decode()


def parse_secret(text: str) -> SigningSecret:
    """The secret that `text` is. Raises SigningSecretError.

    - `whsec_` and base64 of 24 to 64 bytes (Standard Webhooks 1.0.0);
    - `whsk_` and base64 of an ed25519 private key: its seed of 32 bytes, or 64 bytes with the public key behind it;
    - a form of the subscriber's own: 16 to 256 bytes of printable text, used as it stands by both families; a receiver
      with a Standard Webhooks library hands it over as bytes.
    """
    if text.startswith(PREFIX):
        standard = Mac(_symmetric_key(text))
        return HmacSecret(text=text, plain=Mac(text.encode()), standard=standard)
    if text.startswith(PRIVATE_PREFIX):
        return _key_pair(text)
    mac = Mac(_own_key(text))
    return HmacSecret(text=text, plain=mac, standard=mac)


def _symmetric_key(text: str) -> bytes:
    key = _decoded(text, PREFIX)
    if not MIN_KEY_BYTES <= len(key) <= MAX_KEY_BYTES:
        raise SigningSecretError(
            f"a {PREFIX} secret must encode {MIN_KEY_BYTES} to {MAX_KEY_BYTES} bytes; this one encodes {len(key)}"
        )
    return key


def _key_pair(text: str) -> Ed25519Secret:
    key = _decoded(text, PRIVATE_PREFIX)
    if len(key) not in (SEED_BYTES, PAIR_BYTES):
        raise SigningSecretError(
            f"a {PRIVATE_PREFIX} key must encode the {SEED_BYTES} bytes of an ed25519 seed, or {PAIR_BYTES} with the public "
            f"key behind it; this one encodes {len(key)}"
        )
    private_key = Ed25519PrivateKey.from_private_bytes(key[:SEED_BYTES])
    public_key = private_key.public_key().public_bytes_raw()
    if len(key) == PAIR_BYTES and key[SEED_BYTES:] != public_key:
        raise SigningSecretError(f"the two halves of a {PRIVATE_PREFIX} key must belong together; these do not")
    public_text = PUBLIC_PREFIX + base64.b64encode(public_key).decode()
    return Ed25519Secret(text=text, private_key=private_key, public_text=public_text)


def _decoded(text: str, prefix: str) -> bytes:
    encoded = text.removeprefix(prefix)
    try:
        key = base64.b64decode(encoded, validate=True)
    except ValueError:
        raise SigningSecretError(f"after {prefix} there must be base64 (A-Z a-z 0-9 + /, padded with =)") from None
    # Trailing bits and padding can be written in several ways, and libraries disagree about all but one of them.
    if base64.b64encode(key).decode() != encoded:
        raise SigningSecretError(f"after {prefix} there must be base64 in its one canonical form")
    return key


def _own_key(text: str) -> bytes:
    if text.startswith(PUBLIC_PREFIX):
        raise SigningSecretError(
            f"{PUBLIC_PREFIX} marks a public key, which cannot sign; give the private one, {PRIVATE_PREFIX}"
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
