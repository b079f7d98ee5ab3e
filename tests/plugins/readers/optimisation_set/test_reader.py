"""Sets of particles and tomograms, written by hand."""

from __future__ import annotations

import logging
import pickle
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from tests.plugins.readers import handmade_sets as made
from tests.plugins.readers.handmade_sets import FLAVOURS, HandmadeSet, warptools_set
from tomodrgn.core.errors import DataError
from tomodrgn.core.geometry.projections import rotations_from_stage_angles
from tomodrgn.core.geometry.rotations import matrices_from_euler
from tomodrgn.core.interfaces import ReaderContext
from tomodrgn.core.particles.selection import select
from tomodrgn.core.specs.dataset import DatasetSpec
from tomodrgn.plugins.readers import OptimisationSetSpec, tomodrgn_identify_reader
from tomodrgn.plugins.readers.optimisation_set.packed_frames import DARK_FRAME, INVISIBLE_FRAME
from tomodrgn.plugins.readers.optimisation_set.reader import OptimisationSet
from tomodrgn.plugins.readers.optimisation_set.trajectories import extracted_along
from tomodrgn.testing import ReaderContract

if TYPE_CHECKING:
    from tomodrgn.core.particles.tables import ParticleSet

    Make = Callable[[], HandmadeSet]


def _reader(path: Path, *, needs_images: bool = True, **options: Any) -> OptimisationSet:
    spec = OptimisationSetSpec(path=path, **options)
    return OptimisationSet(spec, ReaderContext(needs_images=needs_images))


def _read(path: Path, **options: Any) -> ParticleSet:
    return _reader(path, **options).read()


@pytest.fixture(params=FLAVOURS.values(), ids=FLAVOURS.keys())
def make(request: pytest.FixtureRequest) -> Make:
    """Each flavour in turn."""
    maker: Make = request.param
    return maker


class TestOptimisationSet(ReaderContract):
    def make_spec(self, folder: Path) -> OptimisationSetSpec:
        return OptimisationSetSpec(path=warptools_set().write(folder))


def test_a_set_is_recognised_under_any_name(make: Make, tmp_path: Path) -> None:
    assert tomodrgn_identify_reader(make().write(tmp_path, "whatever.star")) == "optimisation_set"


def test_every_number_is_what_the_tables_say(make: Make, tmp_path: Path) -> None:
    reader = _reader(make().write(tmp_path))
    particles = reader.read()
    assert (particles.n_particles, particles.rows_read) == (5, 18)
    assert particles.rejected == {INVISIBLE_FRAME: 3}
    assert particles.counts.tolist() == [3, 3, 3, 2, 4]
    np.testing.assert_allclose(particles.position_a, made.OFFSETS_A + made.SIZE_A / 2, atol=1e-4)
    pixels = reader.load_images(particles.source_image)[:, 0, 0]
    starts = np.cumsum([0, 4, 3, 4, 3])
    for row, particle in enumerate(particles.particle_of_image):
        name = "TS_1" if particle % 2 == 0 else "TS_10"
        frame = particles.source_image[row] - starts[particle]
        assert pixels[row] == 100 * (particle + 1) + frame + 1
        projection = rotations_from_stage_angles(*made.STAGE_ANGLES_DEG[name][frame])
        euler = np.array([10 + 10 * particle, 60 - 10 * particle, [-5, 15, -25, 35, -45][particle]])
        images = particles.images
        np.testing.assert_allclose(
            images.rotation[row], projection @ matrices_from_euler(euler), atol=1e-6
        )
        shift = (projection @ made.ORIGINS_A[particle])[:2] / made.PIXEL_SIZE_A
        np.testing.assert_allclose(images.shift_px[row], shift, atol=1e-5)
        assert images.dose_e_per_a2[row] == made.PRE_EXPOSURES[name][frame]
        assert images.tilt_deg[row] == pytest.approx(made.TILTS_DEG[name][frame], abs=1e-2)
        assert images.ctf is not None
        height = (projection @ made.OFFSETS_A[particle])[2]
        sign = 1 if "tomostar" in particles.tomogram[0] else -1
        assert particles.height_defocus_a[row] == pytest.approx(sign * height, abs=1e-3)
        assert images.ctf.defocus_u_a[row] == pytest.approx(
            30000 + 10 * frame + sign * height, abs=1e-2
        )
        assert images.ctf.voltage_kv[row] == images.voltage_kv[row] == 300 - 100 * (particle % 2)


