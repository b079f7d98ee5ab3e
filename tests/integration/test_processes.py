"""Several processes write what one process writes, however they are started."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
import torch

from tests.docs import warm_python
from tests.integration.conftest import SMALL_NETWORK, Command
from tomodrgn.core.files.mrc import read_volume
from tomodrgn.core.files.pickles import read_latents
from tomodrgn.core.training.checkpoint import load_checkpoint

COMMANDS = ("-m", "tests.integration.commands")
TORCHRUN = ("-m", "torch.distributed.run", "--standalone", "--nproc-per-node")


def commands(star: Path, outdir: Path) -> list[list[str]]:
    """Preparing, training of 51 steps in float64, embedding, decoding and back-projection."""
    one_cpu = ["--accelerator", "cpu", "--threads", 1]
    train = ["train_vae", star, *SMALL_NETWORK, "-b", 5, "-n", 17, "--precision", "float64"]
    train += ["--checkpoint", 8, "--beta-control", 0.01, "--beta", 3, "--fraction-train", 0.7]
    weights = outdir / "run" / "weights.pkl"
    embed = ["eval_images", star, "-w", weights, "-o", outdir / "z.pkl", *one_cpu]
    line = ["--z-start", -1, -1, "--z-end", 1, 1, "-n", 3, "--precision", "float64"]
    decode = ["eval_vol", weights, "-o", outdir / "volumes", *line, *one_cpu]
    prepare = ["prepare", star, "--cache", outdir / "prepared.h5", "--cache-files", 3]
    lists = [
        [*prepare, "--threads", 1],
        [*train, "--pooling-function", "mean", "-o", outdir / "run", "--no-report"],
        embed,
        decode,
        ["backproject_voxel", star, "-o", outdir / "map.mrc", *one_cpu],
    ]
    return [[str(word) for word in words] for words in lists]


def call(socket: Path, star: Path, outdir: Path, *launcher: object) -> Path:
    """Run all commands in processes that a launcher starts; where their files are."""
    outdir.mkdir()
    (outdir / "commands.json").write_text(json.dumps(commands(star, outdir)))
    environment = os.environ | {"OMP_NUM_THREADS": "1"}
    words = [*launcher, *COMMANDS, outdir / "commands.json"]
    done = warm_python.run(socket, words, environment)
    assert done.returncode == 0, done.stderr
    assert "outlives the commands" not in done.stderr
    assert done.stderr.count("per epoch)") == done.stderr.count("latents of") == 1
    return outdir


@pytest.fixture(scope="module")
def alone(star: Path, warm_socket: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return call(warm_socket, star, tmp_path_factory.mktemp("alone") / "run")


@pytest.mark.parametrize("n_processes", [2, pytest.param(4, marks=pytest.mark.slow)])
def test_processes_prepare_train_embed_decode_and_back_project_as_one(
    n_processes: int, alone: Path, star: Path, warm_socket: Path, tmp_path: Path
) -> None:
    many = call(warm_socket, star, tmp_path / "many", *TORCHRUN, n_processes)
    assert_same_weights(alone / "run", many / "run", 1e-9)
    for name in ("run/z.pkl", "run/z.test.pkl", "run/z.8.pkl", "z.pkl"):
        for one, other in zip(read_latents(alone / name), read_latents(many / name), strict=True):
            np.testing.assert_allclose(other, one, rtol=0, atol=1e-6)
    for name in ("metrics", "held_out", "activity"):
        ours, theirs = lines(alone / f"run/{name}.jsonl"), lines(many / f"run/{name}.jsonl")
        assert len(ours) == len(theirs)
        for ours_, theirs_ in zip(ours, theirs, strict=True):
            for key in ours_.keys() - {"seconds"}:
                np.testing.assert_allclose(theirs_[key], ours_[key], rtol=1e-4, atol=1e-6)
    maps = [f"volumes/vol_{number:03d}.mrc" for number in range(3)]
    for name in [*maps, "map.mrc", "map_half1.mrc", "map_filt.mrc"]:
        volume = read_volume(alone / name)[0]
        np.testing.assert_allclose(
            read_volume(many / name)[0], volume, rtol=0, atol=1e-5 * np.abs(volume).max()
        )
    assert files(alone) == files(many)
    for part in alone.glob("prepared.?of3.h5"):
        assert (many / part.name).read_bytes() == part.read_bytes()


def files(folder: Path) -> set[str]:
    return {  # each process has a record of its own
        str(path.relative_to(folder))
        for path in folder.rglob("*")
        if not path.name.startswith("made_by_tomodrgn.")
    }


def lines(path: Path) -> list[dict[str, float]]:
    return [json.loads(line) for line in path.read_text().splitlines()]


def assert_same_weights(one: Path, other: Path, tolerance: float) -> None:
    expected = load_checkpoint(one / "weights.pkl").model
    for name, found in load_checkpoint(other / "weights.pkl").model.items():
        torch.testing.assert_close(found, expected[name], rtol=0, atol=tolerance)


def test_the_program_starts_processes_itself_and_stops_them_together(
    star: Path, cold_tomodrgn: Command, tmp_path: Path
) -> None:
    train = ["train_vae", star, *SMALL_NETWORK, "--devices", 2]
    stopped = tmp_path / "stopped"
    options: Sequence[object] = ("-n", 40, "--checkpoint", 1000, "--no-report")
    words = [sys.executable, "-m", "tomodrgn", *train, "-o", stopped, *options]
    process = subprocess.Popen(
        [str(word) for word in words],
        stderr=subprocess.PIPE,
        stdout=subprocess.DEVNULL,
        text=True,
        env=os.environ | {"OMP_NUM_THREADS": "1"},
    )
    while not (stopped / "weights.0.pkl").exists():
        assert process.poll() is None
        time.sleep(0.02)
    process.send_signal(signal.SIGTERM)  # to the main process alone
    _, stderr = process.communicate(timeout=100)
    assert process.returncode == 143
    assert stderr.count("state saved in") == stderr.count("stopped by SIGTERM") == 1
    done = cold_tomodrgn(*train, "-o", stopped, *options, check=False)
    assert done.returncode == 1
    assert done.stderr.count("already holds a run") == 1
    assert "Traceback" not in done.stderr
    assert load_checkpoint(stopped / "interrupted.pkl").batches_done is not None
