"""Scores of particles for classes, and what class maps are worth, beside errors of poses.

The score of a particle for a class is the correlation of what the common map leaves of its images
with what the class adds to the common map, both in the images as they were recorded: the derivative
of the log likelihood by the strength of the difference. What an error of the pose or contrast of
the particle would look like does not count, however large the error: labels may follow errors, so
that small ones are as suspect as large ones. Maps come from the half of the particles that the
particle does not belong to, so that nothing is compared with itself.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np
import torch

from tomodrgn.core.data.observing import window_power
from tomodrgn.core.data.refining import with_sources
from tomodrgn.core.linear.basis import resize_maps
from tomodrgn.core.linear.half_models import Halves, run_both
from tomodrgn.core.linear.passes import noise_precision
from tomodrgn.core.particles.corrections import no_corrections
from tomodrgn.core.refinement.class_verdict import ClassMaps, verdict_of_terms
from tomodrgn.core.refinement.equations import equations
from tomodrgn.core.refinement.moves import errors_back
from tomodrgn.core.refinement.rounds import FIRST_WIDTHS
from tomodrgn.core.refinement.steps import N_ERRORS, ParticleEquations, Widths
from tomodrgn.core.refinement.verdict import terms_across, without_errors

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray
    from torch import Tensor

    from tomodrgn.core.refinement.verdict import Verdict
    from tomodrgn.core.specs.dataset import PreparationSpec
    from tomodrgn.plugins.commands.validate.drawn_images import DrawnImages


_ANY: Final = Widths(3.0, 20.0, 1.0)
"""Widths of errors beside which nothing is known of these beforehand."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Judged:
    """What images of b particles say of K classes.

    Attributes:
        scores: (b, K), beyond any errors of pose and contrast.
        blind: (b, K), as if there were no such errors.
        verdict: what class maps are worth where nobody says which particle is in which class.
    """

    scores: NDArray[np.float64]
    blind: NDArray[np.float64]
    verdict: Verdict


def judge_classes_of(
    drawn: DrawnImages,
    preparation: PreparationSpec,
    maps: Sequence[Sequence[Tensor]],
    labels: NDArray[np.int64],
    halves: NDArray[np.int64],
) -> Judged:
    """Hold the class maps of either half against the particles of the other.

    Args:
        drawn: images of b particles.
        preparation: of the images.
        maps: of either half, the common map (D, D, D) and the difference of each of K classes.
        labels: (b,) class of each particle.
        halves: (b,) 0 or 1.
    """
    images = drawn.observed
    rows = np.flatnonzero(halves == 0), np.flatnonzero(halves == 1)
    power = window_power(preparation, images.disc.box_size_px)
    models = torch.stack([_resized(half, images.box_size_px) for half in maps]) / drawn.scale
    both = Halves(images, rows, power)
    precision = _precision(both, models[:, :1])
    matrix, vector = terms_across(both, models, precision)
    found = images.particles.corrections
    stated = errors_back(found or no_corrections(images.particles))
    summed, pulled = matrix.sum(1), vector.sum(1)
    errors = ParticleEquations(summed[:, :N_ERRORS, :N_ERRORS], pulled[:, :N_ERRORS])
    widths = errors.widths(FIRST_WIDTHS)
    if found is not None:
        widths = widths.wider(stated)
    order = np.concatenate(rows)
    about = stated[torch.from_numpy(order)]
    _, vectors = without_errors(summed, pulled, _ANY, about)
    weights = torch.from_numpy(np.bincount(labels, minlength=models.shape[1] - 1) / len(labels))
    classes = ClassMaps(models, precision, weights.clamp_min(1e-9))
    verdict = verdict_of_terms(both, (matrix, vector), classes, widths, about)
    strength = models[:, 1:].mean(0).flatten(1).norm(dim=1).numpy()
    coordinates = np.eye(len(strength))[labels] * strength
    return Judged(
        scores=_in_order(vectors, order),
        blind=_in_order(pulled[:, N_ERRORS:], order),
        verdict=with_sources(verdict, coordinates, images.particles),
    )


def _resized(maps: Sequence[Tensor], box_size_px: int) -> Tensor:
    return torch.cat([resize_maps(each[None].float(), box_size_px) for each in maps])


def _precision(both: Halves, common: Tensor) -> Tensor:
    """(shells,) of the noise, of what the common maps (2, 1, D, D, D) of other halves leave."""
    others, images = common.flip(0), both.images
    flat = torch.ones(images.box_size_px // 2 + 1)
    found = run_both(lambda half: equations(images, both.rows[half], others[half], flat), images)
    return noise_precision(found, both.window_power)


def _in_order(values: Tensor, order: NDArray[np.int64]) -> NDArray[np.float64]:
    """Rows as particles are, of those by halves."""
    return np.asarray(values.numpy()[np.argsort(order)])
