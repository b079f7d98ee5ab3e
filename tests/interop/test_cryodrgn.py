"""Runs as cryoDRGN opens them: its commands on what ``tomodrgn export RUN cryodrgn`` wrote."""

from __future__ import annotations

import shlex
from dataclasses import dataclass
from pathlib import Path

import mrcfile
import numpy as np
import pytest
import starfile
import torch
import yaml
from numpy.typing import NDArray

from tests.integration.conftest import Command
from tomodrgn.core.conventions import NYQUIST
from tomodrgn.core.files.mrc import read_volume
from tomodrgn.core.files.pickles import read_latents
from tomodrgn.core.fourier.shells import fsc
from tomodrgn.core.simulation.tilt_series import simulate
from tomodrgn.core.specs.simulation import SimulationSpec

pytestmark = pytest.mark.interop

LATENT_DIM = 3
NETWORK = shlex.split(
    "--dec-dim 32 --dec-layers 2 --enc-dim-A 32 --enc-layers-A 2 --out-dim-A 16 --enc-dim-B 24 "
    f"--pe-dim 8 --zdim {LATENT_DIM} --seed 1 --lr 0.002 -b 8 -n 3 --no-report "
    "--accelerator cpu --threads 1"
)
RUNS = {
    "concatenate": "--pooling-function concatenate",
    "mean": "--pooling-function mean --pe-type gaussian --activation leaky_relu",
    "set_encoder": "--pooling-function set_encoder --pe-type geom_full --pe-dim 16",
}


@dataclass(frozen=True)
class Exported:
    """A finished run, and the folder for cryoDRGN."""

    run: Path
    folder: Path

    @property
    def latents(self) -> Path:
        """Those of the last epoch; cryoDRGN counts from 1."""
        return self.folder / "z.3.pkl"

    @property
    def model(self) -> tuple[object, ...]:
        """Weights and config, in the words of ``cryodrgn eval_vol``."""
        return self.folder / "weights.3.pkl", "-c", self.folder / "config.yaml"


@pytest.fixture(scope="module", params=RUNS)
def exported(
    request: pytest.FixtureRequest, tomodrgn: Command, tmp_path_factory: pytest.TempPathFactory
) -> Exported:
    """Sixty particles of two states with 6 to 9 tilts, a run on them, and its export."""
    folder = tmp_path_factory.mktemp(request.param)
    star = simulate(
        SimulationSpec(
            outdir=folder / "data", n_particles=60, n_classes=2, box_size_px=32,
            pixel_size_a=10.0, n_tilts=9, min_tilts=6, snr=0.5, seed=0,
        )
    )  # fmt: skip
    run = folder / "run"
    tomodrgn("train_vae", star, "-o", run, *NETWORK, *shlex.split(RUNS[request.param]))
    tomodrgn("export", run, "cryodrgn", "-o", folder / "export")
    return Exported(run, folder / "export")


def assert_same_volumes(theirs: Path, ours: Path) -> None:
    """All that images determine agrees: in every shell up to Nyquist, in scale and pixel size."""
    (first, size_a), (second, expected_a) = read_volume(theirs), read_volume(ours)
    whole, first = fsc(first, second)[-1], between_mean_and_nyquist(first)
    shells = fsc(first, second)[1:]
    print(f"FSC of {theirs.name}: {shells.min():.7f} or more; {whole:.5f} with all at Nyquist")  # noqa: T201
    assert shells.min() >= 0.999
    assert (first * second).sum() / (second**2).sum() == pytest.approx(1, abs=1e-3)
    assert size_a == pytest.approx(expected_a)


def between_mean_and_nyquist(volume: NDArray[np.float32]) -> NDArray[np.float64]:
    """A volume without its mean and what lies at Nyquist exactly, which no image of a run has."""
    axis = np.fft.fftfreq(len(volume))
    radius = np.sqrt(axis[:, None, None] ** 2 + axis[None, :, None] ** 2 + axis**2)
    kept = (radius > 0) & (radius < NYQUIST)
    result: NDArray[np.float64] = np.fft.ifftn(kept * np.fft.fftn(volume)).real
    return result


def test_eval_vol_decodes_our_volumes(
    exported: Exported, tomodrgn: Command, cryodrgn: Command, tmp_path: Path
) -> None:
    latents = tmp_path / "latents.txt"
    np.savetxt(latents, read_latents(exported.latents)[0][[0, 20, 59]])
    cryodrgn("eval_vol", *exported.model, "--zfile", latents, "-o", tmp_path, "--Apix", 10)
    tomodrgn("eval_vol", exported.run / "weights.pkl", "--zfile", latents, "-o", tmp_path / "ours")
    for index in range(3):
        theirs = tmp_path / f"vol_{index + 1:03d}.mrc"
        assert_same_volumes(theirs, tmp_path / "ours" / f"vol_{index:03d}.mrc")


def test_analyze_draws_all_it_draws_of_its_own_runs(
    exported: Exported, tomodrgn: Command, cryodrgn: Command, tmp_path: Path
) -> None:
    cryodrgn("analyze", exported.folder, 3, "--ksample", 4, "--n-per-pc", 3, "-o", tmp_path)
    for name in (
        "learning_curve_epoch3.png", "z_pca.png", "umap.png", "umap.pkl", "pc1/vol_003.mrc",
        "pc2/pca_traversal.png", "kmeans4/labels.pkl", "cryoDRGN_ET_viz.ipynb",
    ):  # fmt: skip
        assert (tmp_path / name).exists(), name
    means = tmp_path / "kmeans4"
    ours = tmp_path / "ours"
    tomodrgn("eval_vol", exported.run / "weights.pkl", "--zfile", means / "centers.txt", "-o", ours)
    for index in range(4):
        assert_same_volumes(means / f"vol_{index + 1:03d}.mrc", ours / f"vol_{index:03d}.mrc")


