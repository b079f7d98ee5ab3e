"""Notebooks beside an analysis, ready to be opened."""

from __future__ import annotations

import os
from importlib.resources import files
from itertools import count
from pathlib import Path
from typing import Final

from tomodrgn.core.files.atomic import write_text_atomic
from tomodrgn.core.quoting import json_text, python_text

NOTEBOOKS: Final = ("tomoDRGN_viz+filt_template.ipynb", "tomoDRGN_interactive_viz.ipynb")
_RUN: Final = '"@RUN@"'
_STARTED_IN: Final = '"@STARTED_IN@"'


def place_notebooks(outdir: Path, run: Path) -> list[Path]:
    """Place the notebooks in the folder of an analysis; those written.

    A notebook that is there and differs, because it was used or changed, stays as it is; the new
    one lies beside it with a number in its name.
    """
    return [path for name in NOTEBOOKS if (path := _place(outdir, name, run)) is not None]


def notebook_text(name: str, outdir: Path, run: Path) -> str:
    """A notebook that knows where the run is, by paths from its own folder."""
    template = files("tomodrgn").joinpath("data", "notebooks", name).read_text(encoding="utf-8")
    here = outdir.resolve()
    for mark, place in ((_RUN, run.resolve()), (_STARTED_IN, Path.cwd())):
        literal = python_text(os.path.relpath(place, here))
        template = template.replace(json_text(mark)[1:-1], json_text(literal)[1:-1])
    return template


def _place(outdir: Path, name: str, run: Path) -> Path | None:
    text = notebook_text(name, outdir, run)
    stem, ending = name.rsplit(".", 1)
    for number in count():
        path = outdir / (f"{stem}.{number}.{ending}" if number else name)
        if not path.exists():
            write_text_atomic(path, text)
            return path
        if path.read_text(encoding="utf-8", errors="replace") == text:
            return None
    return None
