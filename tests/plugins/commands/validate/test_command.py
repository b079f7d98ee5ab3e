"""True states pass, labels by lot are flagged, and maps are those of back-projection."""

from __future__ import annotations

import json
from pathlib import Path
from types import SimpleNamespace
from typing import TYPE_CHECKING, cast

import numpy as np
import pytest
from matplotlib.image import imread

from tests.core.finished_run import finish_run
from tomodrgn.core.commands import resolve_run
from tomodrgn.core.data.dataset import Dataset
from tomodrgn.core.data.labels import Labels, record_labels
from tomodrgn.core.data.run import Run
from tomodrgn.core.errors import DataError
from tomodrgn.core.files.labels import read_labels
from tomodrgn.core.files.mrc import read_volume
from tomodrgn.core.fourier.shells import fsc
from tomodrgn.core.reconstruction.resolution import masked_fsc, spherical_mask
from tomodrgn.core.registry import Registry
from tomodrgn.core.simulation.tilt_series import simulate
from tomodrgn.core.specs.simulation import SimulationSpec
from tomodrgn.plugins.commands.backproject.command import reconstruct
from tomodrgn.plugins.commands.backproject.spec import ReconstructionSpec
from tomodrgn.plugins.commands.validate import command
from tomodrgn.plugins.commands.validate.chance import Separation
from tomodrgn.plugins.commands.validate.command import validate
from tomodrgn.plugins.commands.validate.page import Validation, validation_page
from tomodrgn.plugins.commands.validate.spec import ValidateSpec

if TYPE_CHECKING:
    from tomodrgn.plugins.commands.validate.raw_classes import RawClasses

N = 60


