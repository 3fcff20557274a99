"""How are secrets kept at rest? As Fernet tokens (AES-128-CBC with HMAC-SHA256), under keys that can be rotated."""

from __future__ import annotations

from functools import lru_cache

from cryptography.fernet import Fernet, InvalidToken, MultiFernet
from pydantic import SecretStr

from webhookhub.conf import hub_settings
from webhookhub.errors import EncryptionKeyError


def encrypt(clear: str) -> str:
    """The token to store for `clear`, under the newest key. Raises EncryptionKeyError."""
    return _keyring(hub_settings().encryption_keys).encrypt(clear.encode()).decode("ascii")


def decrypt(token: str) -> str:
    """What `encrypt` was given. Raises EncryptionKeyError where none of the configured keys made the token."""
    try:
        return _keyring(hub_settings().encryption_keys).decrypt(token.encode("ascii")).decode()
    except InvalidToken:
        raise EncryptionKeyError(
            "a stored secret was encrypted under a key that is not in encryption_keys; add that key behind the newest one"
        ) from None


@lru_cache(maxsize=4)
def _keyring(keys: tuple[SecretStr, ...]) -> MultiFernet:
    if not keys:
        raise EncryptionKeyError(
            "encryption_keys is empty; make a key with "
            "`python -c 'from cryptography.fernet import Fernet; print(Fernet.generate_key().decode())'`"
        )
    try:
        return MultiFernet([Fernet(key.get_secret_value()) for key in keys])
    except ValueError:
        raise EncryptionKeyError("an entry of encryption_keys is no Fernet key: 32 bytes in URL-safe base64") from None
