"""A run directory with latents of one's own choice, over particles that exist."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from tomodrgn.core.commands import resolve_run
from tomodrgn.core.data.dataset import Dataset
from tomodrgn.core.data.provenance import write_manifest
from tomodrgn.core.files.mrc import write_stack
from tomodrgn.core.files.pickles import write_latents
from tomodrgn.core.files.star import write_table
from tomodrgn.core.particles.identity import particles_digest
from tomodrgn.core.products import LATENTS, MANIFEST, RUN_SPEC
from tomodrgn.core.registry import Registry
from tomodrgn.core.specs.files import write_spec
from tomodrgn.core.testing.example_run import BOX_SIZE_PX, COUNTS, PIXEL_SIZE_A, example_rows


def finish_run(
    directory: Path,
    star: Path,
    latents: np.ndarray,
    registry: Registry,
    spec: dict[str, Any] | None = None,
) -> Path:
    """Write a run on the particles of ``star`` that ended with ``latents``; its directory."""
    layer = {
        "reader": {"path": str(star)},
        "decoder": {"kind": "fourier_mlp"},
        "latent": {"dim": latents.shape[1]},
        "seed": 0,
    }
    run = resolve_run("train_vae", layer, spec or {}, registry=registry)
    reader, particles = Dataset(run, registry).selected
    directory.mkdir(parents=True)
    write_spec(directory / RUN_SPEC, run)
    write_manifest(
        directory / MANIFEST,
        parts={},
        seed=0,
        inputs=reader.fingerprint(),
        dataset={
            "box_size_px": particles.box_size_px,
            "pixel_size_a": particles.pixel_size_a,
            "n_particles": particles.n_particles,
            "n_images": particles.n_images,
            "min_tilts": int(particles.counts.min()),
            "particles_sha256": particles_digest(particles),
        },
    )
    write_latents(directory / LATENTS, latents, np.zeros_like(latents))
    return directory


def write_example(star: Path, rows: pd.DataFrame | None = None) -> Path:
    """Write the rows of the example run, with images of nothing beside them; the STAR file."""
    rows = example_rows() if rows is None else rows
    star.parent.mkdir(parents=True, exist_ok=True)
    write_table(star, rows)
    pixels = np.zeros((sum(COUNTS), BOX_SIZE_PX, BOX_SIZE_PX), np.float32)
    write_stack(star.with_name("stack.mrcs"), pixels, PIXEL_SIZE_A)
    return star
