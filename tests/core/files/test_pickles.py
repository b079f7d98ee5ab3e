"""Pickles hold arrays and nothing that runs; index lists and latents survive a round trip."""

from __future__ import annotations

import os
import pickle
from collections import OrderedDict
from pathlib import Path

import numpy as np
import pytest

from tomodrgn.core.errors import DataError, RunError
from tomodrgn.core.files.pickles import (
    load_pickles,
    read_index_file,
    read_latents,
    write_latents,
)

needs_test_data = pytest.mark.skipif(
    "TOMODRGN_TEST_DATA" not in os.environ, reason="TOMODRGN_TEST_DATA is not set"
)


class RunsWhenOpened:
    def __reduce__(self) -> tuple:
        return os.mkdir, ("made_by_a_pickle",)


def _write(path: Path, *values: object, protocol: int = 4) -> Path:
    path.write_bytes(b"".join(pickle.dumps(value, protocol=protocol) for value in values))
    return path


@pytest.mark.parametrize("protocol", range(pickle.HIGHEST_PROTOCOL + 1))
def test_arrays_and_containers_load_from_every_protocol(protocol: int, tmp_path: Path) -> None:
    value = {"a": np.arange(6.0).reshape(2, 3), "b": [np.float32(1.5), (1, "x", None, b"y")]}
    value |= {"c": OrderedDict(d={1, 2}), "e": np.array(["a", "bc"]), "f": np.asfortranarray([[1]])}
    (loaded,) = load_pickles(_write(tmp_path / "a.pkl", value, protocol=protocol))
    np.testing.assert_equal(loaded, value)


def test_a_pickle_that_runs_code_is_refused_before_it_runs(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    path = _write(tmp_path / "a.pkl", np.arange(3), RunsWhenOpened())
    with pytest.raises(DataError, match=r"a\.pkl: .* it holds a posix\.mkdir"):
        load_pickles(path)
    assert not Path("made_by_a_pickle").exists()


@pytest.mark.parametrize("content", [b"", b"\x80", b"no pickle", pickle.dumps([1, 2])[:-4]])
def test_damaged_pickles_are_refused(content: bytes, tmp_path: Path) -> None:
    (tmp_path / "a.pkl").write_bytes(content)
    with pytest.raises(DataError, match=r"a\.pkl"):
        load_pickles(tmp_path / "a.pkl")


@pytest.mark.parametrize("indices", [[5, 0, 3], [7], []])
def test_index_files_of_every_kind_read_the_same(indices: list[int], tmp_path: Path) -> None:
    values = np.array(indices, dtype=np.int64)
    _write(tmp_path / "a.pkl", values)
    _write(tmp_path / "list.pkl", indices)
    np.save(tmp_path / "a.npy", values)
    np.save(tmp_path / "float.npy", values.astype(float))
    np.savetxt(tmp_path / "a.txt", values)
    (tmp_path / "line.txt").write_text(" ".join(map(str, indices)) + "\n")
    for path in tmp_path.iterdir():
        read = read_index_file(path)
        assert read.dtype == np.int64
        assert read.tolist() == indices, path.name


def test_files_that_hold_no_indices_are_refused(tmp_path: Path) -> None:
    for name, value, match in [
        ("fraction", [1.5], "1.5 is not a whole number"),
        ("nan", [np.nan], "nan is not a whole number"),
        ("mask", [True, False], "holds bool of shape"),
        ("names", ["a"], "holds <U1 of shape"),
        ("table", [[1, 2], [3, 4]], r"of shape \(2, 2\)"),
        ("ragged", [[1], [1, 2]], "is no table of numbers"),
        ("one", 3, r"of shape \(\)"),
    ]:
        with pytest.raises(DataError, match=match):
            read_index_file(_write(tmp_path / f"{name}.pkl", value))
    (tmp_path / "a.txt").write_text("1\nx\n")
    (tmp_path / "a.csv").write_text("1\n")
    np.save(tmp_path / "a.npy", np.array([RunsWhenOpened()]), allow_pickle=True)
    for name, match in [
        ("a.txt", "is no table of numbers"),
        ("a.csv", "ends in .csv; .pkl, .npy and .txt are read"),
        ("a.npy", "holds Python objects"),
        ("absent.npy", "cannot be read: No such file"),
        ("absent.pkl", "cannot be read: No such file"),
    ]:
        with pytest.raises(DataError, match=match):
            read_index_file(tmp_path / name)


def test_latents_survive_a_round_trip(tmp_path: Path) -> None:
    mean, log_variance = np.random.default_rng(0).normal(size=(2, 5, 3))
    write_latents(tmp_path / "z.pkl", mean, log_variance)
    read = read_latents(tmp_path / "z.pkl")
    np.testing.assert_array_equal(read[0], mean.astype(np.float32))
    np.testing.assert_array_equal(read[1], log_variance.astype(np.float32))
    with (tmp_path / "z.pkl").open("rb") as file:  # the classic way to read the mean
        np.testing.assert_array_equal(pickle.load(file), read[0])  # noqa: S301  our own


def test_latents_that_are_not_finite_are_not_written(tmp_path: Path) -> None:
    mean, log_variance = np.zeros((2, 5, 3))
    log_variance[2, 1] = np.inf
    with pytest.raises(RunError, match=r"of 1 of 5 particles .* is that of particle 2"):
        write_latents(tmp_path / "z.pkl", mean, log_variance)
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("shape", [(5, 3), (1, 3), (5, 1), (1, 1)])
def test_latents_of_every_kind_read_the_same(shape: tuple[int, int], tmp_path: Path) -> None:
    mean = np.random.default_rng(0).normal(size=shape).astype(np.float32)
    _write(tmp_path / "a.pkl", mean)
    np.save(tmp_path / "a.npy", mean)
    np.savetxt(tmp_path / "a.txt", mean)
    for path in tmp_path.iterdir():
        read, log_variance = read_latents(path)
        assert log_variance is None
        np.testing.assert_allclose(read, mean, rtol=1e-7)


def test_files_that_hold_no_latents_are_refused(tmp_path: Path) -> None:
    for name, values, match in [
        ("text", ["a"], "is no table of numbers"),
        ("cube", [np.zeros((2, 2, 2))], r"has shape \(2, 2, 2\)"),
        ("unlike", [np.zeros((2, 2)), np.zeros((3, 2))], r"\(2, 2\), \(3, 2\); latents are"),
    ]:
        with pytest.raises(DataError, match=match):
            read_latents(_write(tmp_path / f"{name}.pkl", *values))


@needs_test_data
def test_real_index_and_label_files_are_read() -> None:
    folder = Path(os.environ["TOMODRGN_TEST_DATA"]) / "10076"
    first_and_last = [*range(10), *range(134, 144)]
    assert sorted(read_index_file(folder / "ind_ptcl_first10last10.pkl")) == first_and_last
    assert read_index_file(folder / "labels_D-0_E-1.pkl").tolist() == [0] * 72 + [1] * 72
