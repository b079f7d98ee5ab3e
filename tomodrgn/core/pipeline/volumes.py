"""Decoding volumes from a trained model."""

from __future__ import annotations

import logging
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

import numpy as np
import torch

from tomodrgn.core.display import show_progress
from tomodrgn.core.errors import DataError, RunError
from tomodrgn.core.files.atomic import make_folder, write_text_atomic
from tomodrgn.core.files.mrc import write_volume
from tomodrgn.core.files.pickles import read_latents
from tomodrgn.core.fourier.volumes import lowpass, mirror_z
from tomodrgn.core.memory.work import announce, volumes_work
from tomodrgn.core.model.evaluation import decode_volumes
from tomodrgn.core.training.devices import Devices
from tomodrgn.core.training.sharing import neighbours

if TYPE_CHECKING:
    from collections.abc import Iterator
    from concurrent.futures import Future
    from pathlib import Path

    from numpy.typing import NDArray
    from torch import Tensor

    from tomodrgn.core.data.run import Run
    from tomodrgn.core.specs.volumes import VolumesSpec

logger = logging.getLogger(__name__)

WRITERS = 4
"""Threads that write files while the next volumes are computed."""


def evaluate_volumes(run: Run, spec: VolumesSpec) -> list[Path]:
    """Decode volumes and write them as MRC files; their paths, in the main process.

    Processes share the latents, and each writes what it decodes.

    Raises:
        RunError: the weights are not those of the run, or latents are missing or given in vain.
        DataError: latents have another dimension than the model.
    """
    if spec.verbose:
        logging.getLogger("tomodrgn").setLevel(logging.DEBUG)
    devices = Devices(spec.devices)
    with devices.agreement():
        paths = _evaluate_share(run, spec, devices)
    return paths if devices.is_main else []


def _evaluate_share(run: Run, spec: VolumesSpec, devices: Devices) -> list[Path]:
    """Decode and write the volumes of this process; the paths of all."""
    if spec.weights.is_dir():
        raise RunError(f"{spec.weights}: is a directory; give the weights file in it, weights.pkl")
    model, checkpoint = run.model(spec.weights)
    facts = run.facts
    latents = gather_latents(spec, run.spec.latent.dim)
    model = model.to(devices.device, devices.dtype)
    n_volumes = 1 if latents is None else len(latents)
    box = _output_box_px(spec, facts.box_size_px)
    paths = _volume_paths(spec, n_volumes, has_latents=latents is not None)
    pixel_size_a = (spec.pixel_size_a or facts.pixel_size_a) * facts.box_size_px / box
    announce(
        volumes_work(model, devices, min(n_volumes, spec.batch_size), box),
        devices.device,
        way_out="decode fewer volumes at once (--batch-size) or smaller ones (--downsample)",
        processes=devices.n_on_node,
    )
    share = neighbours(np.ones(n_volumes, np.int64), devices.rank, devices.n_ranks)
    own = None if latents is None else torch.from_numpy(latents[share])
    with devices.autocast():
        batches = decode_volumes(
            model,
            None if own is None else own.to(devices.device, devices.dtype),
            box_size_px=facts.box_size_px,
            output_box_px=box,
            extent=run.spec.preparation.l_extent,
            scale=checkpoint.norm[1],
            batch_size=spec.batch_size,
        )
        if paths[share]:  # which more processes than volumes leave empty
            _write_all(spec, batches, paths[share], pixel_size_a)
    if latents is not None and spec.z is None and devices.is_main:
        rows = "\n".join(" ".join(f"{value:.8g}" for value in row) for row in latents)
        write_text_atomic(paths[0].parent / "z_values.txt", rows + "\n")
    return paths


def gather_latents(spec: VolumesSpec, latent_dim: int | None) -> NDArray[np.float32] | None:
    """(V, Z) latents that the spec asks for; None for a model without latents.

    Raises:
        RunError: latents are missing for a model that needs them, or given to one without.
        DataError: their dimension is not that of the model.
    """
    if spec.z is not None:
        rows = np.array([spec.z], dtype=np.float32)
    elif spec.z_start is not None and spec.z_end is not None:
        rows = np.linspace(spec.z_start, spec.z_end, spec.n, dtype=np.float32)
    elif spec.zfile is not None:
        rows = np.atleast_2d(read_latents(spec.zfile)[0]).astype(np.float32)
    elif latent_dim is None:
        return None
    else:
        raise RunError(
            f"{spec.weights}: a model with {latent_dim} latent dimensions needs latents; "
            "give -z, --z-start and --z-end, or --zfile"
        )
    if latent_dim is None:
        raise RunError(f"{spec.weights}: this model has no latents; leave them out")
    if not len(rows):
        raise DataError(f"{spec.zfile}: holds no latents; give one per row")
    place = "" if spec.zfile is None else f"{spec.zfile}: "
    if not np.isfinite(rows).all():
        row = int(np.argmin(np.isfinite(rows).all(axis=1)))
        raise DataError(f"{place}latent {row + 1} of {len(rows)} holds a number that is not finite")
    if rows.shape[1] != latent_dim:
        raise DataError(
            f"{place}latents have {rows.shape[1]} numbers each, the model has {latent_dim} latent "
            "dimensions; give one number per dimension"
        )
    return rows


def _output_box_px(spec: VolumesSpec, box_size_px: int) -> int:
    """Box edge of the volumes."""
    if spec.downsample is not None and spec.downsample > box_size_px:
        raise RunError(
            f"downsample: {spec.downsample} px is more than the box of the run, {box_size_px} px; "
            "give a smaller even number"
        )
    return spec.downsample or box_size_px


def _volume_paths(spec: VolumesSpec, n_volumes: int, *, has_latents: bool) -> list[Path]:
    """Where each volume goes: one named file, or numbered files in a directory."""
    if spec.out.suffix == ".mrc" and not spec.out.is_dir():
        if n_volumes > 1:
            raise RunError(f"{spec.out}: {n_volumes} volumes do not fit one file; give a directory")
        make_folder(spec.out.parent)
        return [spec.out]
    make_folder(spec.out)
    if not has_latents:
        return [spec.out / f"{spec.prefix.rstrip('_') or 'vol'}.mrc"]
    return [spec.out / f"{spec.prefix}{index:03d}.mrc" for index in range(n_volumes)]


def _write_all(
    spec: VolumesSpec, batches: Iterator[Tensor], paths: list[Path], pixel_size_a: float
) -> None:
    """Finish and write volumes while the next ones are computed, few at a time."""
    waiting: list[Future[None]] = []
    done = 0
    with ThreadPoolExecutor(WRITERS) as pool, show_progress("decoding volumes") as progress:
        for batch in batches:
            volumes = _finish(spec, batch, pixel_size_a).float().cpu().numpy()
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


def _finish(spec: VolumesSpec, volumes: Tensor, pixel_size_a: float) -> Tensor:
    """Low-pass, mirror and invert as asked."""
    if spec.lowpass_a is not None:
        volumes = lowpass(volumes, pixel_size_a=pixel_size_a, resolution_a=spec.lowpass_a)
    if spec.flip:
        volumes = mirror_z(volumes)
    return -volumes if spec.invert else volumes
