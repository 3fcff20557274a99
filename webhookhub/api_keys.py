"""How does a program prove which account it speaks for? With an API key that is shown once; its SHA-256 is stored."""

from __future__ import annotations

import hashlib
import secrets

from webhookhub.models import Account, ApiKey

# Says what it is to whoever finds one, secret scanners included.
PREFIX = "whk_"
KEY_BYTES = 32
# Enough to tell an account's keys apart, and 28 bytes of the key stay unknown.
SHOWN_CHARACTERS = len(PREFIX) + 8


def create_api_key(account: Account, name: str) -> str:
    """A new key for the account: `whk_` and 64 hexadecimal digits. It is nowhere to be had afterwards."""
    key = generate_api_key()
    store_api_key(account, name, key)
    return key


def generate_api_key() -> str:
    """A key that belongs to nobody yet."""
    return PREFIX + secrets.token_hex(KEY_BYTES)


def store_api_key(account: Account, name: str, key: str) -> ApiKey:
    """Let a key that was drawn elsewhere speak for the account. Raises IntegrityError where it speaks for one already."""
    return ApiKey.objects.create(account=account, name=name, prefix=key[:SHOWN_CHARACTERS], key_hash=hash_api_key(key))


def hash_api_key(key: str) -> str:
    """What is stored of a key. Plain SHA-256 is enough, and fast: 32 random bytes cannot be guessed as passwords can."""
    return hashlib.sha256(key.encode()).hexdigest()
