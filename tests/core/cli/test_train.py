"""Training commands: options, spec files and --set are three ways to say the same."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from tomodrgn.core.specs.files import write_spec

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from click.testing import Result

    from .conftest import RecordingPipeline


@pytest.fixture
def train(
    invoke: Callable[..., Result], pipeline: RecordingPipeline, tmp_path: Path
) -> Callable[..., Any]:
    """The run spec that a training command hands to the pipeline."""

    def run(command: str, *words: object) -> Any:
        pipeline.calls.clear()
        result = invoke(command, *words, "-o", tmp_path / "out")
        assert result.exit_code == 0, result.output
        ((name, (dataset, own)),) = pipeline.calls
        assert own.outdir == tmp_path / "out"
        is_subspace = dataset.spec.decoder.kind == "subspace_mlp"
        assert name == ("train_subspace" if is_subspace else "train")
        return dataset.spec

    return run


def test_options_spec_file_and_set_give_the_same_run(
    train: Callable[..., Any], particles: Path, tmp_path: Path
) -> None:
    by_options = train("train_vae", particles, "--zdim", 8, "--recon-dose-weight")
    write_spec(tmp_path / "run.yaml", by_options)
    by_file = train("train_vae", "--spec", tmp_path / "run.yaml")
    (tmp_path / "less.yaml").write_text(f"reader: {{path: {particles}}}\nlatent: {{dim: 4}}\n")
    by_set = train(
        "train_vae",
        *("--spec", tmp_path / "less.yaml"),
        *("--set", "latent.dim=8", "--set", "loss_weightings=[{kind: dose}]"),
    )
    dumps = [run.model_dump() for run in (by_options, by_file, by_set)]
    assert dumps[0] == dumps[1] == dumps[2]


def test_set_wins_over_options_and_options_over_the_file(
    train: Callable[..., Any], particles: Path, tmp_path: Path
) -> None:
    path = tmp_path / "spec.yaml"
    path.write_text("latent: {dim: 2, beta: 0.5}\ntraining: {lr: 0.1, num_epochs: 7}\n")
    words = ("--zdim", 3, "--lr", 0.2, "--set", "latent.dim=4")
    run = train("train_vae", particles, "--spec", path, *words)
    assert (run.latent.dim, run.training.lr, run.latent.beta) == (4, 0.2, 0.5)
    assert run.training.num_epochs == 7


def test_every_classic_option_reaches_its_field(train: Callable[..., Any], particles: Path) -> None:
    run = train(
        *("train_vae", particles, "--zdim", 8, "--uninvert-data", "--no-window", "--lazy"),
        *("--recon-dose-weight", "--recon-tilt-weight", "--l-dose-mask", "--no-amp"),
        *("--pe-type", "gaussian", "--feat-sigma", 0.3, "--pe-dim", 16, "--l-extent", 0.4),
        *("--normalize", "off"),
        *("--enc-layers-A", 2, "--enc-dim-A", 64, "--out-dim-A", 32, "--enc-layers-B", 4),
        *("--enc-dim-B", 48, "--enc-mask", -1, "--dec-layers", 5, "--dec-dim", 96),
        *("--activation", "leaky_relu", "--norm", -0.5, 1.2, "-b", 4, "-n", 3, "--wd", 0.1),
        *("--lr", 1e-3, "--beta", "a", "--beta-control", 2, "--seed", 5, "-v", "--datadir", "d"),
        *("--Apix", 3.5, "--load", "latest", "--checkpoint", 2, "--log-interval", 50),
        *("--pooling-function", "mean", "--sample-ntilts", 6, "--dose-override", 3.0),
        *("--sort-ptcl-imgs", "random", "--use-first-ntilts", 9, "--use-first-nptcls", 10),
        *("--min-tilts", 2),
        *("--fraction-train", 0.5, "--window-r", 0.7, "--window-r-outer", 0.8, "--ind", "i.pkl"),
        *("--ind-imgs", "j.pkl", "--cache", "c.h5", "--rebuild-cache", "--multigpu"),
        *("--max-dose", 80.0, "--max-tilt", 50.0, "--ctf-premultiplied", "--not-dose-weighted"),
        *("--lr-schedule", "cosine", "--nodes", 2, "--devices", 3, "--threads", 4),
        *("--downsample", 64),
    )
    dump = run.model_dump(mode="json")
    assert dump["contrast"] == {"invert_data": False, "norm": [-0.5, 1.2]}
    assert dump["image_state"] == {
        "ctf_premultiplied": True,
        "phase_flipped": None,
        "dose_weighted": False,
        "tilt_weighted": None,
        "found_ctf_state": None,
    }
    assert dump["preparation"] == {
        "downsample": 64,
        "window": False,
        "window_r": 0.7,
        "window_r_outer": 0.8,
        "l_extent": 0.4,
        "normalize": "off",
    }
    assert dump["loss_weightings"] == [{"kind": "dose"}, {"kind": "tilt"}]
    assert dump["positional_encoding"] == {"kind": "gaussian", "sigma": 0.3, "dim": 16}
    assert dump["encoder"] == {
        "kind": "tilt_set",
        "layers_a": 2,
        "dim_a": 64,
        "out_dim_a": 32,
        "pooling": "mean",
        "layers_b": 4,
        "dim_b": 48,
        "num_heads": 4,
        "layer_norm": False,
        "mask_radius_px": -1,
        "activation": "leaky_relu",
    }
    assert dump["decoder"] == {
        "kind": "fourier_mlp",
        "layers": 5,
        "dim": 96,
        "activation": "leaky_relu",
    }
    assert dump["latent"] == {"dim": 8, "beta": "a", "beta_control": 2.0}
    assert dump["dataset"] == {
        "ind_imgs": "j.pkl",
        "ind": "i.pkl",
        "max_dose_e_per_a2": 80.0,
        "max_tilt_deg": 50.0,
        "sort_ptcl_imgs": "random",
        "use_first_ntilts": 9,
        "min_tilts": 2,
        "use_first_nptcls": 10,
        "dose_override": 3.0,
        "leave_out_imgs": None,
        "fraction_train": 0.5,
    }
    assert run.cache.residency == "stream"
    assert run.cache.rebuild
    assert run.training.l_dose_mask
    assert run.training.load == "latest"
    assert run.training.verbose
    assert (run.training.lr_schedule, run.training.sample_ntilts) == ("cosine", 6)
    assert (run.devices.precision, run.devices.nodes, run.devices.devices) == ("float32", 2, 3)
    assert (run.seed, run.reader.pixel_size_a) == (5, 3.5)


def test_defaults_are_the_classic_ones(train: Callable[..., Any], particles: Path) -> None:
    run = train("train_vae", particles, "--zdim", 8, "-n", 20)
    assert (run.training.num_epochs, run.training.batch_size, run.training.lr) == (20, 8, 1e-4)
    assert run.positional_encoding.kind == "geom_lowf"
    assert (run.encoder.layers_a, run.encoder.dim_a, run.encoder.out_dim_a) == (3, 256, 128)
    assert (run.encoder.layers_b, run.encoder.dim_b) == (1, 256)
    assert (run.decoder.layers, run.decoder.dim) == (3, 256)
    assert run.reader.kind == "warp_particleseries"


@pytest.mark.parametrize(
    ("words", "decoder", "encoder"),
    [
        ((), "subspace_mlp", "linear_posterior"),
        (("--zdim", 2, "--seed", 1, "--overwrite", "--threads", 1), "subspace_mlp", None),
        (("--set", "decoder.kind=subspace_mlp", "--set", "decoder.dim=8"), "subspace_mlp", None),
        (("--zdim", 2, "--lr", 0.1), "fourier_mlp", "tilt_set"),
        (("--zdim", 2, "--pe-type", "gaussian"), "fourier_mlp", None),
        (("--zdim", 2, "--enc-dim-A", 8), "fourier_mlp", None),
        (("--zdim", 2, "--dec-layers", 2), "fourier_mlp", None),
        (("--zdim", 2, "--recon-tilt-weight"), "fourier_mlp", None),
        (("--zdim", 2, "--set", "decoder.kind=fourier_mlp"), "fourier_mlp", "tilt_set"),
        (("--zdim", 2, "--preset", "tomodrgn2022"), "fourier_mlp", "tilt_set"),
    ],
)
def test_options_of_networks_on_images_ask_for_these(
    train: Callable[..., Any], particles: Path, words: tuple[object, ...], decoder: str,
    encoder: str | None,
) -> None:  # fmt: skip
    run = train("train_vae", particles, *words)
    assert run.decoder.kind == decoder
    assert encoder in {None, run.encoder.kind}
    assert (run.positional_encoding is None) == (decoder == "subspace_mlp")


def test_the_preset_keeps_the_classic_settings_under_options_and_files(
    train: Callable[..., Any], particles: Path
) -> None:
    run = train("train_vae", particles, "--zdim", 8, "--preset", "tomodrgn2022", "--lr", 0.01)
    assert (run.training.init, run.training.lr_schedule, run.latent.beta) == (
        "random",
        "constant",
        None,
    )
    assert (run.training.num_epochs, run.training.batch_size, run.training.lr) == (20, 8, 0.01)
    assert (run.preparation.window_r, run.preparation.window_r_outer) == (0.85, 0.99)
    assert (run.encoder.pooling, run.positional_encoding.kind) == ("concatenate", "geom_lowf")
    one = train("train_nn", particles, "--preset", "tomodrgn2022")
    assert (one.encoder, one.decoder.dim, one.training.lr) == (None, 256, 1e-4)


def test_train_nn_has_no_encoder(train: Callable[..., Any], particles: Path) -> None:
    run = train("train_nn", particles, "--layers", 2, "--dim", 32)
    assert run.encoder is None
    assert (run.decoder.layers, run.decoder.dim) == (2, 32)


def test_weightings_join_those_of_the_file_once(
    train: Callable[..., Any], particles: Path, tmp_path: Path
) -> None:
    path = tmp_path / "spec.yaml"
    path.write_text("loss_weightings: [{kind: tilt}]\n")
    words = ("--spec", path, "--recon-dose-weight", "--recon-tilt-weight")
    run = train("train_nn", particles, *words)
    assert [weighting.kind for weighting in run.loss_weightings] == ["tilt", "dose"]


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("train_vae", "-n", 3), "latent.dim is missing: a network on images needs the number"),
        (("train_vae", "--set", "decoder.kind=subspace_mlp", "--lr", 1), "training.lr: subspace_"),
        (("train_vae", "--zdim", 8, "--set", "encoder=null"), "encoder: train_vae needs one"),
        (("train_nn", "--set", "encoder={kind: tilt_set}"), "encoder: train_nn has none"),
        (("train_nn", "--feat-sigma", 0.3), "geom_lowf has no option 'sigma'"),
        (("train_nn", "--pe-type", "gausian"), "Did you mean 'gaussian'?"),
    ],
)
def test_run_of_another_command_is_refused(
    invoke: Callable[..., Result], particles: Path, words: tuple[object, ...], message: str
) -> None:
    command, *rest = words
    result = invoke(command, particles, "-o", "out", *rest)
    assert result.exit_code == 1
    assert message in result.output


def test_prepare_needs_somewhere_to_write(
    invoke: Callable[..., Result], pipeline: RecordingPipeline, particles: Path
) -> None:
    refused = invoke("prepare", particles)
    assert (refused.exit_code, pipeline.calls) == (1, [])
    assert "outdir is missing: give the run directory (-o) or the file (--cache)" in refused.output
    assert invoke("prepare", particles, "--cache", "c.h5").output == "cache.h5\n"
    ((name, (dataset, own)),) = pipeline.calls
    assert (name, str(dataset.spec.cache.path), own.outdir) == ("prepare", "c.h5", None)
