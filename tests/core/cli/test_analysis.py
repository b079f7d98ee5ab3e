from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from click.testing import Result

from tests.core.cli.conftest import RecordingPipeline
from tomodrgn.plugins.commands.analyze.spec import AnalysisSpec
from tomodrgn.plugins.commands.traversals.spec import GraphTraversalSpec, PcTraversalSpec


def test_all_options_of_analyze_reach_the_spec(
    pipeline: RecordingPipeline, invoke: Callable[..., Result]
) -> None:
    words = """run 19 -o out --pc 3 --pc-ondata --ksample 10 --gmm-k 3 --skip-vol --skip-umap
    --umap-subset 1000 --seed 5 --flip --invert -d 32 --lowpass 20 --Apix 4 --plot-format svgz
    --device 0 --accelerator cpu"""
    done = invoke("analyze", *words.split())
    assert done.exit_code == 0, done.output
    ((_, (_run, spec)),) = pipeline.calls
    assert spec == AnalysisSpec.model_validate(
        {
            "run": "run", "epoch": 19, "outdir": "out", "pc": 3, "pc_ondata": True, "ksample": 10,
            "gmm_k": 3, "skip_vol": True, "skip_umap": True, "umap_subset": 1000, "seed": 5,
            "flip": True, "invert": True, "downsample": 32, "lowpass_a": 20, "pixel_size_a": 4,
            "plot_format": "svgz", "device": 0, "devices": {"accelerator": "cpu"},
        }
    )  # fmt: skip


@pytest.mark.parametrize(
    ("words", "epoch"),
    [
        ("run", "latest"),
        ("run --epoch latest", "latest"),
        ("run --epoch -1", -1),
        ("run --epoch recommended", "recommended"),
        ("run 7", 7),
    ],
)
def test_epochs_are_given_as_in_either_version(
    pipeline: RecordingPipeline, invoke: Callable[..., Result], words: str, epoch: int | str
) -> None:
    assert invoke("analyze", *words.split()).exit_code == 0
    ((_, (_run, spec)),) = pipeline.calls
    assert spec.epoch == epoch


def test_an_unknown_epoch_word_is_refused(
    pipeline: RecordingPipeline, invoke: Callable[..., Result]
) -> None:
    done = invoke("analyze", "run", "--epoch", "best")
    assert done.exit_code == 1
    assert "epoch" in done.output
    assert not pipeline.calls


def test_all_options_of_pc_traversal_reach_the_spec(
    pipeline: RecordingPipeline, invoke: Callable[..., Result]
) -> None:
    words = "z.pkl -o out --dim 2 -n 5 --lim 10 90 --use-percentile-spacing"
    assert invoke("pc_traversal", *words.split()).output.strip() == "out/pc1.txt"
    expected = PcTraversalSpec(
        latents=Path("z.pkl"), outdir=Path("out"), dim=2, n=5, lim=(10, 90),
        use_percentile_spacing=True,
    )  # fmt: skip
    assert pipeline.calls == [("pc_traversal", (expected,))]


def test_limits_that_fall_are_refused(
    pipeline: RecordingPipeline, invoke: Callable[..., Result]
) -> None:
    done = invoke("pc_traversal", "z.pkl", "-o", "out", "--lim", 90, 10)
    assert done.exit_code == 1
    assert "90 is not below 10; swap them" in done.output


def test_all_options_of_graph_traversal_reach_the_spec(
    pipeline: RecordingPipeline, invoke: Callable[..., Result]
) -> None:
    words = "z.pkl --anchors 5 10 7 -o out --max-neighbors 8 --avg-neighbors 4"
    assert invoke("graph_traversal", *words.split()).exit_code == 0
    expected = GraphTraversalSpec(
        latents=Path("z.pkl"), anchors=(5, 10, 7), outdir=Path("out"), max_neighbors=8,
        avg_neighbors=4,
    )  # fmt: skip
    assert pipeline.calls == [("graph_traversal", (expected,))]


@pytest.mark.parametrize(
    ("words", "fault"),
    [
        ("--anchors 5", "give at least two particles"),
        ("--anchors 5 6 --avg-neighbors 11", "11 is more than max_neighbors, 10"),
    ],
)
def test_ways_without_two_ends_or_with_too_many_neighbors_are_refused(
    pipeline: RecordingPipeline, invoke: Callable[..., Result], words: str, fault: str
) -> None:
    done = invoke("graph_traversal", "z.pkl", "-o", "out", *words.split())
    assert done.exit_code == 1
    assert fault in done.output
