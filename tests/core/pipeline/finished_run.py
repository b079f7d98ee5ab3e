"""A run directory with latents of one's own choice, over particles that exist."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from tomodrgn.core.commands import resolve_run
from tomodrgn.core.data.dataset import Dataset
from tomodrgn.core.data.provenance import write_manifest
from tomodrgn.core.files.pickles import write_latents
from tomodrgn.core.particles.identity import particles_digest
from tomodrgn.core.products import LATENTS, MANIFEST, RUN_SPEC
from tomodrgn.core.registry import Registry
from tomodrgn.core.specs.files import write_spec


def finish_run(
    directory: Path,
    star: Path,
    latents: np.ndarray,
    registry: Registry,
    spec: dict[str, Any] | None = None,
) -> Path:
    """Write a run on the particles of ``star`` that ended with ``latents``; its directory."""
    layer = {"reader": {"path": str(star)}, "latent": {"dim": latents.shape[1]}, "seed": 0}
    run = resolve_run("train_vae", layer, spec or {}, registry=registry)
    reader, particles = Dataset(run, registry).selected
    directory.mkdir(parents=True)
    write_spec(directory / RUN_SPEC, run)
    write_manifest(
        directory / MANIFEST,
        registry=registry,
        parts=[],
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
