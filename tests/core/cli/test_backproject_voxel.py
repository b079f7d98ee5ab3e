"""backproject_voxel: names of options, and what the pipeline is asked for."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from collections.abc import Callable

    from click.testing import Result

    from .conftest import RecordingPipeline


@pytest.mark.parametrize("out", ["-o", "--output"])
def test_options_reach_the_maps_and_the_run(
    invoke: Callable[..., Result], pipeline: RecordingPipeline, particles: Path, out: str
) -> None:
    maps = ("--labels", "l.pkl", "--labels-sel", 0, 2, "--half-by", "tilt", "--lowpass", 20)
    data = ("--ind", "ind.pkl", "--uninvert-data", "--accelerator", "cpu", "--no-window")
    result = invoke("backproject_voxel", particles, out, "m.mrc", *maps, "--flip", *data)
    assert result.output == "map.mrc\n"
    ((name, ((run, _), spec)),) = pipeline.calls
    assert name == "reconstruct"
    assert (spec.out, spec.labels, spec.labels_sel) == (Path("m.mrc"), Path("l.pkl"), (0, 2))
    assert (spec.half_by, spec.lowpass_a, spec.flip) == ("tilt", 20.0, True)
    assert (spec.recon_dose_weight, spec.mask_r) == (False, 0.8)
    assert (run.reader.path, run.dataset.ind) == (particles, Path("ind.pkl"))
    assert (run.contrast.invert_data, run.devices.accelerator) == (False, "cpu")
    assert not run.preparation.window


def test_a_name_that_is_no_map_is_refused(
    invoke: Callable[..., Result], pipeline: RecordingPipeline, particles: Path
) -> None:
    result = invoke("backproject_voxel", particles, "-o", "folder")
    assert (result.exit_code, pipeline.calls) == (1, [])
    assert "give a file name that ends in .mrc" in result.output


def test_step_of_a_pipeline_file(
    invoke: Callable[..., Result], pipeline: RecordingPipeline, particles: Path, tmp_path: Path
) -> None:
    steps = tmp_path / "steps.yaml"
    step = f"- backproject_voxel: {{particles: {particles}, out: {tmp_path}/m.mrc, flip: true}}\n"
    steps.write_text(f"steps:\n{step}")
    result = invoke("run", steps)
    assert result.exit_code == 0, result.output
    ((_, ((run, _), spec)),) = pipeline.calls
    assert (spec.flip, run.reader.path) == (True, particles)


def test_missing_labels_of_a_step_are_found_before_it_starts(
    invoke: Callable[..., Result], pipeline: RecordingPipeline, particles: Path, tmp_path: Path
) -> None:
    steps = tmp_path / "steps.yaml"
    step = f"- backproject_voxel: {{particles: {particles}, out: m.mrc, labels: none.pkl}}\n"
    steps.write_text(f"steps:\n{step}")
    result = invoke("run", steps)
    assert (result.exit_code, pipeline.calls) == (1, [])
    assert "labels: none.pkl does not exist, and no earlier step makes it" in result.output
