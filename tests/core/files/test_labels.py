"""Labels of particles: numbers stay numbers, names stay names."""

from __future__ import annotations

import pickle
from pathlib import Path

import numpy as np
import pytest

from tomodrgn.core.errors import DataError
from tomodrgn.core.files.labels import read_labels


def write(folder: Path, name: str, labels: object) -> Path:
    path = folder / name
    if path.suffix == ".pkl":
        path.write_bytes(pickle.dumps(labels))
    elif path.suffix == ".npy":
        np.save(path, np.asarray(labels))
    else:
        path.write_text("".join(f"{label}\n" for label in np.asarray(labels).tolist()))
    return path


@pytest.mark.parametrize("ending", ["pkl", "npy", "txt"])
@pytest.mark.parametrize("labels", [[3, 1, 3], [0.5, -1.25, 2.0], ["apo", "bound", "01a"]])
def test_labels_survive_a_round_trip(tmp_path: Path, ending: str, labels: list[object]) -> None:
    read = read_labels(write(tmp_path, f"labels.{ending}", labels))
    assert read.tolist() == labels


def test_pickled_list_and_column_are_labels_too(tmp_path: Path) -> None:
    assert read_labels(write(tmp_path, "a.pkl", ["x", "y"])).tolist() == ["x", "y"]
    assert read_labels(write(tmp_path, "b.pkl", np.array([[1], [2]]))).tolist() == [1, 2]
    assert read_labels(write(tmp_path, "c.pkl", np.array([True, False]))).tolist() == [1, 0]


def test_missing_labels_are_names(tmp_path: Path) -> None:
    assert read_labels(write(tmp_path, "a.pkl", [1, None, "x"])).tolist() == ["1", "None", "x"]


def test_names_with_underscores_are_no_numbers(tmp_path: Path) -> None:
    names = ["001_000002", "001_000003"]
    assert read_labels(write(tmp_path, "labels.txt", names)).tolist() == names


@pytest.mark.parametrize(
    ("name", "labels", "message"),
    [
        ("a.pkl", np.zeros((2, 3)), r"has shape \(2, 3\); labels are a list, one per particle"),
        ("a.txt", [], r"has shape \(0,\)"),
        ("a.csv", [1], r"ends in .csv; .pkl, .npy and .txt are read"),
    ],
)
def test_other_files_are_refused(tmp_path: Path, name: str, labels: object, message: str) -> None:
    with pytest.raises(DataError, match=message):
        read_labels(write(tmp_path, name, labels))


def test_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"none\.txt: cannot be read: No such file"):
        read_labels(tmp_path / "none.txt")


def test_arrays_that_hold_code_are_not_run(tmp_path: Path) -> None:
    """An array of objects is a pickle, which may do anything when it is read."""
    np.save(tmp_path / "objects.npy", np.array([1, "x"], dtype=object))
    with pytest.raises(DataError, match=r"objects\.npy: holds Python objects"):
        read_labels(tmp_path / "objects.npy")
