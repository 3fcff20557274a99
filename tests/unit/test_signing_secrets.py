from __future__ import annotations

import base64
import random
import secrets

import pytest
from hypothesis import given
from hypothesis import strategies as st

from subscriptions.signing_secrets import SigningSecretError, generate_secret, parse_secret


def encoded(key_bytes: int) -> str:
    return "whsec_" + base64.b64encode(bytes(range(key_bytes))).decode()


@pytest.mark.parametrize("key_bytes", [24, 32, 64])
def test_a_whsec_secret_is_its_text_to_the_plain_family_and_its_bytes_to_standard_webhooks(key_bytes: int) -> None:
    secret = parse_secret(encoded(key_bytes))

    assert secret.text == encoded(key_bytes)
    assert secret.text_key == encoded(key_bytes).encode()
    assert secret.standard_key == bytes(range(key_bytes))


@pytest.mark.parametrize("text", ["sixteen-letters!", "a passphrase with spaces", "Schlüssel-für-Çelik", "x" * 256])
def test_a_secret_of_the_subscribers_own_form_is_the_key_of_both_families_as_it_stands(text: str) -> None:
    secret = parse_secret(text)

    assert (secret.text, secret.text_key, secret.standard_key) == (text, text.encode(), text.encode())


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        (encoded(23), "must encode 24 to 64 bytes; this one encodes 23"),
        (encoded(65), "must encode 24 to 64 bytes; this one encodes 65"),
        ("whsec_", "must encode 24 to 64 bytes; this one encodes 0"),
        (encoded(25).rstrip("="), r"must be base64 \(A-Z"),
        (encoded(24) + "\n", r"must be base64 \(A-Z"),
        ("whsec_" + "-_" * 16, r"must be base64 \(A-Z"),
        ("whsec_é", r"must be base64 \(A-Z"),
        ("whsec_\ud83d", r"must be base64 \(A-Z"),
        (
            encoded(25)[:-3] + "h==",
            "canonical",
        ),  # 25 bytes end in 0x18, `GA==`; `Gh==` differs in the unused bits alone
        ("whsk_" + "A" * 44, "asymmetric"),
        ("whpk_" + "A" * 44, "asymmetric"),
        ("fifteen-letters", "16 to 256 bytes; this one has 15"),
        ("", "16 to 256 bytes; this one has 0"),
        ("x" * 257, "16 to 256 bytes; this one has 257"),
        ("copied-with-a-line-break\n", "printable"),
        (" copied-with-a-space", "without spaces at its ends"),
        ("half-a-character-\ud83d", "printable"),
    ],
)
def test_a_text_that_receivers_would_read_differently_is_refused(text: str, reason: str) -> None:
    with pytest.raises(SigningSecretError, match=reason):
        parse_secret(text)


@given(st.text(min_size=1))
def test_every_text_is_a_secret_or_is_refused_by_name(text: str) -> None:
    for candidate in (text, "whsec_" + text):
        try:
            secret = parse_secret(candidate)
        except SigningSecretError:
            continue
        assert secret.text_key == candidate.encode()


@given(st.binary(min_size=24, max_size=64))
def test_every_key_of_standard_webhooks_comes_back_as_given(key: bytes) -> None:
    assert parse_secret("whsec_" + base64.b64encode(key).decode()).standard_key == key


def test_a_generated_secret_has_256_bits_from_the_given_source() -> None:
    text = generate_secret(random.Random(7).randbytes)

    assert parse_secret(text).standard_key == random.Random(7).randbytes(32)
    assert generate_secret(secrets.token_bytes) != generate_secret(secrets.token_bytes)


def test_neither_repr_nor_refusal_shows_the_secret() -> None:
    secret = parse_secret("my-own-secret-in-full")

    assert repr(secret) == f"{secret}" == "SigningSecret()"

    for text in ("whsec_my-own-secret-in-full", "my-own-secret-in-full\n"):
        with pytest.raises(SigningSecretError) as refused:
            parse_secret(text)
        assert "my-own" not in str(refused.value)
