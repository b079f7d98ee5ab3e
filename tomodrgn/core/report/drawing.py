"""Pictures beside results. They help to look; one that fails is only a warning."""

from __future__ import annotations

import contextlib
import logging
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

    import numpy as np
    from numpy.typing import NDArray

logger = logging.getLogger(__name__)


def draw_half_map_fsc(
    path: Path,
    curves: Mapping[str, NDArray[np.float64]],
    *,
    pixel_size_a: float,
    threshold: float,
) -> None:
    """Draw how far half maps agree; arguments as in ``fsc_figures.half_map_fsc``."""
    with drawing(path.name):
        from tomodrgn.core.figures.fsc import half_map_fsc

        half_map_fsc(path, curves, pixel_size_a=pixel_size_a, threshold=threshold)


@contextlib.contextmanager
def drawing(name: str) -> Iterator[None]:
    """Warn of what goes wrong in the block, and go on."""
    try:
        yield
    except Exception as error:  # noqa: BLE001  matplotlib: missing, misconfigured, or at odds
        logger.warning(
            "%s is not drawn (%s: %s); results are complete without it",
            name,
            type(error).__name__,
            error,
        )
