"""The command line with a pipeline that only remembers what it was asked."""

from __future__ import annotations

import sys
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, Any

import pytest
from click.testing import CliRunner, Result

from tomodrgn.core.cli.main import cli

if TYPE_CHECKING:
    from collections.abc import Callable


class RecordingPipeline(ModuleType):
    """Stands for ``tomodrgn.core.pipeline``; ``calls`` holds name and arguments of each call."""

    def __init__(self) -> None:
        super().__init__("tomodrgn.core.pipeline")
        self.calls: list[tuple[str, tuple[Any, ...]]] = []
        for name, result in (
            ("train", None),
            ("train_linear", None),
            ("classify", None),
            ("prepare", Path("cache.h5")),
            ("downsample", [Path("small.mrcs"), Path("small.star")]),
            ("evaluate_volumes", [Path("vol_000.mrc")]),
            ("simulate", Path("particles.star")),
            ("export", [Path("latents.csv")]),
            ("filter_star", [Path("filtered.star")]),
            ("map_back", [Path("mapback.cxc")]),
            ("reconstruct", [Path("map.mrc")]),
            ("score", {"accuracy": 1.0}),
            ("cleanup", [Path("run/z.0.pkl")]),
            ("view_config", {"run": {"seed": 1}}),
            ("evaluate_images", [Path("z.pkl")]),
            ("analyze", Path("run/analyze.9")),
            ("pc_traversal", [Path("out/pc1.txt")]),
            ("graph_traversal", [Path("out/path_particle_indices.txt")]),
            ("analyze_volumes", Path("vols_analyze_volumes")),
            ("convergence_nn", Path("run/convergence.4")),
            ("convergence_vae", Path("run/convergence.9")),
        ):
            setattr(self, name, self._recorder(name, result))

    def _recorder(self, name: str, result: object) -> Callable[..., object]:
        def record(*arguments: object) -> object:
            self.calls.append((name, arguments))
            return result

        return record


@pytest.fixture
def pipeline(monkeypatch: pytest.MonkeyPatch) -> RecordingPipeline:
    recording = RecordingPipeline()
    monkeypatch.setitem(sys.modules, "tomodrgn.core.pipeline", recording)
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
