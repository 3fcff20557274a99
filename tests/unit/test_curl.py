"""to_curl: a request as a command for a shell."""

from __future__ import annotations

import shlex

from deliveries.admin.curl import to_curl
from deliveries.transport import Request

REQUEST = Request(
    url="https://shop.example/hook?a=1&b='x'",
    headers=(("Content-Type", "application/json"), ("X-Note", "it's $HOME `here`"), ("X-Empty", "")),
    body='{"name":"O\'Neill","price":"$5","text":"a\\nb","zoë":"ü"}'.encode(),
    timeout_seconds=15.0,
)


def test_a_shell_reads_the_request_back_as_it_was() -> None:
    words = shlex.split(to_curl(REQUEST))
    assert words[:4] == ["curl", "--request", "POST", REQUEST.url]
    headers = [words[number + 1] for number, word in enumerate(words) if word == "--header"]
    # curl leaves out a header without a value unless its name ends in a semicolon.
    assert headers == ["Content-Type: application/json", "X-Note: it's $HOME `here`", "X-Empty;"]
    assert words[words.index("--data-raw") + 1].encode() == REQUEST.body
    assert words[words.index("--max-time") + 1] == "15"


def test_it_has_one_option_a_line() -> None:
    assert all(line.startswith(("curl ", "  --")) for line in to_curl(REQUEST).splitlines())
