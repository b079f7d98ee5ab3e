"""backproject_voxel: what it writes, and how it refuses."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tomodrgn.core.commands import resolve_run
from tomodrgn.core.data.dataset import Dataset
from tomodrgn.core.errors import DataError, RunError, SpecError
from tomodrgn.core.files.mrc import read_volume
from tomodrgn.core.files.pickles import load_pickles
from tomodrgn.core.fourier.shells import fsc
from tomodrgn.core.registry import Registry
from tomodrgn.core.simulation.tilt_series import simulate
from tomodrgn.core.specs.faults import validate
from tomodrgn.core.specs.simulation import SimulationSpec
from tomodrgn.plugins.commands.backproject.command import reconstruct
from tomodrgn.plugins.commands.backproject.spec import ReconstructionSpec

N_PARTICLES = 24
Reconstruct = Callable[..., list[Path]]


@pytest.fixture(scope="session")
def simulated(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Folder of noiseless images of two classes."""
    spec = SimulationSpec(
        outdir=tmp_path_factory.mktemp("simulated"),
        n_particles=N_PARTICLES,
        n_classes=2,
        n_tilts=15,
        tilt_step_deg=8.0,
        box_size_px=20,
        pixel_size_a=10.0,
        origin_shift_px=2.0,
        snr=None,
        seed=2,
    )
    return simulate(spec).parent


@pytest.fixture
def back_project(simulated: Path, registry: Registry, tmp_path: Path) -> Reconstruct:
    def call(run: dict[str, Any] | None = None, **fields: object) -> list[Path]:
        reader = {"reader": {"path": str(simulated / "particles.star")}}
        stated = {"refinement": {"poses": "off"}}
        resolved = resolve_run("prepare", reader, stated, run or {}, registry=registry)
        body = {"out": tmp_path / "map.mrc", "recon_dose_weight": True, **fields}
        return reconstruct(Dataset(resolved, registry), validate(ReconstructionSpec, body))

    return call


def test_one_pass_gives_a_map_of_each_class(
    back_project: Reconstruct, simulated: Path, tmp_path: Path
) -> None:
    paths = back_project(labels=simulated / "labels.pkl")
    assert paths == [tmp_path / "map_class0.mrc", tmp_path / "map_class1.mrc"]
    for label, path in enumerate(paths):
        volume, pixel_size_a = read_volume(path)
        assert pixel_size_a == pytest.approx(10.0)
        curves = [
            fsc(volume, read_volume(simulated / "maps" / f"class_{true}.mrc")[0])[1:-1]
            for true in (0, 1)
        ]
        assert curves[label].min() > 0.95
        assert curves[label].mean() > curves[1 - label].mean()


def test_half_maps_curve_and_picture_stand_beside_the_map(
    back_project: Reconstruct, tmp_path: Path
) -> None:
    back_project()
    names = {path.name for path in tmp_path.iterdir()}
    kinds = ("", "_filt", "_half1", "_half2")
    assert names == {f"map{kind}.mrc" for kind in kinds} | {
        "map_FSC.txt", "map_FSC.pkl", "map_FSC.png",
    }  # fmt: skip
    ((freqs, curve),) = load_pickles(tmp_path / "map_FSC.pkl")
    np.testing.assert_allclose(freqs, np.arange(11) / 20)
    table = np.loadtxt(tmp_path / "map_FSC.txt")
    np.testing.assert_allclose(table[:, 3], curve, atol=1e-6)
    np.testing.assert_allclose(table[:, 2], freqs / 10.0, atol=1e-6)


def test_same_call_writes_the_same_files(back_project: Reconstruct, tmp_path: Path) -> None:
    volumes = []
    for name in ("a", "b"):
        (path,) = back_project(out=tmp_path / f"{name}.mrc")
        volumes.append(path.read_bytes())
    assert volumes[0] == volumes[1]


def test_order_of_rows_does_not_matter(
    back_project: Reconstruct, simulated: Path, tmp_path: Path
) -> None:
    lines = (simulated / "particles.star").read_text().splitlines()
    rows = [line for line in lines if "@" in line]
    (first,) = {i for i, line in enumerate(lines) if line == rows[0]}
    np.random.default_rng(0).shuffle(rows)
    lines[first : first + len(rows)] = rows
    shuffled = simulated / "shuffled.star"
    shuffled.write_text("\n".join(lines) + "\n")
    back_project(out=tmp_path / "before.mrc")
    back_project({"reader": {"path": str(shuffled)}}, out=tmp_path / "after.mrc")
    for kind in ("", "_half1", "_half2"):
        before, after = (read_volume(tmp_path / f"{n}{kind}.mrc")[0] for n in ("before", "after"))
        # float32 sums in another order
        np.testing.assert_allclose(after, before, atol=1e-5 * np.abs(before).max())


