"""The files of cryoDRGN: what their rows mean, and that its networks compute what ours do."""

from __future__ import annotations

import pickle
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
import torch
import yaml

from tomodrgn.core.data.parts import build_model
from tomodrgn.core.data.run import Run
from tomodrgn.core.files.pickles import read_latents
from tomodrgn.core.files.star import read_star
from tomodrgn.core.fourier.disc import half_plane_disc, images_to_disc
from tomodrgn.core.geometry.rotations import matrices_from_euler
from tomodrgn.core.interfaces import ExporterContext
from tomodrgn.core.model.mlp import ResidualMlp
from tomodrgn.core.products import RUN_SPEC
from tomodrgn.core.testing.example_run import (
    BOX_SIZE_PX,
    COUNTS,
    LATENT_DIM,
    PIXEL_SIZE_A,
    example_rows,
    example_run,
)
from tomodrgn.core.training.checkpoint import Checkpoint, save_checkpoint
from tomodrgn.plugins.exporters import CryodrgnSpec
from tomodrgn.plugins.exporters.cryodrgn import CryodrgnExporter
from tomodrgn.plugins.exporters.cryodrgn_weights import cryodrgn_state, hartley_pixels
from tomodrgn.testing import ExporterContract

if TYPE_CHECKING:
    from pathlib import Path

    from tomodrgn.core.interfaces import RunResults
    from tomodrgn.core.model.volume_model import VolumeModel
    from tomodrgn.core.registry import Registry


class TestCryodrgn(ExporterContract):
    spec = CryodrgnSpec()


@pytest.fixture
def results(tmp_path: Path, installed_components: Registry) -> RunResults:
    return example_run(tmp_path, installed_components)


def export(results: RunResults, outdir: Path, *rows: int) -> dict[str, Path]:
    exporter = CryodrgnExporter(CryodrgnSpec(), ExporterContext(outdir=outdir))
    paths = exporter.export(results, np.array(rows) if rows else None)
    return {path.name: path for path in paths}


def with_options(
    results: RunResults, registry: Registry, section: str, **options: Any
) -> RunResults:
    """The results of the same run with other options in a section of its spec, or another kind."""
    path = results.directory / RUN_SPEC
    spec = yaml.safe_load(path.read_text())
    spec[section] = options if "kind" in options else spec[section] | options
    path.write_text(yaml.safe_dump(spec))
    return Run(results.directory, registry).results()


def model_of(results: RunResults, registry: Registry) -> VolumeModel:
    run = Run(results.directory, registry)
    return build_model(run.spec, registry, run.facts)


def save_weights(results: RunResults, model: VolumeModel) -> None:
    checkpoint = Checkpoint(
        epoch=4, batches_done=None, model=model.state_dict(), optimizer=None, scaler=None,
        sums=[], norm=(0.0, 2.5),
    )  # fmt: skip
    save_checkpoint(results.directory / "weights.pkl", checkpoint)


def test_poses_and_ctf_have_a_row_for_each_row_of_the_particles(
    results: RunResults, tmp_path: Path
) -> None:
    files = export(results, tmp_path / "out")
    star = read_star(files["particles.star"])
    table, source = star.read(star.tables[0]), example_rows()
    assert list(table.rlnImageName) == list(source.rlnImageName)
    assert list(table.rlnGroupName) == list(source.rlnGroupName)
    rotation, shift = pickle.loads(files["poses.pkl"].read_bytes())  # noqa: S301  our own pickle
    euler_deg = source[["rlnAngleRot", "rlnAngleTilt", "rlnAnglePsi"]].to_numpy()
    # float32 sines
    np.testing.assert_allclose(rotation, matrices_from_euler(euler_deg), atol=1e-6)
    np.testing.assert_allclose(shift * BOX_SIZE_PX, source[["rlnOriginX", "rlnOriginY"]], atol=1e-5)
    ctf = pickle.loads(files["ctf.pkl"].read_bytes())  # noqa: S301  our own pickle
    assert ctf.dtype == np.float32
    assert ctf.shape == (len(source), 9)
    assert set(ctf[:, 0]) == {BOX_SIZE_PX}
    assert set(ctf[:, 1]) == {PIXEL_SIZE_A}
    columns = ["rlnDefocusU", "rlnDefocusV", "rlnDefocusAngle", "rlnVoltage",
               "rlnSphericalAberration", "rlnAmplitudeContrast", "rlnPhaseShift"]  # fmt: skip
    np.testing.assert_allclose(ctf[:, 2:], source[columns], rtol=1e-6)


