"""Scores of a run on simulated tilt series: classes, motion, volumes and posteriors."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

import numpy as np
import torch

from tomodrgn.core.errors import DataError
from tomodrgn.core.fourier.cropping import crop_volumes
from tomodrgn.core.simulation.experiment import JUNK
from tomodrgn.core.simulation.motions import coordinate_names
from tomodrgn.plugins.commands.score.agreement import (
    axis_rank_correlation,
    cluster_latents,
    compare_classes,
    compare_maps,
    outlier_auc,
    readout_rank_correlation,
)
from tomodrgn.plugins.commands.score.best_classifier import most_likely_classes
from tomodrgn.plugins.commands.score.calibration import (
    as_images_see,
    coordinates_on,
    coverage,
    linear_basis,
    turned,
)
from tomodrgn.plugins.commands.score.image_fsc import area_under_fsc

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from numpy.typing import NDArray

    from tomodrgn.core.simulation.forward import Simulation
    from tomodrgn.core.simulation.truth import Truth
    from tomodrgn.plugins.commands.score.agreement import MapAgreement
    from tomodrgn.plugins.commands.score.calibration import Decode

_PARTICLES_OF_BOUND: Final = 500
_PARTICLES_OF_CALIBRATION: Final = 500
_MIN_PARTICLES: Final = 5
_VOLUMES_AT_ONCE: Final = 8

Scores = dict[str, float]


@dataclass(frozen=True, slots=True, kw_only=True)
class Findings:
    """What a run found about B particles; None or nothing where it did not look.

    Attributes:
        rows: (B,) which simulated particles they are.
        mean: (B, Z) latents.
        covariance: (B, Z, Z) of their posteriors.
        labels: (B,) classes.
        decode: volumes of latents.
        turn: (B, 3, 3) how true volumes are turned in the poses that the run refined; None where it
            refined none. It fitted contrast as well then, and with it the scale of volumes.
        shell_weights: (D/2 + 1,) what images say of a coefficient, or None.
        volumes: (D, D, D) volumes that were written, by name.
        pixel_size_a: pixel size of these volumes.
    """

    rows: NDArray[np.int64]
    mean: NDArray[np.float32] | None = None
    covariance: NDArray[np.float32] | None = None
    labels: NDArray[np.int64] | None = None
    decode: Decode | None = None
    turn: NDArray[np.float64] | None = None
    shell_weights: NDArray[np.float64] | None = None
    volumes: Mapping[str, NDArray[np.float32]] = field(default_factory=dict)
    pixel_size_a: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Comparison:
    """What a run found, beside what was simulated.

    Attributes:
        truth: what was simulated, of the particles of the run.
        scores: figures by name.
        mean: (B, Z) latents; None for a run without any.
        class_latents: (classes, Z) mean latent of each class; None likewise.
        volumes: (D, D, D) volumes that were written; none where nothing is decoded yet.
        pairs: each true map with the volume that shows it.
        pixel_size_a: pixel size of the volumes; None without any.
    """

    truth: Truth
    scores: Scores
    mean: NDArray[np.float32] | None
    class_latents: NDArray[np.float32] | None
    volumes: list[NDArray[np.float32]]
    pairs: list[MapAgreement]
    pixel_size_a: float | None


def compare(
    truth: Truth, simulation: Simulation, findings: Findings, *, n_decoded: int
) -> Comparison:
    """How well a run recovered what was simulated.

    Args:
        truth: all that was simulated.
        simulation: the same, ready to be rendered.
        findings: what the run found.
        n_decoded: particles whose volumes are decoded and compared with their own true ones.

    Raises:
        DataError: volumes do not fit the true maps, or particles are too few.
    """
    mine = truth.take(findings.rows)
    n_real = int((mine.labels != JUNK).sum())
    if findings.mean is not None and n_real < _MIN_PARTICLES:
        raise DataError(
            f"the run is on {n_real} particles that are no junk; score at least {_MIN_PARTICLES}"
        )
    scores: Scores = {}
    clusters = _cluster(mine, findings.mean)
    if mine.spec.class_count > 1:
        scores |= _score_classes(mine, clusters if findings.labels is None else findings.labels)
        if scores:
            scores["accuracy with known maps"] = _likelihood_accuracy(truth, simulation)
    if findings.mean is not None:
        scores |= _score_latents(mine, findings.mean)
        scores |= _score_decoded(mine, simulation, findings, n_decoded)
    names, volumes = list(findings.volumes), list(findings.volumes.values())
    pairs = compare_maps(volumes, list(truth.maps)) if volumes else []
    for pair in pairs:
        scores[f"mean FSC of class {pair.label} with {names[pair.volume]}"] = pair.mean
    return Comparison(
        truth=mine,
        scores={name: round(value, 4) for name, value in scores.items()},
        mean=findings.mean,
        class_latents=_class_latents(mine, findings.mean, clusters),
        volumes=volumes,
        pairs=pairs,
        pixel_size_a=findings.pixel_size_a,
    )


def _cluster(truth: Truth, mean: NDArray[np.float32] | None) -> NDArray[np.int64] | None:
    """(B,) k-means classes of particles, and of junk class 0."""
    if mean is None:
        return None
    clusters = np.zeros(len(mean), dtype=np.int64)
    if truth.spec.class_count > 1:
        is_real = truth.labels != JUNK
        n_classes = min(truth.spec.class_count, int(is_real.sum()))
        clusters[is_real] = cluster_latents(mean[is_real], n_classes)
    return clusters


def _score_classes(truth: Truth, found: NDArray[np.int64] | None) -> Scores:
    """Recovery of classes; junk is left out."""
    if found is None:
        return {}
    is_real = truth.labels != JUNK
    agreement = compare_classes(found[is_real], truth.labels[is_real])
    return {
        "class accuracy": agreement.accuracy,
        "adjusted Rand index": agreement.adjusted_rand_index,
        "F1 of the rarest class": agreement.rarest_f1,
    }


def _score_latents(truth: Truth, mean: NDArray[np.float32]) -> Scores:
    """Recovery of motions, and whether junk stands apart."""
    scores: Scores = {}
    is_real = truth.labels != JUNK
    if is_real.sum() < 2:  # noqa: PLR2004  of which none can be predicted from others
        return scores
    for name, coordinate in zip(coordinate_names(truth.spec), truth.motion[is_real].T, strict=True):
        of_axis = axis_rank_correlation(mean[is_real], coordinate)
        scores[f"rank correlation of {name}, best axis"] = of_axis
        readout = readout_rank_correlation(mean[is_real], coordinate)
        scores[f"rank correlation of {name}, linear readout"] = readout
    if 0 < is_real.sum() < len(mean):
        scores["junk outside the latent cloud (AUC)"] = outlier_auc(mean, ~is_real)
    return scores


def _score_decoded(
    truth: Truth, simulation: Simulation, findings: Findings, n_decoded: int
) -> Scores:
    """Volumes of single particles against their own true ones, and their posteriors."""
    real = np.flatnonzero(truth.labels != JUNK)
    n_decoded = min(n_decoded, len(real))
    if findings.decode is None or findings.mean is None or not n_decoded:
        return {}
    rng = np.random.default_rng(0)
    some = np.sort(rng.choice(real, n_decoded, replace=False))
    own = findings.rows[some]
    areas, average = [], np.zeros_like(truth.maps[0])
    for found, true in zip(
        findings.decode(findings.mean[some]), _true_volumes(simulation, own), strict=True
    ):
        areas.append(area_under_fsc(found, _cropped(true, len(found))))
        average += true / n_decoded
    one_for_all = [area_under_fsc(average, true) for true in _true_volumes(simulation, own)]
    scores = {
        "per-image AUC-FSC, mean": float(np.mean(areas)),
        "per-image AUC-FSC, standard deviation": float(np.std(areas)),
        "per-image AUC-FSC, one true map for all": float(np.mean(one_for_all)),
    }
    if findings.covariance is not None:
        most = min(len(real), _PARTICLES_OF_CALIBRATION)
        scores |= _score_posteriors(simulation, findings, rng.choice(real, most, replace=False))
    return scores


def _score_posteriors(
    simulation: Simulation, findings: Findings, some: NDArray[np.int64]
) -> Scores:
    """Calibration of posteriors; nothing for a decoder that is not linear in the latents."""
    if findings.decode is None or findings.mean is None or findings.covariance is None:
        return {}
    mean, covariance = findings.mean[some], findings.covariance[some]
    typical = np.sqrt((mean.astype(np.float64) ** 2).mean(0)).astype(np.float32)
    found = linear_basis(findings.decode, typical)
    if found is None:
        return {}
    weights = findings.shell_weights
    origin = as_images_see(found[0], weights)
    basis = np.stack([as_images_see(each, weights) for each in found[1]])
    true = np.stack(
        [
            as_images_see(volume, weights)
            for volume in _in_frame_of_run(simulation, findings, some, len(origin))
        ]
    )
    if findings.turn is not None:
        true *= np.float32(_scale_of(origin + np.tensordot(mean.mean(0), basis, 1), true.mean(0)))
    coordinates = coordinates_on(basis, origin, true)
    return {
        f"true coordinates in {level:.0%} regions": fraction
        for level, fraction in coverage(coordinates, mean, covariance).items()
    }


def _in_frame_of_run(
    simulation: Simulation, findings: Findings, some: NDArray[np.int64], box_size_px: int
) -> Iterator[NDArray[np.float32]]:
    """(D, D, D) true volume of some particles of a run, in its box and as its poses have them."""
    volumes = _true_volumes(simulation, findings.rows[some])
    turns = None if findings.turn is None else findings.turn[some]
    for row, volume in enumerate(volumes):
        yield _cropped(volume if turns is None else turned(volume, turns[row]), box_size_px)


def _scale_of(found: NDArray[np.floating], true: NDArray[np.floating]) -> float:
    """Factor of a true volume that comes closest to the one found, over all but their means."""
    centered = true - true.mean()
    return float((found * centered).sum() / (centered * centered).sum())


def _class_latents(
    truth: Truth, mean: NDArray[np.float32] | None, clusters: NDArray[np.int64] | None
) -> NDArray[np.float32] | None:
    """(classes, Z) mean latent of the cluster that shows each true class."""
    if mean is None or clusters is None:
        return None
    is_real = truth.labels != JUNK
    renamed = compare_classes(clusters[is_real], truth.labels[is_real]).renamed
    members = [mean[is_real][renamed == label] for label in range(truth.spec.class_count)]
    return np.stack([rows.mean(0) if len(rows) else mean.mean(0) for rows in members])


def _likelihood_accuracy(truth: Truth, simulation: Simulation) -> float:
    """Accuracy of a classifier that knows all but the classes, on up to 500 particles."""
    n_particles = min(truth.spec.n_particles, _PARTICLES_OF_BOUND)
    best, labels = most_likely_classes(simulation, n_particles), truth.labels[:n_particles]
    return float((best == labels)[labels != JUNK].mean())


def _true_volumes(
    simulation: Simulation, particles: NDArray[np.int64]
) -> Iterator[NDArray[np.float32]]:
    """(D, D, D) volume of each particle, few in memory at a time."""
    for first in range(0, len(particles), _VOLUMES_AT_ONCE):
        yield from simulation.true_volumes(particles[first : first + _VOLUMES_AT_ONCE])


def _cropped(volume: NDArray[np.float32], box_size_px: int) -> NDArray[np.float32]:
    """A true volume in the box of the run, which may be downsampled."""
    if len(volume) == box_size_px:
        return volume
    return crop_volumes(torch.from_numpy(volume), box_size_px).numpy()
