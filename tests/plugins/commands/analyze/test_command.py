from __future__ import annotations

import json
import logging
from importlib import import_module
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.shortcuts import rendering
from tomodrgn.core.analysis import latent_map
from tomodrgn.core.commands import resolve_run
from tomodrgn.core.data.dataset import Dataset
from tomodrgn.core.data.run import Run
from tomodrgn.core.errors import DataError, RunError
from tomodrgn.core.files.labels import read_labels
from tomodrgn.core.files.mrc import read_volume
from tomodrgn.core.files.pickles import load_pickles, read_latents, write_latents, write_pickle
from tomodrgn.core.registry import Registry
from tomodrgn.core.simulation.tilt_series import simulate
from tomodrgn.core.specs.output import RunDirectorySpec
from tomodrgn.core.specs.simulation import SimulationSpec
from tomodrgn.plugins.commands.analyze.command import analyze
from tomodrgn.plugins.commands.analyze.spec import AnalysisSpec
from tomodrgn.plugins.commands.eval_vol.command import evaluate_volumes
from tomodrgn.plugins.commands.eval_vol.spec import VolumesSpec
from tomodrgn.plugins.commands.train.command import train

SMALL: dict[str, Any] = {
    "positional_encoding": {"dim": 4},
    "encoder": {
        "pooling": "mean", "layers_a": 1, "dim_a": 8, "out_dim_a": 8, "layers_b": 1, "dim_b": 8,
    },
    "decoder": {"layers": 1, "dim": 8},
    "training": {"num_epochs": 3, "checkpoint": 2, "report": False},
    "devices": {"accelerator": "cpu", "threads": 1},
    "seed": 1,
}  # fmt: skip


@pytest.fixture(scope="module")
def star(tmp_path_factory: pytest.TempPathFactory) -> Path:
    spec = SimulationSpec(
        outdir=tmp_path_factory.mktemp("sim"),
        n_particles=30,
        n_classes=2,
        box_size_px=16,
        pixel_size_a=20.0,
        n_tilts=4,
        min_tilts=3,
        n_tomograms=3,
    )
    return simulate(spec)


def trained(star: Path, outdir: Path, registry: Registry, zdim: int) -> Path:
    layer = {"reader": {"path": str(star)}, "latent": {"dim": zdim}}
    train(
        Dataset(resolve_run("train_vae", SMALL, layer, registry=registry), registry),
        RunDirectorySpec(outdir=outdir),
    )
    return outdir


@pytest.fixture(scope="module")
def run(star: Path, tmp_path_factory: pytest.TempPathFactory, registry: Registry) -> Path:
    """Epochs 0 and 2 of three latent dimensions."""
    return trained(star, tmp_path_factory.mktemp("vae") / "run", registry, 3)


@pytest.fixture(scope="module")
def analysis(run: Path, tmp_path_factory: pytest.TempPathFactory, registry: Registry) -> Path:
    """Everything, with two dimensions of the latents in place of UMAP, which compiles for long."""
    outdir = tmp_path_factory.mktemp("analysis")
    with rendering(), pytest.MonkeyPatch.context() as patch:
        patch.setattr(latent_map, "umap_map", lambda latents, random_state: latents[:, :2])
        spec = AnalysisSpec(run=run, outdir=outdir, ksample=4, gmm_k=2, pc_ondata=True)
        return analyze(Run(spec.run, registry), spec)


@pytest.fixture
def no_pictures(monkeypatch: pytest.MonkeyPatch) -> None:
    """Pictures take most of the time."""
    module = import_module("tomodrgn.plugins.commands.analyze.command")
    monkeypatch.setattr(module, "draw_analysis", lambda *_args, **_more: {})


def numbers(path: Path) -> np.ndarray:
    return np.loadtxt(path, ndmin=2)


def test_classic_files_fit_each_other(run: Path, analysis: Path) -> None:
    latents = read_latents(run / "z.pkl")[0]
    for folder in (analysis / "kmeans4", analysis / "gmm2"):
        labels = read_labels(folder / "labels.pkl")
        rows = numbers(folder / "centers_ind.txt")[:, 0].astype(int)
        assert labels.dtype.kind == "i"
        assert labels.shape == (30,)
        assert labels[rows].tolist() == list(range(len(rows)))
        assert np.allclose(numbers(folder / "centers.txt"), latents[rows], rtol=1e-6)
        assert (folder / "z_values.txt").read_text() == (folder / "centers.txt").read_text()
        assert len(list(folder.glob("vol_*.mrc"))) == len(rows)
    for folder in (analysis / "pc1", analysis / "pc2"):
        rows = numbers(folder / "z_percentiles_ind.txt")[:, 0].astype(int)
        assert np.allclose(numbers(folder / "z_values.txt"), latents[rows], rtol=1e-6)
        assert numbers(folder / "z_percentiles.txt")[:, 0].tolist() == list(range(5, 100, 10))
        assert len(list(folder.glob("vol_*.mrc"))) == 10
    assert load_pickles(analysis / "umap.pkl")[0].shape == (30, 2)
    assert not (analysis / "pc3").exists()
    assert not list(analysis.glob(".*"))


