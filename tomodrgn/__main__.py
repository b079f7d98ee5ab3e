"""``python -m tomodrgn``: the same command line as ``tomodrgn``.

Python looks for modules in the current folder then, which may be that of a stranger's run: a file
``umap.py`` there would be run. ``tomodrgn`` does not look there, and neither does this.
"""

from __future__ import annotations

import sys
from pathlib import Path


def _leave_out_current_folder() -> None:
    """Look for no modules in the current folder, unless the program itself lies there."""
    home = Path(__file__).resolve().parents[1]
    if sys.path and not sys.flags.safe_path and Path(sys.path[0]).resolve() != home:
        del sys.path[0]


if __name__ == "__main__":
    _leave_out_current_folder()
    from tomodrgn.core.cli.main import cli

    cli(prog_name="tomodrgn")
