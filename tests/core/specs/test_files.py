"""Layers of a spec: reading, overriding, merging and writing."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from tomodrgn.core.errors import SpecError
from tomodrgn.core.specs.dataset import PreparationSpec
from tomodrgn.core.specs.files import Added, merge, put, read_assignments, read_spec, write_spec

if TYPE_CHECKING:
    from pathlib import Path


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("", "the file is empty"),
        ("# only a comment\n", "the file is empty"),
        ("[1, 2]", "holds a list"),
        ("just words", "holds a str"),
        ("a: [1, 2", "line 1: .* write it as YAML"),
        ("a: 1\nb: 2\na: 3\n", "line 1: the key 'a' is given twice"),
    ],
)
def test_file_that_is_no_mapping_is_refused_in_one_line(
    tmp_path: Path, content: str, message: str
) -> None:
    path = tmp_path / "run.yaml"
    path.write_text(content)
    with pytest.raises(SpecError, match=message) as caught:
        read_spec(path)
    assert "\n" not in str(caught.value)


def test_missing_file_is_refused(tmp_path: Path) -> None:
    with pytest.raises(SpecError, match="cannot be read: No such file"):
        read_spec(tmp_path / "nowhere.yaml")


def test_json_is_read_too(tmp_path: Path) -> None:
    path = tmp_path / "run.json"
    path.write_text('{"latent": {"dim": 8}}')
    assert read_spec(path) == {"latent": {"dim": 8}}


def test_written_spec_is_read_back(tmp_path: Path) -> None:
    spec = PreparationSpec(window_r=0.7)
    write_spec(tmp_path / "run.yaml", spec)
    assert PreparationSpec.model_validate(read_spec(tmp_path / "run.yaml")) == spec


def test_assignments_are_yaml() -> None:
    layer = read_assignments(["latent.dim=8", "encoder=null", "loss_weightings=[{kind: dose}]"])
    assert layer == {"latent": {"dim": 8}, "encoder": None, "loss_weightings": [{"kind": "dose"}]}


@pytest.mark.parametrize("text", ["latent.dim", "=3", "latent..dim=3"])
def test_assignment_without_place_or_value_is_refused(text: str) -> None:
    with pytest.raises(SpecError, match=r"write it as section\.field=value"):
        read_assignments([text])


def test_place_through_a_value_is_refused() -> None:
    with pytest.raises(SpecError, match="seed is already set to 3"):
        put({"seed": 3}, "seed.deep", 4)


@pytest.mark.parametrize(
    ("lower", "upper", "merged"),
    [
        ({"a": {"x": 1, "y": 2}}, {"a": {"y": 3}}, {"a": {"x": 1, "y": 3}}),
        ({"a": [1, 2]}, {"a": [3]}, {"a": [3]}),
        ({"a": [1, 2]}, {"a": Added([2, 3])}, {"a": [1, 2, 3]}),
        ({}, {"a": Added([3])}, {"a": [3]}),
        ({"a": {"x": 1}}, {"a": None}, {"a": None}),
        ({"a": None}, {"a": {"x": 1}}, {"a": {"x": 1}}),
    ],
)
def test_later_layer_wins(lower: dict[str, Any], upper: dict[str, Any], merged: Any) -> None:
    assert merge(lower, upper) == merged


def test_change_of_kind_drops_the_fields_of_the_old_kind() -> None:
    lower = {"decoder": {"kind": "fourier_mlp", "layers": 3}}
    assert merge(lower, {"decoder": {"kind": "grid"}}) == {"decoder": {"kind": "grid"}}


def test_same_kind_keeps_the_fields() -> None:
    lower = {"decoder": {"kind": "fourier_mlp", "layers": 3}}
    upper = {"decoder": {"kind": "fourier_mlp", "dim": 8}}
    assert merge(lower, upper)["decoder"] == {"kind": "fourier_mlp", "layers": 3, "dim": 8}


@pytest.mark.parametrize(("first", "second"), [("auto", "warp"), ("warp", "auto")])
def test_auto_keeps_the_fields(first: str, second: str) -> None:
    merged = merge({"reader": {"kind": first, "path": "a"}}, {"reader": {"kind": second}})
    assert merged == {"reader": {"kind": second, "path": "a"}}


def test_merging_leaves_the_layers_alone() -> None:
    lower = {"a": {"x": 1}}
    merge(lower, {"a": {"x": 2}})
    assert lower == {"a": {"x": 1}}
