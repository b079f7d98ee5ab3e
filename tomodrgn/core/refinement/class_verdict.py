"""Do class maps of one half tell particles of the other apart, beyond errors of these?

The same question as :mod:`~tomodrgn.core.refinement.verdict` asks of latents. A particle is in one
of the classes, nobody says in which, and has errors of pose and contrast in each of them.
"""

from __future__ import annotations

from math import log, sqrt
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
import torch

from tomodrgn.core.linear.factors import positive_factor
from tomodrgn.core.linear.rare import FRACTIONS, log_odds
from tomodrgn.core.refinement.steps import N_ERRORS
from tomodrgn.core.refinement.verdict import (
    NO_WIDTH,
    Verdict,
    rare_odds_of,
    shares,
    terms_across,
)

if TYPE_CHECKING:
    from torch import Tensor

    from tomodrgn.core.linear.half_models import Halves
    from tomodrgn.core.refinement.steps import Widths


class ClassMaps(NamedTuple):
    """Class maps of two halves.

    Attributes:
        maps: (2, 1 + C, D, D, D) of either half: mean map, and the difference of each class.
        precision: (shells,) of the noise.
        weights: (C,) share of particles in each class.
    """

    maps: Tensor
    precision: Tensor
    weights: Tensor


def judge_classes(halves: Halves, classes: ClassMaps, widths: Widths, stated: Tensor) -> Verdict:
    """Compare classes with the one map that predicts all particles best, both with errors.

    Args:
        halves: of B particles, in the poses and up to the shells of the maps.
        classes: to be judged.
        widths: of errors of particles, about what is stated.
        stated: (B, 7) errors by which particles would be as stated.
    """
    terms = terms_across(halves, classes.maps, classes.precision)
    about = stated[torch.from_numpy(np.concatenate(halves.rows))]
    return verdict_of_terms(halves, terms, classes, widths, about)


def verdict_of_terms(
    halves: Halves,
    terms: tuple[Tensor, Tensor],
    classes: ClassMaps,
    widths: Widths,
    about: Tensor,
) -> Verdict:
    """The same, given terms of errors and differences with ``about`` (B, 7) in their order."""
    matrix, vector = terms
    weights = classes.weights.double().cpu()
    told = [class_likelihood(matrix[:, k], vector[:, k], widths, about) for k in (0, 1)]
    whole = class_likelihood(matrix.sum(1), vector.sum(1), widths, about)
    gains = _predicted(whole, told, weights.log())
    spread = max(float(gains.std()) / sqrt(len(gains)), 1e-30)
    tail = rare_odds_of(halves, matrix.sum(1), vector.sum(1), widths, about)
    return Verdict(
        gain=(float(gains.mean()),),
        z=(float(gains.mean()) / spread,),
        log_odds=float(np.logaddexp(tail, log_odds(gains, FRACTIONS[1:]))) - log(2),
        share=shares(halves, classes.maps, classes.precision, weights),
    )


def class_likelihood(matrix: Tensor, vector: Tensor, widths: Widths, stated: Tensor) -> Tensor:
    """(B, 1 + C) log likelihood of the mean map and of each class, errors integrated out.

    Args:
        matrix: (B, 7 + C, 7 + C) of errors and differences.
        vector: (B, 7 + C).
        widths: of errors, about what is stated.
        stated: (B, 7) errors by which particles would be as stated.
    """
    scale = widths.of_errors().clamp_min(NO_WIDTH)
    own = scale[:, None] * matrix[:, :N_ERRORS, :N_ERRORS] * scale
    system = own + torch.eye(N_ERRORS, dtype=matrix.dtype)
    factor = positive_factor(system, "particles", least=1.0)
    cross = torch.nn.functional.pad(matrix[:, :N_ERRORS, N_ERRORS:], (1, 0))  # the mean map first
    right = scale[:, None] * (vector[:, :N_ERRORS, None] - cross) + (stated / scale)[..., None]
    solved = torch.cholesky_solve(right, factor)
    power = matrix[:, N_ERRORS:, N_ERRORS:].diagonal(dim1=1, dim2=2)
    alone = torch.nn.functional.pad(vector[:, N_ERRORS:] - power / 2, (1, 0))
    volume = factor.diagonal(dim1=1, dim2=2).log().sum(1)
    likelihood: Tensor = alone + 0.5 * (right * solved).sum(1) - volume[:, None]
    return likelihood


def _predicted(whole: Tensor, told: list[Tensor], log_weights: Tensor) -> Tensor:
    """(B,) gain of classes over one map, of tilts that did not choose the class.

    Half of the sum over both sets of tilts, so that the exponential has a mean of 1 or less where
    classes have nothing to add.
    """

    def mixture(likelihood: Tensor) -> Tensor:
        return torch.logsumexp(likelihood[:, 1:] + log_weights, dim=1)

    alone = whole - (told[0] + told[1]) / 2
    classes = mixture(whole) - (mixture(told[0]) + mixture(told[1])) / 2
    gains: Tensor = classes - alone[:, alone.mean(0).argmax()]
    return gains
