"""A receiver's check takes what a hub signed, with any of its secrets, and nothing else; it says why it refuses."""

from __future__ import annotations

import base64
import hmac
import json
import time
from collections.abc import Callable
from datetime import UTC, datetime
from secrets import token_bytes
from typing import Any

import pytest
import standardwebhooks
import svix
from hypothesis import given
from hypothesis import strategies as st

from subscriptions.signing import sign
from subscriptions.signing_secrets import SecretKind, generate_secret, parse_secret
from webhookhub.client import VerificationError, verify

EVENT_ID = "evt_0192f0c1a2b37c4d8e5f60718293a4b5"
BODY = '{"id":"evt_1","type":"order.shipped","data":{"name":"Zoë","price":18.5}}'.encode()
NEW, OLD, FOREIGN = (generate_secret(token_bytes) for _ in range(3))
OWN = "a-secret-of-their-own-making"
PAIR = generate_secret(token_bytes, SecretKind.ED25519)
PUBLIC = parse_secret(PAIR).shown
HOUR_SECONDS = 3600
TOLERANCE_SECONDS = 300

# Standard Webhooks 1.0.0: the examples of its libraries.
PUBLISHED_BODY = b'{"test": 2432232314}'
PUBLISHED_SECRET = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
PUBLISHED_PRIVATE_KEY = "whsk_VEVTVFNJR05JTkdLRVlET05PVFVTRVRISVNGT1JBTlk="
PUBLISHED_HEADERS = {
    "webhook-id": "msg_p5jXN8AQM9LWM0D4loKWxJek",
    "webhook-timestamp": "1614265330",
    "webhook-signature": "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=",
}
PUBLISHED_PAIR_SIGNATURE = (
    "v1a,tQ9V2XOqn7jL/DQenEFpqIugdBVtiMmER5mhSkXBNwM0mkATuDe6KYYUuxqtaiHeYGb7KaaBRdM5WqyeFiL8Ag=="
)


def signed(*secrets: str, body: bytes = BODY, seconds_ago: int = 0) -> dict[str, str]:
    """The headers that the hub sends with this body."""
    timestamp = int(time.time()) - seconds_ago
    return dict(sign(body, event_id=EVENT_ID, timestamp=timestamp, secrets=[parse_secret(text) for text in secrets]))


def plain(headers: dict[str, str]) -> dict[str, str]:
    """The plain family alone."""
    return {name: value for name, value in headers.items() if name.startswith("X-")}


def refusal(
    body: bytes, headers: dict[str, str], secret: str | list[str], tolerance_seconds: float | None = TOLERANCE_SECONDS
) -> str:
    """Why it is refused."""
    with pytest.raises(VerificationError) as caught:
        verify(body, headers, secret, tolerance_seconds)
    return str(caught.value)


# ------------------------------------------------------------------------------------------------ what is taken


def test_the_published_example_of_standard_webhooks_passes() -> None:
    event = verify(PUBLISHED_BODY, PUBLISHED_HEADERS, PUBLISHED_SECRET, tolerance_seconds=None)
    assert event == {"test": 2432232314}


def test_the_published_example_for_key_pairs_passes() -> None:
    headers = PUBLISHED_HEADERS | {"webhook-signature": PUBLISHED_PAIR_SIGNATURE}
    public_key = parse_secret(PUBLISHED_PRIVATE_KEY).shown
    assert verify(PUBLISHED_BODY, headers, public_key, tolerance_seconds=None) == {"test": 2432232314}


@pytest.mark.parametrize(
    ("signing", "known"),
    [
        pytest.param([NEW], NEW, id="one secret"),
        pytest.param([OWN], OWN, id="a secret of their own"),
        pytest.param([PAIR], PUBLIC, id="a key pair"),
        pytest.param([NEW, OLD], NEW, id="rotated, and the receiver has the new one"),
        pytest.param([NEW, OLD], OLD, id="rotated, and the receiver has the old one"),
        pytest.param([OLD], [NEW, OLD], id="the receiver has the new one already"),
        pytest.param([NEW], (NEW, OLD), id="the receiver has the old one still"),
        pytest.param([PAIR, OLD], OLD, id="changed to a key pair, and the receiver has the secret"),
        pytest.param([PAIR, OLD], PUBLIC, id="changed to a key pair, and the receiver has the public key"),
        pytest.param([OLD], [PUBLIC, OLD], id="the receiver has the public key already"),
    ],
)
def test_what_the_hub_signed_is_taken(signing: list[str], known: str | list[str]) -> None:
    assert verify(BODY, signed(*signing), known) == json.loads(BODY)


