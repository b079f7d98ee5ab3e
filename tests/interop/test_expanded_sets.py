"""Sets that other programs expanded to one row per tilt image, and their own simulator's files."""

from __future__ import annotations

import pickle
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from tests.interop.truth import (
    DEFOCI,
    DEFOCUS_A,
    DOSE_E_PER_A2,
    POSE,
    assert_true,
    assert_true_pixels,
    centered,
    planned,
    read,
)
from tomodrgn.core.simulation.tilt_series import simulate

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray

    from tests.integration.conftest import Command
    from tomodrgn.core.simulation.forward import Simulation

pytestmark = pytest.mark.interop

RELION5: dict[str, Any] = {"format": "relion5"}
RELION4: dict[str, Any] = {"format": "relion4", "visible_frames_only": True}
WARPTOOLS: dict[str, Any] = {"format": "warptools", "size_convention": "binned"}


@dataclass(frozen=True)
class Expansion:
    """A command that writes one row per tilt image, and the sets that it takes."""

    program: str
    command: str
    settings: dict[str, Any]
    options: tuple[object, ...] = ()
    moves_defocus: bool = True  # by the heights of refined offsets


TILT_DIM = ("--tilt-dim", 2000, 2000)
EXPANSIONS = {
    "cryodrgn_utils parse_relion": Expansion("cryodrgn_utils", "parse_relion", RELION5, TILT_DIM),
    "cryodrgn_utils parse_warptools": Expansion(
        "cryodrgn_utils", "parse_warptools", RELION4, TILT_DIM
    ),
    "recovar parse_relion5_tomo": Expansion(
        "recovar", "parse_relion5_tomo", RELION5, moves_defocus=False
    ),
}


@pytest.fixture(scope="module", params=EXPANSIONS)
def expansion(request: pytest.FixtureRequest) -> Expansion:
    """Each of the commands."""
    return EXPANSIONS[request.param]


@pytest.fixture(scope="module")
def expand(request: pytest.FixtureRequest) -> Any:
    """Runs a command in a folder of a set; the path of what it writes there."""

    def run(expansion: Expansion, folder: Path, particles: str = "particles.star") -> Path:
        program = request.getfixturevalue(expansion.program)
        out = f"expanded_{particles}"
        files = ("-t", "tomograms.star", "-p", particles, "-o", out)
        program(expansion.command, *files, *expansion.options, cwd=folder)
        return folder / out

    return run


@pytest.mark.parametrize("sign", ["plus", "minus"])
def test_expanded_sets_are_read_as_simulated(
    expansion: Expansion, expand: Any, tmp_path: Path, sign: str
) -> None:
    simulation = planned(tmp_path, **expansion.settings, defocus_sign=sign)
    simulate(simulation.spec)
    reader, particles = read(expand(expansion, tmp_path))
    assert_true(particles, simulation)
    assert_true_pixels(reader, particles, simulation)
    half_set = simulation.experiment.half_set
    first = particles.name.tolist().index("sim_001/1")
    assert particles.half_set is not None
    assert particles.half_set[first] == half_set[0]


def test_phase_shifts_and_offsets_do_not_come_through(
    expansion: Expansion, expand: Any, tmp_path: Path
) -> None:
    simulation = planned(
        tmp_path, **expansion.settings, phase_shift_deg=30.0, phase_shift_drift_deg=40.0,
        origin_shift_px=3.0,
    )  # fmt: skip
    simulate(simulation.spec)
    reader, particles = read(expand(expansion, tmp_path))
    but = ("phase_shift_deg", *(() if expansion.moves_defocus else DEFOCI))
    rows = assert_true(particles, centered(simulation), but=but)
    assert_true_pixels(reader, particles, simulation)
    ctf, true = particles.images.ctf, simulation.experiment.images.ctf
    assert ctf is not None
    assert true is not None
    assert not ctf.phase_shift_deg.any()
    if not expansion.moves_defocus:
        stated, height_a = true.defocus_u_a[rows], _height_of_offset_a(simulation)[rows]
        np.testing.assert_allclose(ctf.defocus_u_a, stated + height_a, rtol=0, atol=DEFOCUS_A)


def _height_of_offset_a(simulation: Simulation) -> NDArray[np.float64]:
    """(M,) along the beam, from where particles are to the coordinates that the set states."""
    experiment = simulation.experiment
    beam = experiment.acquisition.rotation[experiment.tilt, 2]
    along: NDArray[np.float64] = (beam * experiment.origin_a[experiment.particle_of_image]).sum(1)
    return along


