"""Places of particles without tilt images: pseudo-subtomograms, picks, and their pixel sizes."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
import pytest

from tomodrgn.core.errors import DataError
from tomodrgn.core.files.star import write_table
from tomodrgn.core.interfaces import ReaderContext
from tomodrgn.plugins.readers import OptimisationSetSpec, WarpVolumeseriesSpec
from tomodrgn.plugins.readers.optimisation_set.reader import OptimisationSet
from tomodrgn.plugins.readers.volume_series.warp_volumeseries import WarpVolumeseries

if TYPE_CHECKING:
    from pathlib import Path

    from tomodrgn.core.particles.tables import ParticleSet

OPTICS = {
    "rlnOpticsGroup": "1",
    "rlnOpticsGroupName": "opticsGroup1",
    "rlnTomoTiltSeriesPixelSize": "1.35",
    "rlnImageDimensionality": "3",
    "rlnTomoSubtomogramBinning": "4",
    "rlnImagePixelSize": "5.4",
    "rlnImageSize": "64",
}
TOMOGRAMS = {"rlnTomoName": "TS_1", "rlnTomoSizeX": "4000", "rlnTomoTiltSeriesPixelSize": "1.35"}


def _particles(*without: str) -> pd.DataFrame:
    """Three particles of RELION 4 at x = 1000, 1001, 1002 px, less some columns."""
    n = 3
    table = pd.DataFrame(
        {
            "rlnTomoName": "TS_1",
            "rlnTomoParticleId": [str(i) for i in range(n)],
            "rlnTomoParticleName": [f"TS_1/{i}" for i in range(n)],
            "rlnCoordinateX": [f"{1000 + i}" for i in range(n)],
            "rlnCoordinateY": "2000",
            "rlnCoordinateZ": "500",
            "rlnAngleRot": "0",
            "rlnAngleTilt": "10",
            "rlnAnglePsi": "20",
            "rlnOpticsGroup": "1",
            "rlnImageName": [f"Subtomograms/TS_1/{i}_data.mrc" for i in range(n)],
            "rlnCtfImage": [f"Subtomograms/TS_1/{i}_weights.mrc" for i in range(n)],
        },
        dtype=object,
    )
    return table.drop(columns=list(without))


def _write(folder: Path, particles: pd.DataFrame, optics: dict[str, str] | None = OPTICS) -> Path:
    path = folder / "particles.star"
    write_table(path, particles, "particles")
    if optics is not None:
        write_table(folder / "optics.star", pd.DataFrame([optics]), "optics")
        path.write_text((folder / "optics.star").read_text() + "\n" + path.read_text())
    return path


def _read(path: Path, *, needs_images: bool = False, **options: Any) -> ParticleSet:
    spec = OptimisationSetSpec(path=path, **options)
    return OptimisationSet(spec, ReaderContext(needs_images=needs_images)).read()


NAMES = ("rlnTomoParticleName", "rlnTomoParticleId", "rlnImageName", "rlnCtfImage")


@pytest.mark.parametrize("n_missing", range(len(NAMES) + 1))
def test_coordinates_count_unbinned_pixels_whatever_names_particles(
    n_missing: int, tmp_path: Path
) -> None:
    particles = _read(_write(tmp_path, _particles(*NAMES[:n_missing])))
    expected = 1.35 * np.array([[1000, 2000, 500], [1001, 2000, 500], [1002, 2000, 500]])
    np.testing.assert_allclose(particles.position_a, expected, rtol=1e-12)
    assert len(set(particles.name)) == 3
    assert particles.orientation is not None


@pytest.mark.parametrize(
    ("optics", "unit_a"),
    [
        ({"rlnTomoTiltSeriesPixelSize": None}, 1.35),
        (
            {
                "rlnTomoTiltSeriesPixelSize": None,
                "rlnTomoSubtomogramBinning": None,
                "rlnMicrographOriginalPixelSize": "1.5",
            },
            1.5,
        ),
        ({"rlnImagePixelSize": None, "rlnTomoSubtomogramBinning": None}, 1.35),
    ],
)
def test_the_unbinned_pixel_size_is_what_optics_groups_tell(
    optics: dict[str, str | None], unit_a: float, tmp_path: Path
) -> None:
    stated = {name: value for name, value in (OPTICS | optics).items() if value is not None}
    particles = _read(_write(tmp_path, _particles(), stated))
    assert particles.position_a[0, 0] == pytest.approx(1000 * unit_a)


def test_without_optics_groups_the_pixel_size_is_asked_for(tmp_path: Path) -> None:
    path = _write(tmp_path, _particles("rlnOpticsGroup"), None)
    with pytest.raises(DataError, match="states no pixel size"):
        _read(path)
    particles = _read(path, coordinate_pixel_size_a=2.0)
    assert particles.position_a[0].tolist() == [2000, 4000, 1000]


@pytest.mark.parametrize(
    ("without", "answer"),
    [
        ((), "its particles are 3-D pseudo-subtomograms; extract them again as 2-D stacks"),
        (("rlnCtfImage",), "its particles are 3-D pseudo-subtomograms"),
        (("rlnCtfImage", "rlnImageName"), "column rlnImageName is missing, so there are no images"),
    ],
)
@pytest.mark.parametrize("optics", [OPTICS, None])
def test_training_says_that_there_are_no_tilt_images(
    without: tuple[str, ...], answer: str, optics: dict[str, str] | None, tmp_path: Path
) -> None:
    if optics is None:
        without = (*without, "rlnOpticsGroup")
    with pytest.raises(DataError, match=answer):
        _read(_write(tmp_path, _particles(*without), optics), needs_images=True)


def test_subtomograms_of_relion_3_take_the_pixel_size_of_their_optics_group(
    tmp_path: Path,
) -> None:
    table = _particles("rlnTomoParticleName").rename(columns={"rlnTomoName": "rlnMicrographName"})
    optics = {"rlnOpticsGroup": "1", "rlnImagePixelSize": "5.4"}
    path = _write(tmp_path, table, optics)

    def position_a(**options: float) -> list[float]:
        spec = WarpVolumeseriesSpec(path=path, **options)
        return WarpVolumeseries(spec, ReaderContext(needs_images=False)).read().position_a[0]

    np.testing.assert_allclose(position_a(), [5400, 10800, 2700])
    np.testing.assert_allclose(position_a(pixel_size_a=2.0), [2000, 4000, 1000])
