"""What the documentation shows is what happens; the rules are in :mod:`tests.docs.pages`."""

from __future__ import annotations

import re
import subprocess
from itertools import pairwise
from pathlib import Path

import pytest

from tests.docs.pages import Block, blocks_of, page_name, pages

TRIED = [page for page in pages() if any(block.is_executed for block in blocks_of(page))]


@pytest.mark.parametrize("page", TRIED, ids=page_name)
def test_every_block_does_what_the_page_says(
    page: Path, folder: Path, environment: dict[str, str]
) -> None:
    blocks = blocks_of(page)
    for block, following in pairwise([*blocks, Block(0, "", (), "")]):
        if block.saved_as is not None:
            path = folder / block.saved_as
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(block.text)
        elif block.is_executed:
            printed = _execute(page, block, folder, environment)
            if following.language == "text":
                missing = [
                    line for line in following.text.splitlines() if not _is_in(line, printed)
                ]
                assert not missing, f"{page_name(page)}:{block.line} prints\n{printed}"


def _execute(page: Path, block: Block, folder: Path, environment: dict[str, str]) -> str:
    """Run a block as a script; everything it prints."""
    program = ["python", "-"] if block.language == "python" else ["bash", "-e"]
    done = subprocess.run(
        program,
        input=block.text,
        cwd=folder,
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
    )
    assert (done.returncode != 0) == block.fails, f"{page_name(page)}:{block.line}\n{done.stdout}"
    return done.stdout


def _is_in(line: str, printed: str) -> bool:
    pattern = ".*".join(re.escape(part.strip()) for part in line.split("..."))
    return re.search(pattern, printed) is not None
