"""Whether raw images tell classes apart: scores of held-out particles against labels by lot."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
import torch

from tomodrgn.core.display import show_progress
from tomodrgn.core.fourier.shells import fsc
from tomodrgn.core.particles.keyed_random import keyed_uniform, particle_keys
from tomodrgn.core.particles.splits import train_mask
from tomodrgn.core.reconstruction.resolution import FSC_THRESHOLD
from tomodrgn.core.reconstruction.wiener import prior_from_fsc, reconstruct_volume, shell_weights
from tomodrgn.plugins.commands.validate.chance import Separation, compare_with_chance
from tomodrgn.plugins.commands.validate.differences import difference_maps
from tomodrgn.plugins.commands.validate.drawn_images import draw_images
from tomodrgn.plugins.commands.validate.judged import judge_classes_of

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from torch import Tensor

    from tomodrgn.core.reconstruction.insertion import FourierSums
    from tomodrgn.core.refinement.verdict import Verdict
    from tomodrgn.plugins.commands.validate.raw_classes import RawClasses

logger = logging.getLogger(__name__)

_MIN_SHELLS = 3
_LINEAR = "linear_volumes"


class Separated(NamedTuple):
    """How far labels are from chance, who decided it, and whether on held-out tilts.

    Attributes:
        separation: of particles whose poses and contrast may be wrong.
        blind: of particles without such errors.
        verdict: what the class maps are worth beside such errors.
        n_particles: that decided this.
        is_held_out: whether they did so with tilts that the labels have never seen.
    """

    separation: Separation | None
    blind: Separation | None
    verdict: Verdict | None
    n_particles: int
    is_held_out: bool


def separate_classes(raw: RawClasses, sums: FourierSums, *, most_images: int) -> Separated:
    """Compare the classes of a run with labels drawn by lot.

    Args:
        raw: classes beside their images.
        sums: the halves of all classes.
        most_images: about how many images to look at.
    """
    if len(raw.usable) < 2:  # noqa: PLR2004  one class differs from nothing
        return Separated(None, None, None, 0, is_held_out=False)
    candidates, is_held_out = _candidate_images(raw)
    images = _drawn(raw, candidates, most_images)
    prior, n_shells = _prior(raw, sums)
    maps = [_maps_of_half(raw, sums, half, prior) for half in (0, 1)]
    with show_progress("comparing images with classes") as progress:
        drawn = draw_images(raw, images, n_shells, progress)
    rows = drawn.particles
    place = np.full(len(raw.labels.names), -1)
    place[list(raw.usable)] = np.arange(len(raw.usable))
    labels, halves = place[raw.labels.of_particle[rows]], raw.halves[raw.particles.starts[rows]]
    judged = judge_classes_of(drawn, raw.run.preparation, maps, labels, halves)
    tomograms = np.unique(raw.particles.tomogram[rows].astype(str), return_inverse=True)[1]
    found, blind = (
        compare_with_chance(
            scores,
            labels,
            halves,
            strata=tomograms if tomograms.max() > 0 else None,
            seed=raw.run.seed or 0,
        )
        for scores in (judged.scores, judged.blind)
    )
    return Separated(found, blind, judged.verdict, len(rows), is_held_out)


def _candidate_images(raw: RawClasses) -> tuple[NDArray[np.bool_], bool]:
    """(M,) images of usable classes, those alone that the run has held out where it has."""
    mask = np.isin(raw.class_of_image, raw.usable)
    run = raw.run
    fraction = raw.run.dataset.fraction_train
    has_labels_of_its_own = run.encoder is not None or run.decoder.kind == _LINEAR
    if fraction >= 1 or not has_labels_of_its_own:
        return mask, False
    held_out = mask & ~train_mask(raw.particles, fraction, raw.run.seed or 0)
    return (held_out, True) if held_out.any() else (mask, False)


def _drawn(raw: RawClasses, mask: NDArray[np.bool_], most_images: int) -> NDArray[np.int64]:
    """Rows of the images of particles drawn by lot, about as many images as asked for."""
    particles = raw.particles
    n_images = np.bincount(
        particles.particle_of_image, weights=mask, minlength=particles.n_particles
    )
    keys = particle_keys(particles.tomogram, particles.name)
    draw = keyed_uniform(raw.run.seed or 0, "validation", 0, keys, 1)[:, 0]
    order = np.argsort(draw)
    is_drawn = np.zeros(particles.n_particles, dtype=bool)
    is_drawn[order[np.cumsum(n_images[order]) <= max(most_images, n_images[order[0]])]] = True
    return np.flatnonzero(mask & is_drawn[particles.particle_of_image]).astype(np.int64)


def _prior(raw: RawClasses, sums: FourierSums) -> tuple[Tensor, int]:
    """(D/2 + 1,) prior of the common map, and how many shells its halves agree in."""
    pools = [sums.pooled([2 * row + half for row in raw.usable]) for half in (0, 1)]
    volumes = [reconstruct_volume(pool).float().cpu().numpy() * raw.mask for pool in pools]
    curve = fsc(volumes[0], volumes[1])
    weights = (shell_weights(pools[0]) + shell_weights(pools[1]))[0] / 2
    below = np.flatnonzero(curve[1:] < FSC_THRESHOLD)
    n_shells = int(below[0]) if len(below) else len(curve) - 1
    return prior_from_fsc(weights, curve), max(_MIN_SHELLS, n_shells)


def _maps_of_half(raw: RawClasses, sums: FourierSums, half: int, prior: Tensor) -> list[Tensor]:
    """The common map of a half and the differences of its classes."""
    members = [2 * row + half for row in raw.usable]
    mask = torch.from_numpy(raw.mask)
    return [volume.float().cpu() * mask for volume in difference_maps(sums, members, prior)]
