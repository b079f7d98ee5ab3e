"""Names that stand for two particles, where sessions of equal names were joined."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
import pytest

from tomodrgn.core.errors import DataError
from tomodrgn.core.files.star import write_table
from tomodrgn.core.interfaces import ReaderContext
from tomodrgn.plugins.readers import WarpParticleseriesSpec
from tomodrgn.plugins.readers.image_series.warp_particleseries import WarpParticleseries

if TYPE_CHECKING:
    from pathlib import Path

    from tomodrgn.plugins.readers.specs import JoinBy

N_TILTS = 9


def _session(
    stack: str, *, tilt: str = "ts1.tomostar", dose_e_per_a2: float = 3.0, signed: bool = True
) -> pd.DataFrame:
    """Two particles of nine tilts in one stack."""
    tilt_deg = [3.0 * ((k + 1) // 2) * (-1) ** k for k in range(N_TILTS)]
    rows = [(p, k) for p in range(2) for k in range(N_TILTS)]
    table = pd.DataFrame(
        {
            "rlnDetectorPixelSize": "4.0",
            "rlnImageName": [f"{row + 1}@{stack}" for row in range(len(rows))],
            "rlnMicrographName": [tilt.format(k) for _, k in rows],
            "rlnAngleRot": "1.0",
            "rlnAngleTilt": "2.0",
            "rlnAnglePsi": "3.0",
            "rlnCtfBfactor": [f"{-4 * dose_e_per_a2 * (k + 1):.2f}" for _, k in rows],
            "rlnCtfScalefactor": [f"{np.cos(np.deg2rad(tilt_deg[k])):.4f}" for _, k in rows],
            "rlnGroupName": [f"ts1_{p}" for p, _ in rows],
        },
        dtype=object,
    )
    return table.assign(rlnTomoYTilt=[f"{tilt_deg[k]}" for _, k in rows]) if signed else table


def _reader(folder: Path, *sessions: pd.DataFrame, join_by: JoinBy = "auto") -> WarpParticleseries:
    write_table(folder / "joined.star", pd.concat(sessions, ignore_index=True))
    spec = WarpParticleseriesSpec(path=folder / "joined.star", join_by=join_by)
    return WarpParticleseries(spec, ReaderContext(needs_images=False))


@pytest.mark.parametrize("tilt", ["ts1.tomostar", "ts1_{}.mrc"])
@pytest.mark.parametrize("dose_e_per_a2", [3.0, 2.5])
@pytest.mark.parametrize("signed", [True, False])
def test_two_sessions_of_equal_names_are_refused_with_both_stacks(
    tilt: str, dose_e_per_a2: float, *, signed: bool, tmp_path: Path
) -> None:
    sessions = (
        _session("a/s.mrcs", tilt=tilt, signed=signed),
        _session("b/s.mrcs", tilt=tilt, dose_e_per_a2=dose_e_per_a2, signed=signed),
    )
    reader = _reader(tmp_path, *sessions)
    match = (
        r"ts1_0 of tomogram ts1.* names two particles: rows 1 and 19 are of a/s.mrcs and b/s.mrcs, "
        r".* \(2 such names\).*; rename the tomograms of one session"
    )
    for ask in (reader.read, reader.source_rows):
        with pytest.raises(DataError, match=match):
            ask()


@pytest.mark.parametrize("tilt", ["ts1.tomostar", "ts1_{}.mrc"])
@pytest.mark.parametrize("stacks", ["{}/s.mrcs", "{}/ts1/s.mrcs"])
def test_the_folders_of_stacks_may_tell_sessions_apart(
    tilt: str, stacks: str, tmp_path: Path
) -> None:
    sessions = [
        _session(stacks.format(folder), tilt=tilt, dose_e_per_a2=dose_e_per_a2)
        for folder, dose_e_per_a2 in (("a", 3.0), ("b", 2.5))
    ]
    reader = _reader(tmp_path, *sessions, join_by="stack")
    particles, source = reader.read(), reader.source_rows()
    assert particles.counts.tolist() == [N_TILTS] * 4
    assert particles.name.tolist() == ["ts1_0", "ts1_1"] * 2
    tomogram = tilt.removesuffix("_{}.mrc")
    assert particles.tomogram.tolist() == [f"{s}/{tomogram}" for s in "aabb"]
    assert source.tomogram.tolist() == particles.tomogram.tolist()
    assert source.particle.tolist() == np.repeat(np.arange(4), N_TILTS).tolist()
    assert reader.fingerprint()["join_by"] == "stack"


def test_a_particle_whose_exposures_lie_in_several_folders_stays_one(tmp_path: Path) -> None:
    spread = _session("s.mrcs")
    spread["rlnImageName"] = [
        name.replace("@", f"@{'ab'[row % N_TILTS % 2]}/")
        for row, name in enumerate(spread["rlnImageName"])
    ]
    for join_by in ("auto", "stack"):
        particles = _reader(tmp_path, spread, join_by=join_by).read()
        assert particles.counts.tolist() == [N_TILTS] * 2
        assert set(particles.tomogram) == {"ts1.tomostar"}


def test_folders_of_one_particle_each_tell_no_sessions_apart(tmp_path: Path) -> None:
    own = _session("s.mrcs")
    own["rlnImageName"] = [
        name.replace("@", f"@{row // N_TILTS}/") for row, name in enumerate(own["rlnImageName"])
    ]
    with pytest.raises(DataError, match=r"2 particles have stacks in 2 folders, which tell no"):
        _reader(tmp_path, own, join_by="stack").read()


def test_sessions_whose_tomograms_have_other_names_are_read(tmp_path: Path) -> None:
    for tilt in ("b_ts1.tomostar", "b_ts1_{}.mrc"):
        first = _session("a/s.mrcs", tilt=tilt.removeprefix("b_"))
        particles = _reader(tmp_path, first, _session("b/s.mrcs", tilt=tilt)).read()
        assert particles.counts.tolist() == [N_TILTS] * 4


def test_a_stack_that_is_cut_within_a_particle_splits_no_name(tmp_path: Path) -> None:
    for signed in (True, False):
        table = _session("a.mrcs", signed=signed)
        for order in (np.arange(18), np.lexsort((table["rlnTomoYTilt"], table["rlnGroupName"]))
                      if signed else np.arange(18)):  # fmt: skip
            cut = table.iloc[order].reset_index(drop=True)
            cut["rlnImageName"] = [f"{k % 5 + 1}@{k // 5}.mrcs" for k in range(18)]
            assert _reader(tmp_path, cut).read().counts.tolist() == [N_TILTS] * 2


def test_a_stack_for_each_exposure_splits_no_name(tmp_path: Path) -> None:
    table = _session("a.mrcs")
    table["rlnImageName"] = [f"{k // 9 + 1}@tilt_{k % 9}.mrcs" for k in range(18)]
    assert _reader(tmp_path, table).read().counts.tolist() == [N_TILTS] * 2


def test_an_exposure_that_was_taken_twice_splits_no_name(tmp_path: Path) -> None:
    table = _session("a.mrcs")
    table["rlnImageName"] = [f"{k // 9 + 1}@tilt_{k % 9}.mrcs" for k in range(18)]
    again = table[table["rlnTomoYTilt"] == "0.0"].assign(rlnCtfBfactor="-200")
    again["rlnImageName"] = [f"{k + 1}@tilt_9.mrcs" for k in range(2)]
    assert _reader(tmp_path, table, again).read().counts.tolist() == [N_TILTS + 1] * 2


def test_two_images_of_one_exposure_are_said(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    table = _session("a.mrcs")
    extra = table.iloc[[2]].assign(rlnImageName="99@a.mrcs")
    with caplog.at_level(logging.WARNING):
        particles = _reader(tmp_path, table, extra).read()
    assert particles.counts.tolist() == [N_TILTS + 1, N_TILTS]
    assert (
        "1 images have the dose and tilt of another of their particle, such as rows 3 and 19 of"
        in caplog.text
    )
    caplog.clear()
    with caplog.at_level(logging.WARNING):
        _reader(tmp_path, table).read()
    assert "have the dose and tilt" not in caplog.text
