"""A command reads its input once, opens its run once and validates its spec once."""

from __future__ import annotations

import shutil
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.core.finished_run import finish_run
from tomodrgn.core.commands import resolve
from tomodrgn.core.data.doing import do
from tomodrgn.core.registry import Registry
from tomodrgn.core.simulation.tilt_series import simulate
from tomodrgn.core.specs.run import RunSpecBase
from tomodrgn.core.specs.simulation import SimulationSpec

N = 24


@pytest.fixture(scope="module")
def star(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return simulate(SimulationSpec(
        outdir=tmp_path_factory.mktemp("set"), n_particles=N, n_classes=2, n_tilts=5,
        box_size_px=16, pixel_size_a=20.0, snr=0.5, seed=2,
    ))  # fmt: skip


@pytest.fixture(scope="module")
def linear(star: Path, registry: Registry, tmp_path_factory: pytest.TempPathFactory) -> Path:
    outdir = tmp_path_factory.mktemp("runs") / "linear"
    layer = {"reader": {"path": str(star)}, "outdir": outdir, "seed": 0, "latent": {"dim": 1},
             "training": {"report": False}}  # fmt: skip
    do(resolve(registry.command("train_linear"), layer, registry=registry), registry)
    return outdir


@pytest.fixture
def counted(monkeypatch: pytest.MonkeyPatch) -> Counter[str]:
    """How often the input is read, a run is opened, and a run spec is validated."""
    found: Counter[str] = Counter()

    def counting(place: str, name: str) -> None:
        module, _, attribute = place.rpartition(".")
        owner = __import__(module, fromlist=[attribute])
        target = getattr(owner, attribute) if attribute[0].isupper() else owner
        function = attribute if target is owner else "read"
        original: Callable[..., Any] = getattr(target, function)

        def counted_call(*arguments: Any, **named: Any) -> Any:
            is_run = name != "validated" or issubclass(arguments[0], RunSpecBase)
            found[name] += is_run
            return original(*arguments, **named)

        monkeypatch.setattr(target, function, counted_call)

    counting("tomodrgn.plugins.readers.image_series.warp_particleseries.WarpParticleseries", "read")
    counting("tomodrgn.core.data.run.read_run", "opened")
    counting("tomodrgn.core.registry.validate", "validated")
    counting("tomodrgn.core.recorded.validate", "validated")
    return found


def ask(name: str, layer: dict[str, Any], registry: Registry) -> None:
    do(resolve(registry.command(name), layer, registry=registry), registry)


def test_validate_opens_once(
    counted: Counter[str], linear: Path, star: Path, registry: Registry, tmp_path: Path
) -> None:
    labels = star.parent / "labels.pkl"
    ask("validate", {"run": linear, "labels": labels, "outdir": tmp_path}, registry)
    assert counted == {"read": 1, "opened": 1, "validated": 1}


def test_analyze_opens_once(
    counted: Counter[str], linear: Path, registry: Registry, tmp_path: Path
) -> None:
    ask("analyze", {"run": linear, "outdir": tmp_path, "ksample": 2, "skip_umap": True}, registry)
    assert counted == {"read": 1, "opened": 1, "validated": 1}


def test_confounds_with_contrast_open_once(
    counted: Counter[str], star: Path, registry: Registry, tmp_path: Path
) -> None:
    run = finish_run(tmp_path / "run", star, np.eye(N)[:, :2], registry)
    counted.clear()
    ask("nuisance", {"run": run}, registry)
    assert counted["opened"] == counted["validated"] == 1
    assert counted["read"] <= 2  # metadata alone, then with images


def test_training_with_report_reads_once(
    counted: Counter[str], star: Path, registry: Registry, tmp_path: Path
) -> None:
    small = {"layers": 1, "dim": 8}
    layer = {"reader": {"path": str(star)}, "outdir": tmp_path / "vae", "latent": {"dim": 1},
             "training": {"num_epochs": 1}, "decoder": small,
             "encoder": {"layers_a": 1, "dim_a": 8, "layers_b": 1, "dim_b": 8}}  # fmt: skip
    ask("train_vae", layer, registry)
    assert (tmp_path / "vae" / "report.html").exists()
    assert counted == {"read": 1, "opened": 1, "validated": 1}
    shutil.rmtree(tmp_path / "vae")
