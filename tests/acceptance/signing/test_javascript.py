"""Do receivers written in JavaScript verify our signatures over what they write back?"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import requests
from hypothesis import given, settings

from subscriptions.signing import sign
from subscriptions.signing_secrets import parse_secret
from tests.json_documents import DOCUMENTS
from webhookhub.ecmascript import MAX_DEPTH, encode

EVENT_ID = "evt_0192f0c1a2b37c4d8e5f60718293a4b5"
SECRET = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
OWN_SECRET = "my-own-secret-für-alle"


def deep(levels: int) -> Any:
    return {} if levels == 1 else {"in": deep(levels - 1)}


def post_signed(url: str, body: bytes, *secrets: str) -> int:
    """POSTs `body` signed with `secrets`, newest first, and returns the status that the receiver answers."""
    headers = dict(
        sign(body, event_id=EVENT_ID, timestamp=1640000000, secrets=[parse_secret(secret) for secret in secrets])
    )
    headers["Content-Type"] = "application/json"
    return requests.post(url, data=body, headers=headers, timeout=10).status_code


@pytest.mark.parametrize(
    "data",
    [
        pytest.param({"orderId": "ord_123", "trackingNumber": "1Z999"}, id="the document's own example"),
        pytest.param({"é": "日本語", "astral": "😀\U0001d518", "separators": "\u2028\u2029\ufeff"}, id="Unicode"),
        pytest.param(
            {"lone": "\ud83d", "turned": "\ude00\ud83d", "pair": "\ud83d\ude00", "\udfff": 1}, id="surrogates"
        ),
        pytest.param(
            {"escapes": '"\\/\b\f\n\r\t', "controls": "".join(map(chr, range(32))), "\x7f": "\x7f"}, id="control"
        ),
        pytest.param([1.0, 1e21, 1e-7, -0.0, 0.1 + 0.2, 5e-324, 1.7976931348623157e308, 1e-6, 1.5e-5], id="floats"),
        pytest.param([123456789012345680000, 2**53 + 1, -(2**63), 2**64, 10**21, 10**308], id="large integers"),
        pytest.param(
            {"10": 1, "9": 2, "01": 3, "4294967294": 4, "4294967295": 5, "-1": 6, "1.5": 7, "b": 8, "0": 9, "a": 10},
            id="integer-like keys",
        ),
        pytest.param({"__proto__": {"2": 1, "1": 2}, "toJSON": 1, "constructor": {}, "length": 0}, id="special names"),
        pytest.param({"a": [[], {}, [[]], [{}]], "b": {"c": {}, "1": []}}, id="nested empties"),
        pytest.param(deep(MAX_DEPTH - 1), id="deepest"),
    ],
)
def test_a_receiver_that_signs_what_it_writes_back_accepts(
    data: Any, start_node_receiver: Callable[[str], str]
) -> None:
    body = encode({"id": EVENT_ID, "type": "order.shipped", "createdAt": "2024-01-15T10:00:00Z", "data": data}).encode()

    assert post_signed(start_node_receiver(SECRET), body, SECRET) == 204


def test_a_receiver_accepts_a_secret_of_its_own_form(start_node_receiver: Callable[[str], str]) -> None:
    assert post_signed(start_node_receiver(OWN_SECRET), b'{"data":[]}', OWN_SECRET) == 204


def test_a_receiver_refuses_a_body_that_javascript_would_write_otherwise(
    start_node_receiver: Callable[[str], str],
) -> None:
    assert post_signed(start_node_receiver(SECRET), b'{"price":1.0}', SECRET) == 401


def test_a_receiver_that_still_has_the_old_secret_accepts_during_the_overlap(
    start_node_receiver: Callable[[str], str],
) -> None:
    url = start_node_receiver(OWN_SECRET)

    assert post_signed(url, b"{}", SECRET, OWN_SECRET) == 204  # rotated: newest first
    assert post_signed(url, b"{}", SECRET) == 401  # the overlap is over


@settings(max_examples=500, deadline=None)
@given(document=DOCUMENTS)
def test_javascript_writes_every_document_back_unchanged(document: Any, write_back: Callable[[str], str]) -> None:
    text = encode(document)

    assert write_back(text) == text
