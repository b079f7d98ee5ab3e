"""The epochs of a run with latents, compared with each other and with held-out tilts."""

from __future__ import annotations

import json
import logging
import pickle
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Final

import pandas as pd

from tomodrgn.core.analysis.held_out_verdict import Verdict, judge
from tomodrgn.core.data.checkups import read_activity, read_held_out
from tomodrgn.core.data.epochs import Epochs, find_epochs, read_metrics
from tomodrgn.core.display import logging_to
from tomodrgn.core.errors import DataError
from tomodrgn.core.files.atomic import make_folder, write_bytes_atomic, write_text_atomic
from tomodrgn.core.ownership.results import begin_results
from tomodrgn.core.report.shown import ShownAsText
from tomodrgn.plugins.commands.convergence.latent_shifts import latent_shifts
from tomodrgn.plugins.commands.convergence.maps import map_latents
from tomodrgn.plugins.commands.convergence.masking import mask_rule
from tomodrgn.plugins.commands.convergence.pictures import ConvergencePictures
from tomodrgn.plugins.commands.convergence.sketching import SketchRule, representatives, sketch
from tomodrgn.plugins.commands.convergence.volumes import compare_volumes, decode_epoch, find_truth

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from tomodrgn.core.data.run import Run
    from tomodrgn.plugins.commands.convergence.spec import ConvergenceVaeSpec
    from tomodrgn.plugins.commands.convergence.volumes import VolumeAgreement

logger = logging.getLogger(__name__)

