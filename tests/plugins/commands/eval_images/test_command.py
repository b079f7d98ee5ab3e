"""Latents of images from a trained encoder: the same as in the run, or a reason why not."""

from __future__ import annotations

import json
import logging
import shutil
from pathlib import Path

import numpy as np
import pytest

from tomodrgn.core.commands import resolve_run
from tomodrgn.core.data.dataset import Dataset
from tomodrgn.core.data.run import Run
from tomodrgn.core.errors import DataError, OutputError, RunError
from tomodrgn.core.files.mrc import read_mrc_header, read_mrc_slices, write_stack
from tomodrgn.core.files.pickles import read_latents
from tomodrgn.core.registry import Registry
from tomodrgn.core.simulation.tilt_series import simulate
from tomodrgn.core.specs.output import RunDirectorySpec
from tomodrgn.core.specs.simulation import SimulationSpec
from tomodrgn.plugins.commands.eval_images.command import evaluate_images
from tomodrgn.plugins.commands.eval_images.spec import EmbeddingSpec
from tomodrgn.plugins.commands.train.command import train

N = 10


@pytest.fixture(scope="module")
def simulated(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """STAR file of particles with 3 to 5 tilts."""
    folder = tmp_path_factory.mktemp("simulated")
    spec = SimulationSpec(
        outdir=folder, n_particles=N, box_size_px=12, n_tilts=5, min_tilts=3, snr=0.5
    )
    return simulate(spec)


@pytest.fixture(scope="module")
def run(simulated: Path, registry: Registry, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run of two epochs."""
    directory = tmp_path_factory.mktemp("run")
    small = {"layers_a": 1, "dim_a": 8, "out_dim_a": 4, "layers_b": 1, "dim_b": 8}
    layer = {
        "reader": {"path": str(simulated)},
        "latent": {"dim": 2},
        "encoder": {"pooling": "max", **small},
        "decoder": {"layers": 1, "dim": 8},
        "training": {"num_epochs": 2, "report": False},
        "contrast": {"invert_data": True},
        "seed": 3,
    }
    train(
        Dataset(resolve_run("train_vae", layer, registry=registry), registry),
        RunDirectorySpec(outdir=directory),
    )
    return directory


def _encode(run: Path, out: Path, registry: Registry, star: Path, **data: object) -> list[Path]:
    spec = EmbeddingSpec(weights=run / "weights.pkl", out_z=out, batch_size=3)
    layer = {"reader": {"path": str(star)}, "contrast": {"invert_data": True}, **data}
    return evaluate_images(Run(spec.run, registry), spec, layer)


def test_images_of_the_run_have_the_latents_of_the_run(
    run: Path, simulated: Path, registry: Registry, tmp_path: Path
) -> None:
    written = _encode(run, tmp_path / "z.pkl", registry, simulated)
    assert written[0] == tmp_path / "z.pkl"
    for found, trained in zip(
        read_latents(tmp_path / "z.pkl"), read_latents(run / "z.pkl"), strict=True
    ):
        np.testing.assert_allclose(found, trained, atol=1e-5)  # other batches, float32


def test_selected_particles_are_encoded_and_listed(
    run: Path, simulated: Path, registry: Registry, tmp_path: Path
) -> None:
    np.savetxt(tmp_path / "ind.txt", [7, 2], fmt="%d")
    selection = {"ind": str(tmp_path / "ind.txt")}
    _, star = _encode(run, tmp_path / "z.pkl", registry, simulated, dataset=selection)
    mean, _ = read_latents(tmp_path / "z.pkl")
    np.testing.assert_allclose(mean, read_latents(run / "z.pkl")[0][[2, 7]], atol=1e-5)
    again = tmp_path / "again" / "z.pkl"
    listed = simulated.with_name("selected.star")
    listed.write_text(star.read_text())  # where its stacks are
    _encode(run, again, registry, listed)
    np.testing.assert_allclose(read_latents(again)[0], mean, atol=1e-5)


def test_images_of_another_box_or_pixel_size_are_refused(
    run: Path, simulated: Path, registry: Registry, tmp_path: Path
) -> None:
    other = SimulationSpec(outdir=tmp_path / "other", n_particles=2, box_size_px=16, n_tilts=3)
    with pytest.raises(DataError, match=r"have 16 px, the model .* 12 px; .* --downsample 12"):
        _encode(run, tmp_path / "z.pkl", registry, simulate(other))
    coarse = {"path": str(simulated), "pixel_size_a": 5.0}
    with pytest.raises(DataError, match="pixels are 5 A, those of the run were 8 A"):
        _encode(run, tmp_path / "z.pkl", registry, simulated, reader=coarse)
    assert not (tmp_path / "z.pkl").exists()


def test_neither_the_run_nor_its_input_is_replaced(
    run: Path, simulated: Path, registry: Registry
) -> None:
    before = {path: path.read_bytes() for path in (run / "z.pkl", simulated)}
    for out in (run / "z.pkl", run / "z.1.pkl", simulated.with_suffix(".pkl")):
        with pytest.raises(OutputError, match="name another --out-z"):
            _encode(run, out, registry, simulated)
    assert all(path.read_bytes() == content for path, content in before.items())


def test_a_run_without_encoder_is_refused(
    simulated: Path, registry: Registry, tmp_path: Path
) -> None:
    layer = {"reader": {"path": str(simulated)}, "training": {"num_epochs": 1, "report": False},
             "decoder": {"layers": 1, "dim": 8}}  # fmt: skip
    train(
        Dataset(resolve_run("train_nn", layer, registry=registry), registry),
        RunDirectorySpec(outdir=tmp_path / "nn"),
    )
    with pytest.raises(RunError, match="is a run without an encoder"):
        _encode(tmp_path / "nn", tmp_path / "z.pkl", registry, simulated)


@pytest.mark.parametrize(
    ("gain", "offset", "said"),
    [
        (1, 0, "gray levels: as in training, as they are"),
        (4, 0, "gray levels: images are as they are, background level"),
        (4, 9, "gray levels: as in training, normalized"),
    ],
)
def test_other_gray_levels_than_those_of_training_are_said(
    gain: float, offset: float, said: str, run: Path, simulated: Path, registry: Registry,
    tmp_path: Path, caplog: pytest.LogCaptureFixture,
) -> None:  # fmt: skip
    shutil.copytree(simulated.parent, tmp_path / "set")
    for path in (tmp_path / "set").rglob("*.mrcs"):
        header = read_mrc_header(path)
        pixels = read_mrc_slices(path, np.arange(header.shape[0]), header)
        write_stack(path, gain * (pixels + offset), header.pixel_size_a)
    with caplog.at_level(logging.INFO):
        _encode(run, tmp_path / "z.pkl", registry, tmp_path / "set" / simulated.name)
    assert said in caplog.text
    record = json.loads((run / "manifest.json").read_text())["gray_levels"]
    assert record["deviation"] == pytest.approx(1, abs=0.2)
