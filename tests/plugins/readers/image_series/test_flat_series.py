"""Image series of converters and RELION 5: one row per image, in their documented columns."""

from __future__ import annotations

import logging
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from tomodrgn.core.errors import DataError
from tomodrgn.core.files.star import write_table
from tomodrgn.core.geometry.rotations import matrices_from_euler
from tomodrgn.core.interfaces import ReaderContext
from tomodrgn.plugins.readers import WarpParticleseriesSpec, tomodrgn_identify_reader
from tomodrgn.plugins.readers.image_series.warp_particleseries import WarpParticleseries

N_TILTS, PIXEL_SIZE_A = 11, 8.0
PARTICLES = ("ts1/1", "ts1/2", "ts2/1")
TILT_DEG = np.array([3.0 * ((k + 1) // 2) * (-1) ** k for k in range(N_TILTS)])
PRE_EXPOSURE = 3.0 * np.arange(N_TILTS)
RNG = np.random.default_rng(7)
N = len(PARTICLES) * N_TILTS
EULER_DEG = RNG.uniform((-180, 0, -180), (180, 180, 180), (N, 3))
DEFOCUS_A = RNG.uniform(15_000, 45_000, (N, 2))
FRAME = np.tile(np.arange(N_TILTS), len(PARTICLES))
NAMES = np.repeat(PARTICLES, N_TILTS)
OPTICS = {
    "rlnOpticsGroup": "1",
    "rlnOpticsGroupName": "opticsGroup1",
    "rlnImagePixelSize": f"{PIXEL_SIZE_A}",
    "rlnImageSize": "32",
    "rlnVoltage": "300.0",
    "rlnSphericalAberration": "2.7",
    "rlnAmplitudeContrast": "0.1",
    "rlnImageDimensionality": "2",
}
IN_ROWS = {
    "rlnMagnification": "10000.0",
    "rlnDetectorPixelSize": f"{PIXEL_SIZE_A}",
    "rlnVoltage": "300.0",
    "rlnSphericalAberration": "2.7",
    "rlnAmplitudeContrast": "0.1",
    "rlnOriginX": "0",
    "rlnOriginY": "0",
}


def _text(values: np.ndarray, digits: int = 6) -> list[str]:
    return [f"{value:.{digits}f}" for value in values]


def _common(micrograph: str) -> dict[str, Any]:
    """Columns that all of them have; micrographs by tomogram and frame."""
    tomogram = [name.partition("/")[0] for name in NAMES]
    return {
        "rlnDefocusU": _text(DEFOCUS_A[:, 0]),
        "rlnDefocusV": _text(DEFOCUS_A[:, 1]),
        "rlnDefocusAngle": "41.5",
        "rlnImageName": [f"{k + 1:06d}@s/{p}.mrcs" for p, k in zip(NAMES, FRAME, strict=True)],
        "rlnMicrographName": [
            micrograph.format(tomogram=t, frame=k) for t, k in zip(tomogram, FRAME, strict=True)
        ],
        "rlnCtfScalefactor": _text(np.cos(np.deg2rad(TILT_DEG))[FRAME], 9),
        "rlnGroupName": NAMES,
        "rlnAngleRot": _text(EULER_DEG[:, 0], 8),
        "rlnAngleTilt": _text(EULER_DEG[:, 1], 8),
        "rlnAnglePsi": _text(EULER_DEG[:, 2], 8),
        "rlnMicrographPreExposure": _text(PRE_EXPOSURE[FRAME]),
        "rlnRandomSubset": "1",
    }


def _parse_relion() -> dict[str, Any]:
    """``cryodrgn_utils parse_relion`` 4.3.1."""
    micrographs = _common("{frame}@in/{tomogram}.mrcs")
    return (
        micrographs
        | IN_ROWS
        | {
            "rlnTiltName": micrographs["rlnMicrographName"],
            "rlnTomoYTilt": _text(TILT_DEG[FRAME]),
            "rlnCtfBfactor": "0.000000",
            "rlnPhaseShift": "0",
            "rlnCoordinateX": "589.5",
            "rlnCoordinateY": "170.2",
            "rlnOriginalParticle": "1",
        }
    )


def _parse_warptools() -> dict[str, Any]:
    """``cryodrgn_utils parse_warptools`` 4.3.1, which has no column of the tilt."""
    micrographs = _common("{tomogram}.tomostar_tilt_{frame:06d}")
    return (
        micrographs
        | IN_ROWS
        | {
            "rlnTiltName": micrographs["rlnMicrographName"],
            "rlnCtfBfactor": "0.000000",
            "rlnPhaseShift": "0",
            "rlnImagePixelSize": f"{PIXEL_SIZE_A}",
            "rlnImageSize": "32",
        }
    )


def _parse_relion5_tomo() -> dict[str, Any]:
    """``recovar parse_relion5_tomo`` 1.0.5: optics, no B-factor, no phase shift."""
    return _common("{tomogram}_{frame:03d}.mrc") | {
        "rlnOriginXAngst": "0.0",
        "rlnOriginYAngst": "0.0",
        "rlnTomoNominalStageTiltAngle": _text(TILT_DEG[FRAME]),
        "rlnOpticsGroup": "1",
    }


def _relion5() -> dict[str, Any]:
    """RELION 5 after refining scales: above 1 and, at steep tilts, below 0."""
    scales = np.linspace(2.9, -0.03, N_TILTS)[FRAME]
    return _parse_relion5_tomo() | {"rlnCtfScalefactor": _text(scales)}


FLAVORS = {
    "parse_relion": _parse_relion,
    "parse_warptools": _parse_warptools,
    "parse_relion5_tomo": _parse_relion5_tomo,
    "relion5": _relion5,
}


def _write(path: Path, rows: dict[str, Any]) -> Path:
    table = pd.DataFrame(rows, dtype=object)
    text = ""
    if "rlnOpticsGroup" in table:
        write_table(path, pd.DataFrame([OPTICS], dtype=object), "optics")
        text = path.read_text()
    write_table(path, table, "particles" if text else "")
    path.write_text(text + path.read_text())
    return path


def _read(path: Path) -> Any:
    assert tomodrgn_identify_reader(path) == "warp_particleseries"
    spec = WarpParticleseriesSpec(path=path)
    return WarpParticleseries(spec, ReaderContext(needs_images=False)).read()


@pytest.mark.parametrize("flavor", FLAVORS)
def test_every_number_is_the_one_that_was_written(flavor: str, tmp_path: Path) -> None:
    particles = _read(_write(tmp_path / "a.star", FLAVORS[flavor]()))
    images = particles.images
    assert particles.name.tolist() == list(PARTICLES)
    assert particles.tomogram.tolist() == ["ts1", "ts1", "ts2"]
    assert particles.counts.tolist() == [N_TILTS] * 3
    assert particles.pixel_size_a == PIXEL_SIZE_A
    row = particles.source_image
    np.testing.assert_allclose(images.rotation, matrices_from_euler(EULER_DEG[row]), atol=1e-5)
    np.testing.assert_allclose(images.dose_e_per_a2, PRE_EXPOSURE[FRAME[row]], atol=1e-3)
    tilt = images.tilt_deg if flavor != "parse_warptools" else -np.abs(images.tilt_deg)
    true = TILT_DEG[FRAME[row]] if flavor != "parse_warptools" else -np.abs(TILT_DEG[FRAME[row]])
    np.testing.assert_allclose(tilt, true, atol=1e-3)
    np.testing.assert_allclose(images.ctf.defocus_u_a, DEFOCUS_A[row, 0], atol=0.1)
    np.testing.assert_allclose(images.ctf.defocus_v_a, DEFOCUS_A[row, 1], atol=0.1)
    assert not images.ctf.phase_shift_deg.any()
    assert not images.shift_px.any()


@pytest.mark.parametrize("second", ["0", "1", "<NA>"])
def test_each_optics_group_says_whether_it_is_premultiplied_or_leaves_it_open(
    second: str, tmp_path: Path
) -> None:
    rows = _relion5() | {"rlnOpticsGroup": np.where(PARTICLES[0] == NAMES, "1", "2")}
    path = tmp_path / "a.star"
    stated = {"rlnOpticsGroup": ["1", "2"], "rlnCtfDataAreCtfPremultiplied": ["1", second]}
    rest = {name: [value] * 2 for name, value in OPTICS.items() if name not in stated}
    write_table(path, pd.DataFrame(stated | rest, dtype=object), "optics")
    optics = path.read_text()
    write_table(path, pd.DataFrame(rows, dtype=object), "particles")
    path.write_text(optics + path.read_text())
    groups = _read(path).optics
    found = [group.state.ctf_premultiplied for group in groups]
    assert found == [True, {"0": False, "1": True, "<NA>": None}[second]]
    assert [group.premultiplied_state is None for group in groups] == [True, second != "<NA>"]


def test_refined_scales_are_said_to_be_no_cosines(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    path = _write(tmp_path / "a.star", _relion5())
    with caplog.at_level(logging.INFO):
        _read(path)
    assert "rlnCtfScalefactor holds refined scales (-0.03 to 2.9), no cosines" in caplog.text
    assert "doses are taken from rlnMicrographPreExposure" in caplog.text
    rows = _relion5()
    del rows["rlnTomoNominalStageTiltAngle"]
    with pytest.raises(DataError, match="tilts are needed in rlnTomoNominalStageTiltAngle or"):
        _read(_write(path, rows))


def test_scales_may_be_absent_beside_tilts(tmp_path: Path) -> None:
    rows = _parse_relion5_tomo()
    del rows["rlnCtfScalefactor"]
    particles = _read(_write(tmp_path / "a.star", rows))
    np.testing.assert_allclose(particles.images.tilt_deg[:N_TILTS], TILT_DEG, atol=1e-3)


def test_the_simulator_of_recovar_counts_images_as_micrographs(tmp_path: Path) -> None:
    dose = 1.5 + PRE_EXPOSURE[FRAME]  # in the middle of the exposure, as a B-factor
    rows = _parse_relion5_tomo() | {
        "rlnImageName": [f"{row + 1}@particles.32.mrcs" for row in range(N)],
        "rlnMicrographName": [f"{row + 1}" for row in range(N)],
        "rlnGroupName": [f"tilt_{1 + row // N_TILTS:07d}" for row in range(N)],
        "rlnCtfBfactor": _text(-4 * dose),
        "rlnMicrographPreExposure": "0.000000",
        "rlnPhaseShift": "0.000000",
    }
    del rows["rlnTomoNominalStageTiltAngle"]
    particles = _read(_write(tmp_path / "a.star", rows))
    assert particles.counts.tolist() == [N_TILTS] * 3
    assert particles.tomogram.tolist() == ["tilt"] * 3
    np.testing.assert_allclose(particles.images.dose_e_per_a2[:N_TILTS], dose[:N_TILTS], atol=1e-3)


def test_a_b_factor_that_does_not_follow_the_dose_is_left_out(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    rows = _parse_relion5_tomo() | {"rlnCtfBfactor": _text(RNG.uniform(-30, 5, N))}
    with caplog.at_level(logging.WARNING):
        particles = _read(_write(tmp_path / "a.star", rows))
    assert "rlnCtfBfactor does not follow rlnMicrographPreExposure" in caplog.text
    np.testing.assert_allclose(particles.images.dose_e_per_a2[:N_TILTS], PRE_EXPOSURE, atol=1e-3)


def test_group_numbers_of_relion_are_no_particles_of_nextpyp(tmp_path: Path) -> None:
    rows = _parse_relion5_tomo() | {"rlnGroupNumber": "1"}
    assert _read(_write(tmp_path / "a.star", rows)).counts.tolist() == [N_TILTS] * 3


@pytest.mark.parametrize(
    ("names", "said"),
    [
        (("rlnTomoNominalStageTiltAngle",), "rlnTomoNominalStageTiltAngle holds .* tilts from"),
        (("rlnAngleRot", "rlnAngleTilt", "rlnAnglePsi"), "while tilts span .* radians, multiply"),
    ],
)
def test_angles_in_radians_are_refused(names: tuple[str, ...], said: str, tmp_path: Path) -> None:
    rows = _parse_relion5_tomo()
    rows["rlnTomoNominalStageTiltAngle"] = _text(4 * TILT_DEG[FRAME])
    rows |= {name: _text(np.deg2rad(np.asarray(rows[name], dtype=float)), 6) for name in names}
    with pytest.raises(DataError, match=said):
        _read(_write(tmp_path / "a.star", rows))
