"""Several files that appear together or not at all.

They are written in a hidden folder beside their target, under their final names, and moved there
one after the other when all of them are whole.
"""

from __future__ import annotations

import os
import secrets
import shutil
from contextlib import contextmanager
from typing import TYPE_CHECKING

from tomodrgn.core.errors import OutputError
from tomodrgn.core.files.atomic import PARTIAL_SUFFIX, flush_to_disk, make_folder, writing

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path


@contextmanager
def staged(folder: Path, names: Sequence[str]) -> Iterator[Path]:
    """A folder to write files or folders into; they move to ``folder`` when the block ends well.

    Args:
        folder: where they go; made where it is missing.
        names: what the block writes, in the order in which it moves: a file after those that it
            refers to.

    Raises:
        OutputError: a name is taken, or the system refuses to write.
    """
    taken = next((folder / name for name in names if (folder / name).exists()), None)
    if taken is not None:
        raise OutputError(f"{taken}: exists; name another output, or remove it")
    make_folder(folder)
    stage = folder / f".{names[-1]}.{os.getpid()}.{secrets.token_hex(4)}{PARTIAL_SUFFIX}"
    try:
        with writing(folder / names[-1]):
            stage.mkdir()
            yield stage
            for path in stage.rglob("*"):
                flush_to_disk(path)
            for name in names:
                (stage / name).replace(folder / name)
    finally:
        shutil.rmtree(stage, ignore_errors=True)
