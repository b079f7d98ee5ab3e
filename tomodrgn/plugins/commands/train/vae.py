"""Models of heterogeneous particles: in a subspace, or from the images themselves."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tomodrgn.core.interfaces import SubspaceSpec

if TYPE_CHECKING:
    from tomodrgn.core.data.dataset import Dataset
    from tomodrgn.core.data.run import Run
    from tomodrgn.core.specs.output import RunDirectorySpec


def train_vae(dataset: Dataset, spec: RunDirectorySpec) -> Run:
    """Train a model of heterogeneous particles and write its run directory.

    Args:
        dataset: what to train on, and how; its decoder says which of the two ways is taken.
        spec: where to; the run directory is made where there is none.

    Raises:
        RunError: the directory already holds a run, or the run cannot go on.
        DataError: the particles or their images cannot be used.
        OutputError: the directory cannot be written.
        SystemExit: a signal stopped the run; its state is saved.
    """
    if isinstance(dataset.spec.decoder, SubspaceSpec):
        from tomodrgn.plugins.commands.train.subspace import train_subspace

        return train_subspace(dataset, spec)
    from tomodrgn.plugins.commands.train.command import train

    return train(dataset, spec)
