"""Sets that may stand for the files of two folders."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

import pytest

from tests.plugins.readers import handmade_sets as made
from tomodrgn.core.errors import DataError
from tomodrgn.core.interfaces import ReaderContext
from tomodrgn.plugins.readers import OptimisationSetSpec
from tomodrgn.plugins.readers.optimisation_set.reader import OptimisationSet

if TYPE_CHECKING:
    from pathlib import Path

    from tomodrgn.core.particles.tables import ParticleSet


def read(path: Path, **options: object) -> ParticleSet:
    spec = OptimisationSetSpec.model_validate({"path": path, **options})
    return OptimisationSet(spec, ReaderContext()).read()


@pytest.fixture
def elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The working folder, which holds a set of other stacks and rows under the same names."""
    other = made.relion5_set()
    other.particles["rlnTomoVisibleFrames"] = ["[1,1,1,1]", "[1,1,1]"] * 2 + ["[1,1,1,1]"]
    other.write(tmp_path / "elsewhere")
    monkeypatch.chdir(tmp_path / "elsewhere")
    return tmp_path / "elsewhere"


def test_files_of_a_set_are_those_beside_it(
    tmp_path: Path, elsewhere: Path, caplog: pytest.LogCaptureFixture
) -> None:
    path = made.relion5_set().write(tmp_path / "set")
    with caplog.at_level(logging.WARNING):
        assert read(path, datadir=tmp_path / "set").n_images == 15
    assert (
        f"{tmp_path / 'set' / 'particles.star'} is taken, particles.star is passed" in caplog.text
    )
    assert elsewhere.exists()


def test_stacks_that_differ_from_those_of_the_working_folder_need_a_choice(
    tmp_path: Path, elsewhere: Path
) -> None:
    path = made.relion5_set().write(tmp_path / "set")
    with pytest.raises(DataError, match=r"stacks/TS_1/001.mrcs stands for two files that differ"):
        read(path)
    assert elsewhere.exists()


def test_files_above_a_set_that_differ_are_refused(tmp_path: Path, elsewhere: Path) -> None:
    made.relion5_set().write(tmp_path / "project")
    job = tmp_path / "project" / "job"
    job.mkdir()
    (tmp_path / "project" / "run_it007.star").rename(job / "set.star")
    with pytest.raises(DataError, match=r"particles.star, which stands for two files that differ"):
        read(job / "set.star")
    (elsewhere / "particles.star").unlink()
    assert read(job / "set.star", datadir=tmp_path / "project").n_images == 15


def test_particles_with_one_stack_by_the_ends_of_their_names_are_refused(tmp_path: Path) -> None:
    written = made.relion5_set()
    written.particles["rlnImageName"] = [
        f"sub/{name}/1.mrcs" for name in written.particles.rlnTomoParticleName
    ]
    path = written.write(tmp_path / "set")
    (tmp_path / "flat").mkdir()
    (tmp_path / "set" / "sub" / "TS_1" / "1" / "1.mrcs").rename(tmp_path / "flat" / "1.mrcs")
    (tmp_path / "set" / "sub").rename(tmp_path / "set" / "moved")
    with pytest.raises(DataError, match=r"TS_1/1/1.mrcs and .*TS_10/2/1.mrcs both lead to .*flat"):
        read(path, datadir=tmp_path / "flat")