def test_each_volume_is_that_of_its_latent(
    run: Path, analysis: Path, tmp_path: Path, registry: Registry
) -> None:
    folder = analysis / "kmeans4"
    spec = VolumesSpec(
        weights=run / "weights.pkl", out=tmp_path / "alone", zfile=folder / "z_values.txt"
    )
    for path in evaluate_volumes(Run(spec.run, registry), spec):
        alone, together = read_volume(path), read_volume(folder / path.name)
        assert np.allclose(alone[0], together[0], atol=1e-5 * np.abs(alone[0]).max())
        assert together[1] == pytest.approx(20.0)


def test_pictures_of_every_family_are_there(analysis: Path) -> None:
    names = {str(path.relative_to(analysis).with_suffix("")) for path in analysis.rglob("*.png")}
    expected = {"model_loss", "z_pca_explainedvariance", "z_pca_volumes", "controls/defocus"}
    for space in ("pca", "umap"):
        expected |= {f"z_{space}_scatter", f"z_{space}_hexbin"}
        expected |= {f"{pc}/z_{space}_{kind}_annotatepca"
                     for pc in ("pc1", "pc2") for kind in ("scatter", "hexbin")}  # fmt: skip
        expected |= {
            f"kmeans4/z_{space}_{kind}"
            for kind in ("scatter_annotatekmeans", "hexbin_annotatekmeans",
                         "scatter_colorkmeanslabel", "scatter_subplotkmeanslabel")
        }  # fmt: skip
    expected |= {"pc1/z_umap_colorlatentpca", "pc2/z_umap_colorlatentpca"}
    expected |= {f"kmeans4/particle_images_kmeanslabel{label}" for label in range(4)}
    expected |= {"kmeans4/tomogram_label_distribution", "kmeans4/volumes", "gmm2/volumes"}
    assert expected <= names


def test_findings_add_up(analysis: Path) -> None:
    found = json.loads((analysis / "analysis.json").read_text())
    assert found["epoch"] == 2
    assert sum(found["explained_variance"]) == pytest.approx(1)
    assert [each["folder"] for each in found["clusters"]] == ["kmeans4", "gmm2"]
    for each in found["clusters"]:
        assert np.sum(each["particles_by_tomogram"], axis=1).tolist() == each["sizes"]
        assert sum(each["sizes"]) == 30
    assert set(found["rank_correlations"]) >= {"defocus (µm)", "rlnAngleRot"}
    assert len(found["divergence"]) == 3


@pytest.mark.usefixtures("no_pictures")
def test_a_second_call_gives_the_same_and_keeps_files_of_others(
    run: Path, tmp_path: Path, registry: Registry
) -> None:
    spec = AnalysisSpec(run=run, outdir=tmp_path / "out", ksample=3, skip_umap=True)
    analyze(Run(spec.run, registry), spec)
    kept = [path for path in spec.outdir.rglob("*") if path.suffix in {".txt", ".pkl", ".mrc"}]
    before = {path: path.read_bytes() for path in kept if path.name[:3] != "vol"}
    notes = spec.outdir / "notes.txt"
    notes.write_text("mine")
    analyze(Run(spec.run, registry), spec)
    assert {path: path.read_bytes() for path in before} == before
    assert notes.read_text() == "mine"


@pytest.mark.usefixtures("no_pictures")
def test_volumes_of_other_latents_do_not_stay(
    run: Path, tmp_path: Path, registry: Registry
) -> None:
    outdir = tmp_path / "out"
    analyze(Run(run, registry), AnalysisSpec(run=run, outdir=outdir, ksample=3, skip_umap=True))
    again = AnalysisSpec(
        run=run, outdir=outdir, ksample=3, skip_umap=True, skip_vol=True, pc_ondata=True
    )
    analyze(Run(again.run, registry), again)
    assert not list((outdir / "pc1").glob("vol_*.mrc"))
    assert len(list((outdir / "kmeans3").glob("vol_*.mrc"))) == 3


