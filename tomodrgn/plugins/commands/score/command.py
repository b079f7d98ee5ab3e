"""Scores of a run on simulated data, as a table and as a picture."""

from __future__ import annotations

import json
import logging
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Final

import numpy as np
import torch

from tomodrgn.core.data.refining import as_refined
from tomodrgn.core.errors import DataError, RunError
from tomodrgn.core.files.arrays import read_npy
from tomodrgn.core.files.atomic import write_text_atomic
from tomodrgn.core.files.labels import read_labels
from tomodrgn.core.files.mrc import read_volume
from tomodrgn.core.files.pickles import read_latents
from tomodrgn.core.ownership.results import begin_results
from tomodrgn.core.particles.identity import match_particles
from tomodrgn.core.particles.outliers_file import CALLED, RARE_PROBABILITY, read_outliers
from tomodrgn.core.products import (
    COVARIANCE,
    LABELS,
    LATENTS,
    LINEAR,
    MEAN_MAP,
    OUTLIERS,
    RUN_SPEC,
)
from tomodrgn.core.report.drawing import drawing
from tomodrgn.core.report.shown import ShownAsText
from tomodrgn.core.simulation.forward import design
from tomodrgn.core.simulation.structures import build_structure
from tomodrgn.core.simulation.tomograms import names_of
from tomodrgn.core.simulation.truth import read_truth
from tomodrgn.plugins.commands.score.scores import Comparison, Findings, compare

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from tomodrgn.core.data.inputs import Inputs
    from tomodrgn.core.data.run import Run
    from tomodrgn.core.simulation.forward import Simulation
    from tomodrgn.core.simulation.truth import Truth
    from tomodrgn.plugins.commands.score.spec import ScoreSpec

logger = logging.getLogger(__name__)

RECOVERY: Final = "recovery.png"
SCORES: Final = "scores.json"
CLASS_LATENTS: Final = "class_latents.txt"
TWO_CLASSES: Final = 2


class Scores(ShownAsText, dict[str, float]):
    """Scores by name, and the file that has them.

    Args:
        values: the scores.
        path: the file.
        found: what they were reckoned from, where it is to be drawn.
    """

    stem: ClassVar[str] = "scores"

    def __init__(
        self, values: dict[str, float], path: Path, found: Comparison | None = None
    ) -> None:
        super().__init__(values)
        self.path = path
        self._found = found

    def page(self) -> str:
        """What is printed."""
        return f"{self.path}\n"

    def words(self) -> str:
        """The scores, a line each."""
        width = max(map(len, self), default=0)
        return "".join(f"{name:<{width}}  {value}\n" for name, value in self.items())

    def as_json(self) -> dict[str, Any]:
        """The scores by name."""
        return dict(self)

    def draw(self, path: Path | str) -> None:
        """Draw what the run found beside what was simulated.

        Args:
            path: of the picture, ``.png``, ``.svg`` or ``.pdf``.

        Raises:
            DataError: nothing is known but the scores.
        """
        if self._found is None:
            raise DataError("only the scores are known, so there is nothing to draw; score again")
        _draw(Path(path), self._found)


def score(inputs: Inputs, spec: ScoreSpec) -> Scores:
    """How well a run recovered what was simulated, by name.

    Writes ``scores.json``, ``class_latents.txt`` (mean latent of the cluster of each true class,
    for ``eval_vol --zfile``) and ``recovery.png``, and logs the scores.

    Raises:
        DataError: the truth is missing or does not fit the run.
        RunError: the run has neither latents nor classes nor volumes yet.
    """
    truth = read_truth(spec.truth)
    is_run = (spec.run / RUN_SPEC).exists()
    simulation = design(truth.spec, build_structure(truth.spec))
    findings = _gather(spec, truth, simulation, inputs.run(spec.run) if is_run else None)
    found = compare(truth, simulation, findings, n_decoded=spec.n_decoded)
    out = spec.out or spec.run
    begin_results(out)
    _write(out, found)
    with drawing(RECOVERY):
        _draw(out / RECOVERY, found)
    scores = Scores(found.scores, out / SCORES, found)
    for line in scores.words().splitlines():
        logger.info(line)
    return scores