def test_images_ascend_in_dose_although_frames_ascend_in_tilt(tmp_path: Path) -> None:
    particles = _read(warptools_set().write(tmp_path))
    assert particles.images.dose_e_per_a2[:6].tolist() == [3, 6, 9, 0, 2.5, 5]
    assert [name.split("@")[0] for name in particles.image_name[:6]] == [
        "000002", "000004", "000001", "000002", "000003", "000001",
    ]  # fmt: skip


def _images_by_name(path: Path) -> dict[tuple[str, str], list[float]]:
    """Every number and a pixel of every image under its names."""
    reader = _reader(path)
    particles = reader.read()
    images = particles.images
    assert images.ctf is not None
    numbers = np.column_stack(
        [
            images.rotation.reshape(-1, 9), images.shift_px, images.dose_e_per_a2, images.tilt_deg,
            images.voltage_kv, images.ctf.defocus_u_a, images.ctf.phase_shift_deg,
            particles.height_defocus_a, particles.position_a[particles.particle_of_image],
            reader.load_images(particles.source_image)[:, 0, 0],
        ]
    )  # fmt: skip
    names = zip(particles.name[particles.particle_of_image], particles.image_name, strict=True)
    return dict(zip(names, numbers.tolist(), strict=True))


@pytest.mark.parametrize("seed", range(3))
def test_shuffled_rows_of_all_files_make_the_same_images(
    make: Make, seed: int, tmp_path: Path
) -> None:
    straight = _images_by_name(make().write(tmp_path / "straight"))
    mixed = make()
    numbers = np.random.default_rng(seed)
    mixed.particles = mixed.particles.iloc[numbers.permutation(5)]
    mixed.optics = mixed.optics.iloc[::-1]
    mixed.tomograms = mixed.tomograms.iloc[numbers.permutation(2)]
    mixed.tilts = dict(reversed(mixed.tilts.items()))
    mixed.particles = mixed.particles[numbers.permutation(mixed.particles.columns)]
    assert _images_by_name(mixed.write(tmp_path / "mixed")) == straight


