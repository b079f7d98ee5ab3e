"""Part of a STAR file of images or particles, written as it stands in the file."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from tomodrgn.core.files.star_selection import (
    RowSelection,
    TableLines,
    selected,
    write_together,
)
from tomodrgn.core.interfaces import SourceRows
from tomodrgn.plugins.readers.upstream_files.optics_groups import GROUP, optics_block

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from numpy.typing import NDArray

    from tomodrgn.core.files.star import StarBlock, StarFile


@dataclass(frozen=True)
class SelectableTable:
    """The table of images or particles of one STAR file.

    Attributes:
        lines: its lines.
        rows: the particle of each row.
    """

    lines: TableLines
    rows: SourceRows

    def write(
        self,
        rows: NDArray[np.int64],
        out: Path,
        columns: Mapping[str, NDArray[np.object_]] | None = None,
    ) -> list[Path]:
        """As ``write_selection`` of a reader: the rows, and the optics groups that they use."""
        keeps = mask_of(rows, len(self.rows.particle))
        particle = self.rows.particle[keeps]
        appended = {name: texts[particle] for name, texts in (columns or {}).items()}
        star, block = self.lines.star, self.lines.block
        parts = selected(
            star,
            [
                RowSelection(table=self.lines, keeps=keeps, appended=appended),
                *used_optics(star, block, keeps),
            ],
        )
        return write_together({out: parts}, [star.path])


def selectable_table(
    star: StarFile,
    block: StarBlock,
    tomogram: NDArray[np.object_],
    rank: NDArray[np.int64] | None = None,
) -> SelectableTable:
    """A table whose rows can be written.

    Args:
        star: the file.
        block: the table.
        tomogram: (rows,) tomogram names.
        rank: (rows,) particle of each row, by first appearance; None where each row is one.
    """
    if rank is None:
        rank = np.arange(len(tomogram), dtype=np.int64)
    first = np.flatnonzero(~pd.Series(rank).duplicated().to_numpy())
    rows = SourceRows(particle=rank, tomogram=tomogram[first])
    return SelectableTable(TableLines(star, block), rows)


def rank_of_pairs(
    tomogram: NDArray[np.object_], particle: NDArray[np.object_]
) -> NDArray[np.int64]:
    """(rows,) rank of first appearance of the pair of names of each row."""
    of_tomogram, _ = pd.factorize(tomogram)
    of_particle, names = pd.factorize(particle)
    rank, _ = pd.factorize(of_tomogram.astype(np.int64) * len(names) + of_particle)
    return rank.astype(np.int64)


def used_optics(star: StarFile, block: StarBlock, keeps: NDArray[np.bool_]) -> list[RowSelection]:
    """The optics groups that the kept rows (n,) of a table use, where the file has such a table."""
    optics = optics_block(star, block)
    if optics is None:
        return []
    used = pd.unique(star.read(block, [GROUP])[GROUP][keeps])
    groups = star.read(optics, [GROUP])[GROUP]
    is_used = groups.isin(used).to_numpy()
    return [RowSelection(table=TableLines(star, optics), keeps=is_used)]


def mask_of(rows: NDArray[np.int64], n_rows: int) -> NDArray[np.bool_]:
    """(n_rows,) True for the rows given."""
    keeps = np.zeros(n_rows, dtype=bool)
    keeps[rows] = True
    return keeps
