"""Particles that are none: told, counted less or not at all, and left out of files."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import numpy as np
import pytest

from tomodrgn.core.cli.fields import builtin_registry
from tomodrgn.core.data.run import Run
from tomodrgn.core.files.labels import read_labels
from tomodrgn.core.files.star import read_star
from tomodrgn.core.particles.outliers_file import AMPLITUDE, JUNK_PROBABILITY, read_outliers
from tomodrgn.core.simulation.tilt_series import simulate
from tomodrgn.core.simulation.truth import read_truth
from tomodrgn.core.specs.simulation import SimulationSpec

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray

    from tests.integration.conftest import Command

_PLAIN = ("--seed", 1, "--accelerator", "cpu", "--threads", 1)


@pytest.fixture(scope="module")
def given(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Fifty particles of two classes, of which ten are noise."""
    return simulate(
        SimulationSpec(
            outdir=tmp_path_factory.mktemp("junk"),
            n_particles=50,
            n_classes=2,
            junk_fraction=0.2,
            box_size_px=16,
            pixel_size_a=18.0,
            n_tilts=7,
            min_tilts=5,
            snr=0.5,
            seed=1,
        )
    )


@pytest.fixture(scope="module")
def sorted_run(given: Path, tomodrgn: Command, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """These, classified without what is no particle."""
    outdir = tmp_path_factory.mktemp("run") / "run"
    tomodrgn("classify", given, "-o", outdir, "-K", 2, "--outliers", "exclude", *_PLAIN)
    return outdir


def _is_junk(given: Path, run: Path) -> NDArray[np.bool_]:
    """(B,) in the order of the run."""
    particles = Run(run, builtin_registry()).particles
    number = np.array([int(name.split("_")[1]) for name in particles.name])
    found: NDArray[np.bool_] = read_truth(given.parent).labels[number] < 0
    return found


def test_junk_has_a_class_of_its_own(given: Path, sorted_run: Path) -> None:
    labels, is_junk = read_labels(sorted_run / "labels.pkl"), _is_junk(given, sorted_run)
    np.testing.assert_array_equal(labels == -1, is_junk)
    figures = json.loads((sorted_run / "classify.json").read_text())
    assert sum(figures["sizes"]) == 40
    assert figures["outliers"]["n_junk"] == 10
    said = "10 of 50 particles look like nothing that the maps show"
    assert said in (sorted_run / "run.log").read_text()
    report = (sorted_run / "report.html").read_text()
    assert '"junk"' in report
    assert "10 particles look like nothing that the maps show; see outliers.star" in report


def test_classes_of_the_others_are_right(given: Path, sorted_run: Path) -> None:
    labels = read_labels(sorted_run / "labels.pkl")
    particles = Run(sorted_run, builtin_registry()).particles
    true = read_truth(given.parent).labels
    true = true[np.array([int(name.split("_")[1]) for name in particles.name])]
    agree = (labels == true)[true >= 0].mean()
    assert max(agree, 1 - agree) > 0.9


def test_outliers_are_read_as_they_were_written(given: Path, sorted_run: Path) -> None:
    particles = Run(sorted_run, builtin_registry()).particles
    found = read_outliers(sorted_run, particles)
    assert found is not None
    is_junk = _is_junk(given, sorted_run)
    assert found[JUNK_PROBABILITY][is_junk].min() > 0.5 > found[JUNK_PROBABILITY][~is_junk].max()
    assert found[AMPLITUDE][is_junk].max() < 0.5 * np.median(found[AMPLITUDE])
    assert len(read_star(sorted_run / "outlier_tilts.star").tables) == 1


def test_filter_star_leaves_junk_out(
    given: Path, sorted_run: Path, tomodrgn: Command, tmp_path: Path
) -> None:
    kept = tmp_path / "kept.star"
    choice = ("--labels", sorted_run / "groups.txt", "--labels-sel", "junk", "--action", "drop")
    done = tomodrgn("filter_star", given, "-o", kept, *choice)
    assert "40 of 50 particles" in done.stderr + done.stdout


def test_junk_is_no_class_to_be_compared(
    sorted_run: Path, tomodrgn: Command, tmp_path: Path
) -> None:
    labels = sorted_run / "labels.pkl"
    options = ("--labels", labels, "-o", tmp_path, "--accelerator", "cpu")
    tomodrgn("validate", sorted_run, *options)
    compared = sorted(path.name for path in tmp_path.glob("class_*_half1.mrc"))
    assert len(compared) == 2


def test_junk_that_counts_less_has_a_latent(
    given: Path, sorted_run: Path, tomodrgn: Command, tmp_path: Path
) -> None:
    run = tmp_path / "run"
    options = ("--zdim", 1, "--outliers", "weight", "--no-report")
    tomodrgn("train_linear", given, "-o", run, *options, *_PLAIN)
    finished = Run(run, builtin_registry())
    assert finished.z is not None
    assert finished.z.shape == (50, 1)
    names = np.array((run / "groups.txt").read_text().split())
    np.testing.assert_array_equal(names == "junk", _is_junk(given, run))
