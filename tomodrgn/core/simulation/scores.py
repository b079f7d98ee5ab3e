"""Scores of a run on simulated tilt series: classes, motion and volumes against the truth."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from tomodrgn.core.errors import DataError, RunError
from tomodrgn.core.files.atomic import write_text_atomic
from tomodrgn.core.files.mrc import read_volume
from tomodrgn.core.files.pickles import read_latents
from tomodrgn.core.simulation.agreement import (
    cluster_latents,
    compare_classes,
    compare_maps,
    motion_rank_correlation,
)
from tomodrgn.core.simulation.forward import design
from tomodrgn.core.simulation.likelihood import most_likely_classes
from tomodrgn.core.simulation.structures import build_structure
from tomodrgn.core.simulation.truth import read_truth

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray

    from tomodrgn.core.simulation.agreement import MapAgreement
    from tomodrgn.core.simulation.truth import Truth
    from tomodrgn.core.specs.simulation import ScoreSpec

LATENTS_NAME = "z.pkl"
CONSENSUS_NAME = "reconstruct.mrc"
SCORES_NAME = "scores.json"
CLASS_LATENTS_NAME = "class_latents.txt"

_PARTICLES_OF_BOUND = 500


@dataclass(frozen=True, slots=True, kw_only=True)
class Comparison:
    """What a run found, beside what was simulated.

    Attributes:
        truth: what was simulated.
        scores: figures by name: numbers between 0 and 1 (a correlation may be negative).
        mean: (B, Z) latents; None for a run without any.
        volumes: (D, D, D) decoded volumes; none where nothing is decoded yet.
        pairs: each true map with the volume that shows it.
        pixel_size_a: pixel size of the volumes; None without any.
    """

    truth: Truth
    scores: dict[str, Any]
    mean: NDArray[np.float32] | None
    volumes: list[NDArray[np.float32]]
    pairs: list[MapAgreement]
    pixel_size_a: float | None


def compare_run(spec: ScoreSpec) -> Comparison:
    """How well a run recovered what was simulated; the scores also go to ``scores.json``.

    Latents are clustered into as many classes as there are. The mean latent of each cluster goes to
    ``class_latents.txt``, one row per true class, for ``eval_vol --zfile``. Volumes that have been
    decoded are compared with the true maps.

    Raises:
        DataError: the truth is missing or does not fit the run.
        RunError: the run has neither latents nor volumes yet.
    """
    truth = read_truth(spec.truth)
    out = spec.out or spec.run
    scores: dict[str, Any] = {}
    mean = None
    if (spec.run / LATENTS_NAME).exists():
        mean = _read_latents(spec.run / LATENTS_NAME, truth)
        scores |= _score_latents(mean, truth, out)
    paths = _find_volumes(spec)
    volumes, pixel_size_a = _read_volumes(paths, truth)
    pairs = compare_maps(volumes, list(truth.maps)) if volumes else []
    for pair in pairs:
        name = f"mean FSC of class {pair.label} with {paths[pair.volume].name}"
        scores[name] = _rounded(pair.mean)
    if not scores:
        raise RunError(
            f"{spec.run}: holds neither {LATENTS_NAME} nor volumes; train there first, or name the "
            "folder of volumes"
        )
    write_text_atomic(out / SCORES_NAME, json.dumps(scores, indent=2) + "\n")
    return Comparison(
        truth=truth,
        scores=scores,
        mean=mean,
        volumes=volumes,
        pairs=pairs,
        pixel_size_a=pixel_size_a,
    )


def _read_latents(path: Path, truth: Truth) -> NDArray[np.float32]:
    """(B, Z) latents of the particles that were simulated."""
    mean, _ = read_latents(path)
    if len(mean) != len(truth.labels):
        raise DataError(
            f"{path}: holds latents of {len(mean)} particles, {len(truth.labels)} were simulated; "
            "score a run on all of them"
        )
    return mean


def _score_latents(mean: NDArray[np.float32], truth: Truth, out: Path) -> dict[str, Any]:
    """Recovery of classes and motion."""
    scores: dict[str, Any] = {}
    n_classes = truth.spec.class_count
    if n_classes > 1:
        found = compare_classes(cluster_latents(mean, n_classes), truth.labels)
        scores["class accuracy"] = _rounded(found.accuracy)
        scores["adjusted Rand index"] = _rounded(found.adjusted_rand_index)
        scores["accuracy with known maps"] = _rounded(_likelihood_accuracy(truth))
        centres = np.stack([mean[found.renamed == label].mean(0) for label in range(n_classes)])
    else:
        centres = mean.mean(0, keepdims=True)
    rows = (" ".join(f"{value:.6f}" for value in centre) for centre in centres.tolist())
    write_text_atomic(out / CLASS_LATENTS_NAME, "".join(f"{row}\n" for row in rows))
    if truth.spec.motion != "none":
        scores["motion rank correlation"] = _rounded(
            motion_rank_correlation(mean, truth.motion[:, 0])
        )
    return scores


def _likelihood_accuracy(truth: Truth) -> float:
    """Accuracy of a classifier that knows all but the classes, on up to 500 particles."""
    simulation = design(truth.spec, build_structure(truth.spec))
    n_particles = min(truth.spec.n_particles, _PARTICLES_OF_BOUND)
    best = most_likely_classes(simulation, n_particles)
    return float((best == truth.labels[:n_particles]).mean())


def _find_volumes(spec: ScoreSpec) -> list[Path]:
    """Decoded volumes of a run, or its one reconstruction."""
    folder = spec.volumes or spec.run / "volumes"
    consensus = spec.run / CONSENSUS_NAME
    found = sorted(folder.glob("vol_*.mrc"))
    return found or [path for path in [consensus] if path.exists()]


def _read_volumes(
    paths: list[Path], truth: Truth
) -> tuple[list[NDArray[np.float32]], float | None]:
    """Volumes in the box of the true maps, and their pixel size."""
    read = [read_volume(path) for path in paths]
    for path, (volume, _) in zip(paths, read, strict=True):
        if volume.shape != truth.maps[0].shape:
            raise DataError(
                f"{path}: box {volume.shape} differs from that of the maps, {truth.maps[0].shape}; "
                "decode without downsampling"
            )
    return [volume for volume, _ in read], read[0][1] if read else None


def _rounded(value: float) -> float:
    """Four digits."""
    return round(value, 4)
