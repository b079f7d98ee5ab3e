"""Labels tell by their content whether they came from a run, wherever their file lies."""

from __future__ import annotations

import json
import pickle
from pathlib import Path

import numpy as np
import pytest

from tests.core.finished_run import finish_run, write_example
from tomodrgn.core.data.labels import labels_digest, labels_of_run, record_labels
from tomodrgn.core.data.run import Run
from tomodrgn.core.errors import DataError
from tomodrgn.core.products import LABEL_RECORDS
from tomodrgn.core.registry import Registry
from tomodrgn.core.testing.example_run import example_rows

N = 3
CLASSES = np.array([0, 1, 1])


@pytest.fixture
def star(tmp_path: Path) -> Path:
    return write_example(tmp_path / "particles.star")


@pytest.fixture
def run(tmp_path: Path, star: Path, registry: Registry) -> Run:
    return Run(finish_run(tmp_path / "run", star, np.zeros((N, 2)), registry), registry)


def save(path: Path, labels: np.ndarray) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(pickle.dumps(labels))
    return path


@pytest.mark.parametrize("place", ["mine.pkl", "run/mine.pkl", "run/notes/labels.pkl"])
def test_labels_from_elsewhere_are_so_in_any_folder(run: Run, tmp_path: Path, place: str) -> None:
    assert labels_of_run(save(tmp_path / place, CLASSES), run).origin is None


@pytest.mark.parametrize("place", ["mine.pkl", "run/analyze.1/kmeans2/labels.pkl", "run/a.pkl"])
def test_labels_of_the_run_are_known_in_any_folder(run: Run, tmp_path: Path, place: str) -> None:
    record_labels(run.directory, tmp_path / "labels.pkl", CLASSES)
    found = labels_of_run(save(tmp_path / place, CLASSES), run)
    assert found.origin == run.directory.resolve()


def test_clusterings_of_before_are_known_by_what_they_hold(run: Run, tmp_path: Path) -> None:
    save(run.directory / "analyze.1" / "kmeans2" / "labels.pkl", CLASSES)
    assert labels_of_run(save(tmp_path / "copy.pkl", CLASSES), run).origin is not None
    assert labels_of_run(save(tmp_path / "others.pkl", np.array([0, 0, 1])), run).origin is None


def test_other_names_of_the_classes_do_not_hide_where_they_come_from(
    run: Run, tmp_path: Path
) -> None:
    record_labels(run.directory, tmp_path / "labels.pkl", CLASSES)
    renamed = save(tmp_path / "renamed.pkl", np.array([7, 3, 3]))
    assert labels_of_run(renamed, run).origin is not None
    assert labels_digest(CLASSES) == labels_digest(np.array(["b", "a", "a"]))
    assert labels_digest(CLASSES) != labels_digest(np.array([0, 0, 1]))


def test_labels_are_recorded_once(run: Run, tmp_path: Path) -> None:
    for _ in range(2):
        record_labels(run.directory, tmp_path / "labels.pkl", CLASSES)
    (line,) = (run.directory / LABEL_RECORDS).read_text().splitlines()
    assert json.loads(line)["n_particles"] == N


def test_a_damaged_record_does_not_hide_the_others(run: Run, tmp_path: Path) -> None:
    record_labels(run.directory, tmp_path / "labels.pkl", CLASSES)
    with (run.directory / LABEL_RECORDS).open("a") as file:
        file.write('{"sha256": "abc')  # of a program that was killed
    assert labels_of_run(save(tmp_path / "copy.pkl", CLASSES), run).origin is not None


def test_a_run_that_cannot_be_written_only_warns(
    run: Run, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    (run.directory / LABEL_RECORDS).mkdir()  # root may write anywhere else
    record_labels(run.directory, tmp_path / "labels.pkl", CLASSES)
    assert "will not be known as labels of this run" in caplog.text


def test_labels_of_another_run_are_joined_by_names(
    run: Run, star: Path, registry: Registry, tmp_path: Path
) -> None:
    """The other run has the particles in another order."""
    shuffled = example_rows().sort_values("rlnGroupName", ascending=False, kind="stable")
    write_example(star.with_name("shuffled.star"), shuffled)
    other = finish_run(tmp_path / "other", star.with_name("shuffled.star"), np.zeros((N, 2)),
                       registry)  # fmt: skip
    assert list(Run(other, registry).particles.name) == list(run.particles.name[::-1])
    record_labels(other, other / "labels.pkl", CLASSES)
    found = labels_of_run(save(other / "labels.pkl", CLASSES), run)
    assert found.of_particle.tolist() == CLASSES[::-1].tolist()
    assert found.origin == other.resolve()


def test_labels_of_the_whole_input_follow_the_selection(
    star: Path, registry: Registry, tmp_path: Path
) -> None:
    np.save(tmp_path / "ind.npy", np.array([0, 2]))
    selected = {"dataset": {"ind": str(tmp_path / "ind.npy")}}
    run = finish_run(tmp_path / "part", star, np.zeros((2, 2)), registry, selected)
    whole = save(tmp_path / "whole.pkl", np.array([5, 6, 5]))
    assert labels_of_run(whole, Run(run, registry)).of_particle.tolist() == [0, 0]


def test_labels_of_another_number_of_particles_are_refused(run: Run, tmp_path: Path) -> None:
    with pytest.raises(DataError, match="holds 4 labels, the run has 3 particles"):
        labels_of_run(save(tmp_path / "l.pkl", np.zeros(4, int)), run)


def test_whole_numbers_are_classes_and_fractions_are_not(run: Run, tmp_path: Path) -> None:
    whole = save(tmp_path / "whole.pkl", CLASSES.astype(float))
    assert labels_of_run(whole, run).of_particle.tolist() == CLASSES.tolist()
    with pytest.raises(DataError, match=r"0\.5 is no class"):
        labels_of_run(save(tmp_path / "half.pkl", CLASSES * 0.5), run)


def test_two_labels_may_be_classes_and_a_label_for_each_particle_may_not(
    run: Run, tmp_path: Path
) -> None:
    two = labels_of_run(save(tmp_path / "two.pkl", np.array(["b", "a", "b"])), run)
    assert (two.names, two.sizes.tolist()) == (("a", "b"), [1, 2])
    with pytest.raises(DataError, match="3 different labels for 3 particles"):
        labels_of_run(save(tmp_path / "each.pkl", np.arange(N)), run)
