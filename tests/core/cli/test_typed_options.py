"""What a user typed is never dropped: where it does not fit, that is said."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tomodrgn.core.specs.files import Added, merge, merge_typed

if TYPE_CHECKING:
    from collections.abc import Callable

    from click.testing import Result

    from .conftest import RecordingPipeline


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("--dec-dim", 64, "--set", "decoder.kind=linear_volumes"), "linear_volumes has no option"),
        (("--pe-dim", 8, "--set", "positional_encoding.kind=none"), "none has no option 'dim'"),
        (("--feat-sigma", 1, "--pe-type", "geom_lowf"), "geom_lowf has no option 'sigma'"),
    ],
)
def test_options_of_another_kind_are_refused(
    invoke: Callable[..., Result],
    pipeline: RecordingPipeline,
    particles: Path,
    words: tuple[object, ...],
    message: str,
) -> None:
    result = invoke("train_nn", particles, "-o", "out", *words) if "--dec-dim" not in words else (
        invoke("train_vae", particles, "-o", "out", "--zdim", 2, *words)
    )  # fmt: skip
    assert (result.exit_code, pipeline.calls) == (1, [])
    assert message in result.output


def test_fields_of_a_spec_file_go_with_their_kind(
    invoke: Callable[..., Result], pipeline: RecordingPipeline, particles: Path, tmp_path: Path
) -> None:
    spec = tmp_path / "run.yaml"
    spec.write_text("decoder: {kind: fourier_mlp, dim: 64}\npositional_encoding: null\n")
    words = ("--spec", spec, "--set", "decoder.kind=linear_volumes")
    result = invoke("train_nn", particles, "-o", "out", *words)
    assert result.exit_code == 0, result.output
    assert pipeline.calls[0][1][0].spec.decoder.model_dump() == {"kind": "linear_volumes"}


def test_typed_layers_keep_fields_beside_a_new_kind() -> None:
    first, second = {"part": {"kind": "a", "x": 1}}, {"part": {"kind": "b", "y": 2}}
    assert merge(first, second) == {"part": {"kind": "b", "y": 2}}
    assert merge_typed(first, second) == {"part": {"kind": "b", "x": 1, "y": 2}}


def test_typed_items_still_join_those_of_a_file() -> None:
    typed = merge_typed({"parts": Added([1])}, {"parts": Added([2])})
    assert merge({"parts": [0]}, typed) == {"parts": [0, 1, 2]}
