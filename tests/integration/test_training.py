"""Whole training runs: resuming, processes, identity, interruption."""

from __future__ import annotations

import json
import pickle
import random
import signal
from pathlib import Path

import numpy as np
import pytest
import torch

from tests.integration.conftest import SMALL_NETWORK, Begin, Command, shuffle_rows
from tomodrgn.core.files.mrc import read_volume
from tomodrgn.core.files.pickles import read_latents
from tomodrgn.core.training.checkpoint import load_checkpoint


def weights(run: Path, name: str = "weights.pkl") -> dict[str, torch.Tensor]:
    return load_checkpoint(run / name).model


def largest_difference(first: Path, second: Path) -> float:
    one, other = weights(first), weights(second)
    return max((one[name] - other[name]).abs().max().item() for name in one)


def metrics(run: Path) -> list[dict[str, float]]:
    return [json.loads(line) for line in (run / "metrics.jsonl").read_text().splitlines()]


@pytest.fixture(scope="module")
def run(star: Path, tomodrgn: Command, tmp_path_factory: pytest.TempPathFactory) -> Path:
    outdir = tmp_path_factory.mktemp("vae") / "run"
    tomodrgn("train_vae", star, "-o", outdir, *SMALL_NETWORK, "-n", 4)
    return outdir


def test_a_run_leaves_what_users_expect(run: Path) -> None:
    names = {path.name for path in run.iterdir()}
    expected = {"run.yaml", "manifest.json", "config.pkl", "run.log", "metrics.jsonl", "cache.h5"}
    expected |= {f"weights.{epoch}.pkl" for epoch in range(4)} | {"weights.pkl"}
    expected |= {f"z.{epoch}.pkl" for epoch in range(4)} | {"z.pkl"}
    assert expected <= names
    with (run / "z.pkl").open("rb") as latents:
        mean, log_variance = pickle.load(latents), pickle.load(latents)  # noqa: S301
    assert mean.shape == log_variance.shape == (12, 2)
    assert mean.dtype == np.float32
    with (run / "config.pkl").open("rb") as config:
        classic, meta = pickle.load(config), pickle.load(config)  # noqa: S301
    assert classic["lattice_args"]["D"] == 17
    assert classic["model_args"]["zdim"] == 2
    assert set(meta) == {"time", "cmd", "version"}


def test_the_log_keeps_the_classic_shape(run: Path) -> None:
    lines = [line for line in (run / "run.log").read_text().splitlines() if "=====>" in line]
    assert len(lines) == 4
    words = lines[0].split()
    assert words[2:5] == ["#", "=====>", "Epoch:"]
    assert words[5] == "1"
    recorded = metrics(run)[0]
    assert float(words[10].rstrip(",")) == pytest.approx(recorded["generative"])
    assert float(words[13].rstrip(",")) == pytest.approx(recorded["divergence"])
    assert float(words[17].rstrip(";")) == pytest.approx(recorded["total"])


def test_a_resumed_run_equals_the_uninterrupted_one(
    run: Path, star: Path, tomodrgn: Command, tmp_path: Path
) -> None:
    tomodrgn("train_vae", star, "-o", tmp_path, *SMALL_NETWORK, "-n", 2)
    tomodrgn("train_vae", star, "-o", tmp_path, *SMALL_NETWORK, "-n", 4, "--load", "latest")
    assert largest_difference(run, tmp_path) == 0
    np.testing.assert_array_equal(
        read_latents(tmp_path / "z.pkl")[0], read_latents(run / "z.pkl")[0]
    )


def test_streaming_trains_the_same_model(
    run: Path, star: Path, tomodrgn: Command, tmp_path: Path
) -> None:
    tomodrgn("train_vae", star, "-o", tmp_path, *SMALL_NETWORK, "-n", 4, "--lazy")
    assert largest_difference(run, tmp_path) == 0


