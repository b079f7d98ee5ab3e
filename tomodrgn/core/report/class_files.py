"""Files of discrete classes: labels and probabilities of particles, and maps with half maps."""

from __future__ import annotations

import io
import pickle
from typing import TYPE_CHECKING, Final

import numpy as np

from tomodrgn.core.data.labels import record_labels
from tomodrgn.core.files.atomic import write_bytes_atomic
from tomodrgn.core.files.fsc_curves import write_fsc
from tomodrgn.core.files.mrc import write_volume
from tomodrgn.core.linear.classes import sums_of_class
from tomodrgn.core.products import LABELS, POSTERIOR
from tomodrgn.core.reconstruction.maps import HalvedMap, finish_halves
from tomodrgn.core.reconstruction.resolution import FSC_THRESHOLD, spherical_mask
from tomodrgn.core.report.drawing import draw_half_map_fsc

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray
    from torch import Tensor

    from tomodrgn.core.linear.observations import Observations

_MASK_RADIUS: Final = 0.8


def write_class_labels(outdir: Path, labels: NDArray[np.int64], posterior: Tensor) -> None:
    """Write the class (B,) of each particle, and the probability (B, C) of each class."""
    write_bytes_atomic(outdir / LABELS, pickle.dumps(labels, protocol=4))
    record_labels(outdir, outdir / LABELS, labels)
    buffer = io.BytesIO()
    np.save(buffer, posterior.float().cpu().numpy())
    write_bytes_atomic(outdir / POSTERIOR, buffer.getvalue())


def write_class_maps(
    outdir: Path,
    images: Observations,
    rows: tuple[NDArray[np.int64], NDArray[np.int64]],
    posterior: Tensor,
    *,
    scale: float,
) -> list[HalvedMap]:
    """Write map, half maps and FSC of each class, straight from the images, one after another.

    Args:
        outdir: the run directory.
        images: of B particles.
        rows: (n,) particles of each of two halves.
        posterior: (B, C) by which particles count in the maps of classes.
        scale: factor from normalized to original intensities.
    """
    pixel_size_a = images.particles.pixel_size_a
    mask = spherical_mask(images.box_size_px, _MASK_RADIUS)
    found, curves = [], {}
    for number, share in enumerate(posterior.T):
        sums = sums_of_class(images, rows, share.contiguous())
        halved = finish_halves(sums, (0, 1), pixel_size_a=pixel_size_a, mask=mask)
        path = outdir / f"class_{number:03d}.mrc"
        maps = {"": halved.full, "_half1": halved.first, "_half2": halved.second}
        for suffix, volume in maps.items():
            write_volume(path.with_name(f"{path.stem}{suffix}.mrc"), scale * volume, pixel_size_a)
        write_fsc(path, halved.fsc, pixel_size_a)
        curves[f"class {number}, {halved.resolution.drawn()}"] = halved.fsc
        found.append(halved)
    draw_half_map_fsc(
        outdir / "class_FSC.png", curves, pixel_size_a=pixel_size_a, threshold=FSC_THRESHOLD
    )
    return found
