"""A run as cryoDRGN opens it: images by row, poses and CTF as pickles, latents, config, weights.

Epochs count from 1 there. Rows of ``particles.star``, ``poses.pkl`` and ``ctf.pkl`` belong
together: one for each image, in the order of the rows of the input.

Source:
    The files of cryoDRGN 4.3 (doi:10.1038/s41592-020-01049-4), as its documentation describes them.
"""

from __future__ import annotations

import logging
import pickle
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Final

import numpy as np
import pandas as pd
import yaml

from tomodrgn.core.errors import DataError
from tomodrgn.core.files.atomic import write_bytes_atomic, write_text_atomic
from tomodrgn.core.files.named_files import stack_folder, stack_of_image
from tomodrgn.core.files.pickles import write_latents
from tomodrgn.core.files.star import write_table
from tomodrgn.core.products import RUN_SPEC
from tomodrgn.plugins.exporters.cryodrgn_model import (
    model_config,
    why_no_decoder,
    why_no_encoder,
)

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray

    from tomodrgn.core.interfaces import ExporterContext, RunResults
    from tomodrgn.core.particles.tables import ParticleSet
    from tomodrgn.plugins.exporters import CryodrgnSpec

logger = logging.getLogger(__name__)

VERSION: Final = "4.3.1"
LOG: Final = "run.log"
"""What cryoDRGN draws the learning curve from, line by line as ours has it."""


class CryodrgnExporter:
    """Writes what cryoDRGN reads of a run."""

    def __init__(self, spec: CryodrgnSpec, context: ExporterContext) -> None:
        del spec
        self._outdir = context.outdir

    def export(self, results: RunResults, selection: NDArray[np.int64] | None) -> list[Path]:
        """Images, poses and CTF of rows (n,); of a model with latents also weights and config."""
        from tomodrgn.plugins.exporters.cryodrgn_weights import read_weights, write_weights

        particles, outdir = results.particles, self._outdir
        chosen = np.arange(particles.n_particles) if selection is None else np.sort(selection)
        images = _image_rows(particles, chosen)
        written = [outdir / name for name in ("particles.star", "poses.pkl", "ctf.pkl")]
        write_table(written[0], _image_table(particles, images))
        write_bytes_atomic(written[1], pickle.dumps(_poses(particles, images), protocol=4))
        write_bytes_atomic(written[2], pickle.dumps(_ctf(particles, images), protocol=4))
        if results.latents is None or results.log_variance is None:
            logger.info("%s: one structure has no latents, config or encoder", results.directory)
            return written
        weights = read_weights(results.directory)
        epoch = results.spec["training"]["num_epochs"] if weights is None else weights.epoch + 1
        written += [outdir / f"z.{epoch}.pkl", outdir / "config.yaml"]
        write_latents(written[3], results.latents[chosen], results.log_variance[chosen])
        norm = (0.0, 1.0) if weights is None else weights.norm
        n_tilts = int(particles.counts.min())
        if weights is not None and why_no_encoder(results.spec) is None:
            n_tilts = weights.n_tilts
        config = _config(results, outdir.absolute(), norm, n_tilts)
        write_text_atomic(written[4], yaml.safe_dump(config, sort_keys=False))
        written += _copied(results.directory / LOG, outdir / LOG)
        reason = why_no_decoder(results.spec)
        if weights is None or reason is not None:
            logger.info("weights are not written: %s", reason or "the run directory has none")
            return written
        if reason := why_no_encoder(results.spec):
            logger.info("weights decode volumes, but find no latents of images: %s", reason)
        written.append(outdir / f"weights.{epoch}.pkl")
        write_weights(
            written[-1], weights, results.spec, box_size_px=particles.box_size_px, n_tilts=n_tilts
        )
        return written


def _copied(source: Path, target: Path) -> list[Path]:
    """The copy of a file, if there is one."""
    if not source.exists():
        return []
    write_bytes_atomic(target, source.read_bytes())
    return [target]


