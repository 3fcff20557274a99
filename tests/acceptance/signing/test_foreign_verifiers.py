from __future__ import annotations

import base64
import json
import secrets
import time
from typing import Any

import pytest
import requests
import standardwebhooks
import svix
from standardwebhooks import WebhookVerificationError

from subscriptions.signing import sign
from subscriptions.signing_secrets import SecretKind, SigningSecret, generate_secret, parse_secret
from tests.acceptance.signing.conftest import Receiver
from webhookhub.ecmascript import encode

EVENT_ID = "evt_0192f0c1a2b37c4d8e5f60718293a4b5"
DOCUMENT = {"id": EVENT_ID, "type": "order.shipped", "data": {"10": 1.0, "9": "é😀\u2028", "tiny": 1e-7}}


def send(receiver: Receiver, *valid_secrets: SigningSecret) -> tuple[dict[str, str], bytes]:
    """POSTs the signed document and returns what arrived."""
    body = encode(DOCUMENT).encode()
    headers = dict(sign(body, event_id=EVENT_ID, timestamp=int(time.time()), secrets=valid_secrets))
    requests.post(receiver.url, data=body, headers=headers, timeout=10).raise_for_status()
    return receiver.received[-1]


@pytest.fixture(params=[standardwebhooks.Webhook, svix.Webhook], ids=["standardwebhooks", "svix"])
def verifier(request: pytest.FixtureRequest) -> Any:
    """The library's class: made from a secret (`whsec_` text, or the key's bytes), verifying or raising."""
    return request.param


def test_a_foreign_library_verifies_what_was_received(verifier: Any, receiver: Receiver) -> None:
    secret = parse_secret(generate_secret(secrets.token_bytes))

    headers, body = send(receiver, secret)

    verifier(secret.text).verify(body, headers)
    assert json.loads(body) == DOCUMENT


def test_a_foreign_library_verifies_with_any_secret_of_an_overlap(verifier: Any, receiver: Receiver) -> None:
    overlap = [parse_secret(generate_secret(secrets.token_bytes)) for _ in range(3)]

    headers, body = send(receiver, *overlap)

    for secret in overlap:
        verifier(secret.text).verify(body, headers)


def test_a_foreign_library_verifies_with_a_secret_of_the_subscribers_own_form(
    verifier: Any, receiver: Receiver
) -> None:
    headers, body = send(receiver, parse_secret("my-own-secret-of-old"))

    verifier(b"my-own-secret-of-old").verify(body, headers)


def test_a_foreign_library_refuses_another_secret_and_another_body(verifier: Any, receiver: Receiver) -> None:
    secret = parse_secret(generate_secret(secrets.token_bytes))
    headers, body = send(receiver, secret)

    with pytest.raises(WebhookVerificationError):
        verifier(generate_secret(secrets.token_bytes)).verify(body, headers)
    with pytest.raises(WebhookVerificationError):
        verifier(secret.text).verify(body.replace(b"shipped", b"refused"), headers)


def verify_with_libsodium(public_text: str, headers: dict[str, str], body: bytes) -> None:
    """As a receiver with a public key does, and no library of Standard Webhooks. Raises BadSignatureError."""
    nacl = pytest.importorskip(
        "nacl.signing", reason="PyNaCl is not installed: v1a is not verified by a foreign library"
    )
    key = nacl.VerifyKey(base64.b64decode(public_text.removeprefix("whpk_")))
    names = {name.lower(): value for name, value in headers.items()}
    signed = f"{names['webhook-id']}.{names['webhook-timestamp']}.".encode() + body
    (signature,) = [one for one in names["webhook-signature"].split() if one.startswith("v1a,")]
    key.verify(signed, base64.b64decode(signature.removeprefix("v1a,")))


def test_a_foreign_library_verifies_a_key_pair_s_signature_with_the_public_half(receiver: Receiver) -> None:
    pair = parse_secret(generate_secret(secrets.token_bytes, SecretKind.ED25519))

    headers, body = send(receiver, pair)

    verify_with_libsodium(pair.shown, headers, body)
    with pytest.raises(Exception, match="forged or corrupt"):
        verify_with_libsodium(pair.shown, headers, body + b" ")


def test_one_delivery_verifies_with_a_secret_a_key_pair_and_an_older_secret(verifier: Any, receiver: Receiver) -> None:
    newest, pair, oldest = [
        parse_secret(generate_secret(secrets.token_bytes, kind))
        for kind in (SecretKind.HMAC, SecretKind.ED25519, SecretKind.HMAC)
    ]

    headers, body = send(receiver, newest, pair, oldest)

    verifier(newest.text).verify(body, headers)
    verifier(oldest.text).verify(body, headers)
    verify_with_libsodium(pair.shown, headers, body)