def test_the_resolved_spec_gives_the_same_run(
    run: Path, star: Path, tomodrgn: Command, tmp_path: Path
) -> None:
    tomodrgn("train_vae", "--spec", run / "run.yaml", "-o", tmp_path)
    assert (tmp_path / "run.yaml").read_text() == (run / "run.yaml").read_text()
    assert largest_difference(run, tmp_path) == 0


def test_a_directory_with_results_is_not_overwritten(
    run: Path, star: Path, tomodrgn: Command
) -> None:
    before = (run / "weights.pkl").read_bytes()
    done = tomodrgn("train_vae", star, "-o", run, *SMALL_NETWORK, check=False)
    assert done.returncode == 1
    assert "already holds a run" in done.stderr
    assert (run / "weights.pkl").read_bytes() == before


def test_two_processes_train_the_same_model_as_one(
    star: Path, tomodrgn: Command, cold_tomodrgn: Command, tmp_path: Path
) -> None:
    # 6 steps in float32, where the order of sums alone soon moves the weights
    call = ["train_vae", star, *SMALL_NETWORK, "-b", 5, "-n", 2, "--precision", "float32"]
    call += ["--pooling-function", "mean", "--beta-control", 0.01, "--beta", 3]
    tomodrgn(*call, "-o", tmp_path / "one")
    cold_tomodrgn(*call, "-o", tmp_path / "two", "--devices", 2)
    assert largest_difference(tmp_path / "one", tmp_path / "two") < 1e-5
    curves = [[row["total"] for row in metrics(tmp_path / name)] for name in ("one", "two")]
    np.testing.assert_allclose(curves[1], curves[0], rtol=1e-3)


def test_several_threads_repeat_a_run_exactly(
    star: Path, tomodrgn: Command, tmp_path: Path
) -> None:
    call = ["train_vae", star, *SMALL_NETWORK, "--threads", 2]
    tomodrgn(*call, "-n", 3, "-o", tmp_path / "whole")
    tomodrgn(*call, "-n", 1, "-o", tmp_path / "resumed")
    tomodrgn(*call, "-n", 3, "-o", tmp_path / "resumed", "--load", "latest")
    assert largest_difference(tmp_path / "whole", tmp_path / "resumed") == 0


def test_held_out_tilts_are_embedded_apart(star: Path, tomodrgn: Command, tmp_path: Path) -> None:
    options = ["--fraction-train", 0.6, "--pooling-function", "max", "-n", 1]
    tomodrgn("train_vae", star, "-o", tmp_path, *SMALL_NETWORK, *options)
    train, test = (read_latents(tmp_path / name)[0] for name in ("z.pkl", "z.test.pkl"))
    assert train.shape == test.shape
    assert not np.array_equal(train, test)


@pytest.mark.parametrize("pooling", ["concatenate", "max", "mean", "median", "set_encoder"])
def test_the_order_of_rows_has_no_effect_on_latents(
    pooling: str, star: Path, tomodrgn: Command, tmp_path: Path
) -> None:
    shuffled = shuffle_rows(star, f"shuffled_{pooling}.star")
    latents = []
    for name, path in (("a", star), ("b", shuffled)):
        outdir = tmp_path / name
        options = [*SMALL_NETWORK, "-n", 2, "--pooling-function", pooling]
        tomodrgn("train_vae", path, "-o", outdir, *options)
        mean = read_latents(outdir / "z.pkl")[0]
        latents.append(dict(zip(particle_names(path), mean, strict=True)))
    for name, row in latents[0].items():
        np.testing.assert_allclose(latents[1][name], row, atol=1e-5)


def particle_names(star: Path) -> list[str]:
    lines = star.read_text().splitlines()
    columns = [line.split()[0] for line in lines if line.startswith("_rln")]
    rows = [line.split() for line in lines if "@" in line]
    place = columns.index("_rlnGroupName")
    return list(dict.fromkeys(row[place] for row in rows))


