"""How much of the variance of moving maps no linear subspace can hold."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Final

import numpy as np
import torch

from tomodrgn.core.simulation.experiment import JUNK
from tomodrgn.core.simulation.structures import PhantomStructure

if TYPE_CHECKING:
    from tomodrgn.core.simulation.forward import Simulation

DIMENSIONS: Final = (1, 2, 3, 4, 6, 8)
"""Dimensions of the subspaces that are tried."""

_MAX_PARTICLES = 128
_LARGEST_BOX_PX = 32


def variance_outside(simulation: Simulation) -> dict[int, float]:
    """Fraction of the variance of true maps outside the best subspace of each dimension.

    Found by principal components of the maps of up to 128 particles, all voxels alike, in a box of
    up to 32 px. Nothing for maps that do not move.
    """
    structure, experiment = simulation.structure, simulation.experiment
    if not isinstance(structure, PhantomStructure) or not experiment.motion.shape[1]:
        return {}
    box = min(structure.box_size_px, _LARGEST_BOX_PX)
    coarse = replace(
        structure,
        box_size_px=box,
        pixel_size_a=structure.pixel_size_a * structure.box_size_px / box,
    )
    particles = np.flatnonzero(experiment.labels != JUNK)[:_MAX_PARTICLES]
    maps = coarse.states(
        torch.from_numpy(experiment.labels[particles]),
        torch.from_numpy(experiment.motion[particles]),
    )
    centred = (maps - maps.mean(0)).flatten(1)
    variances = torch.linalg.eigvalsh(centred @ centred.T).clamp(min=0).flip(0)
    total = float(variances.sum())
    if not total:
        return {}
    return {dim: float(variances[dim:].sum()) / total for dim in DIMENSIONS}
