"""UMAP of latents; an optional part whose absence or failure is reported, no more."""

from __future__ import annotations

import logging
import warnings
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

logger = logging.getLogger(__name__)

_NEIGHBORS = 15


def umap_map(
    latents: NDArray[np.floating], *, random_state: int, n_epochs: int | None = None
) -> NDArray[np.float32] | None:
    """(n, 2) UMAP of latents (n, Z), the same in every call; None where UMAP is not to be had.

    Args:
        latents: (n, Z).
        random_state: seed.
        n_epochs: steps of its optimization; its own choice by default.
    """
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            from umap import UMAP

            reducer = UMAP(
                n_neighbors=max(2, min(_NEIGHBORS, len(latents) - 1)),
                n_epochs=n_epochs,
                random_state=random_state,
                n_jobs=1,
            )
            return np.asarray(reducer.fit_transform(latents), dtype=np.float32)
    except Exception as error:  # noqa: BLE001  umap and numba: missing, at odds, or too few points
        logger.warning(
            "no UMAP (%s: %s); principal components take its place. It comes with pip install "
            "'tomodrgn[analysis]'",
            type(error).__name__,
            error,
        )
        return None
