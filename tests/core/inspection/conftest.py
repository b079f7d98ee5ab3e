from __future__ import annotations

from pathlib import Path

import pytest

from tomodrgn.core.cli.fields import builtin_registry
from tomodrgn.core.commands import resolve_run
from tomodrgn.core.inspection.sample import Sample, draw_particles, load_sample
from tomodrgn.core.interfaces import Reader, ReaderContext
from tomodrgn.core.particles.tables import ParticleSet
from tomodrgn.core.simulation.tilt_series import simulate
from tomodrgn.core.specs.simulation import SimulationSpec

N_GROUPS = 4


def no_progress(done: int, of: int) -> None:
    del done, of


@pytest.fixture(scope="session")
def star(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Twenty-four shifted particles of nine tilts and box 16 in a RELION 5 set."""
    spec = SimulationSpec(
        outdir=tmp_path_factory.mktemp("inspected") / "set",
        format="relion5",
        n_particles=24,
        n_tomograms=2,
        n_classes=1,
        n_tilts=9,
        tilt_step_deg=12.0,
        box_size_px=16,
        pixel_size_a=14.0,
        origin_shift_px=2.0,
        snr=1.0,
        seed=5,
    )
    return simulate(spec)


@pytest.fixture(scope="session")
def opened(star: Path) -> tuple[Reader, ParticleSet]:
    registry = builtin_registry()
    run = resolve_run("prepare", {"reader": {"path": str(star)}}, registry=registry)
    reader: Reader = registry.build(run.reader, ReaderContext())  # type: ignore[attr-defined]
    return reader, reader.read()


@pytest.fixture
def particles(opened: tuple[Reader, ParticleSet]) -> ParticleSet:
    return opened[1]


@pytest.fixture(scope="session")
def sample(opened: tuple[Reader, ParticleSet]) -> Sample:
    reader, particles = opened
    drawn = draw_particles(particles, 10_000)
    return load_sample(drawn, reader, n_groups=N_GROUPS, progress=no_progress)[0]
