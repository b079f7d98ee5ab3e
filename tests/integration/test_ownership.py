"""What tomodrgn did not make stays; a run has one writer; results are bound to their run."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

from tests.integration.conftest import SMALL_NETWORK, Begin, Command
from tomodrgn.core.ownership.record import RECORD

TRAIN = [*SMALL_NETWORK, "-n", 1]
MINE = ("z.mine.pkl", "weights_backup.pkl", "zebra.pkl", "reconstruct_sharp.mrc", "notes.txt")


@pytest.fixture(scope="module")
def made(star: Path, tomodrgn: Command, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run that must not be changed."""
    outdir = tmp_path_factory.mktemp("run")
    tomodrgn("train_vae", star, "-o", outdir, *TRAIN)
    return outdir


@pytest.fixture
def run(made: Path, tmp_path: Path) -> Path:
    """A copy of it."""
    return Path(shutil.copytree(made, tmp_path / "run"))


def contents(folder: Path) -> dict[str, bytes]:
    """What lies in a folder, but for what tells of every call."""
    return {
        path.relative_to(folder).as_posix(): path.read_bytes()
        for path in sorted(folder.rglob("*"))
        if path.is_file() and path.name not in {"run.log", RECORD}
    }


@pytest.mark.parametrize("is_recorded", [True, False], ids=["recorded", "of an earlier version"])
@pytest.mark.parametrize("command", ["train_vae", "train_linear"])
def test_overwrite_leaves_files_of_the_user(
    command: str, is_recorded: bool, run: Path, star: Path, tomodrgn: Command
) -> None:
    if not is_recorded:
        (run / RECORD).unlink()
    for name in MINE:
        (run / name).write_bytes(b"precious")
    options = TRAIN if command == "train_vae" else ["--zdim", 1, "--no-report"]
    refused = tomodrgn(command, star, "-o", run, *options, check=False)
    assert refused.returncode == 1
    assert "already holds a run" in refused.stderr
    tomodrgn(command, star, "-o", run, *options, "--overwrite")
    assert all((run / name).read_bytes() == b"precious" for name in MINE)
    assert not (run / "replaced").exists()
    assert (run / "weights.0.pkl").exists() == (command == "train_vae")


def test_a_run_that_fails_to_replace_another_leaves_it_as_it_was(
    run: Path, star: Path, tomodrgn: Command
) -> None:
    before = contents(run)
    for options in (["--zdim", 1, "--ind", run / "nothing.txt"], ["--cache", run / "z.pkl"]):
        failed = tomodrgn(
            "train_linear", star, "-o", run, "--no-report", "--overwrite", *options, check=False
        )
        assert failed.returncode == 1, failed.stderr
        assert contents(run) == before


@pytest.mark.parametrize(
    "words", [["--overwrite"], pytest.param(["--load", "latest"], marks=pytest.mark.slow)]
)
def test_a_second_training_in_one_directory_is_refused_through_any_path(
    words: list[str], begin: Begin, star: Path, cold_tomodrgn: Command, tmp_path: Path
) -> None:
    outdir, other = tmp_path / "run", tmp_path / "same"
    training = begin(star, outdir, "-n", 10_000)
    training.await_file(outdir / "weights.0.pkl")
    other.symlink_to(outdir)
    refused = cold_tomodrgn("train_vae", star, "-o", other, *TRAIN, *words, check=False)
    assert refused.returncode == 1
    assert f"process {training.pid} on" in refused.stderr
    assert "is writing there" in refused.stderr
    assert training.is_running


def test_weights_of_another_run_are_refused_and_copies_of_its_own_are_not(
    run: Path, star: Path, tomodrgn: Command, tmp_path: Path
) -> None:
    other = tmp_path / "other"
    tomodrgn("train_vae", star, "-o", other, *TRAIN, "--lr", 0.01)
    decode = ["eval_vol", "--config", run, "-z", 0, 0, "-o"]
    refused = tomodrgn(*decode, tmp_path / "a.mrc", "-w", other / "weights.pkl", check=False)
    assert refused.returncode == 1
    assert f"not the weights of the run in {run}" in refused.stderr
    copy = shutil.copy(run / "weights.pkl", tmp_path / "copy.pkl")
    tomodrgn(*decode, tmp_path / "b.mrc", "-w", copy)
    shutil.copy(other / "z.0.pkl", run / "z.0.pkl")
    refused = tomodrgn("analyze", run, "--skip-vol", "--no-report", check=False)
    assert refused.returncode == 1
    assert "z.0.pkl: is not as train_vae made it" in refused.stderr


@pytest.mark.parametrize("name", ["weights.pkl", "z.0.pkl"])
def test_one_flipped_bit_is_refused(name: str, run: Path, tomodrgn: Command) -> None:
    content = bytearray((run / name).read_bytes())
    content[len(content) // 2] ^= 1
    (run / name).write_bytes(content)
    call = ["eval_vol", run / name, "-z", 0, 0, "-o", run / "vols"]
    if name == "z.0.pkl":
        call = ["analyze", run, "--skip-vol", "--no-report"]
    refused = tomodrgn(*call, check=False)
    assert refused.returncode == 1
    assert f"{name}: is not as train_vae made it" in refused.stderr


def test_a_run_without_a_record_opens_as_unverified(run: Path, tomodrgn: Command) -> None:
    (run / RECORD).unlink()
    done = tomodrgn("eval_vol", run / "weights.pkl", "-z", 0, 0, "-o", run / "vols")
    assert "unverified" in done.stderr


def test_one_file_is_replaced_when_asked_and_an_input_never(
    run: Path, star: Path, tomodrgn: Command, tmp_path: Path
) -> None:
    out = tmp_path / "x.star"
    out.write_text("mine")
    refused = tomodrgn("filter_star", star, "--min-tilts", 1, "-o", out, check=False)
    assert refused.returncode == 1
    assert "--overwrite" in refused.stderr
    tomodrgn("filter_star", star, "--min-tilts", 1, "-o", out, "--overwrite")
    weights = (run / "weights.pkl").read_bytes()
    for call in (
        ["filter_star", out, "--min-tilts", 1, "-o", out, "--overwrite"],
        ["eval_vol", run / "weights.pkl", "-z", 0, 0, "-o", run / "weights.pkl", "--overwrite"],
        ["filter_star", star, "--min-tilts", 1, "-o", run / "run.yaml"],
    ):
        assert tomodrgn(*call, check=False).returncode in {1, 2}, call
    assert (run / "weights.pkl").read_bytes() == weights


def test_maps_are_not_put_over_stacks_that_they_are_made_of(
    star: Path, tomodrgn: Command, tmp_path: Path
) -> None:
    folder = Path(shutil.copytree(star.parent, tmp_path / "set"))
    stack = next(folder.rglob("*.mrcs"))
    mrc = stack.rename(stack.with_suffix(".mrc"))
    text = (folder / star.name).read_text().replace(stack.name, mrc.name)
    (folder / star.name).write_text(text)
    before = mrc.read_bytes()
    for more in ([], ["--overwrite"]):
        refused = tomodrgn("backproject_voxel", folder / star.name, "-o", mrc, *more, check=False)
        assert refused.returncode == 1, refused.stderr
    assert mrc.read_bytes() == before


def test_the_record_lists_every_file_of_a_run(made: Path) -> None:
    listed = {json.loads(line).get("file") for line in (made / RECORD).read_text().splitlines()}
    found = {path.relative_to(made).as_posix() for path in made.rglob("*") if path.is_file()}
    assert found - listed == {RECORD, "cache.h5"}
