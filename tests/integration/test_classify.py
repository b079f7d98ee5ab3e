"""``classify`` on a small set whose classes are known: what it writes, and whom it refuses."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from sklearn.metrics import adjusted_rand_score

from tests.integration.conftest import shuffle_rows
from tomodrgn.core.cli.fields import builtin_registry
from tomodrgn.core.data.run import Run
from tomodrgn.core.files.labels import read_labels
from tomodrgn.core.files.mrc import read_volume
from tomodrgn.core.simulation.tilt_series import simulate
from tomodrgn.core.simulation.truth import read_truth
from tomodrgn.core.specs.simulation import SimulationSpec

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray

    from tests.integration.conftest import Command

_PLAIN = ("-K", 2, "--seed", 1, "--accelerator", "cpu", "--threads", 1, "--no-report")


@pytest.fixture(scope="module")
def classes(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Forty particles of two classes."""
    return simulate(
        SimulationSpec(
            outdir=tmp_path_factory.mktemp("classes"),
            n_particles=40,
            n_classes=2,
            box_size_px=16,
            pixel_size_a=18.0,
            n_tilts=7,
            min_tilts=5,
            snr=0.5,
            seed=1,
        )
    )


@pytest.fixture(scope="module")
def run(classes: Path, tomodrgn: Command, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """These, classified."""
    outdir = tmp_path_factory.mktemp("run") / "run"
    tomodrgn("classify", classes, "-o", outdir, *_PLAIN)
    return outdir


def _labels_by_name(run: Path) -> dict[str, int]:
    particles = Run(run, builtin_registry()).results().particles
    return dict(zip(particles.name.tolist(), read_labels(run / "labels.pkl").tolist(), strict=True))


def _truth(classes: Path, names: list[str]) -> NDArray[np.int64]:
    number = np.array([int(name.split("_")[1]) for name in names])
    labels: NDArray[np.int64] = read_truth(classes.parent).labels[number]
    return labels


def test_labels_are_those_of_the_particles(classes: Path, run: Path) -> None:
    found = _labels_by_name(run)
    truth = _truth(classes, list(found))
    assert adjusted_rand_score(truth, list(found.values())) == 1.0


def test_each_class_leaves_a_map_with_its_halves(run: Path) -> None:
    for number in (0, 1):
        names = [f"class_{number:03d}{part}.mrc" for part in ("", "_half1", "_half2")]
        shapes = {read_volume(run / name)[0].shape for name in names}
        assert shapes == {(16, 16, 16)}
        assert (run / f"class_{number:03d}_FSC.txt").exists()
    assert (run / "class_FSC.png").exists()


def test_figures_agree_with_the_files(run: Path) -> None:
    figures: dict[str, Any] = json.loads((run / "classify.json").read_text())
    posterior = np.load(run / "posterior.npy")
    labels = read_labels(run / "labels.pkl")
    np.testing.assert_array_equal(posterior.argmax(1), labels)
    assert figures["sizes"] == np.bincount(labels).tolist() == sorted(figures["sizes"])[::-1]
    assert figures["is_heterogeneous"]
    assert figures["verdict"]["z"][0] > figures["verdict"]["needed_z"]
    assert {"contrast", "shift", "rotation", "nothing of these"} <= set(figures["verdict"]["table"])
    assert "2 classes add to held-out tilts" in (run / "run.log").read_text()


def test_shuffled_rows_give_the_same_classes(
    classes: Path, run: Path, tomodrgn: Command, tmp_path: Path
) -> None:
    shuffled = shuffle_rows(classes, "shuffled.star")
    tomodrgn("classify", shuffled, "-o", tmp_path / "again", *_PLAIN)
    assert _labels_by_name(tmp_path / "again") == _labels_by_name(run)


def test_classes_start_from_the_latents_of_a_run(
    classes: Path, run: Path, tomodrgn: Command, tmp_path: Path
) -> None:
    linear = tmp_path / "linear"
    options = ("--seed", 1, "--accelerator", "cpu", "--threads", 1)
    tomodrgn("train_linear", classes, "-o", linear, "--zdim", 1, *options)
    tomodrgn("classify", classes, "-o", tmp_path / "from", *_PLAIN, "--start-from", linear)
    assert _labels_by_name(tmp_path / "from") == _labels_by_name(run)


@pytest.mark.parametrize(
    ("options", "fault"),
    [
        (("-K", 9), "9 classes need 36 in each; take more particles, or fewer classes"),
        (("-K", 1), "1 is not in the range x>=2"),
        (("-K", 2, "--start", "random", "--start-from", "."), "give one of them"),
        (("-K", 2, "--start-from", "nowhere"), "nowhere"),
    ],
)
def test_what_cannot_be_done_is_refused(
    classes: Path, tomodrgn: Command, tmp_path: Path, options: tuple[object, ...], fault: str
) -> None:
    done = tomodrgn("classify", classes, "-o", tmp_path / "run", *options, check=False)
    assert done.returncode in {1, 2}
    assert fault in done.stderr
    assert "Traceback" not in done.stderr
    assert not (tmp_path / "run" / "run.yaml").exists()


def test_classes_are_not_replaced_unasked(classes: Path, run: Path, tomodrgn: Command) -> None:
    done = tomodrgn("classify", classes, "-o", run, *_PLAIN, check=False)
    assert done.returncode == 1
    assert "already holds a run (class_000.mrc)" in done.stderr