def test_pc_traversal_passes_where_ours_does(
    exported: Exported, tomodrgn: Command, cryodrgn: Command, tmp_path: Path
) -> None:
    cryodrgn("pc_traversal", exported.latents, "-o", tmp_path / "theirs")
    tomodrgn("pc_traversal", exported.run / "z.pkl", "-o", tmp_path / "ours")
    spread = read_latents(exported.latents)[0].std()
    for component in range(1, LATENT_DIM + 1):
        theirs = np.loadtxt(tmp_path / "theirs" / f"pc{component}.txt")
        ours = np.loadtxt(tmp_path / "ours" / f"pc{component}.txt")
        away = min(abs(theirs - ours).max(), abs(theirs[::-1] - ours).max())  # either direction
        assert away < 1e-4 * spread


def test_graph_traversal_leads_from_particle_to_particle(
    exported: Exported, cryodrgn: Command, tmp_path: Path
) -> None:
    latents = read_latents(exported.latents)[0]
    inner = np.linalg.norm(latents - np.median(latents, axis=0), axis=1).argsort()[:20]
    start, end = int(inner[0]), int(inner[-1])
    cryodrgn(
        "graph_traversal", exported.latents, "--anchors", start, end, "--avg-neighbors", 20,
        "--max-neighbors", 30, "-o", tmp_path / "path.txt", "--outind", tmp_path / "path.ind.txt",
    )  # fmt: skip
    rows = np.loadtxt(tmp_path / "path.ind.txt", dtype=int)
    assert (rows[0], rows[-1]) == (start, end)
    np.testing.assert_allclose(np.loadtxt(tmp_path / "path.txt"), latents[rows], rtol=1e-6)


def test_its_encoder_finds_our_latents(
    tomodrgn: Command, cryodrgn: Command, tmp_path: Path
) -> None:
    star = simulate(
        SimulationSpec(
            outdir=tmp_path / "data", n_particles=30, box_size_px=16, pixel_size_a=20.0,
            n_tilts=3, snr=0.5, seed=0,
        )
    )  # fmt: skip
    _show_one_image_in_all_tilts(star)  # because cryoDRGN draws the order of tilts
    run, folder = tmp_path / "run", tmp_path / "export"
    tomodrgn("train_vae", star, "-o", run, *NETWORK, "--no-window")
    tomodrgn("export", run, "cryodrgn", "-o", folder)
    config = yaml.safe_load((folder / "config.yaml").read_text())
    content = torch.load(folder / "weights.3.pkl", weights_only=True)
    stands_still = torch.optim.Adam([torch.zeros(1) for _ in content["model_state_dict"]], lr=0.0)
    content["optimizer_state_dict"] = stands_still.state_dict()
    torch.save(content, folder / "still.pkl")
    cryodrgn(
        "train_vae", folder / "particles.star", "--datadir", star.parent, "-o", tmp_path / "theirs",
        "--poses", folder / "poses.pkl", "--ctf", folder / "ctf.pkl", "--no-window", "--no-amp",
        "--load", folder / "still.pkl", "-n", 4, "--no-analysis", "-d", 3, "--encode-mode", "tilt",
        "--norm", *config["dataset_args"]["norm"], *_options(config["model_args"]),
    )  # fmt: skip
    ours, _ = read_latents(folder / "z.3.pkl")
    theirs, _ = read_latents(tmp_path / "theirs" / "z.4.pkl")
    # images are kept as float16
    np.testing.assert_allclose(theirs, ours, atol=1e-3 * ours.std())


def _show_one_image_in_all_tilts(star: Path) -> None:
    """Give all tilts of a particle the pixels and the CTF of its first one."""
    table = starfile.read(star)
    first = table.groupby(["rlnMicrographName", "rlnGroupName"]).transform("first")
    ctf = ["rlnDefocusU", "rlnDefocusV", "rlnDefocusAngle"]
    number = [names.str.split("@").str[0].astype(int) - 1 for names in
              (table["rlnImageName"], first["rlnImageName"])]  # fmt: skip
    for stack, rows in table.groupby(table["rlnImageName"].str.split("@").str[1]):
        with mrcfile.open(star.parent / str(stack), mode="r+") as file:
            own, same = (each[rows.index].to_numpy() for each in number)
            file.data[own] = file.data[same]
    table[ctf] = first[ctf]
    starfile.write(table, star, overwrite=True)


def _options(model: dict[str, object]) -> list[object]:
    """The networks of a config as options of ``cryodrgn train_vae``."""
    tilts = model["tilt_params"]
    assert isinstance(tilts, dict)
    values = {
        "zdim": model["zdim"], "enc-layers": model["qlayers"], "enc-dim": model["qdim"],
        "dec-layers": model["players"], "dec-dim": model["pdim"], "pe-type": model["pe_type"],
        "pe-dim": model["pe_dim"], "activation": model["activation"], "ntilts": tilts["ntilts"],
        "t-emb-dim": tilts["t_emb_dim"], "tlayers": tilts["tlayers"], "tdim": tilts["tdim"],
    }  # fmt: skip
    return [word for name, value in values.items() for word in (f"--{name}", value)]
