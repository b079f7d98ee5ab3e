"""Volumes of a trained model, decoded at latents and written as MRC files."""

from __future__ import annotations

import logging
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import torch

from tomodrgn.core.display import show_progress
from tomodrgn.core.errors import DataError, RunError
from tomodrgn.core.files.atomic import make_folder
from tomodrgn.core.files.mrc import write_volume
from tomodrgn.core.fourier.volumes import lowpass, mirror_z
from tomodrgn.core.memory.work import announce, volumes_work
from tomodrgn.core.model.evaluation import decode_volumes
from tomodrgn.core.ownership.results import begin_results
from tomodrgn.core.training.sharing import neighbors

if TYPE_CHECKING:
    from collections.abc import Iterator
    from concurrent.futures import Future
    from pathlib import Path

    from numpy.typing import NDArray
    from torch import Tensor

    from tomodrgn.core.data.run import Run
    from tomodrgn.core.training.devices import Devices

logger = logging.getLogger(__name__)

WRITERS = 4
"""Threads that write files while the next volumes are computed."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Decoding:
    """Which model decodes, and how volumes are finished.

    Attributes:
        weights: file of the weights of the model.
        prefix: beginning of the file names of volumes.
        flip: mirror volumes along z about their center.
        invert: multiply volumes by -1.
        downsample: box edge of the volumes in px, even, cropped in Fourier space; None for that of
            the run.
        lowpass_a: resolution in angstrom to which volumes are low-pass filtered, if any.
        pixel_size_a: for the headers, before downsampling, instead of that of the run.
        batch_size: volumes decoded at once.
    """

    weights: Path
    prefix: str = "vol_"
    flip: bool = False
    invert: bool = False
    downsample: int | None = None
    lowpass_a: float | None = None
    pixel_size_a: float | None = None
    batch_size: int = 32


def write_decoded(
    run: Run,
    latents: NDArray[np.float32] | None,
    out: Path,
    how: Decoding,
    devices: Devices,
) -> list[Path]:
    """Decode volumes and write them as MRC files; their paths, in the main process.

    Processes share the latents, and each writes what it decodes.

    Args:
        run: it.
        latents: (V, Z) one for each volume; None for a model of one structure.
        out: folder of the volumes, or name of the one volume when it ends in .mrc.
        how: the model, and how volumes are finished.
        devices: where volumes are decoded.

    Raises:
        RunError: the weights are not those of the run, or volumes do not fit one file.
        DataError: latents have another dimension than the model.
    """
    with devices.agreement():
        paths = _write_share(run, latents, out, how, devices)
    return paths if devices.is_main else []


def require_latents(latents: NDArray[np.float32], latent_dim: int, place: str = "") -> None:
    """Refuse latents (V, Z) that a model cannot decode; ``place`` begins the message.

    Raises:
        DataError: there are none, they are not finite, or their dimension is another.
    """
    if not len(latents):
        raise DataError(f"{place}holds no latents; give one per row")
    if not np.isfinite(latents).all():
        row = int(np.argmin(np.isfinite(latents).all(axis=1)))
        raise DataError(
            f"{place}latent {row + 1} of {len(latents)} holds a number that is not finite"
        )
    if latents.shape[1] != latent_dim:
        raise DataError(
            f"{place}latents have {latents.shape[1]} numbers each, the model has {latent_dim} "
            "latent dimensions; give one number per dimension"
        )


def _write_share(
    run: Run, latents: NDArray[np.float32] | None, out: Path, how: Decoding, devices: Devices
) -> list[Path]:
    """Decode and write the volumes of this process; the paths of all."""
    model, checkpoint = run.model(how.weights)
    facts = run.facts
    if latents is not None:
        require_latents(latents, run.spec.latent.dim or 0)
    model = model.to(devices.device, devices.dtype)
    n_volumes = 1 if latents is None else len(latents)
    box = _output_box_px(how, facts.box_size_px)
    paths = _volume_paths(out, how.prefix, n_volumes, devices.rank, has_latents=latents is not None)
    pixel_size_a = (how.pixel_size_a or facts.pixel_size_a) * facts.box_size_px / box
    announce(
        volumes_work(model, devices, min(n_volumes, how.batch_size), box),
        devices.device,
        way_out="decode fewer volumes at once (--batch-size) or smaller ones (--downsample)",
        processes=devices.n_on_node,
    )
    share = neighbors(np.ones(n_volumes, np.int64), devices.rank, devices.n_ranks)
    own = None if latents is None else torch.from_numpy(latents[share])
    with devices.autocast():
        batches = decode_volumes(
            model,
            None if own is None else own.to(devices.device, devices.dtype),
            box_size_px=facts.box_size_px,
            output_box_px=box,
            extent=run.spec.preparation.l_extent,
            scale=checkpoint.norm[1],
            batch_size=how.batch_size,
        )
        if paths[share]:  # which more processes than volumes leave empty
            _write_all(how, batches, paths[share], pixel_size_a)
    return paths


def _output_box_px(how: Decoding, box_size_px: int) -> int:
    """Box edge of the volumes."""
    if how.downsample is not None and how.downsample > box_size_px:
        raise RunError(
            f"downsample: {how.downsample} px is more than the box of the run, {box_size_px} px; "
            "give a smaller even number"
        )
    return how.downsample or box_size_px


def _volume_paths(
    out: Path, prefix: str, n_volumes: int, rank: int, *, has_latents: bool
) -> list[Path]:
    """Where each volume goes: one named file, or numbered files in a directory."""
    if out.suffix == ".mrc" and not out.is_dir():
        if n_volumes > 1:
            raise RunError(f"{out}: {n_volumes} volumes do not fit one file; give a directory")
        make_folder(out.parent)
        return [out]
    begin_results(out, rank=rank, shares=True)
    if not has_latents:
        return [out / f"{prefix.rstrip('_') or 'vol'}.mrc"]
    return [out / f"{prefix}{index:03d}.mrc" for index in range(n_volumes)]


def _write_all(
    how: Decoding, batches: Iterator[Tensor], paths: list[Path], pixel_size_a: float
) -> None:
    """Finish and write volumes while the next ones are computed, few at a time."""
    waiting: list[Future[None]] = []
    done = 0
    with ThreadPoolExecutor(WRITERS) as pool, show_progress("decoding volumes") as progress:
        for batch in batches:
            volumes = _finish(how, batch, pixel_size_a).float().cpu().numpy()
            for writing in waiting:
                writing.result()
            waiting = [
                pool.submit(write_volume, path, volume, pixel_size_a)
                for path, volume in zip(paths[done : done + len(volumes)], volumes, strict=True)
            ]
            done += len(volumes)
            progress(done, len(paths))
        for writing in waiting:
            writing.result()


def _finish(how: Decoding, volumes: Tensor, pixel_size_a: float) -> Tensor:
    """Low-pass, mirror and invert as asked."""
    if how.lowpass_a is not None:
        volumes = lowpass(volumes, pixel_size_a=pixel_size_a, resolution_a=how.lowpass_a)
    if how.flip:
        volumes = mirror_z(volumes)
    return -volumes if how.invert else volumes
