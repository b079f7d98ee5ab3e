"""The report that training leaves at its end."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest

from tests.core.report.chromium import try_page
from tomodrgn.core.commands import resolve, resolve_run
from tomodrgn.core.data.dataset import Dataset
from tomodrgn.core.data.doing import do
from tomodrgn.core.registry import Registry
from tomodrgn.core.simulation.tilt_series import simulate
from tomodrgn.core.specs.output import RunDirectorySpec
from tomodrgn.core.specs.simulation import SimulationSpec
from tomodrgn.plugins.commands.train.command import train
from tomodrgn.plugins.commands.train.linear import train_linear

SMALL: dict[str, Any] = {
    "encoder": {
        "pooling": "mean", "layers_a": 1, "dim_a": 8, "out_dim_a": 8, "layers_b": 1, "dim_b": 8,
    },
    "decoder": {"layers": 1, "dim": 8},
    "devices": {"accelerator": "cpu", "threads": 1},
    "seed": 1,
}  # fmt: skip
PLAIN = {name: SMALL[name] for name in ("devices", "seed")}


@pytest.fixture(scope="module")
def star(tmp_path_factory: pytest.TempPathFactory) -> Path:
    spec = SimulationSpec(
        outdir=tmp_path_factory.mktemp("sim"), n_particles=40, n_classes=2, box_size_px=16,
        pixel_size_a=18.0, n_tilts=7, min_tilts=5, snr=0.5, seed=1,
    )  # fmt: skip
    return simulate(spec)


def train_vae(star: Path, outdir: Path, registry: Registry, **training: Any) -> Path:
    layer = {
        "reader": {"path": str(star)}, "latent": {"dim": 2}, "dataset": {"fraction_train": 0.7},
        "training": {"num_epochs": 1, **training},
    }  # fmt: skip
    train(
        Dataset(resolve_run("train_vae", SMALL, layer, registry=registry), registry),
        RunDirectorySpec(outdir=outdir),
    )
    return outdir / "report.html"


def headings(page: Path) -> list[str]:
    return re.findall(r"<h2[^>]*>([^<]+)</h2>", page.read_text(encoding="utf-8"))


def test_training_leaves_a_report_that_a_browser_opens_without_a_complaint(
    star: Path, tmp_path: Path, registry: Registry, caplog: pytest.LogCaptureFixture
) -> None:
    page = train_vae(star, tmp_path / "run", registry)
    text = page.read_text(encoding="utf-8")
    assert headings(page) == ["What to beware of", "Particles", "Volumes", "Losses", "The run"]
    assert "Held-out tilts: epoch 0 predicts held-out tilts best" in text
    assert text.count("data:image/png") == 4  # consensus, components, losses, held-out tilts
    assert "is not drawn" not in caplog.text
    said = try_page(page, tmp_path)
    assert said["complaints"] == said["requests"] == []
    assert 0 < len(said["rows"]) < 40


def test_a_report_that_fails_is_a_warning_and_one_of_an_earlier_end_goes(
    star: Path,
    tmp_path: Path,
    registry: Registry,
    caplog: pytest.LogCaptureFixture,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    page = tmp_path / "run" / "report.html"
    page.parent.mkdir()
    page.write_text("of an earlier end")

    def fail(*_: object) -> None:
        raise ValueError("no ink")

    monkeypatch.setattr("tomodrgn.plugins.commands.train.report.write_run_report", fail)
    train_vae(star, page.parent, registry)
    assert "report.html is not drawn (ValueError: no ink)" in caplog.text
    assert (page.parent / "z.pkl").exists()
    assert not page.exists()


def test_no_report_is_written_where_none_is_wanted(
    star: Path, tmp_path: Path, registry: Registry
) -> None:
    assert not train_vae(star, tmp_path / "run", registry, report=False).exists()


def test_models_of_one_structure_are_reported_without_latents(
    star: Path, tmp_path: Path, registry: Registry
) -> None:
    layer = {
        "reader": {"path": str(star)}, "training": {"num_epochs": 1}, "decoder": SMALL["decoder"],
    }  # fmt: skip
    train(
        Dataset(resolve_run("train_nn", PLAIN, layer, registry=registry), registry),
        RunDirectorySpec(outdir=tmp_path / "run"),
    )
    page = tmp_path / "run" / "report.html"
    assert headings(page) == ["What to beware of", "Particles", "Volumes", "Losses", "The run"]
    text = page.read_text(encoding="utf-8")
    assert '"latents":null' in text
    assert "Whether they differ was not asked" in text


def test_linear_models_and_classes_say_whether_particles_differ(
    star: Path, tmp_path: Path, registry: Registry
) -> None:
    linear, classes = tmp_path / "linear", tmp_path / "classes"
    layer = {"reader": {"path": str(star)}, "latent": {"dim": 1}}
    run = resolve_run("train_linear", PLAIN, layer, registry=registry)
    train_linear(Dataset(run, registry), RunDirectorySpec(outdir=linear))
    layer = {"reader": {"path": str(star)}, "n_classes": 2, "start_from": str(linear)}
    ask = {**layer, "outdir": classes}
    do(resolve(registry.command("classify"), PLAIN, ask, registry=registry), registry)
    for run_directory in (linear, classes):
        text = (run_directory / "report.html").read_text(encoding="utf-8")
        assert "Particles differ" in text
    assert headings(classes / "report.html") == [
        "What to beware of", "Particles", "Classes", "Maps", "Classes by tomogram",
        "Where differences may come from", "The run",
    ]  # fmt: skip