@pytest.mark.usefixtures("no_pictures")
def test_epochs_are_found_under_their_numbers(run: Path, registry: Registry) -> None:
    folders = [
        analyze(Run(run, registry),
                AnalysisSpec(run=run, epoch=epoch, ksample=2, skip_umap=True, skip_vol=True)).name
        for epoch in (0, "latest", -1)
    ]  # fmt: skip
    assert folders == ["analyze.0", "analyze.2", "analyze"]


def test_an_epoch_that_is_not_there_is_refused(run: Path, registry: Registry) -> None:
    with pytest.raises(RunError, match=r"of epoch 1; found epochs 0, 2; give one of them"):
        analyze(Run(run, registry), AnalysisSpec(run=run, epoch=1))
    with pytest.raises(RunError, match="no epoch is recommended"):
        analyze(Run(run, registry), AnalysisSpec(run=run, epoch="recommended"))


@pytest.mark.usefixtures("rendered")
def test_one_dimension_has_its_own_pictures(
    star: Path, tmp_path: Path, registry: Registry, caplog: pytest.LogCaptureFixture
) -> None:
    run = trained(star, tmp_path / "run", registry, 1)
    caplog.clear()
    outdir = analyze(Run(run, registry), AnalysisSpec(run=run, ksample=3, pc=2))
    names = {path.name for path in outdir.iterdir()}
    assert {"z.png", "z_hist.png", "z_hist_percentile_volumes.png", "pc1", "kmeans3"} <= names
    assert "is not drawn" not in caplog.text
    assert "fewer components: 1 principal components, 2 were asked for" in caplog.text


def test_without_umap_all_else_is_written(
    run: Path,
    tmp_path: Path,
    registry: Registry,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    monkeypatch.setattr(latent_map, "umap_map", lambda latents, random_state: None)
    outdir = analyze(
        Run(run, registry), AnalysisSpec(run=run, outdir=tmp_path, ksample=2, skip_vol=True)
    )
    assert "no UMAP" in json.loads((outdir / "analysis.json").read_text())["warnings"]
    assert "no UMAP: " in caplog.text
    assert (outdir / "kmeans2" / "z_pca_scatter_colorkmeanslabel.png").exists()
    assert not (outdir / "umap.pkl").exists()


@pytest.mark.usefixtures("no_pictures")
def test_more_clusters_than_particles_become_as_many(
    run: Path, tmp_path: Path, registry: Registry, caplog: pytest.LogCaptureFixture
) -> None:
    spec = AnalysisSpec(run=run, outdir=tmp_path, ksample=40, skip_vol=True, skip_umap=True)
    assert (
        read_labels(analyze(Run(spec.run, registry), spec) / "kmeans30" / "labels.pkl")
        .tolist()
        .count(0)
        == 1
    )
    assert "40 clusters were asked for, only 30 latents differ" in caplog.text


def with_latents(run: Path, folder: Path, latents: np.ndarray) -> Path:
    """The run with other final latents, and no epochs."""
    folder.mkdir()
    for name in ("run.yaml", "manifest.json", "weights.pkl"):
        (folder / name).write_bytes((run / name).read_bytes())
    write_latents(folder / "z.pkl", latents, np.zeros_like(latents))
    return folder


def test_latents_that_are_not_finite_are_refused(
    run: Path, tmp_path: Path, registry: Registry
) -> None:
    latents = read_latents(run / "z.pkl")[0]
    damaged = with_latents(run, tmp_path / "bad", latents)
    latents[7, 1] = np.nan
    write_pickle(damaged / "z.pkl", latents)  # nothing writes such latents any more
    with pytest.raises(DataError, match=r"latents of 1 particles are not finite.*particle 7"):
        analyze(Run(damaged, registry), AnalysisSpec(run=damaged))


@pytest.mark.usefixtures("no_pictures")
def test_latents_at_the_prior_are_called_unused(
    run: Path, tmp_path: Path, registry: Registry, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.WARNING)
    latents = 0.01 * np.random.default_rng(0).normal(size=(30, 3)).astype(np.float32)
    spec = AnalysisSpec(run=with_latents(run, tmp_path / "null", latents), ksample=2, skip_vol=True,
                        skip_umap=True)  # fmt: skip
    analyze(Run(spec.run, registry), spec)
    assert "unused latent: no latent dimension leaves the prior" in caplog.text


def test_equal_latents_are_refused(run: Path, tmp_path: Path, registry: Registry) -> None:
    same = with_latents(run, tmp_path / "same", np.ones((30, 3), np.float32))
    with pytest.raises(DataError, match="all latents are the same"):
        analyze(Run(same, registry), AnalysisSpec(run=same))
