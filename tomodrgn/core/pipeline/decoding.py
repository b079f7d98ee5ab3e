"""Volumes of a run at given latents, in memory, for commands that look at few of them."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch

from tomodrgn.core.errors import RunError
from tomodrgn.core.model.evaluation import decode_volumes
from tomodrgn.core.pipeline.parts import build_model
from tomodrgn.core.run_directory import read_run
from tomodrgn.core.training.checkpoint import load_checkpoint

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    import numpy as np
    from numpy.typing import NDArray

    from tomodrgn.core.model.volume_model import VolumeModel
    from tomodrgn.core.registry import Registry
    from tomodrgn.core.run_directory import DatasetFacts
    from tomodrgn.core.specs.run import RunSpecBase
    from tomodrgn.core.training.checkpoint import Checkpoint


def load_model(
    directory: Path, weights: Path, registry: Registry
) -> tuple[VolumeModel, Checkpoint, RunSpecBase, DatasetFacts]:
    """The model of a run with weights, on the CPU, and what describes it.

    Raises:
        RunError: the weights are missing, or those of another run.
    """
    data, facts = read_run(directory)
    run = registry.parse(data, pending=True)
    checkpoint = load_checkpoint(weights)
    model = build_model(run, registry, facts)
    try:
        model.load_state_dict(checkpoint.model)
    except RuntimeError as error:
        raise RunError(f"{weights}: not the weights of the run in {directory}") from error
    return model.eval(), checkpoint, run, facts


def decode_at(
    directory: Path,
    weights: Path,
    latents: NDArray[np.float32] | None,
    registry: Registry,
    device: torch.device,
    *,
    most_box_px: int | None = None,
) -> Iterator[NDArray[np.float32]]:
    """(D, D, D) volumes of a run at latents (V, Z), one after the other.

    Args:
        directory: of the run.
        weights: of one of its epochs.
        latents: None for a model of one structure, which has one volume.
        registry: offers the parts.
        device: where to decode.
        most_box_px: even box to which larger volumes are cropped in Fourier space.

    Raises:
        RunError: the weights are missing, or those of another run.
    """
    model, checkpoint, run, facts = load_model(directory, weights, registry)
    batches = decode_volumes(
        model.to(device),
        None if latents is None else torch.from_numpy(latents).to(device),
        box_size_px=facts.box_size_px,
        output_box_px=min(most_box_px or facts.box_size_px, facts.box_size_px),
        extent=run.preparation.l_extent,
        scale=checkpoint.norm[1],
        batch_size=8,
    )
    for batch in batches:
        yield from batch.float().cpu().numpy()