def _gather(spec: ScoreSpec, truth: Truth, simulation: Simulation, opened: Run | None) -> Findings:
    """What a run directory, or a folder without a run, holds.

    Raises:
        DataError: it is about other particles, or in another box.
        RunError: it holds nothing that could be scored.
    """
    run = spec.run
    volumes, pixel_size_a = _read_volumes(_find_volumes(spec), truth)
    has_latents, has_labels = (run / LATENTS).exists(), (run / LABELS).exists()
    if not (volumes or has_latents or has_labels):
        raise RunError(
            f"{run}: holds neither {LATENTS} nor {LABELS} nor volumes; train there first, or name "
            "the folder of volumes"
        )
    known: dict[str, Any] = {"rows": np.arange(truth.spec.n_particles)}
    if opened is not None and (has_latents or has_labels):
        known = {"rows": _rows_of_run(spec, truth, opened)}
    if has_latents:
        known |= _read_posteriors(run, len(known["rows"]))
    if has_latents and opened is not None and opened.weights.exists():
        known["decode"] = partial(_decode, opened)
        known["turn"] = _turns_of_run(opened, simulation, known["rows"])
        known["shell_weights"] = _shell_weights(run / LINEAR)
    if has_labels:
        known["labels"] = _read_classes(run / LABELS, len(known["rows"]))
        logger.info("classes are those of %s", run / LABELS)
    elif truth.spec.class_count == TWO_CLASSES and opened is not None:
        rare = _rare_state(run, opened)
        if rare is not None:
            known["labels"] = rare
            logger.info("classes are the rare state and the others, of %s", run / OUTLIERS)
    return Findings(**known, volumes=volumes, pixel_size_a=pixel_size_a)


def _rows_of_run(spec: ScoreSpec, truth: Truth, run: Run) -> NDArray[np.int64]:
    """(B,) simulated particles of the latents or labels of a run, found by name."""
    try:
        return match_particles(names_of(truth.spec), run.particles)
    except DataError as error:
        error.add_note(f"{spec.run} is to be a run on particles that lie in {spec.truth}")
        raise


def _turns_of_run(
    run: Run, simulation: Simulation, rows: NDArray[np.int64]
) -> NDArray[np.float64] | None:
    """(B, 3, 3) how true volumes are turned in the poses that a run refined; None without any."""
    corrections = as_refined(run.directory, run.particles).corrections
    if corrections is None:
        return None
    experiment = simulation.experiment
    stated, true = experiment.stated.orientation[rows], experiment.orientation[rows]
    return np.asarray(corrections.rotation @ stated.swapaxes(1, 2) @ true)


def _shell_weights(path: Path) -> NDArray[np.float64] | None:
    """(D/2 + 1,) what images say of a coefficient, where the figures of a linear model tell."""
    if not path.exists():
        return None
    try:
        weights = json.loads(path.read_text(encoding="utf-8")).get("shell_weights")
    except ValueError as error:
        raise DataError(f"{path}: is no JSON file ({error}); train again") from error
    return None if weights is None else np.array(weights, dtype=np.float64)


def _read_posteriors(run: Path, n_particles: int) -> dict[str, NDArray[np.float32]]:
    """Mean and covariance of the latents."""
    mean, log_variance = read_latents(run / LATENTS)
    _refuse_other_count(run / LATENTS, len(mean), n_particles)
    if not np.isfinite(mean).all():
        raise DataError(f"{run / LATENTS}: holds numbers that are not finite; train again")
    found = {"mean": mean}
    if (run / COVARIANCE).exists():
        found["covariance"] = _read_covariance(run / COVARIANCE, *mean.shape)
    elif log_variance is not None:
        variance = np.exp(log_variance).clip(np.finfo(np.float32).tiny)
        found["covariance"] = variance[:, :, None] * np.eye(mean.shape[1], dtype=np.float32)
    return found


