"""Commands that look at a run: names of options, and what the pipeline is asked for."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from collections.abc import Callable

    from click.testing import Result

    from .conftest import RecordingPipeline


def test_cleanup_names_what_it_removes(
    invoke: Callable[..., Result], pipeline: RecordingPipeline
) -> None:
    result = invoke("cleanup", "run", "--weights", "--zfiles", "--test")
    assert result.output == "run/z.0.pkl\n"
    ((name, (spec,)),) = pipeline.calls
    assert name == "cleanup"
    assert (spec.weights, spec.zfiles, spec.volumes, spec.test) == (True, True, False, True)


@pytest.mark.parametrize(("flag", "shown"), [((), "run:\n  seed: 1\n"), (("--json",), '"seed": 1')])
def test_view_config_shows_yaml_or_json(
    invoke: Callable[..., Result], pipeline: RecordingPipeline, flag: tuple[str], shown: str
) -> None:
    assert shown in invoke("view_config", "run", *flag).output
    assert pipeline.calls[0][0] == "view_config"


def test_eval_images_separates_the_data_from_the_model(
    invoke: Callable[..., Result], pipeline: RecordingPipeline, particles: Path
) -> None:
    words = ("-w", "w.pkl", "-c", "run", "--out-z", "z.pkl", "-b", 16, "--lazy", "--ind", "i.pkl")
    result = invoke("eval_images", particles, *words, "--uninvert-data")
    assert result.output == "z.pkl\n"
    ((_, (_, spec, data)),) = pipeline.calls
    assert (spec.weights, spec.config, spec.out_z) == (Path("w.pkl"), Path("run"), Path("z.pkl"))
    assert spec.batch_size == 16
    assert data["reader"]["path"] == particles
    assert data["dataset"] == {"ind": Path("i.pkl")}
    assert data["cache"] == {"residency": "stream"}
    assert data["contrast"] == {"invert_data": False}


@pytest.mark.parametrize("folder", [("vols",), ("--voldir", "vols")])
def test_analyze_volumes_takes_classic_options(
    invoke: Callable[..., Result], pipeline: RecordingPipeline, folder: tuple[str, ...]
) -> None:
    words = ("--config", "config.pkl", "--ksample", 20, "--mask", "soft", "--thresh", 98)
    result = invoke("analyze_volumes", *folder, *words, "--num-pcs", 64, "--outdir", "o")
    assert result.output == "vols_analyze_volumes\n"
    ((_, (_, spec)),) = pipeline.calls
    assert (spec.voldir, spec.config, spec.outdir) == (Path("vols"), Path("config.pkl"), Path("o"))
    assert (spec.ksample, spec.mask, spec.thresh, spec.num_pcs) == (20, "soft", 98, 64)


def test_one_mask_at_a_time(invoke: Callable[..., Result], pipeline: RecordingPipeline) -> None:
    result = invoke("analyze_volumes", "vols", "--mask", "soft", "--mask-path", "m.mrc")
    assert (result.exit_code, pipeline.calls) == (1, [])
    assert "give one of them" in result.output