def test_selection_brings_its_images_and_latents(results: RunResults, tmp_path: Path) -> None:
    files = export(results, tmp_path / "out", 1)
    star = read_star(files["particles.star"])
    assert len(star.read(star.tables[0])) == COUNTS[1]
    mean, log_variance = read_latents(next(p for name, p in files.items() if name[:2] == "z."))
    assert results.latents is not None
    np.testing.assert_array_equal(mean, results.latents[1:2])
    assert log_variance is not None


def test_config_is_plain_and_describes_the_model(
    results: RunResults, tmp_path: Path, installed_components: Registry
) -> None:
    save_weights(results, model_of(results, installed_components))
    files = export(results, tmp_path / "out")
    config = yaml.safe_load(files["config.yaml"].read_text())
    assert set(files) == {
        "particles.star", "poses.pkl", "ctf.pkl", "z.5.pkl", "config.yaml", "weights.5.pkl",
    }  # fmt: skip
    assert {"seed", "version", "time", "cmd"} < set(config)
    assert config["dataset_args"]["norm"] == [0.0, 2.5]
    assert config["lattice_args"] == {"D": BOX_SIZE_PX + 1, "extent": 0.5, "ignore_DC": True}
    model = config["model_args"]
    assert model["zdim"] == LATENT_DIM
    assert model["enc_mask"] == BOX_SIZE_PX // 2
    assert model["tilt_params"] == {"t_emb_dim": 128, "ntilts": 3, "tlayers": 1, "tdim": 256}


