"""How a run trains: latents, optimizer, schedule, checkpoints and devices."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field, NonNegativeFloat, PositiveFloat, PositiveInt

from tomodrgn.core.specs.base import Spec

BetaSchedule = Literal["a", "b", "c", "d", "e"]


class LatentSpec(Spec):
    """The latent space shared by encoder and decoder, and what holds it together."""

    dim: PositiveInt | None = None
    """Number of latent dimensions per particle; a network on images needs it, others find it."""
    beta: NonNegativeFloat | BetaSchedule | None = None
    """Weight of the KL divergence, or a schedule a to e over the particles seen; by default
    1/zdim."""
    beta_control: PositiveFloat | None = None
    """Pull the KL divergence towards beta with this strength instead of weighting it."""


class TrainingSpec(Spec):
    """Optimization, sampling and checkpoints."""

    num_epochs: PositiveInt = 20
    """Number of passes over the particles."""
    batch_size: PositiveInt = 8
    """Particles per optimizer step, over all devices together."""
    lr: PositiveFloat = 1e-4
    """Learning rate of AdamW."""
    wd: NonNegativeFloat = 0.0
    """Weight decay of AdamW."""
    lr_schedule: Literal["constant", "cosine"] = "constant"
    """Learning rate over the run: constant, or a warm-up followed by a cosine to zero."""
    warmup_fraction: Annotated[float, Field(ge=0, lt=1)] = 0.05
    """Part of the run over which the cosine schedule warms up."""
    sample_ntilts: PositiveInt | None = None
    """Tilt images drawn per particle and epoch; all by default, or the smallest count in the set
    for an encoder that needs a fixed number."""
    l_dose_mask: bool = False
    """Leave out coefficients whose optimal dose is exceeded."""
    checkpoint: PositiveInt = 1
    """Write weights and latents every this many epochs."""
    log_interval: PositiveInt = 200
    """Log the loss every this many particles."""
    init: Literal["random", "linear"] = "random"
    """Weights to begin with: random, or linear for a linear model that is fitted first, in the
    folder linear of the run directory, and taught to encoder and decoder."""
    init_from: Path | None = None
    """Run directory of train_linear to begin with, instead of fitting a linear model."""
    load: Path | Literal["latest"] | None = None
    """Weights to go on from: a file, or latest for the newest of the run directory."""
    overwrite: bool = False
    """Replace the results of an earlier run in the same directory."""
    verbose: bool = False
    """Log more."""
    report: bool = True
    """Write a report that any browser opens when the run ends."""


class DevicesSpec(Spec):
    """Where and in which precision a run computes."""

    accelerator: Literal["auto", "cpu", "gpu"] = "auto"
    """Kind of device; auto takes a GPU where there is one."""
    devices: PositiveInt = 1
    """Devices per node."""
    multigpu: bool = False
    """Use every visible GPU of the node."""
    nodes: PositiveInt = 1
    """Nodes that take part; start the command on each with torchrun or srun."""
    precision: Literal["mixed", "float32", "float64"] = "mixed"
    """Number type of the networks; mixed is bfloat16 on a GPU that has it and on a CPU with matrix
    units (AMX), float16 on another GPU, and float32 on another CPU."""
    threads: Annotated[int, Field(ge=0, le=4096)] = 0
    """CPU threads per process; 0 leaves the choice to torch."""
