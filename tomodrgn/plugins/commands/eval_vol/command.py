"""Volumes decoded from a trained model, at latents that a user gives."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

import numpy as np

from tomodrgn.core.decoding.volumes import Decoding, require_latents, write_decoded
from tomodrgn.core.errors import RunError
from tomodrgn.core.files.latent_table import write_latent_table
from tomodrgn.core.files.pickles import read_latents
from tomodrgn.core.training.devices import Devices

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray

    from tomodrgn.core.data.run import Run
    from tomodrgn.plugins.commands.eval_vol.spec import VolumesSpec


def evaluate_volumes(run: Run, spec: VolumesSpec) -> list[Path]:
    """Decode volumes and write them as MRC files; their paths, in the main process.

    Raises:
        RunError: the weights are not those of the run, or latents are missing or given in vain.
        DataError: latents have another dimension than the model.
    """
    if spec.verbose:
        logging.getLogger("tomodrgn").setLevel(logging.DEBUG)
    devices = Devices(spec.devices)
    with devices.agreement():
        if spec.weights.is_dir():
            raise RunError(
                f"{spec.weights}: is a directory; give the weights file in it, weights.pkl"
            )
        latents = gather_latents(spec, run.spec.latent.dim)
    how = Decoding(
        weights=spec.weights,
        prefix=spec.prefix,
        flip=spec.flip,
        invert=spec.invert,
        downsample=spec.downsample,
        lowpass_a=spec.lowpass_a,
        pixel_size_a=spec.pixel_size_a,
        batch_size=spec.batch_size,
    )
    paths = write_decoded(run, latents, spec.out, how, devices)
    if paths and latents is not None and spec.z is None:
        write_latent_table(paths[0].parent / "z_values.txt", latents)
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
    require_latents(rows, latent_dim, "" if spec.zfile is None else f"{spec.zfile}: ")
    return rows
