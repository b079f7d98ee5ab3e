"""From errors that were found to corrections of poses, and back to the poses that are stated."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Final

import numpy as np
import torch

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray
    from torch import Tensor

    from tomodrgn.core.particles.corrections import Corrections
    from tomodrgn.core.refinement.joint import JointErrors

_MAX_SCALE_STEP: Final = 0.7
"""Log contrast that changes at once: signals of 0.5 to 2 times their strength."""


def errors_back(corrections: Corrections) -> Tensor:
    """(B, 7) errors by which corrected particles would be as stated again."""
    parts = (corrections.log_scale[:, None], corrections.shift_px, corrections.rotation_vector())
    return -torch.from_numpy(np.concatenate(parts, axis=1))


def errors_back_of_tilts(
    corrections: Corrections, exposure: Tensor, images: Sequence[NDArray[np.int64]]
) -> Tensor:
    """(2, T, 3) the same of exposures, as the images (m,) of either half have them."""
    n_exposures = int(exposure.max()) + 1
    back = torch.zeros(len(images), n_exposures, 3, dtype=torch.float64)
    columns = corrections.tilt_shift_px, corrections.tilt_log_scale[:, None]
    per_image = -torch.from_numpy(np.concatenate(columns, axis=1))
    for half, rows in zip(back, images, strict=True):
        half[exposure[rows]] = per_image[rows]  # alike in all images of an exposure and half
    return back


def moved(
    corrections: Corrections,
    found: JointErrors,
    exposure: Tensor,
    images: Sequence[NDArray[np.int64]],
    rows: Sequence[NDArray[np.int64]],
    *,
    with_contrast: bool,
) -> Corrections:
    """Corrections after a step by the errors found.

    The mean turn and shift and the median log scale of each half stay 0, so that poses and maps
    cannot drift together.

    Args:
        corrections: of B particles with M images.
        found: errors of the particles, and (2, T, 3) of the exposures.
        exposure: (M,) exposure of each image.
        images: rows of the images of both halves.
        rows: rows of their particles.
        with_contrast: whether contrast of particles changes too. At first it would take up what
            poses are wrong by, and a particle without contrast has no way back to its pose.
    """
    from scipy.spatial.transform import Rotation  # type: ignore[import-untyped]

    errors = found.particle.numpy()
    turn = Rotation.from_rotvec(errors[:, 4:7])
    rotation = turn.as_matrix() @ corrections.rotation
    shift = turn.apply(corrections.shift_px) + errors[:, 1:4]
    step = errors[:, 0].clip(-_MAX_SCALE_STEP, _MAX_SCALE_STEP)
    scale = corrections.log_scale + with_contrast * step
    tilt_shift, tilt_scale = corrections.tilt_shift_px.copy(), corrections.tilt_log_scale.copy()
    for half, (mine, shown) in enumerate(zip(rows, images, strict=True)):
        back = Rotation.from_matrix(rotation[mine]).mean().inv()
        rotation[mine] = back.as_matrix() @ rotation[mine]
        shift[mine] = back.apply(shift[mine])
        shift[mine] -= shift[mine].mean(0)
        step = found.tilt[half].numpy()[exposure[shown]]
        tilt_shift[shown] += step[:, :2]
        tilt_scale[shown] += step[:, 2]
        tilt_scale[shown] -= tilt_scale[shown].mean()
        scale[mine] -= np.median(scale[mine])  # what is no particle has next to no contrast
    return replace(
        corrections,
        rotation=rotation,
        shift_px=shift,
        log_scale=scale,
        tilt_shift_px=tilt_shift,
        tilt_log_scale=tilt_scale,
    )