@pytest.fixture(scope="module")
def simulated(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Folder of noisy images of three classes."""
    spec = SimulationSpec(
        outdir=tmp_path_factory.mktemp("simulated"),
        n_particles=N,
        n_classes=3,
        n_tilts=9,
        min_tilts=5,
        tilt_step_deg=10.0,
        box_size_px=24,
        pixel_size_a=14.0,
        snr=0.2,
        seed=5,
    )
    return simulate(spec).parent


@pytest.fixture(scope="module")
def run(simulated: Path, registry: Registry, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run whose latents tell the classes, and whose images are weighted by dose."""
    latents = np.eye(3)[read_labels(simulated / "labels.pkl")]
    directory = tmp_path_factory.mktemp("runs") / "run"
    weighted = {"loss_weightings": [{"kind": "dose"}]}
    return finish_run(directory, simulated / "particles.star", latents, registry, weighted)


def _validate(run: Path, labels: Path, outdir: Path, registry: Registry) -> Validation:
    return validate(Run(run, registry), ValidateSpec(run=run, labels=labels, outdir=outdir))


def _save(path: Path, labels: object) -> Path:
    np.savetxt(path, np.asarray(labels), fmt="%s")
    return path


@pytest.mark.usefixtures("rendered")
def test_true_states_pass_with_maps_that_can_be_deposited(
    run: Path, simulated: Path, registry: Registry, tmp_path: Path
) -> None:
    found = _validate(run, simulated / "labels.pkl", tmp_path, registry)
    assert (found.verdict, found.class_verdicts) == ("differ", ["differs"] * 3)
    assert found.alike == []
    assert "**The classes differ.**" in validation_page(found)
    report = json.loads((tmp_path / "validate.json").read_text())
    assert report["verdict"] == "differ"
    assert sum(each["n_particles"] for each in report["classes"]) == N
    for name in ("classes.png", "fsc.png", "chance.png"):
        assert np.ptp(imread(tmp_path / name)[..., :3]) > 0.5
    mask, _ = read_volume(tmp_path / "mask.mrc")
    halves = [read_volume(tmp_path / f"class_001_half{half}.mrc")[0] for half in (1, 2)]
    table = np.loadtxt(tmp_path / "class_001_fsc.txt")
    np.testing.assert_allclose(masked_fsc(*halves, mask), table[:, 3], atol=1e-5)
    assert (tmp_path / "class_001_fsc.xml").read_text().count("<coordinate>") == 12


@pytest.mark.parametrize("seed", range(4))
def test_labels_by_lot_are_flagged(
    seed: int, run: Path, simulated: Path, registry: Registry, tmp_path: Path
) -> None:
    labels = read_labels(simulated / "labels.pkl")
    shuffled = _save(tmp_path / "labels.txt", np.random.default_rng(seed).permutation(labels))
    found = _validate(run, shuffled, tmp_path / "out", registry)
    assert found.verdict == "no better than chance"
    assert found.class_verdicts == ["no better than chance"] * 3
    assert "FLAGGED" in (tmp_path / "out" / "validate.md").read_text()


def test_half_maps_are_those_of_the_class_alone(
    run: Path,
    simulated: Path,
    registry: Registry,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(command, "_decode", lambda *_: pytest.fail("nobody asked for it"))
    labels, outdir = simulated / "labels.pkl", tmp_path / "out"
    spec = ValidateSpec(run=run, labels=labels, outdir=outdir, decoder=False)
    found = validate(Run(run, registry), spec)
    assert {each.decoder_agreement for each in found.classes} == {None}
    layer = {"reader": {"path": str(simulated / "particles.star")}, "seed": 0}
    alone = ReconstructionSpec(
        out=tmp_path / "alone.mrc",
        labels=simulated / "labels.pkl",
        labels_sel=(2,),
        recon_dose_weight=True,
    )
    reconstruct(Dataset(resolve_run("prepare", layer, registry=registry), registry), alone)
    mask = spherical_mask(24, 0.8)
    curves = []
    for stem in (tmp_path / "out" / "class_002", tmp_path / "alone_class2"):
        halves = [read_volume(stem.with_name(f"{stem.name}_half{i}.mrc"))[0] for i in (1, 2)]
        curves.append(masked_fsc(*halves, mask))
    np.testing.assert_allclose(curves[0], curves[1], atol=1e-4)  # float32 sums
    true, _ = read_volume(simulated / "maps" / "class_2.mrc")
    found, _ = read_volume(tmp_path / "out" / "class_002.mrc")
    assert fsc(found, true)[1:6].mean() > 0.8


def test_labels_of_another_run_are_joined_by_names(
    run: Path, simulated: Path, registry: Registry, tmp_path: Path
) -> None:
    star = simulated / "particles.star"
    lines = star.read_text().splitlines()
    rows = [line for line in lines if "@" in line]
    others = [line for line in lines if "@" not in line]
    backwards = simulated / "backwards.star"
    backwards.write_text("\n".join([*others, *rows[::-1]]) + "\n")
    labels = read_labels(simulated / "labels.pkl")[::-1]
    other = finish_run(tmp_path / "other", backwards, np.eye(3)[labels], registry)
    path = _save(other / "kmeans3.txt", labels)
    found = _validate(run, path, tmp_path / "out", registry)
    assert found.separation is not None
    assert found.separation.is_real


def test_classes_of_one_particle_are_listed_and_left_out(
    run: Path, simulated: Path, registry: Registry, tmp_path: Path
) -> None:
    labels = read_labels(simulated / "labels.pkl").astype(object)
    labels[0] = "odd one"
    found = _validate(run, _save(tmp_path / "l.txt", labels), tmp_path / "out", registry)
    assert found.class_verdicts == ["differs", "differs", "differs", "too few particles"]
    assert found.classes[3].fsc is None
    assert found.as_json()["classes"][3]["z"] is None


def test_one_class_differs_from_nothing(run: Path, registry: Registry, tmp_path: Path) -> None:
    labels = _save(tmp_path / "l.txt", np.zeros(N, int))
    found = _validate(run, labels, tmp_path / "out", registry)
    assert found.verdict == "too few particles"
    assert (tmp_path / "out" / "class_000_half1.mrc").exists()


@pytest.mark.parametrize(
    ("labels", "message"),
    [
        (np.zeros(7), "holds 7 labels, the run has 60 particles"),
        (np.linspace(0, 1, N), "0.0169.* is no class"),
        (np.arange(N), "has 60 different labels for 60 particles"),
    ],
)
def test_labels_that_are_no_classes_are_refused(
    labels: np.ndarray, message: str, run: Path, registry: Registry, tmp_path: Path
) -> None:
    path = _save(tmp_path / "l.txt", labels)
    with pytest.raises(DataError, match=message):
        _validate(run, path, tmp_path / "out", registry)
    assert not (tmp_path / "out").exists()


def test_labels_of_a_run_that_found_nothing_are_doubted(
    run: Path, simulated: Path, registry: Registry, tmp_path: Path
) -> None:
    labels = read_labels(simulated / "labels.pkl")
    latents = np.eye(3)[labels]
    own = finish_run(tmp_path / "run", simulated / "particles.star", latents, registry)
    path = _save(own / "kmeans3.txt", labels)
    record_labels(own, path, labels)
    (own / "linear.json").write_text('{"is_heterogeneous": false}')
    found = _validate(own, path, tmp_path / "out", registry)
    assert (found.verdict, found.class_verdicts) == ("doubtful", ["doubtful"] * 3)
    assert "FLAGGED: doubtful" in validation_page(found)


@pytest.mark.parametrize(
    ("n_particles", "run_found", "verdict"),
    [
        (120, None, "differ"),
        (900, None, "doubtful"),
        (900, True, "differ"),
        (120, False, "doubtful"),
    ],
)
def test_noise_that_fits_its_own_labels_is_doubted_at_any_size(
    n_particles: int, run_found: bool | None, verdict: str
) -> None:
    """Clusters of 900 particles without any heterogeneity have reached z = 14."""
    z = 0.46 * np.sqrt(n_particles) if n_particles > 120 else 8.9
    one, pair = np.full(2, 1e-3), np.full((2, 2), 1e-3)
    chance = Separation(
        p_value=1e-3, z=float(z), z_within=None,
        class_p_value=one, class_z=one, pair_p_value=pair, pair_z=pair,
    )  # fmt: skip
    found = Validation(
        classes=(), compared=(), separation=chance, n_compared=n_particles, is_held_out=False,
        pixel_size_a=1.0, is_from_images=True, run_found=run_found,
    )  # fmt: skip
    assert found.verdict == verdict


@pytest.mark.parametrize("name", ["linear.json", "classify.json", "linear/linear.json"])
def test_what_the_run_found_on_held_out_tilts_counts(
    name: str, run: Path, simulated: Path, registry: Registry, tmp_path: Path
) -> None:
    labels = read_labels(simulated / "labels.pkl")
    own = finish_run(tmp_path / "run", simulated / "particles.star", np.eye(3)[labels], registry)
    (own / name).parent.mkdir(exist_ok=True)
    (own / name).write_text('{"is_heterogeneous": true}')
    path = _save(own / "kmeans3.txt", labels)
    record_labels(own, path, labels)
    found = _validate(own, path, tmp_path / "out", registry)
    assert (found.run_found, found.verdict) == (True, "differ")


def test_held_out_tilts_decide_where_there_are_some(
    simulated: Path, registry: Registry, tmp_path: Path
) -> None:
    labels = read_labels(simulated / "labels.pkl")
    star, part = simulated / "particles.star", {"dataset": {"fraction_train": 0.5}}
    run = finish_run(tmp_path / "run", star, np.eye(3)[labels], registry, part)
    found = _validate(run, simulated / "labels.pkl", tmp_path / "out", registry)
    assert found.is_held_out
    assert found.verdict == "differ"
    assert "on tilts that the run has held out" in validation_page(found)


def test_a_class_is_decoded_at_the_member_nearest_to_its_mean() -> None:
    latents = np.array([[0, 7], [9, 7], [1, 7], [9.5, 7], [5, 7], [30, 7]], np.float32)
    labels = Labels(np.array([0, 1, 0, 1, 0, 1]), ("a", "b"))  # means of 2 and 16.2
    raw = cast("RawClasses", SimpleNamespace(usable=(0, 1), labels=labels))
    assert list(command._medoids(latents, raw)) == [2, 3]
