from __future__ import annotations

import pickle
from typing import TYPE_CHECKING

import numpy as np
import pytest

from tomodrgn.core.errors import DataError, OutputError
from tomodrgn.core.files.mrc import read_mrc_header, read_mrc_slices, read_volume
from tomodrgn.core.fourier.shells import fsc
from tomodrgn.core.geometry.rotations import matrices_from_euler
from tomodrgn.core.simulation.experiment import draw_experiment
from tomodrgn.core.simulation.forward import design
from tomodrgn.core.simulation.structures import build_structure
from tomodrgn.core.simulation.tilt_series import simulate
from tomodrgn.core.simulation.truth import read_truth

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from tomodrgn.core.specs.simulation import SimulationSpec

    Alter = Callable[..., SimulationSpec]


def _read_columns(star: Path, block: int = 1) -> dict[str, list[str]]:
    lines = star.read_text().split("loop_\n")[block].split("\n\n")[0].strip().splitlines()
    names = [line.split()[0].removeprefix("_rln") for line in lines if line.startswith("_")]
    rows = [line.split() for line in lines if not line.startswith("_")]
    return dict(zip(names, map(list, zip(*rows, strict=True)), strict=True))


def _numbers(columns: dict[str, list[str]], *names: str) -> np.ndarray:
    return np.array([columns[name] for name in names], dtype=np.float64).T


def test_the_star_states_what_was_drawn(altered: Alter) -> None:
    spec = altered(min_tilts=2)
    columns = _read_columns(simulate(spec))
    drawn = draw_experiment(spec, 12.0)
    rotation = matrices_from_euler(_numbers(columns, "AngleRot", "AngleTilt", "AnglePsi"))
    np.testing.assert_allclose(rotation, drawn.images.rotation, atol=1e-7)  # six decimals
    np.testing.assert_allclose(
        _numbers(columns, "OriginX", "OriginY"), drawn.images.shift_px, atol=1e-6
    )
    np.testing.assert_allclose(
        _numbers(columns, "CtfBfactor")[:, 0] / -4, drawn.images.dose_e_per_a2, atol=1e-4
    )
    tilt = np.rad2deg(np.arccos(_numbers(columns, "CtfScalefactor")[:, 0]))
    np.testing.assert_allclose(tilt, np.abs(drawn.images.tilt_deg), atol=0.01)
    names, first = np.unique(columns["GroupName"], return_index=True)
    assert len(names) == spec.n_particles
    counts = np.diff([*np.sort(first), len(drawn.images)])
    np.testing.assert_array_equal(counts, drawn.counts)


def test_images_lie_where_the_star_says(altered: Alter) -> None:
    spec = altered(particles_per_stack=4, snr=0.5)
    star = simulate(spec)
    names = [name.split("@") for name in _read_columns(star)["ImageName"]]
    assert len({stack for _, stack in names}) == 4  # two tomograms of six particles
    rendered = np.concatenate([b for _, b in design(spec, build_structure(spec)).render()])
    for image, (index, stack) in zip(rendered, names, strict=True):
        pixels = read_mrc_slices(star.parent / stack, np.array([int(index) - 1]))
        np.testing.assert_array_equal(pixels[0], image)


def test_half_precision_stacks_hold_the_same_images(altered: Alter, tmp_path: Path) -> None:
    single = simulate(altered(snr=0.5))
    half = simulate(altered(snr=0.5, dtype="float16", outdir=tmp_path / "half"))
    stack = "stacks/sim_001.mrcs"
    assert read_mrc_header(half.parent / stack).dtype == np.float16
    rows = np.arange(5)
    np.testing.assert_allclose(
        read_mrc_slices(half.parent / stack, rows),
        read_mrc_slices(single.parent / stack, rows),
        rtol=1e-3,  # 11 bits
        atol=1e-4,
    )


def test_the_truth_can_be_read_back(altered: Alter) -> None:
    spec = altered(motion="hinge")
    truth = read_truth(simulate(spec).parent)
    drawn = draw_experiment(spec, 12.0)
    assert truth.spec == spec
    np.testing.assert_array_equal(truth.labels, drawn.labels)
    np.testing.assert_allclose(truth.motion, drawn.motion, atol=1e-6)
    assert len(truth.maps) == spec.n_classes
    with (spec.outdir / "labels.pkl").open("rb") as file:
        np.testing.assert_array_equal(pickle.load(file), truth.labels)  # noqa: S301  our own


