"""Sets, options and places at the edge of what is allowed: they work."""

from __future__ import annotations

import json
import shutil
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from click.testing import CliRunner, Result

from tomodrgn.core.cli.main import cli
from tomodrgn.core.files.mrc import read_volume, write_stack
from tomodrgn.core.files.pickles import read_latents
from tomodrgn.core.products import INTERRUPTED
from tomodrgn.core.simulation.tilt_series import simulate
from tomodrgn.core.specs.simulation import SimulationSpec
from tomodrgn.core.training.checkpoint import load_checkpoint, save_checkpoint

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from tomodrgn.core.files.mrc import StackType

NETWORKS = (
    *("--zdim", 2, "--enc-layers-A", 1, "--enc-dim-A", 8, "--out-dim-A", 4, "--enc-dim-B", 8),
    *("--dec-layers", 1, "--dec-dim", 8, "--seed", 1, "-b", 4, "-n", 1),
    *("--accelerator", "cpu", "--threads", 1, "--no-report"),
)


def call(*words: object) -> Result:
    result = CliRunner().invoke(cli, [str(word) for word in words])
    assert result.exit_code == 0, result.output
    return result


def simulated(outdir: Path, **options: Any) -> Path:
    size = {"n_particles": 3, "n_tilts": 3, "n_tomograms": 1, "box_size_px": 8, **options}
    return simulate(SimulationSpec(outdir=outdir, pixel_size_a=20.0, n_classes=2, snr=0.5, **size))


def latents_of(star: Path, outdir: Path, *options: object) -> NDArray[np.float32]:
    call("train_vae", star, "-o", outdir, *NETWORKS, *options)
    latents = read_latents(outdir / "z.pkl")[0]
    assert np.isfinite(latents).all()
    return latents


