"""Latents of several epochs on two axes: principal components, and UMAP where it can be had."""

from __future__ import annotations

import logging
import pickle
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np

from tomodrgn.core.analysis.umap_map import umap_map
from tomodrgn.core.files.atomic import write_bytes_atomic

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray

    from tomodrgn.core.data.epochs import Epochs
    from tomodrgn.plugins.commands.convergence.spec import ConvergenceVaeSpec

logger = logging.getLogger(__name__)

SUBSET: Final = "ind_subset.pkl"


@dataclass(frozen=True, slots=True, kw_only=True)
class Maps:
    """Latents of some particles on two axes, by epoch.

    Attributes:
        subset: (n,) rows of these particles, ascending.
        components: (n, 2) first two principal components of each epoch, of the same axes in all.
        umaps: (n, 2) UMAP of each epoch; empty where it was left out or failed.
    """

    subset: NDArray[np.int64]
    components: dict[int, NDArray[np.float32]]
    umaps: dict[int, NDArray[np.float32]]

    @property
    def best(self) -> dict[int, NDArray[np.float32]]:
        """UMAP (n, 2) by epoch where there is one, else principal components (n, 2)."""
        return self.umaps or self.components

    @property
    def names(self) -> tuple[str, str]:
        """Of the axes of the best maps."""
        return ("UMAP 1", "UMAP 2") if self.umaps else ("PC 1", "PC 2")

    @property
    def sketched(self) -> NDArray[np.float32]:
        """(n, 2) the best map of the last epoch."""
        return self.best[max(self.best)]


def map_latents(spec: ConvergenceVaeSpec, epochs: Epochs, outdir: Path, seed: int) -> Maps:
    """Map the latents of the shown epochs; write ``pcs/``, ``umaps/`` and the subset."""
    n_particles = len(epochs.latents(epochs.last))
    most = n_particles if spec.subset == "None" else min(spec.subset, n_particles)
    drawn = np.random.default_rng(seed).choice(n_particles, most, replace=False)
    subset = np.sort(drawn).astype(np.int64)
    _write(outdir / "umaps" / SUBSET, subset)
    centre, axes = _last_axes(epochs.latents(epochs.last))
    components, umaps = {}, {}
    umap_works = not spec.skip_umap
    for epoch in epochs.shown:
        latents = epochs.latents(epoch)
        places = ((latents - centre) @ axes).astype(np.float32)
        _write(outdir / "pcs" / f"pc.{epoch}.pkl", places)
        components[epoch] = np.pad(places[subset, :2], ((0, 0), (0, max(0, 2 - len(axes)))))
        if umap_works:
            found = umap_map(
                latents[subset], random_state=spec.random_state, n_epochs=spec.n_epochs_umap
            )
            umap_works = found is not None
            if found is not None:
                umaps[epoch] = found
                _write(outdir / "umaps" / f"umap.{epoch}.pkl", found)
    return Maps(subset=subset, components=components, umaps=umaps if umap_works else {})


def _last_axes(
    latents: NDArray[np.float32],
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Mean (Z,) and principal axes (Z, Z) in columns, of the last epoch, each axis mostly > 0."""
    table = latents.astype(np.float64)
    centre = table.mean(0)
    _, directions = np.linalg.eigh((table - centre).T @ (table - centre))
    directions = directions[:, ::-1]
    largest = np.abs(directions).argmax(0)
    signs = np.sign(directions[largest, np.arange(len(largest))])
    return centre, directions * signs


def _write(path: Path, values: NDArray[np.generic]) -> None:
    write_bytes_atomic(path, pickle.dumps(values, protocol=4))
