from __future__ import annotations

import base64
import hmac
import random
import secrets

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from hypothesis import given
from hypothesis import strategies as st

from subscriptions.errors import SigningSecretError
from subscriptions.signing_secrets import (
    Ed25519Secret,
    HmacSecret,
    Mac,
    SecretKind,
    SigningSecret,
    generate_secret,
    parse_secret,
)

SEED = bytes(range(32))
PUBLIC_KEY = Ed25519PrivateKey.from_private_bytes(SEED).public_key().public_bytes_raw()
OTHER_SEED = bytes(32)


def encoded(key_bytes: int) -> str:
    return in_base64(bytes(range(key_bytes)))


def in_base64(content: bytes, prefix: str = "whsec_") -> str:
    return prefix + base64.b64encode(content).decode()


def signs_with(mac: Mac, key: bytes) -> bool:
    return mac.digest(b"message") == hmac.digest(key, b"message", "sha256")


def as_hmac(secret: SigningSecret) -> HmacSecret:
    assert isinstance(secret, HmacSecret)
    return secret


@pytest.mark.parametrize("key_bytes", [24, 32, 64])
def test_a_whsec_secret_is_its_text_to_the_plain_family_and_its_bytes_to_standard_webhooks(key_bytes: int) -> None:
    secret = as_hmac(parse_secret(encoded(key_bytes)))

    assert secret.text == secret.shown == encoded(key_bytes)
    assert signs_with(secret.plain, encoded(key_bytes).encode())
    assert signs_with(secret.standard, bytes(range(key_bytes)))


@pytest.mark.parametrize("text", ["sixteen-letters!", "a passphrase with spaces", "Schlüssel-für-Çelik", "x" * 256])
def test_a_secret_of_the_subscribers_own_form_is_the_key_of_both_families_as_it_stands(text: str) -> None:
    secret = as_hmac(parse_secret(text))

    assert secret.text == secret.shown == text
    assert signs_with(secret.plain, text.encode())
    assert signs_with(secret.standard, text.encode())


@pytest.mark.parametrize("key", [SEED, SEED + PUBLIC_KEY], ids=["seed", "seed and public key"])
def test_a_whsk_key_signs_as_the_pair_that_it_is_and_shows_its_public_half(key: bytes) -> None:
    text = in_base64(key, "whsk_")
    secret = parse_secret(text)

    assert isinstance(secret, Ed25519Secret)
    assert (secret.kind, secret.text) == (SecretKind.ED25519, text)
    assert secret.shown == in_base64(PUBLIC_KEY, "whpk_")
    assert secret.private_key.private_bytes_raw() == SEED


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
        ("whsk_", "32 bytes of an ed25519 seed, or 64 with the public key behind it; this one encodes 0"),
        (in_base64(SEED[1:], "whsk_"), "this one encodes 31"),
        (in_base64(SEED + b"1", "whsk_"), "this one encodes 33"),
        (in_base64(SEED + PUBLIC_KEY + b"1", "whsk_"), "this one encodes 65"),
        (in_base64(OTHER_SEED + PUBLIC_KEY, "whsk_"), "halves of a whsk_ key must belong together"),
        (in_base64(SEED, "whsk_").rstrip("="), r"after whsk_ there must be base64 \(A-Z"),
        (in_base64(SEED, "whsk_")[:-2] + "9=", "after whsk_ there must be base64 in its one canonical form"),
        (in_base64(PUBLIC_KEY, "whpk_"), "whpk_ marks a public key, which cannot sign"),
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
        assert signs_with(as_hmac(secret).plain, candidate.encode())


@given(st.binary(min_size=1, max_size=200), st.binary(max_size=300))
def test_a_mac_is_the_one_of_the_standard_library(key: bytes, message: bytes) -> None:
    mac = Mac(key)
    # Its state is not used up by a message.
    for content in (message, b"another", message):
        assert mac.digest(content) == hmac.digest(key, content, "sha256")


@given(st.binary(min_size=24, max_size=64))
def test_every_key_of_standard_webhooks_comes_back_as_given(key: bytes) -> None:
    assert signs_with(as_hmac(parse_secret(in_base64(key))).standard, key)


@pytest.mark.parametrize(("kind", "prefix"), [(SecretKind.HMAC, "whsec_"), (SecretKind.ED25519, "whsk_")])
def test_a_generated_secret_has_256_bits_from_the_given_source(kind: SecretKind, prefix: str) -> None:
    text = generate_secret(random.Random(7).randbytes, kind)

    assert text == in_base64(random.Random(7).randbytes(32), prefix)
    assert parse_secret(text).kind == kind
    assert generate_secret(secrets.token_bytes) != generate_secret(secrets.token_bytes)


def test_neither_repr_nor_refusal_shows_the_secret() -> None:
    secret = parse_secret("my-own-secret-in-full")
    pair = parse_secret(in_base64(SEED, "whsk_"))

    assert repr(secret) == f"{secret}" == "HmacSecret()"
    assert repr(pair) == f"Ed25519Secret(public_text='{pair.shown}')"

    for text in ("whsec_my-own-secret-in-full", "my-own-secret-in-full\n", "whsk_my-own", "whpk_my-own"):
        with pytest.raises(SigningSecretError) as refused:
            parse_secret(text)
        assert "my-own" not in str(refused.value)
