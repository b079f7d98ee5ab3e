from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from click.testing import Result

from tests.core.cli.conftest import RecordingPipeline
from tomodrgn.plugins.commands.convergence.spec import ConvergenceNnSpec, ConvergenceVaeSpec


def test_convergence_nn_passes_its_spec_on(
    pipeline: RecordingPipeline, invoke: Callable[..., Result]
) -> None:
    words = "run known.mrc --max-epoch 20 --include-dc --fsc-mask None"
    done = invoke("convergence_nn", *words.split())
    assert done.output.strip() == "run/convergence.4"
    expected = ConvergenceNnSpec(
        run=Path("run"), reference=Path("known.mrc"), max_epoch=20, include_dc=True, mask="None"
    )
    assert pipeline.calls == [("convergence_nn", (expected,))]


def test_all_options_of_convergence_vae_reach_the_spec(
    pipeline: RecordingPipeline, invoke: Callable[..., Result]
) -> None:
    words = """run 19 -o out --epoch-interval 4 --subset 1000 --random-seed 7 --random-state 43
    --skip-umap --n-epochs-umap 500 --force-umap-cpu --n-bins 20 --smooth False --smooth-width 2
    --pruned-maxima 6 --radius 3 --final-maxima 5 --flip --invert -d 16 --lowpass 30 --Apix 5
    --skip-volgen --ground-truth a.mrc b.mrc --mask tight --thresh 98 --dilate 2 --dist 4
    --max-threads 3 --plot-format svgz --cuda"""
    done = invoke("convergence_vae", *words.split())
    assert done.exit_code == 0, done.output
    ((_, (_run, spec)),) = pipeline.calls
    assert isinstance(spec, ConvergenceVaeSpec)
    assert spec == ConvergenceVaeSpec.model_validate(
        {
            "run": "run", "epoch": 19, "outdir": "out", "epoch_interval": 4, "subset": 1000,
            "random_seed": 7, "random_state": 43, "skip_umap": True, "n_epochs_umap": 500,
            "force_umap_cpu": True, "n_bins": 20, "smooth": "False", "smooth_width": 2,
            "pruned_maxima": 6, "radius": 3, "final_maxima": 5, "flip": True, "invert": True,
            "downsample": 16, "lowpass_a": 30, "pixel_size_a": 5, "skip_volgen": True,
            "ground_truth": ("a.mrc", "b.mrc"), "mask": "tight", "thresh": 98, "dilate": 2,
            "dist": 4, "max_threads": 3, "plot_format": "svgz", "devices": {"accelerator": "gpu"},
        }
    )  # fmt: skip


def test_the_last_epoch_is_the_default(
    pipeline: RecordingPipeline, invoke: Callable[..., Result]
) -> None:
    assert invoke("convergence_vae", "run").output.strip() == "run/convergence.9"
    ((_, (_run, spec)),) = pipeline.calls
    assert spec.epoch == "latest"
    assert spec.subset == 50000


def test_an_epoch_that_is_no_number_is_refused(
    pipeline: RecordingPipeline, invoke: Callable[..., Result]
) -> None:
    done = invoke("convergence_vae", "run", "last")
    assert done.exit_code == 1
    assert "epoch" in done.output
    assert not pipeline.calls
