"""What the README gives to receivers works as it stands, in each language: pasted, run, and asked about good and bad requests."""

from __future__ import annotations

import base64
import json
import shutil
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from secrets import token_bytes
from typing import NamedTuple

import pytest

from subscriptions.signing import sign
from subscriptions.signing_secrets import generate_secret, parse_secret
from tests.repo.documents import README, read_blocks

NEW, OLD, OF_SOMEBODY_ELSE = (generate_secret(token_bytes) for _ in range(3))
BODY = '{"id":"evt_1","type":"order.shipped","data":{"name":"Zoë","price":18.5}}'.encode()
# Beyond the tolerance of five minutes by more than a test can take.
LONG_AGO_SECONDS = 3600


class Case(NamedTuple):
    """One request, and whether the receiver should take it."""

    name: str
    is_good: bool
    headers: dict[str, str]
    body: bytes
    secret: str


def signed(*secrets: str, sent_seconds_ago: int = 0) -> dict[str, str]:
    """The headers of a request, with lower-case names as most frameworks have them."""
    timestamp = int(time.time()) - sent_seconds_ago
    pairs = sign(BODY, event_id="evt_1", timestamp=timestamp, secrets=[parse_secret(text) for text in secrets])
    return {name.lower(): value for name, value in pairs}


def make_cases() -> list[Case]:
    good = signed(NEW)
    return [
        Case("as sent", True, good, BODY, NEW),
        Case("rotated, the receiver has the new secret", True, signed(NEW, OLD), BODY, NEW),
        Case("rotated, the receiver has the old secret", True, signed(NEW, OLD), BODY, OLD),
        Case("another body", False, good, BODY.replace(b"18.5", b"1.85"), NEW),
        Case("another id", False, good | {"webhook-id": "evt_2"}, BODY, NEW),
        Case("another secret", False, good, BODY, OF_SOMEBODY_ELSE),
        Case("another timestamp", False, good | {"webhook-timestamp": str(int(time.time()) + 9)}, BODY, NEW),
        Case("played again after an hour", False, signed(NEW, sent_seconds_ago=LONG_AGO_SECONDS), BODY, NEW),
        Case("from the future", False, signed(NEW, sent_seconds_ago=-LONG_AGO_SECONDS), BODY, NEW),
        Case("a timestamp that is none", False, good | {"webhook-timestamp": "soon"}, BODY, NEW),
        Case("a signature outside ASCII", False, good | {"webhook-signature": "v1,é"}, BODY, NEW),
        Case("no signature at all", False, {}, BODY, NEW),
    ]


def make_plain_cases() -> list[Case]:
    good = signed(NEW)
    return [
        Case("as sent", True, good, BODY, NEW),
        Case("rotated, the receiver has the old secret", True, signed(NEW, OLD), BODY, OLD),
        Case("another body", False, good, BODY.replace(b"18.5", b"1.85"), NEW),
        Case("another secret", False, good, BODY, OF_SOMEBODY_ELSE),
        Case("no signature at all", False, {}, BODY, NEW),
    ]


def find_tool(name: str) -> str:
    path = shutil.which(name)
    if path is None:
        pytest.skip(f"the README's receiver for {name} was not run: {name} is not on this machine")
    return path


def pasted(language: str, name: str) -> str:
    """The README's block in this language that defines `name`."""
    (text,) = [
        block.text for block in read_blocks(README, language=language) if f" {name}(" in block.text.replace(" (", "(")
    ]
    return text


def judge(command: list[str], cases: list[Case], folder: Path) -> dict[str, bool]:
    """What the program says to each case: it reads them as JSON and prints a list of verdicts."""
    requests = [
        {"headers": case.headers, "body": base64.b64encode(case.body).decode(), "secret": case.secret} for case in cases
    ]
    done = subprocess.run(command, input=json.dumps(requests), cwd=folder, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return dict(zip((case.name for case in cases), json.loads(done.stdout), strict=True))


def expected(cases: list[Case]) -> dict[str, bool]:
    return {case.name: case.is_good for case in cases}


PYTHON = """
import json, sys
print(json.dumps([
    verify(one["headers"], base64.b64decode(one["body"]), one["secret"]) for one in json.load(sys.stdin)
]))
"""
JAVASCRIPT = """
const requests = JSON.parse(require('node:fs').readFileSync(0, 'utf8'))
console.log(JSON.stringify(requests.map(({ headers, body, secret }) => %s)))
"""
GO = """
package main

import (
	"encoding/json"
	"net/http"
	"os"

	"receiver/webhooks"
)

type request struct {
	Headers map[string]string
	Body    []byte
	Secret  string
}

func main() {
	var requests []request
	if err := json.NewDecoder(os.Stdin).Decode(&requests); err != nil {
		panic(err)
	}
	verdicts := []bool{}
	for _, one := range requests {
		header := http.Header{}
		for name, value := range one.Headers {
			header.Set(name, value)
		}
		verdicts = append(verdicts, webhooks.Verify(header, one.Body, one.Secret))
	}
	json.NewEncoder(os.Stdout).Encode(verdicts)
}
"""


def write_python(folder: Path) -> list[str]:
    (folder / "receiver.py").write_text(pasted("python", "verify") + PYTHON)
    return [sys.executable, "receiver.py"]


def write_javascript(folder: Path) -> list[str]:
    call = "verify(headers, Buffer.from(body, 'base64'), secret)"
    (folder / "receiver.cjs").write_text(pasted("javascript", "verify") + JAVASCRIPT % call)
    return [find_tool("node"), "receiver.cjs"]


def write_parsed_javascript(folder: Path) -> list[str]:
    call = "verifyParsed(headers, JSON.parse(Buffer.from(body, 'base64')), secret)"
    (folder / "receiver.cjs").write_text(pasted("javascript", "verifyParsed") + JAVASCRIPT % call)
    return [find_tool("node"), "receiver.cjs"]


def write_go(folder: Path) -> list[str]:
    go = find_tool("go")
    (folder / "webhooks").mkdir()
    (folder / "webhooks" / "verify.go").write_text(pasted("go", "Verify"))
    (folder / "main.go").write_text(GO)
    (folder / "go.mod").write_text("module receiver\n\ngo 1.21\n")
    return [go, "run", "."]


@pytest.mark.parametrize("write", [write_python, write_javascript, write_go])
def test_a_pasted_receiver_takes_what_the_hub_signed_and_nothing_else(
    write: Callable[[Path], list[str]], tmp_path: Path
) -> None:
    cases = make_cases()
    assert judge(write(tmp_path), cases, tmp_path) == expected(cases)


def test_a_pasted_receiver_of_parsed_bodies_takes_what_the_hub_signed_and_nothing_else(tmp_path: Path) -> None:
    cases = make_plain_cases()
    assert judge(write_parsed_javascript(tmp_path), cases, tmp_path) == expected(cases)
