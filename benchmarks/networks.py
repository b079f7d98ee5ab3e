"""The network that benchmarks train and decode, and the work that its matrix products take."""

from __future__ import annotations

from typing import TYPE_CHECKING

from torch import nn

from tomodrgn.core.commands import resolve_run
from tomodrgn.core.data.parts import build_model
from tomodrgn.core.data.run_directory import DatasetFacts
from tomodrgn.core.manager import load_plugins
from tomodrgn.core.registry import Registry

if TYPE_CHECKING:
    from tomodrgn.core.model.mlp import ResidualMlp
    from tomodrgn.core.model.volume_model import VolumeModel
    from tomodrgn.core.specs.run import RunSpecBase

FORWARD_AND_BACKWARD = 3
"""Products per layer and training step: forward, for the weights, for the input."""


def reference_run(registry: Registry, *, batch_size: int = 8) -> RunSpecBase:
    """Run spec of the network that published timings are for.

    zdim 8, encoder A 64 x 2 to 64, encoder B 32 x 4, decoder 256 x 3, gaussian encoding.
    """
    sections = {
        "reader": {"kind": "warp_particleseries", "path": "benchmark.star"},
        "positional_encoding": {"kind": "gaussian"},
        "encoder": {
            "kind": "tilt_set",
            "layers_a": 2,
            "dim_a": 64,
            "out_dim_a": 64,
            "layers_b": 4,
            "dim_b": 32,
        },
        "decoder": {"kind": "fourier_mlp"},
        "loss_weightings": [{"kind": "dose"}, {"kind": "tilt"}],
        "latent": {"dim": 8},
        "training": {"batch_size": batch_size, "lr": 1e-3, "l_dose_mask": True},
        "seed": 0,
    }
    return resolve_run("train_vae", sections, registry=registry)


def reference_model(
    run: RunSpecBase, registry: Registry, *, box_size_px: int, n_tilts: int, n_particles: int
) -> VolumeModel:
    """The volume model of a run for images of a box."""
    facts = DatasetFacts(
        box_size_px=box_size_px,
        pixel_size_a=13.1 * 32 / box_size_px,
        n_particles=n_particles,
        n_images=n_particles * n_tilts,
        min_tilts=n_tilts,
    )
    return build_model(run, registry, facts)


def installed_registry() -> Registry:
    """The built-in components and the installed ones."""
    return Registry(load_plugins())


def forward_flops(mlp: ResidualMlp) -> int:
    """Floating-point operations of the matrix products for one row, forward."""
    return sum(2 * m.weight.numel() for m in mlp.modules() if isinstance(m, nn.Linear))


def training_flops(mlp: ResidualMlp) -> int:
    """The same for a training step: no gradient is taken with respect to the input."""
    first = next(m for m in mlp.modules() if isinstance(m, nn.Linear))
    return FORWARD_AND_BACKWARD * forward_flops(mlp) - 2 * first.weight.numel()
