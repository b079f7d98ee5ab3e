"""Volumes of representative latents at several epochs, and how far they agree."""

from __future__ import annotations

import glob
import logging
import pickle
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING, Final

import numpy as np

from tomodrgn.core.decoding.volumes import Decoding, write_decoded
from tomodrgn.core.errors import DataError
from tomodrgn.core.files.atomic import write_bytes_atomic
from tomodrgn.core.files.latent_table import write_latent_table
from tomodrgn.core.files.mrc import read_volume
from tomodrgn.core.files.pickles import read_latents
from tomodrgn.core.ownership.call import remove
from tomodrgn.core.training.devices import Devices
from tomodrgn.plugins.commands.convergence.agreement import (
    correlation_matrix,
    masked_correlation,
    masked_fsc,
    shell_freqs,
)
from tomodrgn.plugins.commands.convergence.masking import mask_rule

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from tomodrgn.core.analysis.masks import MaskRule
    from tomodrgn.core.data.run import Run
    from tomodrgn.plugins.commands.convergence.spec import ConvergenceVaeSpec

logger = logging.getLogger(__name__)

CORRELATIONS: Final = "cc_masked.pkl"
CURVES: Final = "fsc_masked.pkl"
FREQS: Final = "fsc_masked_frequencies.pkl"
WITHIN: Final = "cc_masked_alltoall.pkl"
WITH_TRUTH: Final = "cc_masked_alltogroundtruth.pkl"

Volumes = list["NDArray[np.float32]"]


@dataclass(frozen=True, slots=True, kw_only=True)
class VolumeAgreement:
    """How far the volumes of L groups agree over E epochs.

    Attributes:
        pixel_size_a: of the volumes.
        freqs: (F,) cycles/px.
        correlations: (L, E - 1) of successive epochs.
        curves: (L, E - 1, F) likewise.
        within: (E, L, L) correlations of groups in each epoch.
        with_truth: (E, T, L) correlations with known maps; None without.
        truth_fsc: (E, T) mean over shells of the FSC of the best volume with each known map.
        truth_names: of the known maps.
    """

    pixel_size_a: float
    freqs: NDArray[np.float64]
    correlations: NDArray[np.float64]
    curves: NDArray[np.float64]
    within: NDArray[np.float64]
    with_truth: NDArray[np.float64] | None
    truth_fsc: NDArray[np.float64] | None
    truth_names: list[str]


def find_truth(run: Run, spec: ConvergenceVaeSpec) -> dict[str, NDArray[np.float32]]:
    """The known maps (D, D, D) by file name, patterns spelt out.

    Raises:
        DataError: a pattern fits no file, or a file is no map of the box of the run.
    """
    paths: list[Path] = []
    for pattern in spec.ground_truth or ():
        found = sorted(Path(name) for name in glob.glob(pattern))  # noqa: PTH207  absolute, too
        if not found:
            raise DataError(f"ground_truth: no file fits {pattern}; give MRC files")
        paths += found
    truth = {path.stem: read_volume(path)[0] for path in dict.fromkeys(paths)}
    if truth:
        edge_px = spec.downsample or run.facts.box_size_px
        _require_shape(truth, (edge_px, edge_px, edge_px))
    return truth


def decode_epoch(
    run: Run,
    spec: ConvergenceVaeSpec,
    outdir: Path,
    *,
    epoch: int,
    weights: Path,
    latents: NDArray[np.float32],
) -> None:
    """Write latents (n, Z) to ``repr_particles/latent_representative.E.txt``, maybe ``vols.E/``."""
    table = outdir / "repr_particles" / f"latent_representative.{epoch}.txt"
    write_latent_table(table, latents)
    if spec.skip_volgen:
        return
    folder = volume_folder(outdir, epoch)
    for path in folder.glob("vol_*.mrc"):
        remove(path)  # of an earlier call with more groups
    # as the table gives them, so that it gives these volumes again
    read = np.atleast_2d(read_latents(table)[0]).astype(np.float32)
    how = Decoding(
        weights=weights,
        flip=spec.flip,
        invert=spec.invert,
        downsample=spec.downsample,
        lowpass_a=spec.lowpass_a,
        pixel_size_a=spec.pixel_size_a,
    )
    if write_decoded(run, read, folder, how, Devices(spec.devices)):
        write_latent_table(folder / "z_values.txt", read)


