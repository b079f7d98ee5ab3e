from __future__ import annotations

import base64
import json
import re
from importlib import import_module
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.core.finished_run import finish_run
from tests.core.report.chromium import try_page
from tomodrgn.core.data.inputs import Inputs
from tomodrgn.core.data.run import Run
from tomodrgn.core.registry import Registry
from tomodrgn.core.simulation.tilt_series import simulate
from tomodrgn.core.specs.simulation import SimulationSpec
from tomodrgn.plugins.commands.analyze.command import analyze
from tomodrgn.plugins.commands.analyze.spec import AnalysisSpec
from tomodrgn.plugins.commands.filter_star.command import filter_star
from tomodrgn.plugins.commands.filter_star.spec import FilterSpec

N_READ = 40
KEPT = np.arange(5, N_READ, 2)


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory, registry: Registry) -> Path:
    """A run on some of the particles of its file, whose latents are two clouds."""
    folder = tmp_path_factory.mktemp("report")
    star = simulate(
        SimulationSpec(
            outdir=folder / "sim", n_particles=N_READ, n_classes=2, box_size_px=8,
            n_tilts=4, min_tilts=3, n_tomograms=3,
        )
    )  # fmt: skip
    chosen = folder / "ind.txt"
    chosen.write_text("".join(f"{index}\n" for index in KEPT))
    latents = np.random.default_rng(0).standard_normal((len(KEPT), 2)).astype(np.float32)
    latents[::2, 0] += 20
    spec = {"dataset": {"ind": str(chosen)}}
    directory = finish_run(folder / "run", star, latents, registry, spec)
    (directory / "weights.pkl").touch()
    return directory


def spec_of(run: Path, **more: Any) -> AnalysisSpec:
    return AnalysisSpec(run=run, epoch=-1, ksample=3, skip_umap=True, skip_vol=True, **more)


@pytest.fixture(scope="module")
def report(run: Path, registry: Registry) -> Path:
    return analyze(Run(run, registry), spec_of(run)) / "report.html"


def test_points_are_the_particles_of_the_run(run: Path, report: Path, registry: Registry) -> None:
    text = report.read_text(encoding="utf-8")
    data = re.search(r'<script type="application/json" id="data">(.*)</script>', text)
    assert data is not None
    points, results = json.loads(data[1])["points"], Run(run, registry).results()
    index = np.frombuffer(base64.b64decode(points["index"]), "<u4")
    assert index.tolist() == KEPT.tolist() == results.particles.source_particle.tolist()
    tomogram = next(each for each in points["kinds"] if each["name"] == "tomogram")
    codes = np.frombuffer(base64.b64decode(tomogram["codes"]), "<u2")
    assert [tomogram["names"][code] for code in codes] == results.particles.tomogram.tolist()


def test_clusters_are_counted_by_tomogram(report: Path) -> None:
    found = json.loads((report.parent / "analysis.json").read_text())["clusters"][0]
    text = report.read_text(encoding="utf-8")
    for name, counts in zip(
        found["tomograms"], np.transpose(found["particles_by_tomogram"]), strict=True
    ):
        row = re.search(rf"<th scope='row'>{re.escape(name)}</th>(.*?)</tr>", text)
        assert row is not None
        assert re.findall(r">(\d+)</td>", row[1]) == [str(count) for count in counts]


def test_saved_indices_filter_the_file_that_was_read(
    run: Path, report: Path, registry: Registry, tmp_path: Path
) -> None:
    said = try_page(report, tmp_path)
    assert said["complaints"] == []
    assert said["requests"] == []
    (tmp_path / "indices.txt").write_text(said["indices"])
    results = Run(run, registry).results()
    spec = FilterSpec(
        particles=results.particles.source,
        ind=tmp_path / "indices.txt",
        out=tmp_path / "kept.star",
    )
    filter_star(Inputs(registry), spec)
    left = results.latents[said["rows"]]
    assert len(left) == len(KEPT) // 2
    assert left[:, 0].max() < 10
    names = results.particles.name[said["rows"]]
    text = (tmp_path / "kept.star").read_text()
    assert all(str(name) in text for name in names)
    others = set(results.particles.name.tolist()) - set(names.tolist())
    assert not any(re.search(rf"\b{re.escape(str(name))}\b", text) for name in others)


def test_a_report_of_an_earlier_call_does_not_stay(
    run: Path, tmp_path: Path, registry: Registry, monkeypatch: pytest.MonkeyPatch
) -> None:
    module = import_module("tomodrgn.plugins.commands.analyze.command")
    monkeypatch.setattr(module, "draw_analysis", lambda *_args, **_more: {})
    outdir = analyze(Run(run, registry), spec_of(run, outdir=tmp_path / "out"))
    assert (outdir / "report.html").exists()
    analyze(Run(run, registry), spec_of(run, outdir=outdir, report=False))
    assert not (outdir / "report.html").exists()


def test_pictures_of_an_earlier_call_are_not_shown(
    run: Path, tmp_path: Path, registry: Registry
) -> None:
    outdir = analyze(Run(run, registry), spec_of(run, outdir=tmp_path / "out"))
    assert "data:image/png" in (outdir / "report.html").read_text()
    (outdir / "z_pca_volumes.png").write_bytes(b"of an earlier call")
    analyze(Run(run, registry), spec_of(run, outdir=outdir, plot_format="svgz"))
    text = (outdir / "report.html").read_text()
    assert "data:image/png" not in text
    assert "pictures of this analysis, which are svgz, not png" in text