@pytest.mark.parametrize("holds_all", [True, False], ids=["all frames", "visible frames"])
@pytest.mark.parametrize("seed", range(8))
def test_any_pattern_of_visible_frames_finds_its_pixels(
    seed: int, holds_all: bool, tmp_path: Path
) -> None:
    numbers = np.random.default_rng(seed)
    patterns = [numbers.integers(0, 2, 4 if row % 2 == 0 else 3) for row in range(5)]
    for pattern in patterns:
        pattern[numbers.integers(len(pattern))] = 1
    written = warptools_set()
    written.stacks_hold_all_frames = holds_all
    written.particles["rlnTomoVisibleFrames"] = [f"[{','.join(map(str, p))}]" for p in patterns]
    reader = _reader(written.write(tmp_path))
    particles = reader.read()
    found = reader.load_images(particles.source_image)[:, 0, 0]
    expected = {
        100.0 * (row + 1) + frame + 1
        for row, pattern in enumerate(patterns)
        for frame in np.flatnonzero(pattern)
    }
    assert set(found.tolist()) == expected
    assert len(found) == len(expected)
    doses = [
        made.PRE_EXPOSURES["TS_1" if int(level) // 100 % 2 else "TS_10"][int(level) % 100 - 1]
        for level in found
    ]
    np.testing.assert_array_equal(particles.images.dose_e_per_a2, doses)


def test_dark_frames_are_left_out_even_where_they_are_called_visible(tmp_path: Path) -> None:
    written = warptools_set()
    written.tilts["TS_1.tomostar"].loc[1, "rlnCtfScalefactor"] = "0.000"
    particles = _read(written.write(tmp_path))
    assert particles.rejected == {INVISIBLE_FRAME: 3, DARK_FRAME: 3}
    assert particles.counts.tolist() == [2, 3, 2, 2, 3]


def test_a_particle_that_is_nowhere_visible_is_left_out(tmp_path: Path) -> None:
    written = warptools_set()
    written.particles.loc[1, "rlnTomoVisibleFrames"] = "[0,0,0]"
    particles = _read(written.write(tmp_path))
    assert particles.source_particle.tolist() == [0, 2, 3, 4]
    np.testing.assert_allclose(
        particles.position_a, made.OFFSETS_A[[0, 2, 3, 4]] + made.SIZE_A / 2, atol=1e-4
    )


def test_particles_count_although_they_are_nowhere_visible(tmp_path: Path) -> None:
    written = warptools_set()
    written.particles.loc[4, "rlnTomoVisibleFrames"] = "[0,0,0,0]"
    particles = _read(written.write(tmp_path))
    assert (particles.n_particles, particles.n_source_particles) == (4, 5)
    np.save(tmp_path / "ind.npy", np.array([3, 4]))
    chosen = select(particles, DatasetSpec(ind=tmp_path / "ind.npy"), 0)
    assert (chosen.source_particle.tolist(), chosen.n_source_particles) == ([3], 5)


@pytest.mark.parametrize(
    ("hand", "choice", "sign"),
    [(-1, "auto", 1), (1, "auto", -1), (1, "plus", 1), (-1, "minus", -1), (-1, "none", 0)],
)
def test_the_sign_of_heights_follows_warptools_or_the_user(
    hand: int, choice: str, sign: int, tmp_path: Path
) -> None:
    straight = _read(warptools_set().write(tmp_path / "straight"), defocus_sign="plus")
    written = warptools_set()
    written.tomograms["rlnTomoHand"] = f"{hand}.0"
    particles = _read(written.write(tmp_path), defocus_sign=choice)
    base = straight.images.ctf.defocus_v_a - straight.height_defocus_a
    expected = base + sign * straight.height_defocus_a
    np.testing.assert_allclose(particles.images.ctf.defocus_v_a, expected, atol=1e-2)
    assert (particles.height_defocus_a is None) == (sign == 0)


def test_heights_in_relion_are_scaled_by_hand_and_slope(tmp_path: Path) -> None:
    straight = _read(made.relion5_set().write(tmp_path / "straight"))
    written = made.relion5_set()
    written.tomograms["rlnTomoHand"] = "1"
    written.tomograms["rlnTomoDefocusSlope"] = "0.5"
    particles = _read(written.write(tmp_path))
    np.testing.assert_allclose(
        particles.height_defocus_a, -0.5 * straight.height_defocus_a, atol=1e-4
    )


def test_warptools_sizes_in_either_unit_mean_the_same(tmp_path: Path) -> None:
    straight = _read(warptools_set().write(tmp_path / "straight"))
    written = warptools_set()
    for axis, size in zip("XYZ", made.SIZE_A, strict=True):
        written.tomograms[f"rlnTomoSize{axis}"] = f"{size / made.PIXEL_SIZE_A:.0f}"
    written.tomograms["rlnTomoTiltSeriesPixelSize"] = f"{made.PIXEL_SIZE_A}"
    written.optics["rlnTomoTiltSeriesPixelSize"] = f"{made.PIXEL_SIZE_A}"
    written.optics["rlnTomoSubtomogramBinning"] = "1.0"
    particles = _read(written.write(tmp_path))
    np.testing.assert_allclose(particles.position_a, straight.position_a)
    np.testing.assert_allclose(particles.height_defocus_a, straight.height_defocus_a)


def test_phase_shifts_of_frames_hold_unless_particles_have_their_own(tmp_path: Path) -> None:
    written = warptools_set()
    written.tilts["TS_1.tomostar"]["rlnPhaseShift"] = ["10", "20", "30", "40"]
    particles = _read(written.write(tmp_path))
    assert particles.images.ctf.phase_shift_deg[:6].tolist() == [20, 40, 10, 0, 0, 0]
    written.particles["rlnPhaseShift"] = ["1", "2", "3", "4", "5"]
    particles = _read(written.write(tmp_path))
    assert particles.images.ctf.phase_shift_deg[:6].tolist() == [1, 1, 1, 2, 2, 2]


def test_prior_angles_turn_poses_and_origins(tmp_path: Path) -> None:
    straight = _read(made.relion5_set().write(tmp_path / "straight"))
    written = made.relion5_set()
    for name, angle in zip(("Rot", "Tilt", "Psi"), (30.0, 70.0, -20.0), strict=True):
        written.particles[f"rlnTomoSubtomogram{name}"] = f"{angle}"
    particles = _read(written.write(tmp_path))
    prior = matrices_from_euler(np.array([30.0, 70.0, -20.0]))
    np.testing.assert_allclose(particles.orientation, prior @ straight.orientation, atol=1e-9)
    moved = made.ORIGINS_A - made.ORIGINS_A @ prior.T
    np.testing.assert_allclose(particles.position_a - straight.position_a, moved, atol=1e-4)


def test_motion_moves_content_and_height_and_can_be_left_out(tmp_path: Path) -> None:
    straight = _read(made.relion5_set().write(tmp_path / "straight"))
    written = made.relion5_set()
    moved_a = np.array([4.0, -2.0, 6.0])
    for name, shown in zip(
        written.particles.rlnTomoParticleName, written.particles.rlnTomoVisibleFrames, strict=True
    ):
        table = written.tilts[name.split("/")[0]][[]].copy()
        for axis, value in zip("XYZ", moved_a, strict=True):
            table[f"rlnOrigin{axis}Angst"] = made.texts([value] * (shown.count(",") + 1))
        written.trajectories[name] = table
    path = written.write(tmp_path)
    particles = _read(path)
    projections = particles.images.rotation @ np.swapaxes(
        particles.orientation[particles.particle_of_image], 1, 2
    )
    moved = projections @ moved_a
    np.testing.assert_allclose(
        straight.images.shift_px - particles.images.shift_px,
        moved[:, :2] / made.PIXEL_SIZE_A,
        atol=1e-5,
    )
    np.testing.assert_allclose(
        particles.height_defocus_a - straight.height_defocus_a, -moved[:, 2], atol=1e-3
    )
    still = _read(path, trajectories=False)
    np.testing.assert_array_equal(still.images.shift_px, straight.images.shift_px)


@pytest.mark.parametrize(
    ("trajectories", "stack", "follows"),
    [
        ("Polish/job040/motion.star", "Extract/job041/Subtomograms/TS_1/1_stack2d.mrcs", True),
        ("Polish/job040/motion.star", "Extract/job030/Subtomograms/TS_1/1_stack2d.mrcs", False),
        ("Extract/job041/motion.star", "Extract/job041/Subtomograms/TS_1/1_stack2d.mrcs", True),
        ("Polish/job040/motion.star", "warp/TS_1/1.mrcs", False),
        ("motion.star", "Extract/job041/Subtomograms/TS_1/1_stack2d.mrcs", False),
    ],
)
def test_job_numbers_tell_whether_stacks_follow_the_motion(
    trajectories: str, stack: str, follows: bool
) -> None:
    assert extracted_along(trajectories, [stack, "1.mrcs"]).tolist() == [follows, False]


def test_motion_is_not_applied_to_images_that_follow_it(tmp_path: Path) -> None:
    written = made.relion5_set()
    written.particles["rlnImageName"] = "Extract/job041/" + written.particles["rlnImageName"]
    straight = _read(written.write(tmp_path))
    named = {
        "rlnTomoParticlesFile": "particles.star",
        "rlnTomoTomogramsFile": "tomograms.star",
        "rlnTomoTrajectoriesFile": "Polish/job040/motion.star",
    }
    (tmp_path / "set.star").write_text(made.values_text(named, ""))
    particles = _read(tmp_path / "set.star")
    np.testing.assert_array_equal(particles.images.shift_px, straight.images.shift_px)
    np.testing.assert_array_equal(particles.height_defocus_a, straight.height_defocus_a)


def test_half_sets_are_kept(tmp_path: Path) -> None:
    assert _read(made.relion5_set().write(tmp_path)).half_set.tolist() == [1, 2, 2, 1, 1]
    assert _read(warptools_set().write(tmp_path / "b")).half_set is None


@pytest.mark.parametrize(
    ("make_set", "premultiplied", "weighted", "inverted"),
    [
        (warptools_set, "1", True, False),
        (warptools_set, "0", True, False),
        (made.relion5_set, "1", True, False),
        (made.relion5_set, "0", False, True),
    ],
)
def test_the_state_of_images_follows_group_and_program(
    make_set: Make, premultiplied: str, weighted: bool, inverted: bool, tmp_path: Path
) -> None:
    written = make_set()
    written.optics["rlnCtfDataAreCtfPremultiplied"] = ["1", premultiplied]
    first, second = _read(written.write(tmp_path)).optics
    assert (first.name, second.name) == ("first", "second")
    assert first.state.ctf_premultiplied
    assert second.state.ctf_premultiplied == (premultiplied == "1")
    assert second.state.dose_weighted == second.state.tilt_weighted == weighted
    assert second.state.inverted == inverted
    assert not first.state.inverted


@pytest.mark.parametrize("silent", ["<NA>", "nan", "None"])
def test_the_state_of_a_group_that_joined_tables_leave_empty_is_open(
    silent: str, tmp_path: Path
) -> None:
    written = made.relion5_set()
    written.optics["rlnCtfDataAreCtfPremultiplied"] = ["0", silent]
    first, second = _read(written.write(tmp_path)).optics
    assert (first.state.ctf_premultiplied, first.premultiplied_state) == (False, None)
    assert second.state.ctf_premultiplied is None
    assert second.premultiplied_state is not None
    written.optics["rlnCtfDataAreCtfPremultiplied"] = ["0", "perhaps"]
    with pytest.raises(DataError, match=r"row 2: .?perhaps.? is not a finite number"):
        _read(written.write(tmp_path / "words"))


def test_images_without_scale_factors_are_not_weighted_by_tilt(tmp_path: Path) -> None:
    written = warptools_set()
    for table in written.tilts.values():
        del table["rlnCtfScalefactor"]
    state = _read(written.write(tmp_path)).optics[0].state
    assert (state.dose_weighted, state.tilt_weighted) == (True, False)


@pytest.mark.parametrize("scale", ["1.3", "-0.02"])
def test_scales_that_are_no_cosines_leave_tilts_to_the_stage(
    scale: str, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    written = warptools_set()
    plain = _read(written.write(tmp_path / "plain")).images.tilt_deg
    written.tilts["TS_1.tomostar"].loc[1, "rlnCtfScalefactor"] = scale
    with caplog.at_level(logging.WARNING):
        refined = _read(written.write(tmp_path / "refined")).images.tilt_deg
    np.testing.assert_allclose(refined, plain, atol=3.01)  # the inclination of the specimen
    assert "were refined and are no cosines" in caplog.text


def test_a_b_factor_per_dose_takes_the_place_of_the_curve(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    written = made.relion5_set()
    written.optics["rlnCtfDataAreCtfPremultiplied"] = "1"
    plain = _read(written.write(tmp_path / "plain"))
    assert plain.optics[0].state.dose_weighted
    assert plain.images.b_factor_a2 is None
    written.tomograms["rlnCtfBfactorPerElectronDose"] = ["4.0", "2.0"]
    for table in written.tilts.values():
        table["rlnCtfBfactor"] = "10.0"
    with caplog.at_level(logging.WARNING):
        found = _read(written.write(tmp_path / "damped"))
    assert not found.optics[0].state.dose_weighted
    slope = np.where(found.tomogram == "TS_1", 4, 2)[found.particle_of_image]
    expected = 10 + slope * found.images.dose_e_per_a2
    np.testing.assert_allclose(found.images.b_factor_a2, expected, rtol=1e-6)
    # B = 10 + 4 * 9 A^2 at k = 1/8 1/A: exp(-46 / 256)
    assert "B-factors of 10 to 46 A^2" in caplog.text
    assert "damped by exp(-B k^2 / 4), down to 0.84 at Nyquist, which is undone" in caplog.text


def test_some_tomograms_with_a_b_factor_per_dose_are_said(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    written = made.relion5_set()
    written.tomograms["rlnCtfBfactorPerElectronDose"] = ["4.0", "0"]
    with caplog.at_level(logging.WARNING):
        found = _read(written.write(tmp_path))
    assert "of 1 of 2 tomograms were damped by up to 4 A^2 per e/A^2" in caplog.text
    assert found.images.b_factor_a2 is None


def test_negative_b_factors_of_tilt_images_are_said_and_damp_nothing(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    written = made.relion5_set()
    for table in written.tilts.values():
        table["rlnCtfBfactor"] = "-12.0"
    with caplog.at_level(logging.WARNING):
        found = _read(written.write(tmp_path))
    assert "rlnCtfBfactor of 7 of 7 tilt images is negative (down to -12 A^2)" in caplog.text
    assert found.images.b_factor_a2 is None


def test_tilt_series_without_defocus_make_images_without_ctf(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    written = warptools_set()
    for table in written.tilts.values():
        del table["rlnDefocusU"], table["rlnDefocusV"], table["rlnDefocusAngle"]
    with caplog.at_level(logging.WARNING):
        particles = _read(written.write(tmp_path))
    assert particles.images.ctf is None
    assert particles.height_defocus_a is None
    assert set(particles.images.voltage_kv) == {200, 300}
    assert "have no defocus" in caplog.text


def test_missing_doses_are_said_to_be_missing(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    written = warptools_set()
    for table in written.tilts.values():
        del table["rlnMicrographPreExposure"]
    with caplog.at_level(logging.WARNING):
        particles = _read(written.write(tmp_path))
    assert not particles.images.dose_e_per_a2.any()
    assert "rlnMicrographPreExposure; their dose is taken to be 0" in caplog.text


def test_paths_are_found_from_the_project_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    made.relion5_set().write(tmp_path / "Extract" / "job012")
    job = tmp_path / "Refine3D" / "job020"
    job.mkdir(parents=True)
    named = {
        "rlnTomoParticlesFile": "Extract/job012/particles.star",
        "rlnTomoTomogramsFile": "Extract/job012/tomograms.star",
        "rlnTomoTrajectoriesFile": '""',
        "rlnTomoManifoldsFile": "None",
    }
    (job / "set.star").write_text(made.values_text(named, ""))
    monkeypatch.chdir("/")
    assert _read(job / "set.star").n_images == 15


def test_stacks_are_found_in_the_data_folder(tmp_path: Path) -> None:
    path = warptools_set().write(tmp_path / "here")
    for kept, place in ((1, "a"), (2, "b"), (3, "c")):
        target = tmp_path / place
        for stack in sorted((tmp_path / "here" / "stacks").rglob("*.mrcs")):
            parts = stack.relative_to(tmp_path / "here").parts[-kept:]
            target.joinpath(*parts).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(stack, target.joinpath(*parts))
    shutil.rmtree(tmp_path / "here" / "stacks")
    for place in "abc":
        assert _read(path, datadir=tmp_path / place).n_images == 15
    with pytest.raises(DataError, match=r"stack stacks/TS_1/001.mrcs is missing \(5 of 5 "):
        _read(path)


def test_particles_without_their_set_need_the_tomograms_file(tmp_path: Path) -> None:
    path = warptools_set().write(tmp_path)
    particles = tmp_path / "particles.star"
    assert tomodrgn_identify_reader(particles) == "optimisation_set"
    with pytest.raises(DataError, match=r"projections, doses, .* unknown; .*with --tomograms"):
        _read(particles)
    given = _read(particles, tomograms=tmp_path / "tomograms.star")
    np.testing.assert_array_equal(given.images.rotation, _read(path).images.rotation)


@pytest.mark.parametrize("make_set", [warptools_set, made.relion4_set])
def test_particles_without_their_set_are_placed_and_turned(make_set: Make, tmp_path: Path) -> None:
    whole = _read(make_set().write(tmp_path))
    alone = _read(tmp_path / "particles.star", needs_images=False)
    assert alone.n_images == 0
    assert alone.rows_read == alone.n_particles == 5
    np.testing.assert_allclose(alone.position_a, whole.position_a)
    np.testing.assert_allclose(alone.orientation, whole.orientation)
    assert alone.name.tolist() == whole.name.tolist()


def test_centred_coordinates_without_sizes_place_nothing(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    made.relion5_set().write(tmp_path)
    with caplog.at_level(logging.WARNING):
        alone = _read(tmp_path / "particles.star", needs_images=False)
    assert alone.position_a is None
    assert "cannot be told without the sizes" in caplog.text


def test_metadata_can_be_read_without_stacks(make: Make, tmp_path: Path) -> None:
    path = make().write(tmp_path)
    whole = _read(path)
    shutil.rmtree(tmp_path / "stacks")
    reader = _reader(path, needs_images=False)
    particles = reader.read()
    np.testing.assert_array_equal(particles.source_image, whole.source_image)
    np.testing.assert_array_equal(particles.images.rotation, whole.images.rotation)
    assert particles.box_size_px == made.BOX_SIZE_PX
    assert reader.fingerprint()["stacks"] is None
    with pytest.raises(DataError, match=r"image stack .* is missing"):
        reader.load_images(particles.source_image)


def test_images_are_found_once_they_are_asked_for(make: Make, tmp_path: Path) -> None:
    path = make().write(tmp_path)
    whole = _reader(path)
    rows = whole.read().source_image
    reader = _reader(path, needs_images=False)
    reader.read()
    again = pickle.loads(pickle.dumps(reader))  # noqa: S301  as processes get it
    np.testing.assert_array_equal(again.load_images(rows), whole.load_images(rows))


def test_the_fingerprint_changes_with_any_file(tmp_path: Path) -> None:
    written = made.relion5_set()
    path = written.write(tmp_path)
    before = _reader(path).fingerprint()
    assert _reader(path).fingerprint() == before
    assert [Path(file["path"]).name for file in before["files"]] == [
        "run_it007.star", "particles.star", "tomograms.star", "TS_1.star", "TS_10.star",
    ]  # fmt: skip
    stack = tmp_path / "stacks" / "TS_1" / "001.mrcs"
    stack.write_bytes(stack.read_bytes() + b" ")
    assert _reader(path).fingerprint() != before


def _change(column: str, row: int, value: str) -> Callable[[HandmadeSet], None]:
    def change(written: HandmadeSet) -> None:
        written.particles.loc[row, column] = value

    return change


def _change_tilts(column: str, value: str) -> Callable[[HandmadeSet], None]:
    def change(written: HandmadeSet) -> None:
        written.tilts["TS_1.tomostar"].loc[1, column] = value

    return change


def _drop_tilts(*names: str) -> Callable[[HandmadeSet], None]:
    def change(written: HandmadeSet) -> None:
        written.tilts["TS_1.tomostar"] = written.tilts["TS_1.tomostar"].drop(columns=list(names))

    return change


def _change_optics(column: str, values: list[str]) -> Callable[[HandmadeSet], None]:
    def change(written: HandmadeSet) -> None:
        written.optics[column] = values

    return change


FAULTS: dict[str, tuple[Callable[[HandmadeSet], None], str]] = {
    "unknown tomogram": (
        _change("rlnTomoName", 2, "TS_2.tomostar"),
        r"tomogram TS_2.tomostar is missing.*Did you mean 'TS_",
    ),
    "short list": (
        _change("rlnTomoVisibleFrames", 2, "[1,1,1]"),
        r"row 3: lists 3 frames, tomogram TS_1.tomostar has 4",
    ),
    "twos in a list": (
        _change("rlnTomoVisibleFrames", 2, "[1,2,1,1]"), r"row 3: '\[1,2,1,1\]' is no list of 0",
    ),
    "run-on list": (_change("rlnTomoVisibleFrames", 0, "[1,11,0]"), "is no list of 0 and 1"),
    "twin names": (
        _change("rlnTomoParticleName", 2, "TS_1/1"),
        r"rows 1 and 3 are two particles of one name \(rlnImageName 'stacks/TS_1/001.mrcs' and ",
    ),
    "twin stacks": (
        _change("rlnImageName", 3, "stacks/TS_10/002.mrcs"),
        r"rows 2 and 4 are two particles of one stack \(rlnCoordinateX .*whole paths of the stack",
    ),
    "number before stack": (
        lambda written: written.particles.__setitem__(
            "rlnImageName", ["1@" + name for name in written.particles["rlnImageName"]]
        ),
        "names one image; a particle of a set has a stack of its own",
    ),
    "no such group": (_change("rlnOpticsGroup", 4, "7"), "row 5 is of the optics group .?7"),
    "pixel sizes": (
        _change_optics("rlnImagePixelSize", ["4.0", "5.0"]), r"differ in rlnImagePixelSize.*split",
    ),
    "boxes": (_change_optics("rlnImageSize", ["8", "16"]), r"differ in rlnImageSize.*split"),
    "other box": (_change_optics("rlnImageSize", ["16", "16"]), "rlnImageSize is 16, the stacks"),
    "no microscope": (
        lambda written: written.optics.__delitem__("rlnVoltage"), "rlnVoltage missing from the opt",
    ),
    "volumes": (
        _change_optics("rlnImageDimensionality", ["3", "3"]), r"pseudo-subtomograms; .*--stack2d",
    ),
    "volumes by their general block": (
        lambda written: written.general.update(rlnTomoSubTomosAre2DStacks="0"), "2-D stacks",
    ),
    "mirror": (
        _change_tilts("rlnTomoProjZ", "[0,0,-1,0]"),
        "tomogram TS_1.tomostar: .*row 2: rlnTomoProjX.* are no rotation",
    ),
    "three numbers": (_change_tilts("rlnTomoProjX", "[1,0,0]"), "row 2: .* are not 4 numbers"),
    "words for numbers": (_change_tilts("rlnTomoProjX", "[1,a,0,0]"), "could not convert"),
    "cosine": (_change_tilts("rlnCtfScalefactor", "15"), "row 2: 15 is neither the cosine of a"),
    "inverted": (
        lambda written: written.tilts["TS_1.tomostar"].__setitem__("rlnCtfScalefactor", "-0.9"),
        "row 1: -0.9 is below 0, as most are, and would invert",
    ),
    "dose": (_change_tilts("rlnMicrographPreExposure", "-3"), "row 2: -3 is outside of 0 to"),
    "half a defocus": (_drop_tilts("rlnDefocusV"), "rlnDefocusV missing beside rlnDefocusU"),
    "defocus of some": (
        _drop_tilts("rlnDefocusU", "rlnDefocusV", "rlnDefocusAngle"),
        "tomogram TS_1.tomostar have no defocus .*those of others have",
    ),
    "no projection": (_drop_tilts("rlnTomoProjX"), r"neither rlnTomoProjX.* nor rlnTomoXTilt"),
    "hand": (
        lambda written: written.tomograms.__setitem__("rlnTomoHand", "0"), "0 is neither 1 nor -1",
    ),
    "not all shown or visible": (
        lambda written: written.tilts.update(
            {"TS_1.tomostar": written.tilts["TS_1.tomostar"].iloc[:0]}
        ),
        "has no rows of tilt images",
    ),
}  # fmt: skip


@pytest.mark.parametrize(("fault", "message"), FAULTS.values(), ids=FAULTS.keys())
def test_faults_are_named_with_their_place(
    fault: Callable[[HandmadeSet], None], message: str, tmp_path: Path
) -> None:
    written = warptools_set()
    fault(written)
    stacks = warptools_set()
    path = written.write(tmp_path)
    stacks.write_stacks(tmp_path)
    with pytest.raises(DataError, match=message):
        _read(path)


def test_a_stack_with_another_number_of_images_is_refused(tmp_path: Path) -> None:
    written = warptools_set()
    path = written.write(tmp_path)
    written.particles.loc[0, "rlnTomoVisibleFrames"] = "[1,0,0,1,1,1]"
    written.write_stacks(tmp_path)
    with pytest.raises(
        DataError, match=r"001.mrcs holds 6 images, its particle has 4 frames of which 3 are"
    ):
        _read(path)


def test_a_trajectory_of_another_length_is_refused(tmp_path: Path) -> None:
    written = made.relion5_set()
    table = written.tilts["TS_10"][[]].assign(
        rlnOriginXAngst="0", rlnOriginYAngst="0", rlnOriginZAngst="0"
    )
    written.trajectories = dict.fromkeys(written.particles.rlnTomoParticleName, table)
    path = written.write(tmp_path)
    with pytest.raises(DataError, match="of particle TS_1/1 has 3 rows, its tilt series has 4"):
        _read(path)
    del written.trajectories["TS_10/4"]
    written.write(tmp_path)
    with pytest.raises(DataError, match=r"TS_10/4 has no trajectory .*--no-trajectories"):
        _read(path)


@pytest.mark.parametrize(
    ("name", "way_out"),
    [
        ("rlnTomoParticlesFile", "names gone.star, which is missing; tried"),
        ("rlnTomoTomogramsFile", "names gone.star, which is missing; .*--tomograms"),
        ("rlnTomoTrajectoriesFile", "names gone.star, which is missing; .*--no-trajectories"),
    ],
)
def test_missing_files_are_named_with_the_way_out(name: str, way_out: str, tmp_path: Path) -> None:
    path = warptools_set().write(tmp_path)
    named = {"rlnTomoParticlesFile": "particles.star", "rlnTomoTomogramsFile": "tomograms.star"}
    path.write_text(made.values_text(named | {name: "gone.star"}, ""))
    with pytest.raises(DataError, match=way_out):
        _read(path)
