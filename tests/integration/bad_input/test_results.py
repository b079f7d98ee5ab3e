"""Weights, latents and caches that do not fit, and places that cannot be written."""

from __future__ import annotations

import pickle
import shutil
from pathlib import Path
from typing import TYPE_CHECKING, Any

import h5py
import numpy as np
import pytest
import torch

from tests.integration.bad_input.conftest import BASICS, DECODER, NETWORKS
from tomodrgn.core.files.pickles import read_latents
from tomodrgn.core.ownership.record import RECORD

if TYPE_CHECKING:
    from tests.integration.bad_input.conftest import Accept, DataSet, Disk, Refuse


class Malicious:
    """Makes a folder when it is unpickled."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def __reduce__(self) -> tuple[Any, ...]:
        return Path.mkdir, (self.folder,)


@pytest.fixture
def refuse_volumes(refuse: Refuse, latent_run: Path, tmp_path: Path) -> Refuse:
    """eval_vol refuses; nothing is written."""

    def run(*options: object, weights: Path = latent_run / "weights.pkl") -> str:
        message = refuse("eval_vol", weights, "-o", tmp_path / "volumes", *options)
        assert not (tmp_path / "volumes").exists()
        return message

    return run


@pytest.mark.parametrize(
    ("options", "fault"),
    [
        ((), "a model with 2 latent dimensions needs latents; give -z"),
        (("-z", 1), "latents have 1 numbers each, the model has 2 latent dimensions"),
        (("-z", 1, -2, 3), "latents have 3 numbers each, the model has 2 latent dimensions"),
        (("-z", "nan", 1), "z.0: input should be a finite number"),
        (("--z-start", 0, 0), "z_start and z_end belong together"),
        (("--z-start", 0, 0, "--z-end", 1), "both need one per latent dimension"),
        (("-z", 0, 0, "-d", 5), "downsample: input should be a multiple of 2"),
        (("-z", 0, 0, "-d", 16), "16 px is more than the box of the run, 8 px"),
        (("--zfile", "gone.txt"), "gone.txt: cannot be read"),
    ],
)
def test_latents_that_do_not_fit(
    refuse_volumes: Refuse, options: tuple[object, ...], fault: str
) -> None:
    assert fault in refuse_volumes(*options)


@pytest.mark.parametrize(
    ("latents", "fault"),
    [
        (np.zeros((2, 3)), "latents have 3 numbers each"),
        (np.zeros((2, 3, 2)), "has shape (2, 3, 2); latents are (particles, dimensions)"),
        (np.zeros((0, 2)), "holds no latents"),
        (np.array([[0, 0], [0, np.nan]]), "latent 2 of 2 holds a number that is not finite"),
    ],
)
def test_latents_of_a_file_that_do_not_fit(
    refuse_volumes: Refuse, tmp_path: Path, latents: np.ndarray[Any, Any], fault: str
) -> None:
    np.save(tmp_path / "z.npy", latents)
    assert fault in refuse_volumes("--zfile", tmp_path / "z.npy")


def test_words_are_no_latents(refuse_volumes: Refuse, tmp_path: Path) -> None:
    (tmp_path / "z.txt").write_text("a b\n")
    assert "z.txt: is no table of numbers" in refuse_volumes("--zfile", tmp_path / "z.txt")


def test_latents_for_a_model_without_any(refuse_volumes: Refuse, homogeneous_run: Path) -> None:
    message = refuse_volumes("-z", 0, 0, weights=homogeneous_run / "weights.pkl")
    assert message.endswith("this model has no latents; leave them out")


def test_code_in_a_pickle_is_never_run(
    refuse: Refuse, refuse_volumes: Refuse, data: DataSet, latent_run: Path, tmp_path: Path
) -> None:
    trap, made = tmp_path / "trap.pkl", tmp_path / "made"
    trap.write_bytes(pickle.dumps(Malicious(made)))
    assert "trap.pkl: cannot be read as numpy arrays" in refuse_volumes("--zfile", trap)
    assert "not a weights file" in refuse_volumes("-z", 0, 0, "-c", latent_run, weights=trap)
    call = ["train_nn", data.star, "-o", tmp_path / "run", *DECODER, *BASICS]
    assert "trap.pkl: cannot be read as numpy arrays" in refuse(*call, "--ind", trap)
    assert "not a weights file" in refuse(*call, "--load", trap)
    assert not made.exists()


@pytest.mark.parametrize("part", [0.0, 0.5, 0.99])
def test_truncated_weights(
    refuse_volumes: Refuse, latent_run: Path, tmp_path: Path, part: float
) -> None:
    content = (latent_run / "weights.pkl").read_bytes()
    damaged = tmp_path / "weights.pkl"
    damaged.write_bytes(content[: int(part * len(content))])
    message = refuse_volumes("-z", 0, 0, "-c", latent_run, weights=damaged)
    assert message.startswith(f"{damaged}: not a weights file of this program, or a damaged one")


def test_weights_of_another_program(
    refuse_volumes: Refuse, latent_run: Path, tmp_path: Path
) -> None:
    torch.save({"model_state_dict": {}}, tmp_path / "weights.pkl")
    message = refuse_volumes("-z", 0, 0, "-c", latent_run, weights=tmp_path / "weights.pkl")
    assert "not a weights file of this program" in message


def test_weights_of_another_run(
    refuse_volumes: Refuse, latent_run: Path, homogeneous_run: Path
) -> None:
    weights = homogeneous_run / "weights.pkl"
    message = refuse_volumes("-z", 0, 0, "-c", latent_run, weights=weights)
    assert message.startswith(f"{weights}: not the weights of the run in {latent_run}")


def test_run_directory_in_place_of_weights(refuse_volumes: Refuse, latent_run: Path) -> None:
    assert "give the weights file in it" in refuse_volumes("-z", 0, 0, weights=latent_run)


def test_config_of_another_program(refuse_volumes: Refuse, tmp_path: Path) -> None:
    (tmp_path / "config.pkl").write_bytes(pickle.dumps({"lattice_args": {"D": 33}}))
    message = refuse_volumes("-z", 0, 0, "--config", tmp_path / "config.pkl")
    assert message.startswith(f"{tmp_path}: no run.yaml there")


def test_damaged_run_directory(refuse_volumes: Refuse, latent_run: Path, tmp_path: Path) -> None:
    run = shutil.copytree(latent_run, tmp_path / "run")
    (run / "manifest.json").write_text("{")
    assert "manifest.json: cannot be read" in refuse_volumes("-z", 0, 0, "-c", run)
    (run / "run.yaml").write_text("")
    assert "run.yaml: the file is empty" in refuse_volumes("-z", 0, 0, "-c", run)


def test_nothing_to_load(refuse: Refuse, data: DataSet, latent_run: Path, tmp_path: Path) -> None:
    outdir = tmp_path / "run"
    call = ["train_nn", data.star, "-o", outdir, *DECODER, *BASICS, "--load"]
    assert refuse(*call, "latest").endswith("start without --load")
    assert "not a weights file" in refuse(*call, data.star)
    assert "no such file" in refuse(*call, tmp_path / "weights.3.pkl")
    assert not outdir.exists()


def test_failed_call_leaves_an_earlier_run_as_it_was(
    refuse: Refuse, data: DataSet, latent_run: Path, tmp_path: Path
) -> None:
    run = shutil.copytree(latent_run, tmp_path / "run")
    (run / "run.log").unlink()
    before = {path.name: path.read_bytes() for path in run.iterdir()}
    call = ["train_vae", data.star, "-o", run, *NETWORKS, *BASICS]
    own_cache = ["--cache", tmp_path / "cache.h5"]
    other = ["--dec-dim", 16, "--load", "latest"]
    assert "belong to another model" in refuse(*call, *own_cache, *other)
    assert "already holds a run" in refuse(*call)
    data.stacks[0].unlink()
    assert "is missing" in refuse(*call, "--overwrite")
    (run / "run.log").unlink(missing_ok=True)
    assert {path.name: path.read_bytes() for path in run.iterdir()} == before


def test_cache_of_another_data_set(data: DataSet, refuse: Refuse, latent_run: Path) -> None:
    cache = latent_run / "cache.h5"
    message = refuse("prepare", data.star, "--cache", cache)
    assert message.startswith(f"{cache}: the cache is stale, its input differs")
    assert "--rebuild-cache" in message


@pytest.fixture
def cache(data: DataSet, accept: Accept, tmp_path: Path) -> Path:
    accept("prepare", data.star, "--cache", tmp_path / "cache.h5")
    return tmp_path / "cache.h5"


@pytest.mark.parametrize("part", [0.0, 0.01, 0.5, 0.999])
def test_truncated_cache(cache: Path, data: DataSet, refuse: Refuse, part: float) -> None:
    content = cache.read_bytes()
    cache.write_bytes(content[: int(part * len(content))])
    message = refuse("prepare", data.star, "--cache", cache)
    assert message.startswith((f"{cache}: this is no cache, or", f"{cache}: the cache is damaged"))


@pytest.mark.parametrize("start", [0, 512, 1024])
def test_overwritten_cache(cache: Path, data: DataSet, refuse: Refuse, start: int) -> None:
    content = bytearray(cache.read_bytes())
    content[start : start + 512] = b"\xff" * 512
    cache.write_bytes(content)
    message = refuse("prepare", data.star, "--cache", cache)
    assert message.startswith(f"{cache}: ")


@pytest.mark.parametrize("name", ["images/name", "images/coefficients", "images/shift_px"])
def test_cache_without_one_of_its_parts(
    cache: Path, data: DataSet, refuse: Refuse, name: str
) -> None:
    with h5py.File(cache, "r+") as file:
        del file[name]
    assert "the cache is damaged" in refuse("prepare", data.star, "--cache", cache)


def test_file_that_is_no_cache_is_never_replaced(
    data: DataSet, refuse: Refuse, tmp_path: Path
) -> None:
    precious = tmp_path / "notes.txt"
    precious.write_text("precious")
    call = ["prepare", data.star, "--cache", precious]
    assert "no cache" in refuse(*call)
    assert "left alone" in refuse(*call, "--rebuild-cache")
    assert precious.read_text() == "precious"


def test_file_where_a_folder_is_needed(
    data: DataSet, refuse: Refuse, latent_run: Path, tmp_path: Path
) -> None:
    file = tmp_path / "file"
    file.write_text("precious")
    fault = "a file is where a folder is needed; name another"
    for outdir in (file, file / "below"):
        call = ["train_nn", data.star, "-o", outdir, *DECODER, *BASICS]
        assert refuse(*call) == f"{outdir}: {fault}"
        assert fault in refuse("prepare", data.star, "-o", outdir)
        assert fault in refuse("simulate", "-o", outdir, "--n-particles", 1, "--box-size-px", 8)
        assert fault in refuse("eval_vol", latent_run / "weights.pkl", "-z", 0, 0, "-o", outdir)
    assert file.read_text() == "precious"


@pytest.mark.skipif(not Path("/proc").is_dir(), reason="needs a folder that refuses even root")
def test_folder_that_cannot_be_written(data: DataSet, refuse: Refuse, latent_run: Path) -> None:
    outdir = Path("/proc/run")
    call = ["train_nn", data.star, "-o", outdir, *DECODER, *BASICS]
    assert f"{outdir}: cannot be written" in refuse(*call)
    assert "/proc/run: cannot be written" in refuse("prepare", data.star, "--cache", "/proc/run/c")
    volumes = ["eval_vol", latent_run / "weights.pkl", "-z", 0, 0, "-o", outdir]
    assert "/proc/run: cannot be written" in refuse(*volumes)


@pytest.mark.parametrize(
    "words",
    [
        ("prepare", "FOLDER/particles.star", "--cache", "FOLDER/cache.h5"),
        ("train_vae", "--spec", "FOLDER/run.yaml", "-o", "FOLDER/run"),
        ("eval_vol", "FOLDER/weights.pkl", "-z", 0, 0, "-o", "FOLDER/volumes"),
        ("run", "FOLDER/pipeline.yaml"),
    ],
)
def test_folder_that_may_not_be_entered(
    refuse: Refuse, forbidden: Path, words: tuple[object, ...]
) -> None:
    message = refuse(*(str(word).replace("FOLDER", str(forbidden)) for word in words))
    assert message.startswith(str(forbidden))
    assert "Permission denied" in message


def test_full_disk_leaves_only_whole_files(
    data: DataSet, refuse: Refuse, accept: Accept, small_disk: Disk, tmp_path: Path
) -> None:
    outdir = tmp_path / "run"
    accept("prepare", data.star, "-o", outdir)
    call = ["train_vae", data.star, "-o", outdir, *NETWORKS, *BASICS]
    with small_disk(10_000):
        message = refuse(*call)
    assert message.startswith(f"{outdir / 'weights.0.pkl'}: cannot be written")
    names = {path.name for path in outdir.iterdir()}
    assert names == {
        *("cache.h5", "run.log", "run.yaml", "manifest.json", "config.pkl"),
        *("activity.jsonl", "metrics.jsonl", "z.0.pkl", RECORD),
    }
    assert read_latents(outdir / "z.0.pkl")[0].shape == (4, 2)
    accept(*call, "--overwrite")


def test_full_disk_while_preparing(
    data: DataSet, refuse: Refuse, accept: Accept, small_disk: Disk, tmp_path: Path
) -> None:
    call = ["prepare", data.star, "--cache", tmp_path / "cache.h5"]
    with small_disk(4_000):
        assert "cache.h5.partial: cannot be written: File too large" in refuse(*call)
    assert not (tmp_path / "cache.h5").exists()
    accept(*call)
