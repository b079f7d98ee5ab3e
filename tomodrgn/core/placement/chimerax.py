"""Texts that ChimeraX reads: command scripts, tables of placements, and the legend of the colors.

Lengths are in angstrom. Rotations have nine decimals, which keeps them orthonormal to 1e-8. Paths
are quoted and relative, because ChimeraX runs a script in the folder that it lies in.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Final

import numpy as np

from tomodrgn.core.placement import chimerax_instances
from tomodrgn.core.quoting import chimerax_path, python_text, shown

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from numpy.typing import NDArray

    from tomodrgn.core.placement.colors import Colors

_ROW: Final = "%.9f,%.9f,%.9f,%.4f"
_MATRIX: Final = ",".join([_ROW] * 3)
_HEADER: Final = "model,particle,r11,r12,r13,x,r21,r22,r23,y,r31,r32,r33,z,red,green,blue,opacity"
_LAST_LINE: Final = "view orient"


def marker_commands(
    position_a: NDArray[np.float64], rgb: NDArray[np.uint8], radius_a: float
) -> str:
    """One set of markers, #1, at positions (n, 3) in A, in colors (n, 3) from 0 to 255."""
    line = f"marker #1 position %.4f,%.4f,%.4f radius {radius_a:g} color #%02x%02x%02x"
    rows = _rows(position_a, rgb)
    return _script(map(line.__mod__, rows))


def volume_commands(
    paths: Sequence[str],
    transforms: NDArray[np.float64],
    rgb: NDArray[np.uint8],
    *,
    level: float,
    pixel_size_a: float,
) -> str:
    """One model for each particle, with a map of its own.

    Transforms are (n, 3, 4), colors (n, 3). The maps are taken to begin at 0 and to have this pixel
    size, whatever their headers state.
    """
    view = f"view matrix mod #%d,{_MATRIX}"
    numbers = range(1, len(paths) + 1)
    placed = map(view.__mod__, _rows(np.array(numbers)[:, None], transforms))
    colored = map("color #%d #%02x%02x%02x\n".__mod__, _rows(np.array(numbers)[:, None], rgb))
    blocks = [
        line
        for path, view_line, color_line in zip(paths, placed, colored, strict=True)
        for line in (_open(path), view_line, color_line)
    ]
    grid = f"voxelSize {pixel_size_a:.6g} originIndex 0,0,0"
    return _script([*blocks, f"{_contour(len(paths), level)} {grid}"])


def instance_commands(paths: Sequence[str], script: str, *, level: float) -> str:
    """One model for each map, drawn many times by a Python script."""
    opened = [_open(path) for path in paths]
    return _script([*opened, _contour(len(paths), level), _open(script)])


def instance_script(table: str) -> str:
    """The Python script that draws the placements of a table beside it."""
    source = Path(chimerax_instances.__file__).read_text(encoding="utf-8")
    return source.replace(f'TABLE = "{chimerax_instances.TABLE}"', f"TABLE = {python_text(table)}")


def placement_table(
    model: NDArray[np.int64],
    particle: NDArray[np.int64],
    transforms: NDArray[np.float64],
    rgb: NDArray[np.uint8],
) -> str:
    """A row for each of n placements: model from 1, particle, transform (3, 4), color (3,)."""
    row = f"%d,%d,{_MATRIX},%d,%d,%d,255"
    ids = np.stack([model, particle], axis=1)
    return "\n".join([_HEADER, *map(row.__mod__, _rows(ids, transforms, rgb)), ""])


def legend(colors: Colors) -> str:
    """What each color means, and which particles have it, counted from 1."""
    blocks = [
        "Colors by label: red, green and blue in percent, opacity, and which particles, from 1"
    ]
    of_entry = _members(colors)
    for i, meaning in enumerate(colors.meaning):
        percent = ",".join(f"{100 * int(value) / 255:.0f}" for value in colors.legend[i])
        blocks.append(f"\nLabel : {shown(meaning)}\nRGBa % : {percent},1")
        if of_entry is not None and len(of_entry[i]):
            blocks.append(f"models : {','.join(map(str, (of_entry[i] + 1).tolist()))}")
    return "\n".join([*blocks, ""])


def _members(colors: Colors) -> list[NDArray[np.int64]] | None:
    """Rows of each entry of the legend."""
    if colors.entry is None:
        return None
    order = np.argsort(colors.entry, kind="stable")
    sizes = np.bincount(colors.entry, minlength=len(colors.meaning))
    return np.split(order, np.cumsum(sizes)[:-1])


def _open(path: str) -> str:
    return f"open {chimerax_path(path)}"


def _contour(n_models: int, level: float) -> str:
    """Shows the maps of the models from 1 as surfaces."""
    models = "#1" if n_models == 1 else f"#1-{n_models}"
    return f"volume {models} style surface step 1 level {level:.6g}"


def _rows(*columns: NDArray[np.generic]) -> Iterator[tuple[float, ...]]:
    """Rows of several arrays with n rows each, as tuples of numbers."""
    return zip(
        *(values for column in columns for values in column.reshape(len(column), -1).T.tolist()),
        strict=True,
    )


def _script(lines: Iterable[str]) -> str:
    return "\n".join([*lines, _LAST_LINE, ""])
