from __future__ import annotations

import base64
import hashlib
import hmac
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from subscriptions.errors import SigningSecretError
from subscriptions.signing import sign
from subscriptions.signing_secrets import Ed25519Secret, parse_secret

EVENT_ID = "evt_0192f0c1a2b37c4d8e5f60718293a4b5"
NEWEST = parse_secret("the-newest-of-three-secrets")
MIDDLE = parse_secret("whsec_" + base64.b64encode(b"the middle of three secrets").decode())
OLDEST = parse_secret("the-oldest-of-three-secrets")
PAIR = parse_secret("whsk_" + base64.b64encode(bytes(range(32))).decode())


def test_the_vector_of_standard_webhooks_passes() -> None:
    secret = parse_secret("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw")

    headers = dict(
        sign(
            b'{"test": 2432232314}',
            event_id="msg_p5jXN8AQM9LWM0D4loKWxJek",
            timestamp=1614265330,
            secrets=[secret],
        )
    )

    assert headers["webhook-id"] == "msg_p5jXN8AQM9LWM0D4loKWxJek"
    assert headers["webhook-timestamp"] == "1614265330"
    assert headers["webhook-signature"] == "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="


def test_the_plain_family_signs_the_body_alone_with_the_text_of_the_secret() -> None:
    text = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"

    headers = dict(sign(b"{}", event_id=EVENT_ID, timestamp=1640000000, secrets=[parse_secret(text)]))

    assert headers["X-Webhook-Id"] == EVENT_ID
    assert headers["X-Webhook-Timestamp"] == "1640000000"
    assert headers["X-Webhook-Signature"] == "sha256=" + hmac.new(text.encode(), b"{}", hashlib.sha256).hexdigest()


def test_standard_webhooks_carries_a_signature_of_every_valid_secret_newest_first() -> None:
    together = dict(sign(b"[]", event_id=EVENT_ID, timestamp=1, secrets=[NEWEST, MIDDLE, OLDEST]))
    alone = [
        dict(sign(b"[]", event_id=EVENT_ID, timestamp=1, secrets=[secret]))["webhook-signature"]
        for secret in (NEWEST, MIDDLE, OLDEST)
    ]

    assert together["webhook-signature"].split(" ") == alone
    assert len(set(alone)) == 3


def test_the_plain_family_signs_with_the_oldest_valid_secret_so_that_rotation_turns_nobody_away() -> None:
    during_overlap = dict(sign(b"[]", event_id=EVENT_ID, timestamp=1, secrets=[NEWEST, OLDEST]))
    before_rotation = dict(sign(b"[]", event_id=EVENT_ID, timestamp=1, secrets=[OLDEST]))
    after_overlap = dict(sign(b"[]", event_id=EVENT_ID, timestamp=1, secrets=[NEWEST]))

    assert during_overlap["X-Webhook-Signature"] == before_rotation["X-Webhook-Signature"]
    assert after_overlap["X-Webhook-Signature"] != during_overlap["X-Webhook-Signature"]


def test_the_vector_of_standard_webhooks_for_key_pairs_passes() -> None:
    """As its Go library signs; ed25519 signs one message under one key always alike (RFC 8032)."""
    headers = dict(
        sign(
            b'{"test": 2432232314}',
            event_id="msg_p5jXN8AQM9LWM0D4loKWxJek",
            timestamp=1614265330,
            secrets=[parse_secret("whsk_VEVTVFNJR05JTkdLRVlET05PVFVTRVRISVNGT1JBTlk=")],
        )
    )

    assert headers["webhook-signature"] == (
        "v1a,tQ9V2XOqn7jL/DQenEFpqIugdBVtiMmER5mhSkXBNwM0mkATuDe6KYYUuxqtaiHeYGb7KaaBRdM5WqyeFiL8Ag=="
    )


def test_a_key_pair_signs_as_v1a_over_id_timestamp_and_body() -> None:
    headers = dict(sign(b"{}", event_id=EVENT_ID, timestamp=1640000000, secrets=[PAIR]))

    version, _, signature = headers["webhook-signature"].partition(",")
    assert isinstance(PAIR, Ed25519Secret)
    assert version == "v1a"
    PAIR.private_key.public_key().verify(base64.b64decode(signature), f"{EVENT_ID}.1640000000.{{}}".encode())


def test_secrets_and_key_pairs_sign_in_one_header_in_their_order() -> None:
    together = dict(sign(b"[]", event_id=EVENT_ID, timestamp=1, secrets=[NEWEST, PAIR, OLDEST]))
    alone = [
        dict(sign(b"[]", event_id=EVENT_ID, timestamp=1, secrets=[secret]))["webhook-signature"]
        for secret in (NEWEST, PAIR, OLDEST)
    ]

    assert together["webhook-signature"].split(" ") == alone
    assert [signature.partition(",")[0] for signature in alone] == ["v1", "v1a", "v1"]


def test_the_plain_family_signs_with_the_oldest_secret_that_is_no_key_pair() -> None:
    without_pair = dict(sign(b"[]", event_id=EVENT_ID, timestamp=1, secrets=[NEWEST, MIDDLE]))
    with_pair = dict(sign(b"[]", event_id=EVENT_ID, timestamp=1, secrets=[NEWEST, MIDDLE, PAIR]))

    assert with_pair["X-Webhook-Signature"] == without_pair["X-Webhook-Signature"]


def test_with_key_pairs_alone_there_is_no_plain_signature() -> None:
    headers = dict(sign(b"[]", event_id=EVENT_ID, timestamp=1, secrets=[PAIR]))

    assert set(headers) == {
        *("webhook-id", "webhook-timestamp", "webhook-signature"),
        *("X-Webhook-Id", "X-Webhook-Timestamp"),
    }


def test_nothing_is_signed_without_a_secret() -> None:
    with pytest.raises(SigningSecretError, match="no valid secret"):
        sign(b"[]", event_id=EVENT_ID, timestamp=1, secrets=[])


@given(body=st.binary(max_size=200), timestamp=st.integers(0, 2**40))
def test_headers_are_ascii_tokens_for_any_body(body: bytes, timestamp: int) -> None:
    headers = sign(body, event_id=EVENT_ID, timestamp=timestamp, secrets=[NEWEST, OLDEST])

    assert len({name.lower() for name, _ in headers}) == len(headers) == 6
    assert all(
        re.fullmatch(r"[A-Za-z-]+", name) and re.fullmatch(r"[!-~]+( [!-~]+)*", value) for name, value in headers
    )


@given(body=st.binary(max_size=100), position=st.integers(0), bit=st.integers(0, 7))
def test_a_changed_bit_changes_both_signatures(body: bytes, position: int, bit: int) -> None:
    body += b"."
    changed = bytearray(body)
    changed[position % len(body)] ^= 1 << bit

    before = dict(sign(body, event_id=EVENT_ID, timestamp=1, secrets=[MIDDLE]))
    after = dict(sign(bytes(changed), event_id=EVENT_ID, timestamp=1, secrets=[MIDDLE]))

    assert before["webhook-signature"] != after["webhook-signature"]
    assert before["X-Webhook-Signature"] != after["X-Webhook-Signature"]
