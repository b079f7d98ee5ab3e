"""The sample that ships with the package: six particles of five tilts each, in two tomograms."""

from __future__ import annotations

from importlib.resources import as_file, files
from pathlib import Path

from tomodrgn.core.errors import DataError
from tomodrgn.core.files.atomic import write_bytes_atomic
from tomodrgn.core.ownership.results import begin_results
from tomodrgn.core.simulation.formats import STAR_NAME
from tomodrgn.core.specs.simulation import SimulationSpec


def example_spec(outdir: Path) -> SimulationSpec:
    """What the shipped sample was simulated from."""
    return SimulationSpec(
        outdir=outdir,
        n_particles=6,
        n_tomograms=2,
        n_tilts=5,
        tilt_step_deg=12.0,
        box_size_px=24,
        pixel_size_a=12.0,
        n_classes=2,
        origin_shift_px=1.0,
        snr=1.0,
        dtype="float16",
    )


def copy_example(outdir: Path) -> Path:
    """Copy the shipped sample to a folder.

    Args:
        outdir: the folder; it is made where it is missing, other files in it are left alone.

    Returns:
        Path of the STAR file.

    Raises:
        DataError: a file of the sample is already there.
    """
    with as_file(files("tomodrgn") / "data" / "sample") as sample:
        sources = sorted(path for path in Path(sample).rglob("*") if path.is_file())
        names = [path.relative_to(sample) for path in sources]
        for name in names:
            if (outdir / name).exists():
                raise DataError(f"{outdir / name} exists; name another folder for the sample")
        begin_results(outdir)
        for name, source in zip(names, sources, strict=True):
            write_bytes_atomic(outdir / name, source.read_bytes())
    return outdir / STAR_NAME