def test_mirror_and_sign(back_project: Reconstruct, tmp_path: Path) -> None:
    plain, _ = read_volume(back_project(out=tmp_path / "plain.mrc")[0])
    turned, _ = read_volume(back_project(out=tmp_path / "t.mrc", flip=True, invert=True)[0])
    np.testing.assert_array_equal(turned[1:], -plain[:0:-1])


def test_low_pass_removes_what_is_finer(back_project: Reconstruct, tmp_path: Path) -> None:
    back_project(lowpass_a=50.0)
    filtered, _ = read_volume(tmp_path / "map_filt.mrc")
    spectrum = np.abs(np.fft.rfftn(filtered))
    radius = np.sqrt(
        sum(
            axis**2
            for axis in np.meshgrid(
                np.fft.fftfreq(20, 10), np.fft.fftfreq(20, 10), np.fft.rfftfreq(20, 10),
                indexing="ij",
            )
        )
    )  # fmt: skip
    assert spectrum[radius > 1 / 50 + 1e-9].max() < 1e-4 * spectrum.max()


def test_selected_labels_and_particles_only(
    back_project: Reconstruct, simulated: Path, tmp_path: Path
) -> None:
    kept = tmp_path / "kept.txt"
    np.savetxt(kept, np.arange(4, N_PARTICLES), fmt="%d")
    paths = back_project(
        {"dataset": {"ind": str(kept)}}, labels=simulated / "labels.txt", labels_sel=(1,)
    )
    assert [path.name for path in paths] == ["map_class1.mrc"]


@pytest.mark.parametrize("half_by", ["particle", "tilt"])
def test_halves_of_perfect_images_agree(
    back_project: Reconstruct, half_by: str, simulated: Path, tmp_path: Path
) -> None:
    back_project(half_by=half_by, labels=simulated / "labels.pkl")
    for label in (0, 1):
        curve = np.loadtxt(tmp_path / f"map_class{label}_FSC.txt")[:, 3]
        assert curve[1:-2].min() > 0.9


def test_labels_of_another_set_are_refused(back_project: Reconstruct, tmp_path: Path) -> None:
    np.savetxt(tmp_path / "labels.txt", np.zeros(7), fmt="%d")
    with pytest.raises(DataError, match=f"holds 7 labels, .* has {N_PARTICLES} particles"):
        back_project(labels=tmp_path / "labels.txt")


def test_labels_that_nobody_has_are_refused(back_project: Reconstruct, simulated: Path) -> None:
    with pytest.raises(DataError, match="no selected particle has label 5; found 0, 1"):
        back_project(labels=simulated / "labels.pkl", labels_sel=(0, 5))


def test_a_class_of_one_particle_is_refused_before_anything_is_written(
    back_project: Reconstruct, tmp_path: Path
) -> None:
    labels = np.zeros(N_PARTICLES, int)
    labels[3] = 9
    np.savetxt(tmp_path / "labels.txt", labels, fmt="%d")
    with pytest.raises(DataError, match=r"class 9: .* give --half-by tilt"):
        back_project(labels=tmp_path / "labels.txt")
    assert [path.name for path in tmp_path.iterdir()] == ["labels.txt"]
    back_project(labels=tmp_path / "labels.txt", half_by="tilt")
    assert (tmp_path / "map_class9.mrc").exists()


def test_maps_that_do_not_fit_memory_are_refused(
    back_project: Reconstruct, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr("tomodrgn.core.memory.work.free_memory_bytes", lambda: 1000)
    with pytest.raises(RunError, match=r"times too much; take fewer classes at a time"):
        back_project()
    assert not list(tmp_path.iterdir())


def test_a_gpu_that_is_not_there_is_refused(
    back_project: Reconstruct, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("torch.cuda.is_available", lambda: False)
    with pytest.raises(RunError, match="torch sees none"):
        back_project({"devices": {"accelerator": "gpu"}})


@pytest.mark.parametrize(
    ("body", "message"),
    [({"out": "folder"}, "ends in .mrc"), ({"out": "x.mrc", "labels_sel": [1]}, "give labels too")],
)
def test_what_cannot_be_written_is_refused(body: dict[str, Any], message: str) -> None:
    with pytest.raises(SpecError, match=message):
        validate(ReconstructionSpec, body)
