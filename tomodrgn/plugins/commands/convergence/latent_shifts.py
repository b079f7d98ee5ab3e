"""How far, and how straight, latents still move from epoch to epoch."""

from __future__ import annotations

from itertools import pairwise
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from numpy.typing import NDArray


def latent_shifts(latents: Iterable[NDArray[np.floating]]) -> NDArray[np.float64]:
    """(E - 2, 3) medians over particles for every three consecutive epochs of E.

    Columns: the product of one shift with the next, the length of the next, and one minus the
    cosine of the angle between them.

    Args:
        latents: (B, Z) of each epoch, ascending; held three at a time.
    """
    rows = [_medians(first, second) for first, second in pairwise(_differences(latents))]
    return np.array(rows, np.float64).reshape(-1, 3)


def _differences(latents: Iterable[NDArray[np.floating]]) -> Iterator[NDArray[np.float64]]:
    for before, after in pairwise(latents):
        yield after.astype(np.float64) - before


def _medians(first: NDArray[np.float64], second: NDArray[np.float64]) -> tuple[float, ...]:
    product = (first * second).sum(1)
    length = np.linalg.norm(second, axis=1)
    both = np.linalg.norm(first, axis=1) * length
    cosine = np.divide(product, both, out=np.zeros_like(product), where=both > 0)
    return float(np.median(product)), float(np.median(length)), float(np.median(1 - cosine))
