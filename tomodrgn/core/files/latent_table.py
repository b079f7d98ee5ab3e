"""Latents as text, one on each line, as eval_vol --zfile takes them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tomodrgn.core.files.atomic import write_text_atomic

if TYPE_CHECKING:
    from pathlib import Path

    import numpy as np
    from numpy.typing import NDArray


def write_latent_table(path: Path, latents: NDArray[np.floating]) -> None:
    """Write latents (n, Z) as text, one on each line."""
    rows = (" ".join(f"{value:.8g}" for value in row) for row in latents)
    write_text_atomic(path, "\n".join(rows) + "\n")
