from __future__ import annotations

from typing import Any

import pytest

from webhookhub.ecmascript import NotJsonError, parse


@pytest.mark.parametrize(
    ("text", "value"),
    [
        (b' {"a" : [1, 2.5, null, true]}\n', {"a": [1, 2.5, None, True]}),
        ('"é😀"', "é😀"),
        ("é".join('""').encode(), "é"),
        (b'{"a":1,"b":2,"a":3}', {"a": 3, "b": 2}),
        (rb'"\ud83d\ude00"', "😀"),
        (rb'["\ud83d",1]', ["\ud83d", 1]),
        (rb'{"\uDE00":"\uD83D"}', {"\ude00": "\ud83d"}),
        (b"-0", 0),
        (b"123456789012345678901", 123456789012345680000.0),  # beyond 64 bits: the double, as JavaScript reads it
    ],
)
def test_json_text_is_read_as_javascript_reads_it(text: bytes | str, value: Any) -> None:
    assert parse(text) == value


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        (b"", "empty document: line 1 column 1"),
        (b'{"a":1,}', "line 1 column 7"),
        (b'{"a":\n NaN}', "line 2 column 2"),
        (b"Infinity", "line 1 column 1"),
        (rb'["\ud83d",NaN]', "NaN is no JSON number"),
        (b"1e400", "infinity"),
        (b"1" * 5000, "infinity"),
        (b'"tab\tinside"', "control character"),
        (b"[1] 2", "line 1 column 5"),
        (b'{"name":"Andr\xe9"}', "not UTF-8: byte 0xe9 at position 13"),
        ('"\ud83d"', "surrogate"),  # what sys.argv makes of bytes that are not UTF-8
        (b"[" * 100_000, "depth"),
        (rb'["\ud83d"' + b",[0" * 100_000, "depth"),
    ],
)
def test_text_that_is_not_json_is_refused_with_the_reason(text: bytes | str, reason: str) -> None:
    with pytest.raises(NotJsonError) as refused:
        parse(text)

    assert reason in str(refused.value)
    assert refused.value.path == ""
