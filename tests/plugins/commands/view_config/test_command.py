from __future__ import annotations

import collections
import pickle
from pathlib import Path

import numpy as np
import pytest
import yaml

from tomodrgn.core.errors import DataError, RunError
from tomodrgn.core.interfaces import RunResults
from tomodrgn.core.registry import Registry
from tomodrgn.core.testing.example_run import example_run
from tomodrgn.plugins.commands.view_config.command import view_config
from tomodrgn.plugins.commands.view_config.spec import ViewSpec


@pytest.fixture
def results(tmp_path: Path, registry: Registry) -> RunResults:
    return example_run(tmp_path, registry)


def test_spec_and_manifest_are_shown(results: RunResults) -> None:
    found = view_config(ViewSpec(run=results.directory))
    assert found["run"] == results.spec
    assert found["manifest"]["seed"] == 0


def test_classic_config_is_shown_as_plain_values(tmp_path: Path) -> None:
    config = {"dataset_args": {"norm": np.array([0.0, 2.5]), "ntilts": np.int64(8)}, "x": (1, None)}
    path = tmp_path / "config.pkl"
    path.write_bytes(pickle.dumps(config) + pickle.dumps({"version": "1"}))
    found = view_config(ViewSpec(run=tmp_path))
    assert found["config"] == {"dataset_args": {"norm": [0.0, 2.5], "ntilts": 8}, "x": [1, None]}
    assert found["call"] == {"version": "1"}
    assert yaml.safe_load(found.page()) == found
    assert view_config(ViewSpec(run=path)) == found


def test_config_that_holds_objects_is_refused(tmp_path: Path) -> None:
    (tmp_path / "config.pkl").write_bytes(pickle.dumps(collections.Counter()))
    with pytest.raises(DataError, match=r"holds a collections\.Counter"):
        view_config(ViewSpec(run=tmp_path))


def test_folder_of_no_run_is_refused(tmp_path: Path) -> None:
    for path in (tmp_path, tmp_path / "gone"):
        with pytest.raises(RunError, match=rf"{path}: is or holds neither run\.yaml nor config"):
            view_config(ViewSpec(run=path))
