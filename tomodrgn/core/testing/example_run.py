"""A small finished run for tests of exporters: three particles, without images or weights."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np
import pandas as pd

from tomodrgn.core.commands import resolve_run
from tomodrgn.core.data.provenance import write_manifest
from tomodrgn.core.data.run import Run
from tomodrgn.core.files.pickles import write_latents
from tomodrgn.core.files.star import write_table
from tomodrgn.core.interfaces import ReaderContext
from tomodrgn.core.particles.identity import particles_digest
from tomodrgn.core.products import LATENTS, MANIFEST, RUN_SPEC
from tomodrgn.core.specs.files import write_spec

if TYPE_CHECKING:
    from pathlib import Path

    from tomodrgn.core.interfaces import RunResults
    from tomodrgn.core.registry import Registry

BOX_SIZE_PX: Final = 16
PIXEL_SIZE_A: Final = 8.0
COUNTS: Final = (3, 5, 4)
LATENT_DIM: Final = 2


def example_run(folder: Path, registry: Registry) -> RunResults:
    """Write an input and the directory of a run on it into ``folder``, and open the run."""
    star = folder / "particles.star"
    write_table(star, example_rows())
    layer = {
        "reader": {"path": star},
        "decoder": {"kind": "fourier_mlp"},
        "latent": {"dim": LATENT_DIM},
        "seed": 0,
    }
    run = resolve_run("train_vae", layer, registry=registry)
    reader = registry.build(run.reader, ReaderContext(needs_images=False))
    directory = folder / "run"
    directory.mkdir()
    write_spec(directory / RUN_SPEC, run)
    write_manifest(
        directory / MANIFEST,
        parts={},
        seed=0,
        inputs=reader.fingerprint(),
        dataset={
            "box_size_px": BOX_SIZE_PX,
            "pixel_size_a": PIXEL_SIZE_A,
            "n_particles": len(COUNTS),
            "n_images": sum(COUNTS),
            "min_tilts": min(COUNTS),
            "particles_sha256": particles_digest(reader.read()),
        },
    )
    numbers = np.random.default_rng(0)
    mean, log_variance = numbers.standard_normal((2, len(COUNTS), LATENT_DIM))
    write_latents(directory / LATENTS, mean, log_variance)
    return Run(directory, registry).results()


def example_rows() -> pd.DataFrame:
    """The rows of an image series as Warp 1 writes them."""
    numbers = np.random.default_rng(0)
    n_images = sum(COUNTS)
    tilt = np.concatenate([np.arange(count) for count in COUNTS])
    angles = numbers.uniform(0, 180, (3, n_images)).round(3)
    return pd.DataFrame(
        {
            "rlnImageName": [f"{row + 1}@stack.mrcs" for row in range(n_images)],
            "rlnMicrographName": "a.tomostar",
            "rlnGroupName": [f"000_{i:06d}" for i in np.repeat(range(len(COUNTS)), COUNTS)],
            "rlnDetectorPixelSize": PIXEL_SIZE_A,
            "rlnDefocusU": 30_000.0 + 10 * tilt,
            "rlnDefocusV": 29_000.0 + 10 * tilt,
            "rlnDefocusAngle": 20.0,
            "rlnVoltage": 300.0,
            "rlnSphericalAberration": 2.7,
            "rlnAmplitudeContrast": 0.07,
            "rlnPhaseShift": 0.0,
            "rlnAngleRot": angles[0],
            "rlnAngleTilt": angles[1],
            "rlnAnglePsi": angles[2],
            "rlnOriginX": numbers.normal(size=n_images).round(3),
            "rlnOriginY": numbers.normal(size=n_images).round(3),
            "rlnCtfBfactor": -12.0 * (tilt + 1),
            "rlnCtfScalefactor": np.cos(np.deg2rad(3.0 * tilt)).round(6),
        }
    )
