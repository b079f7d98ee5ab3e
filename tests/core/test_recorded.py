"""A run outlives its plugins: it opens, and only who needs what is missing is told."""

from __future__ import annotations

from typing import Any

import pytest
import yaml

from tomodrgn.core.commands import resolve_run
from tomodrgn.core.errors import SpecError
from tomodrgn.core.recorded import parse_recorded
from tomodrgn.core.registry import Registry


@pytest.fixture
def recorded(registry: Registry) -> dict[str, Any]:
    """A run spec as ``run.yaml`` has it."""
    reader = {"kind": "warp_particleseries", "path": "particles.star"}
    spec = resolve_run("train_vae", {"reader": reader, "latent": {"dim": 2}}, registry=registry)
    content: dict[str, Any] = yaml.safe_load(yaml.safe_dump(spec.model_dump(mode="json")))
    return content


def test_what_is_installed_is_validated(registry: Registry, recorded: dict[str, Any]) -> None:
    recorded["decoder"]["dims"] = 4
    with pytest.raises(SpecError, match=r"has no option 'dims'. Did you mean 'dim'"):
        parse_recorded(recorded, registry)


@pytest.mark.parametrize("section", ["reader", "positional_encoding", "encoder", "decoder"])
def test_a_part_that_is_gone_stands_as_it_was_written(
    registry: Registry, recorded: dict[str, Any], section: str
) -> None:
    recorded[section] = {"kind": "gone", "edge": 7}
    run = parse_recorded(recorded, registry)
    assert run.model_dump(mode="json") == recorded
    with pytest.raises(SpecError, match=f"{section}: no installed plugin offers 'gone'"):
        registry.build(getattr(run, section), None)


def test_parts_that_are_gone_keep_their_places(
    registry: Registry, recorded: dict[str, Any]
) -> None:
    recorded["exporters"] = [{"kind": "csv", "digits": 3}, {"kind": "star"}, {"kind": "xml"}]
    recorded["loss_weightings"] = [{"kind": "dose"}, {"kind": "gone"}]
    run = parse_recorded(recorded, registry)
    assert [part.kind for part in run.exporters] == ["csv", "star", "xml"]
    assert [part.kind for part in run.loss_weightings] == ["dose", "gone"]
    written = run.model_dump(mode="json")
    assert written["exporters"][0] == {"kind": "csv", "digits": 3}
    assert written["loss_weightings"][1] == {"kind": "gone"}


def test_a_spec_to_come_still_needs_all_its_parts(
    registry: Registry, recorded: dict[str, Any]
) -> None:
    recorded["exporters"] = [{"kind": "csv"}]
    with pytest.raises(SpecError, match="no installed plugin offers 'csv'"):
        registry.parse(recorded)