def _image_rows(particles: ParticleSet, chosen: NDArray[np.int64]) -> NDArray[np.int64]:
    """Rows of the images of some particles, in the order of the rows of the input."""
    images = np.flatnonzero(np.isin(particles.particle_of_image, chosen))
    return images[np.argsort(particles.source_image[images], kind="stable")]


def _image_table(particles: ParticleSet, images: NDArray[np.int64]) -> pd.DataFrame:
    """The columns of images that cryoDRGN asks for."""
    of_image = particles.particle_of_image[images]
    tomogram, name = particles.tomogram[of_image], particles.name[of_image]
    is_unique = len(set(particles.name.tolist())) == particles.n_particles
    tilt_rad = np.deg2rad(particles.images.tilt_deg[images].astype(np.float64))
    table = {
        "rlnImageName": particles.image_name[images],
        "rlnGroupName": name if is_unique else tomogram + "/" + name,
        "rlnCtfBfactor": [f"{0 - 4 * dose:.6g}" for dose in particles.images.dose_e_per_a2[images]],
        "rlnCtfScalefactor": [f"{cosine:.7f}" for cosine in np.cos(tilt_rad)],
    }
    if particles.tomogram.all():
        table["rlnMicrographName"] = tomogram
    return pd.DataFrame(table)


def _poses(
    particles: ParticleSet, images: NDArray[np.int64]
) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """(N, 3, 3) rotations and (N, 2) shifts as fractions of the box."""
    shift = particles.images.shift_px[images] / particles.box_size_px
    return particles.images.rotation[images].astype(np.float32), shift.astype(np.float32)


def _ctf(particles: ParticleSet, images: NDArray[np.int64]) -> NDArray[np.float32]:
    """(N, 9) box in px, pixel size in angstrom, then the parameters of each image."""
    ctf = particles.images.ctf
    if ctf is None:
        raise DataError(
            f"{particles.source}: has no contrast transfer function, which cryoDRGN needs; add its "
            "columns to the particles"
        )
    same = np.ones(len(images))
    columns = (
        particles.box_size_px * same, particles.pixel_size_a * same,
        ctf.defocus_u_a[images], ctf.defocus_v_a[images], ctf.defocus_angle_deg[images],
        ctf.voltage_kv[images], ctf.cs_mm[images], ctf.amplitude_contrast[images],
        ctf.phase_shift_deg[images],
    )  # fmt: skip
    return np.stack(columns, axis=1).astype(np.float32)


def _config(
    results: RunResults, outdir: Path, norm: tuple[float, float], n_tilts: int
) -> dict[str, Any]:
    """``config.yaml``, in plain values."""
    spec, particles = results.spec, results.particles
    first = stack_of_image(str(particles.image_name[0]))
    datadir = stack_folder(first, particles.source, spec["reader"].get("datadir"))
    return {
        "dataset_args": {
            "particles": str(outdir / "particles.star"),
            "norm": list(norm),
            "invert_data": particles.optics[0].state.inverted,
            "ind": None,
            "keepreal": False,
            "window": spec["preparation"]["window"],
            "window_r": spec["preparation"]["window_r"],
            "datadir": str(datadir.absolute()),
            "ctf": str(outdir / "ctf.pkl"),
            "poses": str(outdir / "poses.pkl"),
            "do_pose_sgd": False,
            "ntilts": n_tilts,
        },
        "lattice_args": {"D": particles.box_size_px + 1, "extent": 0.5, "ignore_DC": True},
        "model_args": model_config(spec, particles.box_size_px, n_tilts),
        "seed": spec["seed"],
        "version": VERSION,
        "time": _started(results),
        "cmd": ["tomodrgn", "export"],
    }


def _started(results: RunResults) -> datetime:
    """When the run began (UTC), so that the same run gives the same files."""
    written_at = (results.directory / RUN_SPEC).stat().st_mtime
    return datetime.fromtimestamp(int(written_at), UTC).replace(tzinfo=None)
