"""Secrets at rest."""

from __future__ import annotations

import pytest
from cryptography.fernet import Fernet
from hypothesis import HealthCheck, given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st
from pytest_django import Settings

from webhookhub.encryption import decrypt, encrypt
from webhookhub.errors import EncryptionKeyError

OLD, NEW = (Fernet.generate_key().decode() for _ in range(2))


@pytest.fixture(autouse=True)
def _keys(settings: Settings) -> None:
    settings.WEBHOOKHUB = {"encryption_keys": OLD}


# The settings are the same for all examples.
@hypothesis_settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.text().filter(lambda text: not any("\ud800" <= character <= "\udfff" for character in text)))
def test_what_was_encrypted_is_decrypted_again(clear: str) -> None:
    assert decrypt(encrypt(clear)) == clear


def test_the_stored_form_hides_the_clear_one_and_differs_each_time() -> None:
    stored = encrypt("whsec_secret")
    assert "secret" not in stored
    assert stored != encrypt("whsec_secret")


def test_a_new_key_in_front_encrypts_and_the_old_one_still_opens_what_it_closed(settings: Settings) -> None:
    stored = encrypt("clear")
    settings.WEBHOOKHUB = {"encryption_keys": f"{NEW},{OLD}"}
    assert decrypt(stored) == "clear"
    renewed = encrypt("clear")
    settings.WEBHOOKHUB = {"encryption_keys": NEW}
    assert decrypt(renewed) == "clear"


def test_a_key_that_is_gone_is_told_with_what_to_do(settings: Settings) -> None:
    stored = encrypt("clear")
    settings.WEBHOOKHUB = {"encryption_keys": NEW}
    with pytest.raises(EncryptionKeyError, match="add that key behind the newest one"):
        decrypt(stored)


@pytest.mark.parametrize("key", ["", "short", "not base64 but as long as a key is, nearly."])
def test_without_a_right_key_nothing_is_encrypted_and_the_message_says_how_to_get_one(
    key: str, settings: Settings
) -> None:
    settings.WEBHOOKHUB = {"encryption_keys": key}
    with pytest.raises(EncryptionKeyError, match=r"generate_key|32 bytes in URL-safe base64"):
        encrypt("clear")


@pytest.mark.parametrize("stored", ["", "clear text"])
def test_what_is_no_token_is_refused_by_name(stored: str) -> None:
    with pytest.raises(EncryptionKeyError):
        decrypt(stored)
