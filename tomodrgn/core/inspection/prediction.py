"""Maps of parts of a sample, and the images that a map predicts."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import torch

from tomodrgn.core.fourier.disc import disc_to_images, images_to_disc, shift_phases
from tomodrgn.core.fourier.shells import fsc
from tomodrgn.core.reconstruction.maps import reconstruct
from tomodrgn.core.reconstruction.weights import Attenuation
from tomodrgn.core.reconstruction.wiener import (
    prior_from_fsc,
    reconstruct_volume,
    shell_weights,
)
from tomodrgn.core.simulation.maps import MapStructure

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray
    from torch import Tensor

    from tomodrgn.core.inspection.sample import Sample
    from tomodrgn.core.reconstruction.insertion import FourierSums

_DAMAGED: Final = Attenuation(dose=True)


def centred_coefficients(sample: Sample) -> Tensor:
    """(M, P) complex64, moved by the shifts of the metadata."""
    freqs = torch.from_numpy(sample.disc.freqs())
    return sample.coefficients * shift_phases(freqs, sample.images.shift_px)


def as_recorded(sample: Sample, centred: Tensor) -> Tensor:
    """(M, P) complex64, moved back to where the particles were, and windowed like the images."""
    freqs = torch.from_numpy(sample.disc.freqs())
    moved = centred * shift_phases(freqs, -sample.images.shift_px)
    pixels = disc_to_images(torch.view_as_real(moved), sample.disc)
    return torch.view_as_complex(images_to_disc(pixels * sample.window, sample.disc))


def sum_parts(sample: Sample, centred: Tensor, part: Tensor, n_parts: int) -> FourierSums:
    """Sums of parts of a sample, ``part`` (M,) counting them from 0."""
    return reconstruct(
        centred,
        sample.images,
        sample.optics,
        sample.disc,
        volume_index=part,
        n_volumes=n_parts,
        attenuation=_DAMAGED,
    )


def half_maps(sums: FourierSums) -> tuple[NDArray[np.float32], NDArray[np.float64]]:
    """(2, D, D, D) maps of two halves, filtered by their agreement, and (D/2 + 1,) that agreement.

    Args:
        sums: of two volumes.
    """
    halves = [sums.one(half) for half in (0, 1)]
    agreement = fsc(*(reconstruct_volume(half).numpy() for half in halves))
    weights = shell_weights(sums)
    prior = prior_from_fsc(weights.mean(0), agreement)
    maps = torch.stack([reconstruct_volume(half, prior) for half in halves])
    return maps.numpy(), agreement


def predict(sample: Sample, maps: NDArray[np.float32], which: Tensor) -> Tensor:
    """(M, P) complex64 central slices, image m through ``maps[which[m]]``."""
    structure = MapStructure(
        maps, map_pixel_size_a=1.0, box_size_px=sample.disc.box_size_px, pixel_size_a=1.0
    )
    still = torch.zeros(len(which))
    slices = structure.slices(which, still, sample.images.rotation.double(), sample.disc)
    return slices.to(torch.complex64)
