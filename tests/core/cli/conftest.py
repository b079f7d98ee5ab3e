"""The command line with a pipeline that only remembers what it was asked."""

from __future__ import annotations

import sys
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, Any, NamedTuple

import pytest
from click.testing import CliRunner, Result

from tomodrgn.core.cli.main import cli
from tomodrgn.plugins.commands.score.command import Scores
from tomodrgn.plugins.commands.view_config.command import Told

if TYPE_CHECKING:
    from collections.abc import Callable


RESULTS: dict[str, object] = {
    "tomodrgn.plugins.commands.train.command:train": None,
    "tomodrgn.plugins.commands.train.linear:train_linear": None,
    "tomodrgn.plugins.commands.train.subspace:train_subspace": None,
    "tomodrgn.plugins.commands.classify.command:classify": None,
    "tomodrgn.plugins.commands.prepare.command:prepare": Path("cache.h5"),
    "tomodrgn.plugins.commands.downsample.command:downsample": [
        Path("small.mrcs"),
        Path("small.star"),
    ],
    "tomodrgn.plugins.commands.eval_vol.command:evaluate_volumes": [Path("vol_000.mrc")],
    "tomodrgn.core.simulation.tilt_series:simulate": Path("particles.star"),
    "tomodrgn.plugins.commands.export.command:export": [Path("latents.csv")],
    "tomodrgn.plugins.commands.filter_star.command:filter_star": [Path("filtered.star")],
    "tomodrgn.plugins.commands.mapback.command:map_back": [Path("mapback.cxc")],
    "tomodrgn.plugins.commands.backproject.command:reconstruct": [Path("map.mrc")],
    "tomodrgn.plugins.commands.score.command:score": Scores({"accuracy": 1.0}, Path("scores.json")),
    "tomodrgn.plugins.commands.cleanup.command:cleanup": [Path("run/z.0.pkl")],
    "tomodrgn.plugins.commands.view_config.command:view_config": Told({"run": {"seed": 1}}),
    "tomodrgn.plugins.commands.eval_images.command:evaluate_images": [Path("z.pkl")],
    "tomodrgn.plugins.commands.analyze.command:analyze": Path("run/analyze.9"),
    "tomodrgn.plugins.commands.traversals.command:pc_traversal": [Path("out/pc1.txt")],
    "tomodrgn.plugins.commands.traversals.command:graph_traversal": [
        Path("out/path_particle_indices.txt")
    ],
    "tomodrgn.plugins.commands.volumes.command:analyze_volumes": Path("vols_analyze_volumes"),
    "tomodrgn.plugins.commands.convergence.command_nn:convergence_nn": Path("run/convergence.4"),
    "tomodrgn.plugins.commands.convergence.command:convergence_vae": Path("run/convergence.9"),
}
"""What each verb answers, by its place."""


class Opened(NamedTuple):
    """Stands for a run."""

    directory: Path
    registry: object


class Read(NamedTuple):
    """Stands for a data set."""

    spec: Any
    registry: object


class RecordingPipeline:
    """Stands for the verbs of the pipeline; ``calls`` holds name and arguments of each call."""

    def __init__(self) -> None:
        self.calls: list[tuple[str, tuple[Any, ...]]] = []
        self.modules: dict[str, ModuleType] = {}
        for place, result in RESULTS.items():
            module, name = place.split(":")
            stub = self.modules.setdefault(module, ModuleType(module))
            setattr(stub, name, self._recorder(name, result))
        for place, stand_in in (("run:Run", Opened), ("dataset:Dataset", Read)):
            module, name = f"tomodrgn.core.data.{place}".split(":")
            stub = self.modules.setdefault(module, ModuleType(module))
            setattr(stub, name, stand_in)

    def _recorder(self, name: str, result: object) -> Callable[..., object]:
        def record(*arguments: object) -> object:
            self.calls.append((name, arguments))
            return result

        return record


@pytest.fixture
def pipeline(monkeypatch: pytest.MonkeyPatch) -> RecordingPipeline:
    recording = RecordingPipeline()
    for name, module in recording.modules.items():
        monkeypatch.setitem(sys.modules, name, module)
    return recording


@pytest.fixture
def particles(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A file that the Warp reader takes for its own."""
    monkeypatch.setattr(
        "tomodrgn.core.registry.Registry.identify_reader", lambda *_: "warp_particleseries"
    )
    path = tmp_path / "particles.star"
    path.write_text("")
    return path


@pytest.fixture
def invoke() -> Callable[..., Result]:
    """Run the command line with the words given."""

    def run(*words: object) -> Result:
        return CliRunner().invoke(cli, [str(word) for word in words])

    return run
