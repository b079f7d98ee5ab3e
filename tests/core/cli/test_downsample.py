"""downsample: names of options, and what the pipeline is asked for."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from collections.abc import Callable

    from click.testing import Result

    from .conftest import RecordingPipeline


@pytest.mark.parametrize("name", ["-d", "-D", "--downsample"])
@pytest.mark.parametrize("out", ["-o", "--output"])
def test_classic_names(
    invoke: Callable[..., Result], pipeline: RecordingPipeline, name: str, out: str
) -> None:
    result = invoke("downsample", "in.star", name, 64, out, "small.star", "--chunk", 10)
    assert result.output == "small.mrcs\nsmall.star\n"
    ((_, (_, spec)),) = pipeline.calls
    assert (spec.particles, spec.out) == (Path("in.star"), Path("small.star"))
    assert (spec.downsample, spec.chunk, spec.batch_size, spec.dtype) == (64, 10, 5000, None)


def test_odd_box_is_refused(invoke: Callable[..., Result], pipeline: RecordingPipeline) -> None:
    result = invoke("downsample", "in.star", "-d", 63, "-o", "small.star")
    assert (result.exit_code, pipeline.calls) == (1, [])
    assert "downsample: input should be a multiple of 2" in result.output


def test_step_of_a_pipeline_file(
    invoke: Callable[..., Result], pipeline: RecordingPipeline, tmp_path: Path
) -> None:
    (tmp_path / "in.star").write_text("")
    steps = tmp_path / "steps.yaml"
    steps.write_text(
        f"steps:\n- downsample: {{particles: {tmp_path}/in.star, downsample: 8, out: small.star}}\n"
    )
    result = invoke("run", steps)
    assert result.exit_code == 0, result.output
    assert [name for name, _ in pipeline.calls] == ["downsample"]
    assert "small.star" in result.output