def volume_folder(outdir: Path, epoch: int) -> Path:
    """Where the volumes of an epoch lie."""
    return outdir / f"vols.{epoch}"


def compare_volumes(
    spec: ConvergenceVaeSpec,
    outdir: Path,
    epochs: Sequence[int],
    n_groups: int,
    truth: dict[str, NDArray[np.float32]],
) -> VolumeAgreement | None:
    """Compare volumes (D, D, D) of epochs, one by one and with the truth; write the numbers.

    Returns:
        What was found; None where volumes are not complete.
    """
    paths = [
        [volume_folder(outdir, epoch) / f"vol_{group:03d}.mrc" for group in range(n_groups)]
        for epoch in epochs
    ]
    if not all(path.exists() for row in paths for path in row):
        logger.info("volumes are not complete, so they are not compared; leave out --skip-volgen")
        return None
    rule = mask_rule(spec)
    with ThreadPoolExecutor(spec.max_threads) as pool:
        pairs = list(pool.map(lambda pair: _successive(pair[0], pair[1], rule), pairwise(paths)))
        inside = list(pool.map(lambda row: _within(row, truth, rule), paths))
    first, pixel_size_a = read_volume(paths[0][0])
    found = VolumeAgreement(
        pixel_size_a=pixel_size_a,
        freqs=shell_freqs(len(first)),
        correlations=np.stack([correlations for correlations, _ in pairs], axis=1),
        curves=np.stack([curves for _, curves in pairs], axis=1),
        within=np.stack([each[0] for each in inside]),
        with_truth=np.stack([each[1] for each in inside]) if truth else None,
        truth_fsc=np.stack([each[2] for each in inside]) if truth else None,
        truth_names=list(truth),
    )
    _write(outdir, found)
    return found


def _require_shape(truth: dict[str, NDArray[np.float32]], shape: tuple[int, ...]) -> None:
    for name, known in truth.items():
        if known.shape != shape:
            raise DataError(
                f"ground_truth: {name} has {known.shape} voxels, volumes have {shape}; resample "
                "it, or give --downsample"
            )


def _successive(
    before: Sequence[Path], after: Sequence[Path], rule: MaskRule
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """(L,) correlations and (L, F) curves of two epochs."""
    correlations, curves = [], []
    for earlier, later in zip(_read(before), _read(after), strict=True):
        correlations.append(masked_correlation(earlier, later, rule(earlier, later)))
        curves.append(masked_fsc(earlier, later, rule))
    return np.array(correlations), np.array(curves)


def _within(
    paths: Sequence[Path], truth: dict[str, NDArray[np.float32]], rule: MaskRule
) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64]]:
    """(L, L) correlations of groups, (T, L) with the truth, and (T,) best FSC with it."""
    volumes = _read(paths)
    _require_shape(truth, volumes[0].shape)
    known_maps = list(truth.values())
    best = [
        max(float(masked_fsc(known, volume, rule)[1:].mean()) for volume in volumes)
        for known in known_maps
    ]
    return (
        correlation_matrix(volumes, volumes, rule),
        correlation_matrix(known_maps, volumes, rule),
        np.array(best),
    )


def _read(paths: Sequence[Path]) -> Volumes:
    return [read_volume(path)[0] for path in paths]


def _write(outdir: Path, found: VolumeAgreement) -> None:
    tables = {
        CORRELATIONS: found.correlations,
        CURVES: found.curves,
        FREQS: found.freqs,
        WITHIN: found.within,
        WITH_TRUTH: found.with_truth,
    }
    for name, values in tables.items():
        if values is not None:
            write_bytes_atomic(outdir / name, pickle.dumps(values, protocol=4))