def test_selections_expand_to_the_same_rows(
    expansion: Expansion, expand: Any, tomodrgn: Command, tmp_path: Path
) -> None:
    simulation = planned(tmp_path, **expansion.settings)
    star = simulate(simulation.spec)
    whole = read(expand(expansion, tmp_path))[1]
    kept = np.array([3, 1, 12])
    (tmp_path / "kept.pkl").write_bytes(pickle.dumps(kept))
    tomodrgn("filter_star", star, "--ind", tmp_path / "kept.pkl", "-o", tmp_path / "some.star")
    written = sorted(path.name for path in tmp_path.glob("some*.star"))
    table = next(name for name in written if "particles" in name)
    some = read(expand(expansion, tmp_path, table))[1]
    names = [f"sim_{1 + i // 10:03d}/{i + 1}" for i in sorted(kept.tolist())]
    assert sorted(some.name) == sorted(names)
    for i, name in enumerate(some.name):
        before = whole.name.tolist().index(name)
        ours = slice(some.starts[i], some.starts[i + 1])
        theirs = slice(whole.starts[before], whole.starts[before + 1])
        np.testing.assert_array_equal(some.images.rotation[ours], whole.images.rotation[theirs])
        np.testing.assert_array_equal(some.image_name[ours], whole.image_name[theirs])


@pytest.mark.parametrize("sign", ["plus", "minus"])
def test_parse_warptools_adds_heights_as_relion_does_and_warp_does_not(
    expand: Any, tmp_path: Path, sign: str
) -> None:
    simulation = planned(tmp_path, **WARPTOOLS, defocus_sign=sign)
    simulate(simulation.spec)
    reader, particles = read(expand(EXPANSIONS["cryodrgn_utils parse_warptools"], tmp_path))
    rows = assert_true(particles, simulation, but=DEFOCI)
    assert_true_pixels(reader, particles, simulation)
    experiment = simulation.experiment
    tomogram = experiment.tomogram[experiment.particle_of_image[rows]]
    middle = experiment.acquisition.defocus_u_a[tomogram]
    assert particles.images.ctf is not None
    assert experiment.images.ctf is not None
    mirrored = 2 * middle - experiment.images.ctf.defocus_u_a[rows]
    stated = particles.images.ctf.defocus_u_a
    np.testing.assert_allclose(stated, mirrored, rtol=0, atol=DEFOCUS_A)


def test_parse_warptools_names_images_by_their_rank_among_visible_frames(
    expand: Any, tmp_path: Path
) -> None:
    simulation = planned(tmp_path, **RELION4 | {"visible_frames_only": False})
    simulate(simulation.spec)
    _, particles = read(expand(EXPANSIONS["cryodrgn_utils parse_warptools"], tmp_path))
    rows = assert_true(particles, simulation)  # of the frames that are meant
    named = [int(name.partition("@")[0]) for name in particles.image_name]
    tilt_deg = np.split(simulation.experiment.images.tilt_deg[rows], particles.starts[1:-1])
    rank = np.concatenate([each.argsort().argsort() for each in tilt_deg])  # of visible frames
    np.testing.assert_array_equal(named, rank + 1)
    n_frames = simulation.experiment.acquisition.n_frames[0]
    assert (particles.counts < n_frames).any()  # so that other frames lie there


def test_tilt_series_of_recovars_simulator_are_read_as_simulated(
    recovar: Command, tmp_path: Path
) -> None:
    images, tilts, dose_e_per_a2 = 60, 7, 3.0
    recovar(
        "make_test_dataset", tmp_path, "--tilt-series", "--n-images", images, "--n-tilts", tilts,
        "--image-size", 32, "--seed", 1,
    )  # fmt: skip
    _, particles = read(tmp_path / "test_dataset" / "particles.star")
    rotation, shift = np.load(tmp_path / "test_dataset" / "poses.pkl", allow_pickle=True)
    ctf = np.load(tmp_path / "test_dataset" / "ctf.pkl", allow_pickle=True)
    assert particles.counts.tolist() == [tilts] * (images // tilts) + [images % tilts]
    rows = particles.source_image
    rank = np.concatenate([np.arange(n) for n in particles.counts])
    found = particles.images
    np.testing.assert_allclose(found.rotation, rotation[rows], rtol=0, atol=POSE)
    np.testing.assert_allclose(found.shift_px, shift[rows], rtol=0, atol=POSE)
    dose = (rank + 0.5) * dose_e_per_a2  # in the middle of exposures, from rlnCtfBfactor
    np.testing.assert_allclose(found.dose_e_per_a2, dose, rtol=0, atol=DOSE_E_PER_A2)
    tilt_deg = 3.0 * np.ceil(rank / 2)  # 0, 3, -3, 6, -6, ...
    np.testing.assert_allclose(abs(found.tilt_deg), tilt_deg, rtol=0, atol=1e-3)
    assert found.ctf is not None
    for column, name in enumerate(("defocus_u_a", "defocus_v_a"), start=2):
        true = ctf[rows, column]
        np.testing.assert_allclose(getattr(found.ctf, name), true, rtol=0, atol=DEFOCUS_A)
    np.testing.assert_allclose(found.ctf.phase_shift_deg, ctf[rows, 8], rtol=0, atol=1e-3)