@pytest.fixture(scope="module")
def star(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return simulated(tmp_path_factory.mktemp("corners") / "data")


@pytest.fixture(scope="module")
def run(star: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    outdir = tmp_path_factory.mktemp("corners") / "run"
    latents_of(star, outdir)
    return outdir


@pytest.mark.parametrize(
    "size",
    [
        {"n_particles": 1},
        {"particles_per_stack": 1},
        {"dtype": "float16"},
        {"missing_fraction": 0.5, "n_tilts": 5},
    ],
)
def test_small_sets_train(tmp_path: Path, size: dict[str, Any]) -> None:
    star = simulated(tmp_path / "data", **size)
    assert len(latents_of(star, tmp_path / "run", "-b", 100)) == size.get("n_particles", 3)


@pytest.mark.parametrize("box_size_px", [4, 6])
@pytest.mark.parametrize("dtype", ["float32", "int8", "int16", "uint16"])
def test_small_boxes_of_any_number_type_train_and_decode(
    star: Path, tmp_path: Path, box_size_px: int, dtype: StackType
) -> None:
    data = shutil.copytree(star.parent, tmp_path / "data")
    pixels = np.random.default_rng(0).normal(60, 10, (9, box_size_px, box_size_px))
    (stack,) = (data / "stacks").glob("*.mrcs")
    write_stack(stack, pixels.astype(np.float32), 20.0, dtype=dtype)
    latents_of(data / "particles.star", tmp_path / "run")
    call("eval_vol", tmp_path / "run" / "weights.pkl", "-z", 0, 0, "-o", tmp_path / "a.mrc")
    assert read_volume(tmp_path / "a.mrc")[0].shape == (box_size_px,) * 3


@pytest.mark.parametrize("pooling", ["concatenate", "max", "mean", "median", "set_encoder"])
@pytest.mark.parametrize(
    "encoding",
    [
        *("geom_ft", "geom_full", "geom_lowf", "geom_nohighf"),
        *("linear_lowf", "gaussian", "none"),
    ],
)
def test_every_encoding_works_with_every_pooling(
    star: Path, tmp_path: Path, encoding: str, pooling: str
) -> None:
    latents_of(star, tmp_path / "run", "--pe-type", encoding, "--pooling-function", pooling)


@pytest.mark.parametrize(
    "options",
    [
        ("--zdim", 1),
        ("--use-first-nptcls", 1),
        ("--use-first-ntilts", 1),
        ("--fraction-train", 0.5),
        ("--sort-ptcl-imgs", "random", "--use-first-ntilts", 2),
        ("--sort-ptcl-imgs", "unsorted", "--use-first-ntilts", 2),
        ("--norm", 0, 100),
        ("--norm", -1, 0.5),
        ("--l-extent", 0.25),
        ("--enc-mask", -1),
        ("--enc-mask", 3),
        ("--pe-dim", 1),
        ("--dose-override", 3, "--recon-dose-weight", "--l-dose-mask"),
        ("--sample-ntilts", 1),
        ("--sample-ntilts", 99, "--pooling-function", "mean"),
        ("--beta", "e", "--lr-schedule", "cosine"),
        ("--residency", "device", "--set", "cache.dtype=float32"),
        ("--lazy", "--set", "cache.prefetch=1"),
        ("--no-window", "--uninvert-data", "--no-amp", "--precision", "float64"),
    ],
)
def test_options_at_their_edges_train(
    star: Path, tmp_path: Path, options: tuple[object, ...]
) -> None:
    latents_of(star, tmp_path / "run", *options)


def test_run_stopped_at_the_last_batch_of_an_epoch_goes_on(star: Path, tmp_path: Path) -> None:
    latents_of(star, tmp_path, "-n", 2)
    last = load_checkpoint(tmp_path / "weights.1.pkl")
    (tmp_path / "weights.1.pkl").unlink()
    save_checkpoint(tmp_path / INTERRUPTED, replace(last, batches_done=1, sums=[1.0] * 6))
    latents_of(star, tmp_path, "-n", 3, "--load", "latest")
    lines = (tmp_path / "metrics.jsonl").read_text().splitlines()
    epochs = [json.loads(line)["epoch"] for line in lines]
    assert epochs == [0, 1, 1, 2]


def test_line_ends_and_tabs_do_not_matter(star: Path, run: Path, tmp_path: Path) -> None:
    data = shutil.copytree(star.parent, tmp_path / "data")
    copy = data / "particles.star"
    copy.write_bytes(star.read_text().replace(" #", "\t#").replace("\n", "\r\n").encode())
    np.testing.assert_array_equal(
        latents_of(copy, tmp_path / "run"), read_latents(run / "z.pkl")[0]
    )


def test_paths_may_hold_spaces_and_any_letter(star: Path, run: Path, tmp_path: Path) -> None:
    data = shutil.copytree(star.parent, tmp_path / "späte Daten 粒子")
    outdir = tmp_path / "läufe 1"
    np.testing.assert_array_equal(
        latents_of(data / "particles.star", outdir), read_latents(run / "z.pkl")[0]
    )
    call("eval_vol", outdir / "weights.pkl", "-z", 0, 0, "-o", outdir / "volumen é")
    assert (outdir / "volumen é" / "vol_000.mrc").is_file()


def test_relative_paths_mean_the_same_file_from_any_directory(
    star: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    data = shutil.copytree(star.parent, tmp_path / "data")
    monkeypatch.chdir(tmp_path)
    latents_of(Path("data/particles.star"), Path("one"), "--cache", "caches/c.h5")
    monkeypatch.chdir(data)
    built = (tmp_path / "caches" / "c.h5").stat()
    latents_of(Path("particles.star"), Path("../two"), "--cache", "../caches/c.h5")
    assert (tmp_path / "caches" / "c.h5").stat() == built
    call("eval_vol", tmp_path / "one" / "weights.pkl", "-z", 0, 0, "-o", "here")
    assert (data / "here" / "vol_000.mrc").is_file()


def volume(run: Path, outdir: Path, *options: object) -> tuple[NDArray[np.float32], float]:
    call("eval_vol", run / "weights.pkl", "-o", outdir, "-z", -0.5, 1e-1, *options)
    (path,) = outdir.glob("*.mrc")
    return read_volume(path)


def test_flip_mirrors_and_invert_negates(run: Path, tmp_path: Path) -> None:
    plain, pixel_size_a = volume(run, tmp_path / "plain")
    assert pixel_size_a == pytest.approx(20.0)
    flipped = volume(run, tmp_path / "flip", "--flip")[0]
    np.testing.assert_array_equal(flipped[1:], plain[:0:-1])
    np.testing.assert_array_equal(volume(run, tmp_path / "invert", "--invert")[0], -plain)


def test_downsampling_crops_frequencies_and_scales_the_pixel_size(
    run: Path, tmp_path: Path
) -> None:
    plain, _ = volume(run, tmp_path / "plain")
    small, pixel_size_a = volume(run, tmp_path / "small", "-d", 4)
    assert pixel_size_a == pytest.approx(40.0)
    whole = np.fft.fftshift(np.fft.fftn(np.fft.ifftshift(plain)))[2:6, 2:6, 2:6] / 8
    part = np.fft.fftshift(np.fft.fftn(np.fft.ifftshift(small)))
    inside = np.s_[1:4, 1:4, 1:4]  # below the Nyquist frequency of the small box
    near = np.linalg.norm(np.indices((3, 3, 3)) - 1, axis=0) < 2
    np.testing.assert_allclose(part[inside][near], whole[inside][near], atol=1e-4)


def test_lowpass_leaves_only_low_frequencies(run: Path, tmp_path: Path) -> None:
    filtered, _ = volume(run, tmp_path / "low", "--lowpass", 80)
    spectrum = np.abs(np.fft.fftn(filtered))
    freqs = np.linalg.norm(np.meshgrid(*[np.fft.fftfreq(8, 20.0)] * 3), axis=0)
    assert spectrum[freqs > 1 / 80 + 1e-6].max() < 1e-3 * spectrum.max()


def test_stated_pixel_size_and_prefix_are_written(run: Path, tmp_path: Path) -> None:
    _, pixel_size_a = volume(run, tmp_path / "v", "--Apix", 3, "-d", 4, "--prefix", "my map_")
    assert pixel_size_a == pytest.approx(6.0)
    assert (tmp_path / "v" / "my map_000.mrc").is_file()


def test_batches_do_not_change_volumes(run: Path, tmp_path: Path) -> None:
    line = ("--z-start", -1, 0, "--z-end", 1, -2.5, "-n", 5)
    for n in (1, 32):
        call("eval_vol", run / "weights.pkl", "-o", tmp_path / str(n), *line, "-b", n)
    for index in range(5):
        one, other = (read_volume(tmp_path / str(n) / f"vol_{index:03d}.mrc")[0] for n in (1, 32))
        np.testing.assert_allclose(one, other, atol=1e-6 * np.abs(one).max())
    np.testing.assert_allclose(np.loadtxt(tmp_path / "1" / "z_values.txt")[-1], [1, -2.5])
