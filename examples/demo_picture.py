"""Draw what the demo found: ``python examples/demo_picture.py demo docs/images/demo.png``.

Tilt images of a particle, latents of all particles colored by true class, and projections of the
decoded volumes above those of the true maps.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING

import matplotlib.pyplot as plt  # noqa: TID253  a script, not the package
import numpy as np

from tomodrgn.core.files.mrc import read_mrc_slices, read_volume
from tomodrgn.core.files.pickles import read_latents
from tomodrgn.core.simulation.truth import Truth, read_truth

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import SubFigure
    from numpy.typing import NDArray

COLORS = ("#0072b2", "#e69f00", "#009e73")
N_TILTS_SHOWN = 4


def draw(demo: Path, picture: Path) -> None:
    """Draw the demo that lies in a folder."""
    truth = read_truth(demo / "simulation")
    figure = plt.figure(figsize=(10, 3.6), layout="constrained")
    left, middle, right = figure.subfigures(1, 3, width_ratios=(1.0, 1.5, 1.9))
    _draw_tilt_images(left, min((demo / "simulation/stacks").glob("*.mrcs")))
    _draw_latents(middle.subplots(), truth, read_latents(demo / "run/z.pkl")[0])
    _draw_volumes(right, truth, demo / "volumes")
    picture.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(picture, dpi=110)


def _draw_tilt_images(figure: SubFigure, stack: Path) -> None:
    """The first tilt images of one particle, as they are written."""
    figure.suptitle("tilt images", fontsize=11)
    images = read_mrc_slices(stack, np.arange(N_TILTS_SHOWN))
    for axes, image in zip(figure.subplots(2, 2).flat, images, strict=True):
        _show(axes, image)


def _draw_latents(axes: Axes, truth: Truth, mean: NDArray[np.float32]) -> None:
    """How many particles have which latent, or latents on their two main axes."""
    axes.set_title("latents, colored by true class", fontsize=11)
    axes.spines[["top", "right"]].set_visible(False)
    classes = range(truth.spec.class_count)
    if mean.shape[1] == 1:
        parts = [mean[truth.labels == label, 0] for label in classes]
        axes.hist(parts, bins=60, stacked=True, color=COLORS, label=[f"class {k}" for k in classes])
        axes.set(xlabel="latent", ylabel="particles")
        return
    centred = mean - mean.mean(0)
    main = centred @ np.linalg.svd(centred, full_matrices=False)[2][:2].T
    for label in classes:
        x, y = main[truth.labels == label].T
        axes.scatter(x, y, s=7, color=COLORS[label], linewidths=0, label=f"class {label}")
    axes.set(xlabel="first main axis", ylabel="second main axis", xticks=[], yticks=[])


def _draw_volumes(figure: SubFigure, truth: Truth, volumes: Path) -> None:
    """Projections of decoded volumes, one column per class, above those of the true maps."""
    figure.suptitle("decoded volumes and true maps", fontsize=11)
    rows = figure.subplots(2, len(truth.maps))
    decoded = [read_volume(path)[0] for path in sorted(volumes.glob("vol_*.mrc"))]
    for name, maps, row in zip(("decoded", "true"), (decoded, truth.maps), rows, strict=True):
        row[0].set_ylabel(name)
        for axes, volume, color in zip(row, maps, COLORS, strict=False):
            _show(axes, volume.sum(0))
            axes.spines[:].set(color=color, linewidth=2, visible=True)


def _show(axes: Axes, image: NDArray[np.float32]) -> None:
    """A gray image without ticks."""
    axes.imshow(image, cmap="gray", interpolation="bicubic")
    axes.set(xticks=[], yticks=[])


if __name__ == "__main__":
    draw(Path(sys.argv[1]), Path(sys.argv[2]))
