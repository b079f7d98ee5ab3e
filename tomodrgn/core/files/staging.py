"""Several files that appear together or not at all.

They are written in a hidden folder beside their target, under their final names, and moved there
one after the other when all of them are whole.
"""

from __future__ import annotations

import shutil
from contextlib import contextmanager
from typing import TYPE_CHECKING

from tomodrgn.core.errors import OutputError
from tomodrgn.core.files.atomic import flush_to_disk, make_folder, move_into_place, writing
from tomodrgn.core.ownership.call import current_call, permit
from tomodrgn.core.ownership.leftovers import partial_beside

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
        OutputError: a name is that of an input or of somebody else's file, or the system refuses
            to write.
    """
    for path in (folder / name for name in names):
        if path.is_dir():
            raise OutputError(f"{path}: is a folder; name another output")
        if path.exists() and current_call() is None:  # nobody says that it may be replaced
            raise OutputError(f"{path}: exists; name another output, or remove it")
        permit(path)
    make_folder(folder)
    stage = partial_beside(folder / names[-1])
    try:
        with writing(folder / names[-1]):
            stage.mkdir()
            yield stage
            for path in stage.rglob("*"):
                flush_to_disk(path)
            for name in names:
                move_into_place(stage / name, folder / name)
    finally:
        shutil.rmtree(stage, ignore_errors=True)
