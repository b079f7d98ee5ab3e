"""Each epoch of a run of one structure against a known map."""

from __future__ import annotations

import logging
import pickle
import re
from typing import TYPE_CHECKING, Final

import numpy as np

from tomodrgn.core.display import logging_to
from tomodrgn.core.errors import DataError, RunError
from tomodrgn.core.files.atomic import write_bytes_atomic
from tomodrgn.core.files.mrc import read_volume
from tomodrgn.core.ownership.results import begin_results
from tomodrgn.core.report.drawing import drawing
from tomodrgn.plugins.commands.convergence.agreement import curve_numbers, masked_fsc, shell_freqs
from tomodrgn.plugins.commands.convergence.masking import mask_rule

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray

    from tomodrgn.core.analysis.masks import MaskRule
    from tomodrgn.plugins.commands.convergence.agreement import CurveNumbers
    from tomodrgn.plugins.commands.convergence.spec import ConvergenceNnSpec

logger = logging.getLogger(__name__)

CURVES: Final = "freqs_fscs.pkl"
_VOLUME = re.compile(r"reconstruct\.(\d+)\.mrc")
_NUMBERS: Final = {
    "at_half_map_threshold": "frequency (1/px) at FSC 0.143",
    "at_model_threshold": "frequency (1/px) at FSC 0.5",
    "integral": "integral of the FSC up to 0.143",
}


def convergence_nn(spec: ConvergenceNnSpec) -> Path:
    """Compare the volumes of a run with a known map; the folder of the results.

    Raises:
        RunError: the run has no volumes of epochs.
        DataError: the map, the mask or a volume does not fit the others.
    """
    volumes = _epoch_volumes(spec)
    reference, _ = read_volume(spec.reference)
    rule = mask_rule(spec)
    fscs = np.stack([_curve(path, spec, reference, rule) for path in volumes.values()])
    _, pixel_size_a = read_volume(next(iter(volumes.values())))
    first = 0 if spec.include_dc else 1
    freqs, fscs = shell_freqs(len(reference))[first:], fscs[:, first:]
    numbers = [curve_numbers(freqs, curve) for curve in fscs]
    outdir = spec.outdir or spec.run / f"convergence.{len(volumes)}"
    begin_results(outdir)
    with logging_to(outdir / "convergence_nn.log", verbose=False) as begin_log:
        begin_log()
        write_bytes_atomic(outdir / CURVES, pickle.dumps((freqs, fscs), protocol=4))
        _log(list(volumes), numbers)
        curves = dict(zip(volumes, fscs, strict=True))
        _draw(outdir, spec, curves, freqs, numbers, pixel_size_a=pixel_size_a)
    return outdir


def _epoch_volumes(spec: ConvergenceNnSpec) -> dict[int, Path]:
    """Volumes by epoch, ascending."""
    matches = (_VOLUME.fullmatch(path.name) for path in spec.run.glob("reconstruct.*.mrc"))
    epochs = sorted(int(match[1]) for match in matches if match)
    wanted = [epoch for epoch in epochs if spec.max_epoch is None or epoch < spec.max_epoch]
    if not wanted:
        limit = "" if spec.max_epoch is None else f" below epoch {spec.max_epoch}"
        raise RunError(
            f"{spec.run}: no reconstruct.N.mrc{limit}; give the run directory of train_nn"
        )
    return {epoch: spec.run / f"reconstruct.{epoch}.mrc" for epoch in wanted}


def _curve(
    path: Path, spec: ConvergenceNnSpec, reference: NDArray[np.float32], rule: MaskRule
) -> NDArray[np.float64]:
    volume, _ = read_volume(path)
    if volume.shape != reference.shape:
        raise DataError(
            f"{spec.reference}: {reference.shape} voxels, those of the run have {volume.shape}; "
            "resample the map, for example with tomodrgn downsample --is-vol"
        )
    return masked_fsc(reference, volume, rule)


def _log(epochs: list[int], numbers: list[CurveNumbers]) -> None:
    """The best and the last value of each number."""
    for name, words in _NUMBERS.items():
        values = np.array([getattr(each, name) for each in numbers])
        best = int(values.argmax())
        logger.info(
            "%s: largest %.4f in epoch %d, %.4f in the last epoch %d",
            words,
            values[best],
            epochs[best],
            values[-1],
            epochs[-1],
        )


def _draw(
    outdir: Path,
    spec: ConvergenceNnSpec,
    curves: dict[int, NDArray[np.float64]],
    freqs: NDArray[np.float64],
    numbers: list[CurveNumbers],
    *,
    pixel_size_a: float,
) -> None:
    with drawing("pictures of convergence"):
        from tomodrgn.plugins.commands.convergence.figures import known_map as figures

        def place(name: str) -> Path:
            return outdir / f"convergence_nn_{name}.{spec.plot_format}"

        epochs = list(curves)
        for threshold, name in (("0.143", "at_half_map_threshold"), ("0.5", "at_model_threshold")):
            limits = np.array([getattr(each, name) for each in numbers]) / pixel_size_a
            path = place(f"fsc{threshold}resolution")
            figures.resolution_by_epoch(path, epochs, limits, threshold)
        integrals = np.array([each.integral for each in numbers])
        figures.integral_by_epoch(place("fsc0.143integral"), epochs, integrals)
        figures.curves_by_epoch(place("fullfsc_all"), curves, freqs / pixel_size_a)
        last = {epochs[-1]: curves[epochs[-1]]}
        figures.curves_by_epoch(place("fullfsc_final"), last, freqs / pixel_size_a)
