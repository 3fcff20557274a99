"""What do the documents hold: their links, their code, the commands they name?"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from scripts.local.state import CHECKOUT

README = CHECKOUT / "README.md"
BEHAVIOUR = CHECKOUT / "docs" / "behaviour.md"
OPERATIONS = CHECKOUT / "docs" / "operations.md"
DOCUMENTS = (README, CHECKOUT / "CONTRIBUTING.md", CHECKOUT / "CHANGELOG.md", *sorted((CHECKOUT / "docs").glob("*.md")))

_FENCE = re.compile(r"^```(\w*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
_LINK = re.compile(r"\[[^\]]*\]\(([^)\s]+)\)")
_HEADING = re.compile(r"^#+ (.+)$", re.MULTILINE)


@dataclass(frozen=True, kw_only=True, slots=True)
class Block:
    """A fenced block of a document."""

    language: str
    text: str

    @property
    def title(self) -> str:
        """The file it belongs to, where its first line is a comment that names one: `# shop/celery.py`."""
        first = self.text.partition("\n")[0]
        return first.removeprefix("# ") if first.startswith("# ") and first.endswith(".py") else ""


def read_blocks(document: Path, *, language: str) -> list[Block]:
    """The document's blocks in this language."""
    found = (Block(language=name, text=text) for name, text in _FENCE.findall(document.read_text()))
    return [block for block in found if block.language == language]


def read_commands(document: Path) -> list[str]:
    """What the document tells people to type: the lines that begin with `$ ` in its `console` blocks, without comments."""
    lines = "\n".join(block.text for block in read_blocks(document, language="console")).splitlines()
    return [line.removeprefix("$ ").partition("  # ")[0].strip() for line in lines if line.startswith("$ ")]


def read_links(document: Path) -> Iterator[str]:
    """The targets of links and pictures, outside code."""
    yield from _LINK.findall(_FENCE.sub("", document.read_text()))


def read_anchors(document: Path) -> set[str]:
    """The anchors that GitHub gives the document's headings."""
    headings = _HEADING.findall(_FENCE.sub("", document.read_text()))
    return {re.sub(r"[^\w -]", "", heading).strip().lower().replace(" ", "-") for heading in headings}


def read_table_rows(document: Path) -> list[list[str]]:
    """The cells of all rows of all tables, heads and rules left out."""
    lines = _FENCE.sub("", document.read_text()).splitlines()
    rows = [line for line in lines if line.startswith("|")]
    heads = {index for index in range(len(rows) - 1) if rows[index + 1].startswith("|---")}
    return [
        [cell.strip() for cell in re.split(r"(?<!\\)\|", row)[1:-1]]
        for index, row in enumerate(rows)
        if index not in heads and not row.startswith("|---")
    ]
