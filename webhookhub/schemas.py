"""Does data fit a JSON Schema? Schemas are compiled once and never fetch anything; data is checked in microseconds."""

from __future__ import annotations

import json
from typing import Any

import jsonschema_rs

from webhookhub.errors import BadSchemaError

MAX_BYTES = 65_536
# Containers inside one another.
MAX_DEPTH = 60
# Of a pattern that was compiled: some thousand characters' worth.
_PATTERN_MAX_BYTES = 1_048_576
_LONGEST_MESSAGE = 300

# What messages say instead of repeating the data.
_MASK = "this"


class Schema:
    """A JSON Schema, ready to check data: Draft 2020-12, where `$schema` names no other. Raises BadSchemaError, which says
    what is wrong with it.

    Patterns are matched in linear time, whatever the data; so they have no look-around and no back-references.
    """

    def __init__(self, document: Any) -> None:
        _check_document(document)
        try:
            self._validator = jsonschema_rs.validator_for(
                document,
                offline=True,
                pattern_options=jsonschema_rs.RegexOptions(size_limit=_PATTERN_MAX_BYTES),
                mask=_MASK,
            )
        except jsonschema_rs.ValidationError as error:
            raise BadSchemaError(
                f"{_place('schema', error.instance_path)}: {error.message[:_LONGEST_MESSAGE]}"
            ) from None
        except ValueError as error:
            raise BadSchemaError(str(error)[:_LONGEST_MESSAGE]) from None

    def find_misfit(self, data: Any) -> str | None:
        """Where the data does not fit, and what the schema wants there: `data.items[3].price: …`. None where it fits.

        `data` is JSON as `json.loads` reads it.
        """
        try:
            self._validator.validate(data)
        except jsonschema_rs.ValidationError as error:
            return f"{_place('data', error.instance_path)}: {error.message[:_LONGEST_MESSAGE]}"
        return None


def _check_document(document: Any) -> None:
    if not isinstance(document, dict | bool):
        raise BadSchemaError("a JSON Schema is an object, or true or false")
    # First: what is too deep has no size either.
    if _depth(document) > MAX_DEPTH:
        raise BadSchemaError(f"the schema is nested too deeply; at most {MAX_DEPTH} levels are allowed")
    size = len(json.dumps(document, ensure_ascii=False, separators=(",", ":")).encode())
    if size > MAX_BYTES:
        raise BadSchemaError(f"the schema is {size:,} bytes of JSON; at most {MAX_BYTES:,} are allowed")


def _depth(document: Any) -> int:
    """How many containers stand inside one another."""
    depth, level = 0, [document]
    while level := [container for container in level if isinstance(container, dict | list)]:
        depth += 1
        level = [inner for one in level for inner in (one.values() if isinstance(one, dict) else one)]
    return depth


def _place(root: str, path: list[str | int]) -> str:
    steps = (f"[{step}]" if isinstance(step, int) else f".{step}" for step in path)
    return (root + "".join(steps))[:_LONGEST_MESSAGE]
