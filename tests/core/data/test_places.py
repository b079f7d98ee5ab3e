"""A run works from any folder, and after it was moved or copied: files of its spec are found."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import numpy as np
import pytest

from tests.core.finished_run import finish_run, write_example
from tomodrgn.core.data.paths import RunOrigin, find_path
from tomodrgn.core.data.run import Run
from tomodrgn.core.errors import RunError
from tomodrgn.core.files.star import write_table
from tomodrgn.core.products import MANIFEST
from tomodrgn.core.registry import Registry
from tomodrgn.core.testing.example_run import COUNTS, example_rows


@pytest.fixture
def project(tmp_path: Path, registry: Registry, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with an input and a run whose spec names it relative to the folder."""
    folder = tmp_path / "project"
    write_example(folder / "set" / "particles.star")
    monkeypatch.chdir(folder)
    latents = np.arange(2.0 * len(COUNTS)).reshape(-1, 2)
    (folder / "ind.txt").write_text("\n".join(map(str, range(len(COUNTS)))))
    finish_run(
        Path("runs/one"), Path("set/particles.star"), latents, registry,
        {"dataset": {"ind": "ind.txt"}, "cache": {"path": "cache.h5"}},
    )  # fmt: skip
    return folder


def names(directory: Path, registry: Registry) -> list[str]:
    return list(Run(directory, registry).particles.name)


def test_paths_stay_as_typed_where_the_run_was_started(project: Path, registry: Registry) -> None:
    spec = Run(Path("runs/one"), registry).spec
    assert spec.reader.model_dump()["path"] == Path("set/particles.star")
    assert spec.dataset.ind == Path("ind.txt")


def test_a_run_opens_from_another_folder(
    project: Path, registry: Registry, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    expected = names(Path("runs/one"), registry)
    monkeypatch.chdir(tmp_path)
    assert names(project / "runs" / "one", registry) == expected


def test_a_run_opens_after_it_was_moved_alone(
    project: Path, registry: Registry, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    moved = shutil.move(project / "runs" / "one", tmp_path / "elsewhere")
    assert len(names(Path(moved), registry)) == len(COUNTS)


def test_a_copied_project_uses_its_own_input(
    project: Path, registry: Registry, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    copy = shutil.copytree(project, tmp_path / "copy")
    monkeypatch.chdir(tmp_path)
    run = Run(copy / "runs" / "one", registry)
    assert run.particles.source == copy / "set" / "particles.star"
    shutil.rmtree(project)
    assert len(names(copy / "runs" / "one", registry)) == len(COUNTS)


def test_a_file_of_the_same_name_beside_the_caller_is_not_taken(
    project: Path, registry: Registry, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    other = tmp_path / "other"
    (other / "set").mkdir(parents=True)
    write_table(other / "set" / "particles.star", example_rows().iloc[:4])
    monkeypatch.chdir(other)
    found = Run(project / "runs" / "one", registry).particles.source
    assert found == project / "set" / "particles.star"


@pytest.mark.parametrize(
    ("typed", "exists", "found"),
    [
        ("/data/a.star", "/data/a.star", "/data/a.star"),
        ("/then/set/a.star", "/now/set/a.star", "/now/set/a.star"),
        ("set/a.star", "/now/set/a.star", "/now/set/a.star"),
        ("set/a.star", "/then/set/a.star", "/then/set/a.star"),
        ("set/a.star", "", "set/a.star"),
    ],
)
def test_places_are_tried_in_order(
    typed: str, exists: str, found: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Path, "exists", lambda self: str(self) == exists)
    origin = RunOrigin(Path("/now/run"), made_in=Path("/then/run"), started_in=Path("/then"))
    assert find_path(Path(typed), origin) == Path(found)


def test_runs_of_before_are_found_as_typed(project: Path, registry: Registry) -> None:
    path = Path("runs/one") / MANIFEST
    manifest = json.loads(path.read_text())
    for name in ("format", "started_in", "made_in"):
        del manifest[name]
    path.write_text(json.dumps(manifest))
    assert len(names(Path("runs/one"), registry)) == len(COUNTS)


def test_a_run_of_a_later_version_is_refused_in_words(project: Path, registry: Registry) -> None:
    path = Path("runs/one") / MANIFEST
    path.write_text(path.read_text().replace('"format": 2', '"format": 99'))
    with pytest.raises(RunError, match=r"format 99, made by tomodrgn .* use that version or later"):
        Run(Path("runs/one"), registry).spec  # noqa: B018  it is read now
