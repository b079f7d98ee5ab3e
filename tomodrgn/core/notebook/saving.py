"""Selections on disk: by name for us, and as the classic files for other commands.

Index files count particles of the input. They and the latents beside them are in ascending order
of these indices, the order in which a filtered STAR file has the particles.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final

import numpy as np

from tomodrgn.core.errors import DataError, OutputError
from tomodrgn.core.files.atomic import write_text_atomic
from tomodrgn.core.files.file_names import file_stems
from tomodrgn.core.files.json_text import read_json
from tomodrgn.core.files.pickles import load_pickles, read_index_file, write_pickle
from tomodrgn.core.notebook.selections import Selection, select_rows
from tomodrgn.core.particles.identity import match_particles

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from tomodrgn.core.notebook.analysis import NotebookAnalysis

FORMAT: Final = "tomodrgn selection 1"


@dataclass(frozen=True, slots=True)
class _Names:
    tomogram: NDArray[np.object_]
    name: NDArray[np.object_]


def save_selection(
    selection: Selection, folder: Path | str = ".", *, by_tomogram: bool = False
) -> list[Path]:
    """Write a selection of n particles; the files, all of them new or just as they were.

    * ``selection.<n>.json``: names of tomogram and particle, which :func:`load_selection` reads;
    * ``ind_keep.<n>.pkl`` and ``ind_drop.<n>.pkl``: indices of the selected particles in the
      input, and of the others of the run;
    * ``z_keep.<n>.pkl``: latents of the selected particles.

    Args:
        selection: what to write.
        folder: where.
        by_tomogram: also write ``ind_keep`` and ``z_keep`` of each tomogram, with its name before
            the ending.

    Raises:
        DataError: the selection is empty.
        OutputError: a file holds another selection of as many particles.
    """
    if not len(selection):
        raise DataError("nothing is selected; there is nothing to save")
    folder, n = Path(folder), len(selection)
    arrays = _kept(folder, selection, "")
    others = _indices(~selection)
    if len(others):
        arrays[folder / f"ind_drop.{n}.pkl"] = others
    if by_tomogram:
        known = selection.analysis.tomograms
        stem_of = dict(zip(known, file_stems(known), strict=True))
        for tomogram, part in selection.by_tomogram().items():
            arrays |= _kept(folder, part, f".{stem_of[tomogram]}")
    for path, values in arrays.items():
        if path.exists() and not np.array_equal(load_pickles(path)[0], values):
            raise OutputError(
                f"{path}: holds another selection of as many particles; name another folder"
            )
    names = folder / f"selection.{n}.json"
    write_text_atomic(names, json.dumps(_named(selection), indent=1) + "\n")
    for path, values in arrays.items():
        write_pickle(path, values)
    return [names, *arrays]


def load_selection(analysis: NotebookAnalysis, path: Path | str) -> Selection:
    """A selection from a ``.json`` that :func:`save_selection` wrote, or from an index file.

    Names find their particles in any run of the same data; indices only in one of the same input.

    Raises:
        DataError: the file is none of these, or names particles that the run does not have.
    """
    path = Path(path)
    if path.suffix != ".json":
        indices = read_index_file(path)
        _refuse_unknown(path, indices, analysis)
        return Selection(analysis, np.isin(analysis.particles.source_particle, indices))
    try:
        saved = read_json(path)
        pairs = [(str(tomogram), str(name)) for tomogram, name in saved["particles"]]
    except (DataError, ValueError, KeyError, TypeError) as error:
        raise DataError(f"{path}: is no saved selection: {error}") from error
    wanted = np.array(pairs, dtype=object).reshape(-1, 2)
    try:
        rows = match_particles(analysis.particles, _Names(wanted[:, 0], wanted[:, 1]))
    except DataError as error:
        error.add_note(f"while reading {path}")
        raise
    return select_rows(analysis, rows)


def _kept(folder: Path, selection: Selection, ending: str) -> dict[Path, NDArray[np.generic]]:
    rows = _in_input_order(selection)
    particles, n = selection.analysis.particles, len(rows)
    return {
        folder / f"ind_keep.{n}{ending}.pkl": particles.source_particle[rows],
        folder / f"z_keep.{n}{ending}.pkl": selection.analysis.latents[rows],
    }


def _in_input_order(selection: Selection) -> NDArray[np.int64]:
    """(n,) selected rows by ascending index in the input."""
    order = np.argsort(selection.analysis.particles.source_particle[selection.rows])
    return selection.rows[order]


def _indices(selection: Selection) -> NDArray[np.int64]:
    return selection.analysis.particles.source_particle[_in_input_order(selection)]


def _named(selection: Selection) -> dict[str, object]:
    particles, rows = selection.analysis.particles, _in_input_order(selection)
    pairs = zip(particles.tomogram[rows].tolist(), particles.name[rows].tolist(), strict=True)
    return {
        "format": FORMAT,
        "input": str(particles.source),
        "particles": [[str(tomogram), str(name)] for tomogram, name in pairs],
    }


def _refuse_unknown(path: Path, indices: NDArray[np.int64], analysis: NotebookAnalysis) -> None:
    unknown = np.setdiff1d(indices, analysis.particles.source_particle)
    if len(unknown):
        raise DataError(
            f"{path}: index {unknown[0]} is no particle of this run ({len(unknown)} such); give "
            "the indices of particles that it was trained on"
        )
