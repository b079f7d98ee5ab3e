"""eval_vol: several values after one option, and latents from one place."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from collections.abc import Callable

    from click.testing import Result

    from .conftest import RecordingPipeline


@pytest.fixture
def evaluate(invoke: Callable[..., Result], pipeline: RecordingPipeline) -> Callable[..., Any]:
    """The volumes that the command asks the pipeline for."""

    def run(*words: object) -> Any:
        pipeline.calls.clear()
        result = invoke("eval_vol", *words)
        assert result.exit_code == 0, result.output
        assert result.output == "vol_000.mrc\n"
        ((_, (_run, spec)),) = pipeline.calls
        return spec

    return run


@pytest.mark.parametrize(
    "words",
    [
        ("weights.pkl", "-o", "out", "-z", 1, -2.5, "1e-3"),
        ("-z", 1, -2.5, "1e-3", "-o", "out", "-w", "weights.pkl"),
        ("-o", "out", "-z", 1, -2.5, "1e-3", "weights.pkl"),
        ("weights.pkl", "-o", "out", "-z", 1, "-z", -2.5, "-z", 0.001),
    ],
)
def test_several_values_follow_one_option(
    evaluate: Callable[..., Any], words: tuple[object, ...]
) -> None:
    spec = evaluate(*words)
    assert spec.z == (1.0, -2.5, 0.001)
    assert spec.weights == Path("weights.pkl")


def test_line_of_volumes(evaluate: Callable[..., Any]) -> None:
    line = ("--z-start", -1, 0, "--z-end", 1, 2, "-n", 5)
    spec = evaluate("w.pkl", "--config", "run", "-o", "out", *line)
    assert (spec.z_start, spec.z_end, spec.n) == ((-1.0, 0.0), (1.0, 2.0), 5)
    assert spec.config == Path("run")


def test_classic_options_reach_their_fields(evaluate: Callable[..., Any]) -> None:
    words = ("--zfile", "z.txt", "--flip", "--invert", "-d", 16, "--lowpass", 20, "-b", 8)
    spec = evaluate("w.pkl", "-o", "out", *words, "--prefix", "v_", "--Apix", 2.5, "--no-amp")
    assert (spec.flip, spec.invert, spec.downsample, spec.lowpass_a) == (True, True, 16, 20.0)
    assert (spec.batch_size, spec.prefix, spec.pixel_size_a) == (8, "v_", 2.5)
    assert spec.devices.precision == "float32"


@pytest.mark.parametrize("words", [("-z",), ("-z", "north"), ("--z-start", "-o")])
def test_option_without_its_values_is_wrong_usage(
    invoke: Callable[..., Result], words: tuple[str, ...]
) -> None:
    assert invoke("eval_vol", "w.pkl", "-o", "out", *words).exit_code == 2


def test_latents_given_twice_are_refused(invoke: Callable[..., Result]) -> None:
    result = invoke("eval_vol", "w.pkl", "-o", "out", "-z", 1, "--zfile", "z.txt")
    assert result.exit_code == 1
    assert result.output == "Error: give latents once; found z, zfile\n"