@pytest.mark.parametrize("change_case", [str.lower, str.upper, str.title])
def test_headers_may_come_in_any_case(change_case: Callable[[str], str]) -> None:
    headers = {change_case(name): value for name, value in signed(NEW).items()}
    assert verify(BODY, headers, NEW)["id"] == "evt_1"


@pytest.mark.parametrize("library", [standardwebhooks.Webhook, svix.Webhook])
@given(data=st.recursive(st.none() | st.booleans() | st.integers() | st.text(), st.lists, max_leaves=5))
def test_what_a_foreign_library_signs_is_taken_and_what_the_hub_signs_it_takes(library: Any, data: Any) -> None:
    body, now = json.dumps({"data": data}), datetime.now(tz=UTC)
    headers = {
        "webhook-id": EVENT_ID,
        "webhook-timestamp": str(int(now.timestamp())),
        "webhook-signature": library(NEW).sign(EVENT_ID, now, body),
    }
    assert verify(body.encode(), headers, NEW) == {"data": data}
    # Raises where it does not.
    library(NEW).verify(body, signed(NEW, body=body.encode()))


# ------------------------------------------------------------------------------------------------ what is not


@pytest.mark.parametrize(
    ("body", "changes", "secret"),
    [
        pytest.param(BODY.replace(b"18.5", b"1.85"), {}, NEW, id="another body"),
        pytest.param(BODY + b" ", {}, NEW, id="a longer body"),
        pytest.param(BODY, {"webhook-id": "evt_2"}, NEW, id="another id"),
        pytest.param(BODY, {"webhook-timestamp": str(int(time.time()) - 9)}, NEW, id="another timestamp"),
        pytest.param(BODY, {}, FOREIGN, id="another secret"),
        pytest.param(BODY, {}, PUBLIC, id="a public key"),
        pytest.param(BODY, {}, NEW.removeprefix("whsec_"), id="the secret without its prefix"),
        pytest.param(BODY, {"webhook-signature": ""}, NEW, id="an empty signature"),
        pytest.param(BODY, {"webhook-signature": "v1,é \udc80 v1,"}, NEW, id="a signature outside ASCII"),
        pytest.param(BODY, {"webhook-signature": "v1a,AAAA v1a,%% v1a"}, PUBLIC, id="no signature of a key pair"),
    ],
)
def test_what_was_changed_or_is_another_s_is_refused(body: bytes, changes: dict[str, str], secret: str) -> None:
    assert refusal(body, signed(NEW) | changes, secret).startswith("no signature fits")


@pytest.mark.parametrize(
    ("signing", "known", "other_version"),
    [(NEW, NEW, "v1a"), (PAIR, PUBLIC, "v1"), (NEW, NEW, "v2")],
    ids=["a secret's as a key pair's", "a key pair's as a secret's", "one of the future"],
)
def test_a_signature_under_another_version_is_none(signing: str, known: str, other_version: str) -> None:
    headers = signed(signing)
    _, _, signature = headers["webhook-signature"].partition(",")
    refusal(BODY, headers | {"webhook-signature": f"{other_version},{signature}"}, known)


@given(position=st.integers(0), bit=st.integers(0, 7))
def test_a_changed_bit_of_the_body_is_found(position: int, bit: int) -> None:
    changed = bytearray(BODY)
    changed[position % len(BODY)] ^= 1 << bit
    refusal(bytes(changed), signed(NEW), NEW)


@pytest.mark.parametrize(
    ("seconds_ago", "tolerance_seconds", "why"),
    [
        (HOUR_SECONDS, 300, "s ago"),
        (-HOUR_SECONDS, 300, "s from now"),
        (2 * HOUR_SECONDS, HOUR_SECONDS, "s ago; 3600 s are tolerated"),
    ],
)
def test_what_was_signed_too_long_ago_or_will_be_is_refused(
    seconds_ago: int, tolerance_seconds: float, why: str
) -> None:
    headers = signed(NEW, seconds_ago=seconds_ago)
    assert why in refusal(BODY, headers, NEW, tolerance_seconds)
    assert verify(BODY, headers, NEW, tolerance_seconds=3 * HOUR_SECONDS)
    assert verify(BODY, headers, NEW, tolerance_seconds=None)


