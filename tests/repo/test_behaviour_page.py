"""docs/behaviour.md names a test for every promise, and each of them exists."""

from __future__ import annotations

import ast
import re
from functools import cache

import pytest

from scripts.local.state import CHECKOUT
from tests.repo.documents import BEHAVIOUR, read_table_rows

ROWS = read_table_rows(BEHAVIOUR)
_TEST = re.compile(r"`(tests/[\w/]+\.py)::(\w+)`")


@cache
def find_tests(path: str) -> set[str]:
    """The names of the test functions in a file, methods of classes included."""
    tree = ast.parse((CHECKOUT / path).read_text())
    functions = (ast.FunctionDef, ast.AsyncFunctionDef)
    return {node.name for node in ast.walk(tree) if isinstance(node, functions) and node.name.startswith("test_")}


def test_every_promise_has_an_id_of_its_own() -> None:
    identifiers = [row[0] for row in ROWS]
    assert len(identifiers) > 20
    assert len(identifiers) == len(set(identifiers))


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row[0])
def test_a_promise_has_tests_that_exist(row: list[str]) -> None:
    _, promise, tests = row
    named = _TEST.findall(tests)
    assert promise
    assert named, "no test is named"
    for path, name in named:
        assert (CHECKOUT / path).exists(), path
        assert name in find_tests(path), f"{path} has no {name}"
