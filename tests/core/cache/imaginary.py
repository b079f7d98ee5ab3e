"""Particles and a reader whose pixels are in memory, from a seed."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from tomodrgn.core.cache.seal import finish_seal, read_seal
from tomodrgn.core.particles.tables import CtfTable, ImageTable, OpticsGroup, ParticleSet

if TYPE_CHECKING:
    from numpy.typing import NDArray

BOX = 16


def imaginary_particles(counts: tuple[int, ...] = (3, 5, 4), box: int = BOX) -> ParticleSet:
    """Ragged particles whose rows of the input are shuffled."""
    rng = np.random.default_rng(7)
    n = sum(counts)
    column = rng.uniform(1, 2, n).astype(np.float32)
    ctf = CtfTable(
        **dict.fromkeys(
            (
                "defocus_u_a",
                "defocus_v_a",
                "defocus_angle_deg",
                "voltage_kv",
                "cs_mm",
                "amplitude_contrast",
                "phase_shift_deg",
            ),
            column,
        )
    )
    images = ImageTable(
        rotation=np.tile(np.eye(3, dtype=np.float32), (n, 1, 1)),
        shift_px=rng.uniform(-2, 2, (n, 2)).astype(np.float32),
        dose_e_per_a2=column,
        tilt_deg=column,
        voltage_kv=column,
        optics=np.zeros(n, dtype=np.int64),
        ctf=ctf,
    )
    b = len(counts)
    return ParticleSet(
        source=Path("imaginary.star"),
        tomogram=np.array(["TS_å"] * b, dtype=object),
        name=np.array([f"p{i}" for i in range(b)], dtype=object),
        source_particle=np.arange(b),
        images=images,
        counts=np.array(counts, dtype=np.int64),
        image_name=np.array([f"{i:06d}@stack.mrcs" for i in range(n)], dtype=object),
        source_image=rng.permutation(n),
        optics=(OpticsGroup(name="one", pixel_size_a=4.0, box_size_px=box),),
        rows_read=n,
    )


def take(particles: ParticleSet, which: NDArray[np.int64]) -> ParticleSet:
    """Some particles of a set, in another order."""
    starts, counts = particles.starts, particles.counts[which]
    rows = np.concatenate([np.arange(starts[b], starts[b + 1]) for b in which])
    return replace(
        particles,
        tomogram=particles.tomogram[which],
        name=particles.name[which],
        source_particle=particles.source_particle[which],
        images=particles.images.convert(lambda column: column[rows]),
        counts=counts,
        image_name=particles.image_name[rows],
        source_image=particles.source_image[rows],
    )


@dataclass
class ImaginaryReader:
    """Loads pixels by their row in the input, and counts the rows that it was asked for."""

    pixels: NDArray[np.float32]
    particles: ParticleSet
    size: int = 100
    loaded: int = 0
    has_images: bool = True

    def read(self) -> ParticleSet:
        return self.particles

    def load_images(self, rows: NDArray[np.int64]) -> NDArray[np.float32]:
        self.loaded += len(rows)
        return self.pixels[rows]

    def fingerprint(self) -> dict[str, Any]:
        files = {"particles.star": 5, "stack.mrcs": self.size}
        return {"kind": "imaginary", "files": [{"path": p, "size": n} for p, n in files.items()]}


def imaginary_reader(particles: ParticleSet, strength: float = 1.0) -> ImaginaryReader:
    """White noise for every image."""
    box = particles.box_size_px
    rng = np.random.default_rng(3)
    pixels = rng.normal(size=(particles.rows_read, box, box)) * strength
    return ImaginaryReader(pixels.astype(np.float32), particles)


def seal_again(path: Path) -> None:
    """Give a cache that was changed the checksum that it has now."""
    seal = read_seal(path)
    assert seal is not None
    finish_seal(path, seal.n_bytes, seal.offset)