@pytest.mark.parametrize("timestamp", ["soon", "", "-1", "1e9", "٣", " 1600000000", "9" * 5000])
def test_a_timestamp_that_is_no_number_is_refused_even_if_it_was_signed(timestamp: str) -> None:
    key = base64.b64decode(NEW.removeprefix("whsec_"))
    signature = hmac.digest(key, f"{EVENT_ID}.{timestamp}.".encode() + BODY, "sha256")
    headers = {
        "webhook-id": EVENT_ID,
        "webhook-timestamp": timestamp,
        "webhook-signature": "v1," + base64.b64encode(signature).decode(),
    }
    assert "no number of seconds" in refusal(BODY, headers, NEW)


@pytest.mark.parametrize("name", ["webhook-id", "webhook-timestamp"])
def test_a_header_that_is_missing_is_named(name: str) -> None:
    headers = {key: value for key, value in signed(NEW).items() if key != name}
    assert refusal(BODY, headers, NEW) == f"there is no {name}"


def test_a_request_without_any_signature_is_refused() -> None:
    assert "neither webhook-signature nor X-Webhook-Signature" in refusal(BODY, {}, NEW)


def test_a_signed_body_that_is_no_json_is_refused() -> None:
    assert "no JSON" in refusal(b"\xff", signed(NEW, body=b"\xff"), NEW)


def test_no_refusal_repeats_the_secret() -> None:
    texts = [refusal(BODY, headers, FOREIGN) for headers in ({}, signed(NEW), plain(signed(NEW)))]
    assert not any(FOREIGN.removeprefix("whsec_") in text for text in texts)


# ------------------------------------------------------------------------------------------------ the plain family


@pytest.mark.parametrize(
    ("signing", "known"),
    [([NEW], NEW), ([OWN], OWN), ([NEW, OLD], [NEW, OLD]), ([PAIR, OLD], OLD)],
    ids=["one secret", "a secret of their own", "rotated", "changed to a key pair"],
)
def test_the_plain_family_is_enough_where_age_does_not_matter(signing: list[str], known: str | list[str]) -> None:
    headers = plain(signed(*signing, seconds_ago=HOUR_SECONDS))
    assert verify(BODY, headers, known, tolerance_seconds=None) == json.loads(BODY)
    for body, secrets in ((BODY + b" ", known), (BODY, FOREIGN)):
        assert "does not fit" in refusal(body, headers, secrets, tolerance_seconds=None)


def test_the_plain_family_is_not_enough_where_age_matters_for_anybody_could_leave_the_other_out() -> None:
    assert "tolerance_seconds=None" in refusal(BODY, plain(signed(NEW)), NEW)


def test_a_plain_signature_does_not_stand_in_for_a_wrong_one_of_standard_webhooks() -> None:
    headers = signed(NEW) | {"webhook-signature": "v1,AAAA"}
    assert "no signature fits" in refusal(BODY, headers, NEW, tolerance_seconds=None)


def test_a_public_key_is_no_secret_of_the_plain_family() -> None:
    """Everybody has it, and could sign with its text."""
    forged = {"X-Webhook-Signature": "sha256=" + hmac.digest(PUBLIC.encode(), BODY, "sha256").hex()}
    assert "does not fit" in refusal(BODY, forged, PUBLIC, tolerance_seconds=None)


# ------------------------------------------------------------------------------------------------ slips of the caller


@pytest.mark.parametrize(
    "secret", ["", "whsec_", "whsec_%%%", "whpk_AAAA", "whpk_é", pytest.param(PAIR, id="a private key"), []]
)
def test_what_cannot_be_a_receivers_secret_is_an_error_of_its_own(secret: str | list[str]) -> None:
    with pytest.raises(ValueError, match=r"secret|base64|private key") as caught:
        verify(BODY, signed(NEW), secret)
    assert not isinstance(caught.value, VerificationError)
    assert PAIR.removeprefix("whsk_") not in str(caught.value)


@pytest.mark.parametrize("payload", [BODY.decode(), json.loads(BODY)])
def test_a_body_that_was_read_already_is_an_error_that_says_so(payload: Any) -> None:
    with pytest.raises(TypeError, match="before anything parses them"):
        verify(payload, signed(NEW), NEW)
