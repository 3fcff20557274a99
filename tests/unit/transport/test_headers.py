"""Header lines, out and in."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from deliveries.transport.headers import has_whole_head, parse_header_block

OK = b"HTTP/1.1 200 OK\r\n"


@pytest.mark.parametrize(
    ("block", "fields"),
    [
        (OK + b"\r\n", ()),
        (OK + b"A: b\r\nC:d\r\n\r\n", (("A", "b"), ("C", "d"))),
        (OK + b"A: b\r\nA: c\r\nEmpty:\r\n\r\n", (("A", "b"), ("A", "c"), ("Empty", ""))),
        (OK + b"Url: http://h:1/\r\n\r\n", (("Url", "http://h:1/"),)),
        (b"HTTP/1.1 103 Early\r\nLink: x\r\n\r\n" + OK + b"A: b\r\n\r\n", (("A", "b"),)),
        (OK + b"A: b\r\n\r\nTrailer: late\r\n\r\n", (("A", "b"),)),
        (OK + b"A: sm\xf6rg\r\nNul: a\0b\r\n\r\n", (("A", "smörg"), ("Nul", "ab"))),
        (OK.replace(b"\r", b"") + b"A: b\n\n", (("A", "b"),)),
        (b"", ()),
    ],
)
def test_the_final_answers_fields_are_read(block: bytes, fields: tuple[tuple[str, str], ...]) -> None:
    assert parse_header_block(block, max_bytes=8192) == fields


# The status line takes 17 bytes and each header 6, so that two fit into 29 (17 + 2 * 6).
@pytest.mark.parametrize(("max_bytes", "kept"), [(22, 0), (23, 1), (28, 1), (29, 2), (34, 2), (35, 3), (1000, 3)])
def test_only_whole_lines_are_kept(max_bytes: int, kept: int) -> None:
    assert len(parse_header_block(OK + b"A: 1\r\nB: 2\r\nC: 3\r\n\r\n", max_bytes=max_bytes)) == kept


@pytest.mark.parametrize(
    ("block", "whole"),
    [
        (OK + b"A: b\r\n\r\n", True),
        (OK + b"\r\n", True),
        (OK + b"A: b\r\n\r\nTrailer: late\r\n", True),
        (OK.replace(b"\r", b"") + b"A: b\n\n", True),
        (OK, False),
        (OK + b"A: b\r\n", False),
        (b"HTTP/1.1 103 Early\r\n\r\n" + OK + b"A: b\r\n", False),
        (b"", False),
    ],
)
def test_a_head_is_whole_with_its_blank_line(block: bytes, whole: bool) -> None:
    assert has_whole_head(block) is whole


@given(st.binary(max_size=300), st.integers(min_value=0, max_value=300))
def test_no_bytes_are_too_strange_to_be_read(block: bytes, max_bytes: int) -> None:
    fields = parse_header_block(block, max_bytes=max_bytes)
    assert sum(len(name) + len(value) for name, value in fields) <= max_bytes
    assert not any("\0" in name + value for name, value in fields)