FINDINGS: Final = "convergence.json"
SHIFTS: Final = "vector_metrics.pkl"
_FEW_EPOCHS: Final = 3
_NOTHING_HELD_OUT: Final = (
    "no tilts were held out, so no epoch can be recommended; train with --fraction-train 0.8"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Tables:
    """What a run recorded of its epochs, up to the last one that is looked at."""

    metrics: pd.DataFrame
    held_out: pd.DataFrame
    activity: pd.DataFrame

    @property
    def training_error(self) -> pd.Series[float]:
        """Reconstruction loss by epoch."""
        return self.metrics.set_index("epoch")["generative"]


@dataclass(frozen=True, slots=True)
class Convergence(ShownAsText):
    """What the epochs of a run say, and the folder that has it, as which it can be used.

    Attributes:
        outdir: the folder.
        findings: plain values.
    """

    stem: ClassVar[str] = "convergence"

    outdir: Path
    findings: dict[str, Any]
    _tables: _Tables
    _verdict: Verdict | None

    def __fspath__(self) -> str:
        """The folder."""
        return str(self.outdir)

    def page(self) -> str:
        """What is printed."""
        return f"{self.outdir}\n"

    def words(self) -> str:
        """Which epoch is recommended and why, and what speaks against the run."""
        if self._verdict is None:
            return f"{_NOTHING_HELD_OUT}\n"
        warnings = (f"{name}: {words}\n" for name, words in self._verdict.warnings.items())
        return "".join([f"recommended: {self._verdict.reason}\n", *warnings])

    def as_json(self) -> dict[str, Any]:
        """Plain values."""
        return self.findings

    def draw(self, path: Path | str) -> None:
        """Draw errors of held-out tilts and of training by epoch.

        Args:
            path: of the picture, ``.png``, ``.svg`` or ``.pdf``.

        Raises:
            DataError: no tilts were held out.
        """
        from tomodrgn.core.figures.held_out import held_out

        if self._verdict is None:
            raise DataError(_NOTHING_HELD_OUT)
        epoch = self._verdict.recommended_epoch
        held_out(Path(path), self._tables.held_out, self._tables.training_error, epoch)


def convergence_vae(run: Run, spec: ConvergenceVaeSpec) -> Convergence:
    """Compare the epochs of a run with latents.

    Raises:
        RunError: the run has too few epochs, or not the one that is asked for.
        DataError: a known map or a mask cannot be used.
    """
    epochs = find_epochs(run.directory, spec.epoch, interval=spec.epoch_interval)
    truth = find_truth(run, spec)
    mask_rule(spec)
    tables = _read_tables(run.directory, epochs.last)
    outdir = spec.outdir or run.directory / f"convergence.{epochs.last}"
    begin_results(outdir)
    make_folder(outdir / "plots")
    with logging_to(outdir / "convergence.log") as begin_log:
        begin_log()
        if len(epochs.saved) < _FEW_EPOCHS:
            logger.warning("only %d epochs are there to be compared", len(epochs.saved))
        pictures = ConvergencePictures(outdir / "plots", spec.plot_format)
        shifts = latent_shifts(epochs.all_latents())
        _pickle(outdir / SHIFTS, shifts)
        maps = map_latents(spec, epochs, outdir, _seed(run, spec))
        groups = sketch(maps.sketched, _sketch_rule(spec))
        verdict = _judge(tables)
        pictures.of_latents(epochs, tables.metrics, shifts, maps, groups)
        pictures.of_checkups(tables.held_out, tables.activity, tables.training_error, verdict)
        places: dict[int, NDArray[np.int64]] = {}
        for epoch in epochs.shown:
            latents = epochs.latents(epoch)[maps.subset]
            places[epoch] = representatives(latents, groups.supports)
            decode_epoch(
                run,
                spec,
                outdir,
                epoch=epoch,
                weights=epochs.files[epoch].weights,
                latents=latents[places[epoch]],
            )
        pictures.of_places(maps, places, groups)
        found = compare_volumes(spec, outdir, epochs.shown, len(groups.names), truth)
        if found is not None:
            pictures.of_volumes(epochs.shown, found, groups.names)
        findings = _report(outdir, epochs, tables, verdict, found)
    return Convergence(outdir, findings, tables, verdict)


def _read_tables(run: Path, last: int) -> _Tables:
    def table(rows: list[Any]) -> pd.DataFrame:
        frame = pd.DataFrame([asdict(row) for row in rows])
        return frame if frame.empty else frame[frame["epoch"] <= last]

    metrics = read_metrics(run)
    return _Tables(
        metrics=metrics[metrics["epoch"] <= last],
        held_out=table(read_held_out(run)),
        activity=table(read_activity(run)),
    )


def _judge(tables: _Tables) -> Verdict | None:
    if tables.held_out.empty:
        return None
    return judge(tables.held_out, tables.training_error)


def _seed(run: Run, spec: ConvergenceVaeSpec) -> int:
    """Seed of the draw of particles."""
    if spec.random_seed is not None:
        return spec.random_seed
    return run.spec.seed or 0


def _sketch_rule(spec: ConvergenceVaeSpec) -> SketchRule:
    return SketchRule(
        n_bins=spec.n_bins,
        smooth_width=spec.smooth_width if spec.smooth == "True" else None,
        pruned_maxima=spec.pruned_maxima,
        radius=spec.radius,
        final_maxima=spec.final_maxima,
    )


def _report(
    outdir: Path,
    epochs: Epochs,
    tables: _Tables,
    verdict: Verdict | None,
    found: VolumeAgreement | None,
) -> dict[str, Any]:
    """Write the findings, and say them; they are returned as plain values."""
    findings: dict[str, Any] = {"epochs": epochs.saved, "shown_epochs": epochs.shown}
    if verdict is None:
        findings |= {"recommended_epoch": None, "reason": _NOTHING_HELD_OUT, "warnings": {}}
        logger.info(_NOTHING_HELD_OUT)
    else:
        weights = epochs.files.get(verdict.recommended_epoch)
        findings |= asdict(verdict) | {"weights": weights and weights.weights.name}
        logger.info("recommended: %s", verdict.reason)
        for name, words in verdict.warnings.items():
            logger.warning("%s: %s", name, words)
    findings["held_out"] = tables.held_out.to_dict("records")
    findings["activity"] = tables.activity.to_dict("records")
    if found is not None:
        findings["last_correlation"] = found.correlations[:, -1].tolist()
        if found.truth_fsc is not None:
            findings["truth_fsc"] = dict(
                zip(map(str, epochs.shown), found.truth_fsc.mean(1).tolist(), strict=True)
            )
    write_text_atomic(outdir / FINDINGS, json.dumps(findings, indent=1) + "\n")
    return findings


def _pickle(path: Path, values: object) -> None:
    write_bytes_atomic(path, pickle.dumps(values, protocol=4))
