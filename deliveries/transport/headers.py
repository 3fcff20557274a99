"""Are these header lines safe to send, and what did the other side's lines say?"""

from __future__ import annotations

import re
from functools import lru_cache

from deliveries.transport.errors import BadHeader
from deliveries.transport.exchange import HeaderPairs

_TOKEN = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")  # RFC 9110, 5.6.2
_BLANK_LINE = re.compile(rb"\n\r?\n")
_FORBIDDEN_IN_VALUE = re.compile(r"[\x00-\x08\x0a-\x1f\x7f]")


@lru_cache(maxsize=1024)
def check_names(names: tuple[str, ...]) -> frozenset[str]:
    """Return `names` in lower case; raises `BadHeader` if one is no token. Cached: a sender's names hardly change."""
    for name in names:
        if not _TOKEN.fullmatch(name):
            raise BadHeader("a header name is empty or contains an illegal character")
    return frozenset(name.lower() for name in names)


def check_values(headers: HeaderPairs) -> None:
    """Raise `BadHeader` for what would break the request apart: libcurl sends a line feed as the start of a header."""
    for name, value in headers:
        if _FORBIDDEN_IN_VALUE.search(value):
            raise BadHeader(f"header {name} contains a line break or another control character")
        try:
            value.encode("latin-1")
        except UnicodeEncodeError as error:
            raise BadHeader(f"header {name} contains a character outside of Latin-1") from error


def has_whole_head(block: bytes | bytearray) -> bool:
    """Whether the last answer in `block` has the blank line after its headers; trailers may follow it."""
    return block.endswith(b"\r\n\r\n") or bool(_BLANK_LINE.search(block, block.rfind(b"\nHTTP/") + 1))


def parse_header_block(block: bytes | bytearray, *, max_bytes: int) -> HeaderPairs:
    """Return the fields of the last answer in `block`, as far as whole lines fit into `max_bytes`.

    `block` is what came beside the body: interim answers (1xx) before the final one, perhaps trailers after it.
    Non-ASCII bytes are read as Latin-1, which cannot fail; NUL is dropped because PostgreSQL's text cannot hold it.
    """
    start = block.rfind(b"\nHTTP/") + 1
    section = bytes(block[start : start + max_bytes])
    if len(section) == max_bytes:
        section = section[: section.rfind(b"\n") + 1]
    return _parse_section(section)


# Under load a receiver's answers are equal but for their Date, which changes once a second.
@lru_cache(maxsize=512)
def _parse_section(section: bytes) -> HeaderPairs:
    blank_line = _BLANK_LINE.search(section)
    head = section[: blank_line.start()] if blank_line else section.rstrip()
    lines = head.decode("latin-1").replace("\0", "").split("\n")[1:]
    return tuple([(name.strip(), value.strip()) for name, _, value in [line.partition(":") for line in lines]])
