"""What is removed, and what never is."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import xxhash

from tomodrgn.core.errors import RunError, SpecError
from tomodrgn.core.ownership.record import RECORD
from tomodrgn.plugins.commands.cleanup.command import cleanup
from tomodrgn.plugins.commands.cleanup.spec import CleanupSpec


@pytest.fixture
def run(tmp_path: Path) -> Path:
    names = [
        "run.yaml", "weights.pkl", "z.pkl", "reconstruct.mrc", "reference.mrc", "reconstruct.3.mrc",
        *(f"weights.{n}.pkl" for n in (1, 5, 10, 15)), *(f"z.{n}.pkl" for n in (1, 5, 10)),
        "z.5.train.pkl", "z.1.test.pkl", "weights.x.pkl", "my.weights.1.pkl",
        "analyze.5/vol_000.mrc", "analyze.5/kmeans20/vol_003.mrc", "validate/class_000.mrc",
    ]  # fmt: skip
    for name in names:
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text("x")
    return tmp_path


def _left(run: Path) -> set[str]:
    return {str(path.relative_to(run)) for path in run.rglob("*") if path.is_file()}


def test_epochs_that_were_looked_at_are_kept(run: Path) -> None:
    before = _left(run)
    cleanup(CleanupSpec(run=run, weights=True, zfiles=True))
    assert before - _left(run) == {
        "weights.1.pkl", "weights.10.pkl", "weights.15.pkl", "z.1.pkl", "z.10.pkl", "z.1.test.pkl",
    }  # fmt: skip


def test_volumes_that_can_be_made_again_are_removed(run: Path) -> None:
    before = _left(run)
    cleanup(CleanupSpec(run=run, volumes=True))
    assert before - _left(run) == {
        "reconstruct.3.mrc", "analyze.5/vol_000.mrc", "analyze.5/kmeans20/vol_003.mrc",
    }  # fmt: skip


def test_a_test_removes_nothing_and_lists_the_same(run: Path) -> None:
    before = _left(run)
    spec = CleanupSpec(run=run, weights=True, volumes=True, test=True)
    listed = cleanup(spec)
    assert _left(run) == before
    assert cleanup(spec.model_copy(update={"test": False})) == listed


def test_what_the_record_does_not_list_stays(run: Path, caplog: pytest.LogCaptureFixture) -> None:
    made = {
        "weights.1.pkl": "x",
        "weights.10.pkl": "x before it was changed",
        "reconstruct.3.mrc": "x",
    }
    lines: list[dict[str, str]] = [{"identity": "one"}]
    for name, text in made.items():
        digest = xxhash.xxh3_128_hexdigest(text.encode())
        lines.append({"file": name, "by": "train_vae", "xxh3_128": digest})
    (run / RECORD).write_text("".join(json.dumps(line) + "\n" for line in lines))
    before = _left(run)
    with caplog.at_level("INFO"):
        cleanup(CleanupSpec(run=run, weights=True, volumes=True))
    assert before - _left(run) == {"weights.1.pkl", "reconstruct.3.mrc"}
    assert "4 files of such names stay" in caplog.text


def test_a_run_that_has_not_ended_keeps_its_last_epoch(run: Path) -> None:
    (run / "weights.pkl").unlink()
    cleanup(CleanupSpec(run=run, weights=True))
    assert {"weights.5.pkl", "weights.15.pkl"} <= _left(run)


def test_nothing_is_removed_without_being_named_or_elsewhere(run: Path, tmp_path: Path) -> None:
    with pytest.raises(SpecError, match="give --weights, --zfiles or --volumes"):
        cleanup(CleanupSpec(run=run))
    (run / "run.yaml").unlink()
    before = _left(run)
    with pytest.raises(RunError, match=r"neither run\.yaml nor config\.pkl"):
        cleanup(CleanupSpec(run=run, volumes=True))
    assert _left(run) == before