def _read_covariance(path: Path, n_particles: int, latent_dim: int) -> NDArray[np.float32]:
    """(B, Z, Z) covariances of posteriors."""
    found = read_npy(path)
    expected = (n_particles, latent_dim, latent_dim)
    is_right = found.shape == expected and np.isfinite(found).all()
    if not is_right or not np.linalg.eigvalsh(found).min() > 0:
        raise DataError(
            f"{path}: is to hold positive definite matrices of shape {expected}, found an array of "
            f"shape {found.shape}; remove it, and the variances in {LATENTS} are used"
        )
    return found.astype(np.float32)


def _read_classes(path: Path, n_particles: int) -> NDArray[np.int64]:
    labels = read_labels(path)
    _refuse_other_count(path, len(labels), n_particles)
    return np.unique(labels, return_inverse=True)[1].astype(np.int64)


def _rare_state(folder: Path, run: Run) -> NDArray[np.int64] | None:
    """(B,) 1 for particles that a run says are of a rare state; None where it names none."""
    found = read_outliers(folder, run.particles)
    if found is None or RARE_PROBABILITY not in found:
        return None
    return (found[RARE_PROBABILITY] > CALLED).astype(np.int64)


def _refuse_other_count(path: Path, n_found: int, n_particles: int) -> None:
    if n_found != n_particles:
        raise DataError(
            f"{path}: is about {n_found} particles, the run or the simulation beside it has "
            f"{n_particles}; without a {RUN_SPEC} beside it, all that were simulated are needed"
        )


def _decode(run: Run, latents: NDArray[np.float32]) -> Any:
    """(D, D, D) volumes of latents, one after the other."""
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    return run.decode(latents, device=device)


def _find_volumes(spec: ScoreSpec) -> list[Path]:
    """Decoded volumes of a run, or maps of its classes, or its one reconstruction."""
    folder = spec.volumes or spec.run / "volumes"
    decoded = sorted(folder.glob("vol_*.mrc"))
    classes = sorted((spec.volumes or spec.run).glob("class_[0-9][0-9][0-9].mrc"))
    consensus = spec.run / MEAN_MAP
    return decoded or classes or [path for path in [consensus] if path.exists()]


def _read_volumes(
    paths: list[Path], truth: Truth
) -> tuple[dict[str, NDArray[np.float32]], float | None]:
    """Volumes in the box of the true maps, and their pixel size."""
    read = [read_volume(path) for path in paths]
    for path, (volume, _) in zip(paths, read, strict=True):
        if volume.shape != truth.maps[0].shape:
            raise DataError(
                f"{path}: box {volume.shape} differs from that of the maps, {truth.maps[0].shape}; "
                "decode without downsampling"
            )
    named = {path.name: volume for path, (volume, _) in zip(paths, read, strict=True)}
    return named, read[0][1] if read else None


def _write(out: Path, found: Comparison) -> None:
    write_text_atomic(out / SCORES, json.dumps(found.scores, indent=2) + "\n")
    if found.class_latents is not None:
        rows = (" ".join(f"{value:.6f}" for value in row) for row in found.class_latents.tolist())
        write_text_atomic(out / CLASS_LATENTS, "".join(f"{row}\n" for row in rows))


def _draw(path: Path, found: Comparison) -> None:
    """Draw what a run found beside what was simulated."""
    from tomodrgn.plugins.commands.score.figures import RecoveredMap, recovery

    maps = [
        RecoveredMap(
            label=pair.label,
            decoded=found.volumes[pair.volume],
            true=found.truth.maps[pair.label],
            fsc=pair.curve,
        )
        for pair in found.pairs
    ]
    recovery(
        path,
        mean=found.mean,
        labels=found.truth.labels,
        maps=maps,
        pixel_size_a=found.pixel_size_a,
    )