def test_maps_carry_their_pixel_size(small_spec: SimulationSpec) -> None:
    volume, pixel_size_a = read_volume(simulate(small_spec).parent / "maps/class_0.mrc")
    assert volume.shape == (16, 16, 16)
    assert pixel_size_a == pytest.approx(12.0)


def test_simulated_maps_can_be_simulated_from(altered: Alter, tmp_path: Path) -> None:
    first = simulate(altered()).parent
    maps = (first / "maps/class_0.mrc", first / "maps/class_1.mrc")
    spec = altered(maps=maps, box_size_px=None, pixel_size_a=None, outdir=tmp_path / "second")
    second = read_truth(simulate(spec).parent)
    assert len(second.maps) == 2
    assert set(second.labels) == {0, 1}
    for path, found in zip(maps, second.maps, strict=True):
        np.testing.assert_allclose(fsc(read_volume(path)[0], found)[:8], 1, atol=1e-4)


def test_a_set_without_ctf_states_no_ctf(altered: Alter) -> None:
    columns = _read_columns(simulate(altered(ctf=False)))
    assert not {"DefocusU", "Voltage", "PhaseShift"} & columns.keys()


def test_nextpyp_states_the_same_as_warp_in_its_own_columns(altered: Alter, tmp_path: Path) -> None:
    warp = _read_columns(simulate(altered()))
    star = simulate(altered(format="nextpyp", outdir=tmp_path / "nextpyp"))
    particles = _read_columns(star, block=2)
    optics = {name: values[0] for name, values in _read_columns(star, block=1).items()}
    assert list(particles)[:2] == ["ImageName", "MicrographName"]
    assert list(particles)[-6:] == [
        "GroupNumber", "CtfBfactor", "CtfScalefactor", "LogLikeliContribution", "RandomSubset",
        "TiltIndex",
    ]  # fmt: skip
    same = ("AngleRot", "AngleTilt", "AnglePsi", "DefocusU", "DefocusV", "CtfScalefactor")
    np.testing.assert_array_equal(_numbers(warp, *same), _numbers(particles, *same))
    shifts_a = _numbers(particles, "OriginXAngst", "OriginYAngst")
    np.testing.assert_allclose(shifts_a / 12, _numbers(warp, "OriginX", "OriginY"), atol=1e-6)
    dose = _numbers(particles, "CtfBfactor")[:, 0] / -4
    np.testing.assert_array_equal(dose, 3 * _numbers(particles, "TiltIndex")[:, 0])
    assert (float(optics["ImagePixelSize"]), int(optics["ImageSize"])) == (12.0, 16)


def test_particles_that_were_not_simulated_are_not_replaced(small_spec: SimulationSpec) -> None:
    star = simulate(small_spec)
    simulate(small_spec)  # of its own it may
    (small_spec.outdir / "truth.yaml").unlink()
    star.write_text("mine")
    with pytest.raises(OutputError, match="exists and is no simulated set"):
        simulate(small_spec)
    assert star.read_text() == "mine"


def test_nothing_is_left_half_written(small_spec: SimulationSpec) -> None:
    simulate(small_spec)
    assert not list(small_spec.outdir.rglob("*.partial"))


@pytest.mark.parametrize(
    ("name", "text", "fault"),
    [
        ("labels.txt", "0\n1\n", r"labels\.txt: has shape \(2, 1\), the simulation has \(12, 1\)"),
        ("labels.txt", "one\n" * 12, r"labels\.txt: cannot be read as numbers"),
        ("motion.txt", "1 2\n" * 12, r"motion\.txt: has shape \(12, 2\)"),
        ("truth.yaml", "simulation: 3\n", r"truth\.yaml describes no simulation"),
    ],
)
def test_a_damaged_truth_is_refused(altered: Alter, name: str, text: str, fault: str) -> None:
    folder = simulate(altered(motion="hinge")).parent
    (folder / name).write_text(text)
    with pytest.raises(DataError, match=fault):
        read_truth(folder)
