"""The pages of the documentation, and the blocks of code on them.

Rules for whoever writes a page:

* Every page is tried from its first block to its last in a folder of its own, which holds a small
  simulated set: ``particles.star`` and its stacks.
* A ``bash`` or ``python`` block is executed and must succeed; ``bash fails`` must end in an error.
  So is an untagged block that begins with ``tomodrgn``.
* A block whose first line is ``# file: NAME`` is saved under that name instead.
* A ``text`` block right after an executed one shows what it prints: each line must be there, and
  ``...`` stands for anything.
* Other blocks are only read.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parents[2]
DOCS = ROOT / "docs"

_FENCE = re.compile(r"^([ ]*)```(.*)\n((?:.*\n)*?)\1```[ ]*$", re.MULTILINE)
_SAVED = re.compile(r"# file: (\S+)\n")


@dataclass(frozen=True, slots=True)
class Block:
    """A fenced block: the line it begins at, its language, the words after that, and its text."""

    line: int
    language: str
    words: tuple[str, ...]
    text: str

    @property
    def saved_as(self) -> str | None:
        """Name of the file that the block is saved as, if it is."""
        match = _SAVED.match(self.text)
        return match[1] if match else None

    @property
    def is_executed(self) -> bool:
        """Whether the block is a script."""
        is_command = not self.language and self.text.startswith("tomodrgn ")
        return self.saved_as is None and (self.language in {"bash", "python"} or is_command)

    @property
    def fails(self) -> bool:
        """Whether the script ends in an error."""
        return "fails" in self.words


def pages() -> list[Path]:
    """Every page, the README included."""
    return [ROOT / "README.md", *sorted(DOCS.rglob("*.md"))]


def page_name(path: Path) -> str:
    """Path of a page from the root of the repository."""
    return path.relative_to(ROOT).as_posix()


def blocks_of(page: Path) -> list[Block]:
    """The fenced blocks of a page, from top to bottom."""
    text = page.read_text(encoding="utf-8")
    blocks = []
    for match in _FENCE.finditer(text):
        language, *words = match[2].split() or [""]
        content = re.sub(f"^{match[1]}", "", match[3], flags=re.MULTILINE)
        line = text.count("\n", 0, match.start()) + 1
        blocks.append(Block(line, language, tuple(words), content))
    return blocks
