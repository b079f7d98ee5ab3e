"""The epochs of a run that can be looked at: those that left weights and latents."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import pandas as pd

from tomodrgn.core.errors import RunError
from tomodrgn.core.files.pickles import read_latents
from tomodrgn.core.pipeline.start import METRICS
from tomodrgn.core.training.checkpoint import saved_epochs

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    import numpy as np
    from numpy.typing import NDArray

    from tomodrgn.core.specs.convergence import ConvergenceVaeSpec

FEWEST = 2


@dataclass(frozen=True, slots=True, kw_only=True)
class Epochs:
    """Epochs of a run, counted from 0, ascending.

    Attributes:
        run: its directory.
        saved: those with weights and latents, up to the last one that is looked at.
        shown: those that are drawn and decoded, the first and the last among them.
    """

    run: Path
    saved: list[int]
    shown: list[int]

    @property
    def last(self) -> int:
        """The last of them."""
        return self.saved[-1]

    def latents(self, epoch: int) -> NDArray[np.float32]:
        """(B, Z) latents after an epoch.

        Raises:
            RunError: they have another shape than those of the last epoch.
        """
        return read_latents(self.run / f"z.{epoch}.pkl")[0]

    def all_latents(self) -> Iterator[NDArray[np.float32]]:
        """(B, Z) of every saved epoch, one at a time."""
        n_rows = None
        for epoch in self.saved:
            latents = self.latents(epoch)
            if n_rows is not None and latents.shape != n_rows:
                raise RunError(
                    f"{self.run}/z.{epoch}.pkl: shape {latents.shape}, epochs before have {n_rows};"
                    " it belongs to another run"
                )
            n_rows = latents.shape
            yield latents


def find_epochs(spec: ConvergenceVaeSpec) -> Epochs:
    """The epochs that a spec asks for, as far as the run has them.

    Raises:
        RunError: the run has fewer than two, or lacks the last that is asked for.
    """
    run = spec.run
    saved = [epoch for epoch in saved_epochs(run) if (run / f"z.{epoch}.pkl").exists()]
    if not saved:
        raise RunError(f"{run}: no weights.N.pkl with z.N.pkl; give the run directory of train_vae")
    last = saved[-1] if spec.epoch == "latest" else spec.epoch
    if last not in saved:
        raise RunError(
            f"{run}: no weights and latents of epoch {last}; found epochs "
            f"{_listed(saved)}; give one of them"
        )
    saved = [epoch for epoch in saved if epoch <= last]
    if len(saved) < FEWEST:
        raise RunError(
            f"{run}: epoch {last} is the only one with weights and latents; at least "
            f"{FEWEST} are needed, so train longer or lower --checkpoint"
        )
    return Epochs(run=run, saved=saved, shown=_spaced(saved, spec.epoch_interval))


def read_metrics(run: Path) -> pd.DataFrame:
    """Losses by epoch, ascending, the last of each; empty where the run recorded none."""
    path = run / METRICS
    if not path.exists() or not path.stat().st_size:
        return pd.DataFrame(columns=["epoch", "generative", "divergence", "total"])
    try:
        table = pd.read_json(path, lines=True)
        return table.drop_duplicates("epoch", keep="last").sort_values("epoch")
    except (ValueError, KeyError) as error:
        raise RunError(f"{path}: cannot be read as one JSON object per line ({error})") from error


def _spaced(saved: list[int], interval: int) -> list[int]:
    """The first epoch, every later one at least ``interval`` after the one before, and the last."""
    shown = [saved[0]]
    for epoch in saved:
        if epoch - shown[-1] >= interval:
            shown.append(epoch)
    return shown if shown[-1] == saved[-1] else [*shown, saved[-1]]


def _listed(epochs: list[int], most: int = 12) -> str:
    text = ", ".join(map(str, epochs[:most]))
    return text if len(epochs) <= most else f"{text} ... {epochs[-1]}"
