"""Pictures of many maps or images side by side, on one gray scale and with one contour."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np

from tomodrgn.core.figures.style import color_of, picture

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from matplotlib.axes import Axes
    from numpy.typing import NDArray

_PLANES: Final = ("xy", "xz", "yz")  # across z, y, x
_MAX_IN_ROW: Final = 10
_CELL_IN: Final = 1.0
_GREYS_PERCENT: Final = (0.5, 99.8)


def central_slices(volume: NDArray[np.float32]) -> NDArray[np.float32]:
    """(3, D, D) slices through the middle of a volume (D, D, D), across z, y and x."""
    middle = len(volume) // 2
    return np.stack([np.take(volume, middle, axis) for axis in range(3)])


def draw_slice_gallery(
    path: Path,
    rows: Sequence[NDArray[np.float32]],
    names: Sequence[str],
    titles: Sequence[Sequence[str]],
    level: float,
) -> None:
    """Draw slices of volumes on one gray scale, with one contour around what is dense.

    Args:
        path: the picture.
        rows: central slices (n, 3, D, D) of n volumes for each row, as ``central_slices`` gives.
        names: of the rows.
        titles: of each volume of each row.
        level: density of the contour.
    """
    everything = np.concatenate(list(rows))
    axis = int(np.argmax(everything.var(axis=0).sum(axis=(1, 2))))
    low, high = np.percentile(everything[:, axis], _GREYS_PERCENT)
    lines = [
        (name, row[first : first + _MAX_IN_ROW, axis], captions[first : first + _MAX_IN_ROW])
        for name, row, captions in zip(names, rows, titles, strict=True)
        for first in range(0, len(row), _MAX_IN_ROW)
    ]
    n_columns = max(len(images) for _, images, _ in lines)
    width, height = _CELL_IN * max(n_columns, 3) + 0.4, (_CELL_IN + 0.2) * len(lines) + 0.4
    with picture(path, width_in=width, height_in=height) as figure:
        figure.suptitle(
            f"central {_PLANES[axis]} slices; one gray scale, contour at {level:.3g}",
            fontsize=9, x=0.02, ha="left",
        )  # fmt: skip
        grid = figure.subplots(len(lines), n_columns, squeeze=False)
        for panels, (name, images, captions) in zip(grid, lines, strict=True):
            panels[0].set_ylabel(name)
            for axes in panels[len(images) :]:
                axes.set_axis_off()
            for axes, image, caption in zip(panels, images, captions, strict=False):
                _show_slice(axes, image, (low, high), level)
                axes.set_title(caption, fontsize=8, pad=3)


def draw_planes(
    path: Path, slices: NDArray[np.float32], names: Sequence[str], level: float
) -> None:
    """Draw all three central slices (n, 3, D, D) of n volumes, on one gray scale.

    Args:
        path: the picture.
        slices: as ``central_slices`` gives.
        names: of the volumes.
        level: density of the contour.
    """
    low, high = np.percentile(slices, _GREYS_PERCENT)
    with picture(path, width_in=5.4, height_in=1.8 * len(slices) + 0.3) as figure:
        grid = figure.subplots(len(slices), len(_PLANES), squeeze=False)
        for panels, planes, name in zip(grid, slices, names, strict=True):
            panels[0].set_ylabel(name)
            for axes, image in zip(panels, planes, strict=True):
                _show_slice(axes, image, (low, high), level)
        for axes, plane in zip(grid[0], _PLANES, strict=True):
            axes.set_title(plane, fontsize=9, pad=3)


def draw_images(path: Path, images: NDArray[np.float32], titles: Sequence[str]) -> None:
    """Draw images (n, D, D) of particles on one gray scale."""
    low, high = np.percentile(images, (1, 99))
    n_images = len(images)
    with picture(path, width_in=1.5 * max(n_images, 2), height_in=1.75) as figure:
        for axes, image, title in zip(
            figure.subplots(1, n_images, squeeze=False)[0], images, titles, strict=True
        ):
            axes.imshow(image, cmap="gray", vmin=low, vmax=high, origin="lower")
            axes.set_title(title, fontsize=7, pad=3)
            axes.set(xticks=[], yticks=[])
            axes.spines[:].set_visible(False)


def _show_slice(
    axes: Axes, image: NDArray[np.float32], greys: tuple[float, float], level: float
) -> None:
    """A slice (D, D) with its contour, without axes."""
    low, high = greys
    axes.imshow(image, cmap="gray", vmin=low, vmax=high, origin="lower", interpolation="bicubic")
    if image.min() < level < image.max():
        axes.contour(image, levels=[level], colors=color_of(1), linewidths=0.6)
    axes.set(xticks=[], yticks=[])
    axes.spines[:].set_visible(False)