def test_train_nn_writes_volumes_with_the_pixel_size(
    star: Path, tomodrgn: Command, tmp_path: Path
) -> None:
    network = [
        "--dim",
        "16",
        "--layers",
        "1",
        "--pe-dim",
        "4",
        "--seed",
        "1",
        "--accelerator",
        "cpu",
    ]
    tomodrgn("train_nn", star, "-o", tmp_path, *network, "-n", 3, "--checkpoint", 2)
    assert {path.name for path in tmp_path.glob("reconstruct*.mrc")} == {
        "reconstruct.0.mrc",
        "reconstruct.2.mrc",
        "reconstruct.mrc",
    }
    volume, pixel_size_a = read_volume(tmp_path / "reconstruct.mrc")
    assert volume.shape == (16, 16, 16)
    assert pixel_size_a == pytest.approx(20.0)
    out = tmp_path / "volumes"
    tomodrgn("eval_vol", tmp_path / "weights.pkl", "-o", out)
    again, _ = read_volume(out / "vol.mrc")
    np.testing.assert_allclose(again, volume, rtol=1e-5, atol=1e-6 * np.abs(volume).max())


def test_no_positional_encoding_trains_too(star: Path, tomodrgn: Command, tmp_path: Path) -> None:
    network = " ".join(SMALL_NETWORK).replace("--pe-dim 4", "").split()
    tomodrgn("train_vae", star, "-o", tmp_path, *network, "-n", 1, "--pe-type", "none")
    assert (tmp_path / "z.pkl").exists()


@pytest.mark.parametrize(
    ("number", "code"), [(signal.SIGTERM, 143), (signal.SIGINT, 130), (signal.SIGHUP, 129)]
)
def test_a_signal_saves_the_state_and_the_run_goes_on_exactly(
    number: signal.Signals, code: int, begin: Begin, star: Path, tomodrgn: Command, tmp_path: Path
) -> None:
    if number == signal.SIGHUP and signal.getsignal(number) is signal.SIG_IGN:
        pytest.skip("the tests run under nohup, where a closed terminal has no effect")
    stopped, whole = tmp_path / "stopped", tmp_path / "whole"
    options = ("-n", 40, "--checkpoint", 1000)
    training = begin(star, stopped, *options)
    training.send(number, after=stopped / "weights.0.pkl")
    returned, messages = training.end()
    assert returned == code
    assert "go on with --load latest" in messages
    assert (stopped / "interrupted.pkl").exists()
    resumed = ["train_vae", star, *SMALL_NETWORK, *options]
    tomodrgn(*resumed, "-o", stopped, "--load", "latest")
    tomodrgn(*resumed, "-o", whole)
    assert largest_difference(stopped, whole) == 0
    assert not (stopped / "interrupted.pkl").exists()


def test_sigusr1_saves_the_state_and_goes_on(begin: Begin, star: Path, tmp_path: Path) -> None:
    training = begin(star, tmp_path, "-n", 40, "--checkpoint", 1000)
    training.send(signal.SIGUSR1, after=tmp_path / "weights.0.pkl")
    returned, messages = training.end()
    assert returned == 0
    assert "state saved" in messages


def test_killing_a_run_leaves_only_readable_files(
    begin: Begin, star: Path, tomodrgn: Command, tmp_path: Path
) -> None:
    outdir = tmp_path / "run"
    luck = random.Random(1)  # noqa: S311
    start = ("-n", 10_000)
    for _ in range(5):
        training = begin(star, outdir, *start)
        epochs = len(list(outdir.glob("weights.*.pkl"))) + luck.randrange(3)
        training.send(signal.SIGKILL, after=outdir / f"weights.{epochs}.pkl")
        training.end()
        for path in outdir.glob("weights*.pkl"):
            load_checkpoint(path)
        for path in outdir.glob("z*.pkl"):
            assert np.isfinite(read_latents(path)[0]).all()
        start = ("-n", 10_000, "--load", "latest")
    done = len(list(outdir.glob("weights.*.pkl")))
    tomodrgn("train_vae", star, "-o", outdir, *SMALL_NETWORK, "-n", done + 1, "--load", "latest")
    assert (outdir / "weights.pkl").exists()