@pytest.mark.parametrize(
    "options",
    [
        {"mask_radius_px": 5},
        {"mask_radius_px": -1},
        {"dim_a": 2 * len(half_plane_disc(BOX_SIZE_PX))},  # whose first layer is residual here
        {"dim_a": len(hartley_pixels(BOX_SIZE_PX, BOX_SIZE_PX // 2))},  # and there
        {},
    ],
    ids=["small mask", "no mask", "residual here", "residual there", "default"],
)
def test_its_encoder_computes_what_ours_does(
    results: RunResults, installed_components: Registry, options: dict[str, int]
) -> None:
    results = with_options(results, installed_components, "encoder", **options)
    model = model_of(results, installed_components)
    encoder = results.spec["encoder"]
    radius = encoder["mask_radius_px"]
    radius = BOX_SIZE_PX // 2 if radius is None else radius
    state = cryodrgn_state(model.state_dict(), results.spec, box_size_px=BOX_SIZE_PX, n_tilts=3)
    images = torch.randn(6, BOX_SIZE_PX, BOX_SIZE_PX, generator=torch.Generator().manual_seed(0))
    pixels = hartley_transform(images, hartley_pixels(BOX_SIZE_PX, radius))

    first = ResidualMlp(pixels.shape[1], encoder["layers_a"], encoder["dim_a"], 128, "relu")
    first.load_state_dict(part(state, "encoder.encoder1."))
    second = ResidualMlp(3 * 128, 1, 256, 2 * LATENT_DIM, "relu")
    second.load_state_dict(part(state, "encoder.encoder2."))
    theirs = second(first(pixels).reshape(2, 3 * 128))

    disc = half_plane_disc(BOX_SIZE_PX)
    ours = torch.cat(model.embed(images_to_disc(images, disc), torch.tensor([3, 3])), dim=1)
    # sums of some hundred float32 products
    torch.testing.assert_close(theirs, ours, rtol=1e-4, atol=1e-4)


def test_its_decoder_has_the_weights_of_ours(
    results: RunResults, installed_components: Registry
) -> None:
    model = model_of(results, installed_components).state_dict()
    state = cryodrgn_state(model, results.spec, box_size_px=BOX_SIZE_PX, n_tilts=3)
    names = [name for name in model if name.startswith("decoder.decoder.main.")]
    assert names
    assert all(torch.equal(state[name], model[name]) for name in names)


@pytest.mark.parametrize(
    "options", [{"pooling": "mean"}, {"pooling": "set_encoder"}, {"activation": "leaky_relu"}]
)
def test_encoder_that_it_does_not_have_answers_nothing_while_volumes_are_decoded(
    results: RunResults,
    installed_components: Registry,
    tmp_path: Path,
    options: dict[str, Any],
    caplog: pytest.LogCaptureFixture,
) -> None:
    caplog.set_level("INFO", logger="tomodrgn")
    results = with_options(results, installed_components, "encoder", **options)
    model = model_of(results, installed_components)
    save_weights(results, model)
    files = export(results, tmp_path / "out")
    assert "find no latents of images: cryoDRGN" in caplog.text
    state = torch.load(files["weights.5.pkl"], weights_only=True)["model_state_dict"]
    encoder = {name for name in state if name.startswith("encoder.")}
    assert all(state[name].isnan().all() for name in encoder)
    ours = model.state_dict()
    assert all(torch.equal(state[name], ours[name]) for name in state.keys() - encoder)
    words = yaml.safe_load(files["config.yaml"].read_text())["model_args"]
    widths = {"t_emb_dim": 1, "ntilts": min(COUNTS), "tlayers": 1, "tdim": 1}
    assert words["tilt_params"] == widths
    pixels = hartley_pixels(BOX_SIZE_PX, words["enc_mask"])
    first = ResidualMlp(len(pixels), words["qlayers"], words["qdim"], 1, "relu")
    first.load_state_dict(part(state, "encoder.encoder1."))


@pytest.mark.parametrize(
    ("section", "options", "reason"),
    [
        ("preparation", {"l_extent": 0.4}, "l_extent leaves out"),
        ("positional_encoding", {"kind": "none"}, "encoding none"),
        ("decoder", {"kind": "linear_volumes"}, "no decoder linear_volumes"),
    ],
)
def test_weights_of_a_decoder_that_it_does_not_have_are_left_out(
    results: RunResults,
    installed_components: Registry,
    tmp_path: Path,
    section: str,
    options: dict[str, Any],
    reason: str,
    caplog: pytest.LogCaptureFixture,
) -> None:
    caplog.set_level("INFO", logger="tomodrgn")
    save_weights(results, model_of(results, installed_components))
    results = with_options(results, installed_components, section, **options)
    files = export(results, tmp_path / "out")
    assert "weights.5.pkl" not in files
    assert {"z.5.pkl", "config.yaml"} < set(files)
    assert reason in caplog.text


def part(state: dict[str, torch.Tensor], prefix: str) -> dict[str, torch.Tensor]:
    found = {name: value for name, value in state.items() if name.startswith(prefix)}
    return {name.removeprefix(prefix): value for name, value in found.items()}


def hartley_transform(images: torch.Tensor, pixels: np.ndarray[Any, Any]) -> torch.Tensor:
    """(M, n) Re F - Im F at integer frequencies, summed as its definition says."""
    place = torch.arange(BOX_SIZE_PX, dtype=torch.float64) - BOX_SIZE_PX // 2
    kx, ky = torch.from_numpy(pixels.T / BOX_SIZE_PX)
    angle = (
        2
        * torch.pi
        * (kx[:, None, None] * place[None, None, :] + ky[:, None, None] * place[None, :, None])
    )
    waves = angle.cos() + angle.sin()  # (n, y, x)
    return torch.einsum("myx,nyx->mn", images.double(), waves).float()
