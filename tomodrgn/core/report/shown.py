"""What commands find, as objects that print, write and, in notebooks, show themselves."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, ClassVar

from tomodrgn.core.files.atomic import make_folder, write_text_atomic
from tomodrgn.core.quoting import markdown_block


class Shown:
    """Findings that are a page of Markdown, and plain values.

    Attributes:
        stem: of the names of its files.
    """

    __slots__ = ()
    stem: ClassVar[str]

    def page(self) -> str:
        """The findings in words, as Markdown."""
        raise NotImplementedError

    def as_json(self) -> dict[str, Any]:
        """Plain values."""
        raise NotImplementedError

    def __str__(self) -> str:
        """The page, for ``print``."""
        return self.page()

    def _repr_markdown_(self) -> str:
        """The page, for notebooks."""
        return self.page()

    def write(self, folder: Path | str) -> list[Path]:
        """Write the page and the values into a folder; the files."""
        folder = Path(folder)
        make_folder(folder)
        page, values = folder / f"{self.stem}.md", folder / f"{self.stem}.json"
        write_text_atomic(page, self._repr_markdown_())
        write_text_atomic(values, json.dumps(self.as_json(), indent=1) + "\n")
        return [page, values]


class ShownAsText(Shown):
    """Findings whose words are lines of plain text, which Markdown keeps as they are."""

    __slots__ = ()

    def __str__(self) -> str:
        """The words, for ``print``."""
        return self.words()

    def _repr_markdown_(self) -> str:
        """The words, for notebooks."""
        return markdown_block(self.words())

    def words(self) -> str:
        """What was found, for people; the page that a command prints may only say where it is."""
        return self.page()
