"""The page on writing a plugin quotes the example package, word for word."""

from __future__ import annotations

import pytest

from tests.docs.pages import DOCS, ROOT, Block, blocks_of

PACKAGE = ROOT / "examples" / "plugins" / "tomodrgn-dynamo"
QUOTED = [
    block
    for block in blocks_of(DOCS / "plugins" / "write-a-plugin.md")
    if block.language in {"py", "toml"}
]
FILES = {
    path.relative_to(PACKAGE).as_posix(): path.read_text()
    for pattern in ("*.toml", "*/*.py")
    for path in PACKAGE.glob(pattern)
}


@pytest.mark.parametrize("block", QUOTED, ids=lambda block: f"line {block.line}")
def test_code_is_that_of_the_package(block: Block) -> None:
    assert [name for name, text in FILES.items() if block.text in text]


def test_every_part_of_the_package_is_quoted() -> None:
    silent = {name for name in FILES if not any(block.text in FILES[name] for block in QUOTED)}
    assert silent == {"tests/small_set.py"}
