"""Hypothesis strategies for JSON documents, leaning towards what encoders disagree about."""

from __future__ import annotations

from typing import Any

from hypothesis import strategies as st

SURROGATES = st.characters(categories=["Cs"])
TEXT = st.text() | st.text(st.characters() | SURROGATES, max_size=5)

INDEX_LIKE_KEYS = st.sampled_from(
    [
        "0",
        "1",
        "2",
        "10",
        "9",
        "00",
        "01",
        "-0",
        "-1",
        "1.5",
        "1e3",
        "4294967294",
        "4294967295",
        "12345678901",
        "\u0661",
    ]
)
OTHER_KEYS = st.sampled_from(["", ":", "/", "__proto__", "toJSON", "length", "\ud83d\ude00", "😀", "\ud83d"])
KEYS = st.text(max_size=4) | INDEX_LIKE_KEYS | OTHER_KEYS

INTEGERS = st.integers(-(2**54), 2**54) | st.integers(-(10**25), 10**25) | st.integers(-(10**308), 10**308)
FLOATS = st.floats(allow_nan=False, allow_infinity=False) | st.builds(
    lambda digits, exponent: float(f"{digits}e{exponent}"), st.integers(-(10**17), 10**17), st.integers(-30, 30)
)
SCALARS = st.none() | st.booleans() | INTEGERS | FLOATS | TEXT

NESTED = st.recursive(
    SCALARS, lambda inner: st.lists(inner, max_size=5) | st.dictionaries(KEYS, inner, max_size=5), max_leaves=15
)
DOCUMENTS: st.SearchStrategy[Any] = NESTED | st.dictionaries(KEYS, SCALARS, max_size=8)
