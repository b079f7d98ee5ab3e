"""Pipeline files as text: every item is one command with a mapping."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tomodrgn.core.errors import SpecError
from tomodrgn.core.specs.steps import read_steps

if TYPE_CHECKING:
    from pathlib import Path

KNOWN = ("simulate", "score", "train_vae", "eval_vol", "prepare")


def test_steps_are_numbered_in_order(tmp_path: Path) -> None:
    path = tmp_path / "pipeline.yaml"
    path.write_text("steps:\n- simulate: {outdir: a}\n- score:\n")
    first, second = read_steps(path, KNOWN)
    assert (first.number, first.command, first.body) == (1, "simulate", {"outdir": "a"})
    assert (second.number, second.command, second.body) == (2, "score", {})


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("steps: []", "steps is missing"),
        ("simulate: {}", "holds only steps; found simulate too"),
        ("steps: [{simulate: {}, score: {}}]", "step 1: is .* write one"),
        ("steps: [{simulat: {}}]", r"step 1: there is no command 'simulat'. Did you mean 'simul"),
        ("steps: [{score: 3}]", r"step 1 \(score\): its spec is 3; write a mapping"),
    ],
)
def test_item_that_is_no_step_is_refused(tmp_path: Path, content: str, message: str) -> None:
    path = tmp_path / "pipeline.yaml"
    path.write_text(content)
    with pytest.raises(SpecError, match=message):
        read_steps(path, KNOWN)


def test_all_faulty_items_are_named(tmp_path: Path) -> None:
    path = tmp_path / "pipeline.yaml"
    path.write_text("steps: [{simulat: {}}, 3, {score: 4}]")
    with pytest.raises(SpecError) as caught:
        read_steps(path, KNOWN)
    assert len(str(caught.value).splitlines()) == 3
