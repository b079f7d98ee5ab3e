"""The epochs of a run that can be looked at: those that left weights and latents."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, NamedTuple

import pandas as pd

from tomodrgn.core.errors import RunError
from tomodrgn.core.files.pickles import read_latents
from tomodrgn.core.ownership.undamaged import require_of_run
from tomodrgn.core.products import LATENTS, LINEAR, METRICS, WEIGHTS, latents_of, weights_of
from tomodrgn.core.training.checkpoint import load_checkpoint, saved_epochs

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    import numpy as np
    from numpy.typing import NDArray

FEWEST = 2


class EpochFiles(NamedTuple):
    """What an epoch left."""

    weights: Path
    latents: Path


@dataclass(frozen=True, slots=True, kw_only=True)
class Epochs:
    """Epochs of a run, counted from 0, ascending.

    Attributes:
        run: its directory.
        files: of those with weights and latents, up to the last one that is looked at.
        shown: those that are drawn and decoded, the first and the last among them.
    """

    run: Path
    files: dict[int, EpochFiles]
    shown: list[int]

    @property
    def saved(self) -> list[int]:
        """Those with weights and latents."""
        return list(self.files)

    @property
    def last(self) -> int:
        """The last of them."""
        return max(self.files)

    def latents(self, epoch: int) -> NDArray[np.float32]:
        """(B, Z) latents after an epoch."""
        path = self.files[epoch].latents
        require_of_run(path, self.run, "latents")
        return read_latents(path)[0]

    def all_latents(self) -> Iterator[NDArray[np.float32]]:
        """(B, Z) of every saved epoch, one at a time.

        Raises:
            RunError: they differ in shape.
        """
        shape = None
        for epoch, files in self.files.items():
            latents = self.latents(epoch)
            if shape is not None and latents.shape != shape:
                raise RunError(
                    f"{files.latents}: shape {latents.shape}, epochs before have {shape}; it "
                    "belongs to another run"
                )
            shape = latents.shape
            yield latents


def find_epochs(run: Path, epoch: int | Literal["latest"], *, interval: int) -> Epochs:
    """The epochs up to one, as far as the run has them.

    Args:
        run: its directory.
        epoch: the last to look at, counted from 0.
        interval: epochs between those that are shown.

    Raises:
        RunError: the run has fewer than two, or lacks the last that is asked for.
    """
    files = epoch_files(run)
    if not files:
        raise RunError(f"{run}: no weights.N.pkl with z.N.pkl; give the run directory of train_vae")
    last = max(files) if epoch == "latest" else epoch
    if last not in files:
        raise RunError(
            f"{run}: no weights and latents of epoch {last}; found epochs "
            f"{_listed(list(files))}; give one of them"
        )
    files = {each: found for each, found in files.items() if each <= last}
    if len(files) < FEWEST and (run / LINEAR).exists():
        raise RunError(
            f"{run}: was fitted without epochs, so there are none to compare; its log says what "
            "its latents are worth on held-out tilts"
        )
    if len(files) < FEWEST:
        raise RunError(
            f"{run}: epoch {last} is the only one with weights and latents; at least "
            f"{FEWEST} are needed, so train longer or lower --checkpoint"
        )
    return Epochs(run=run, files=files, shown=_spaced(list(files), interval))


def epoch_files(run: Path) -> dict[int, EpochFiles]:
    """Files by epoch, ascending; the end of a run counts as the epoch that it is."""
    files = {
        epoch: EpochFiles(run / weights_of(epoch), run / latents_of(epoch))
        for epoch in saved_epochs(run)
    }
    final = EpochFiles(run / WEIGHTS, run / LATENTS)
    if final.weights.exists():
        files.setdefault(load_checkpoint(final.weights).epoch, final)
    return {epoch: found for epoch, found in files.items() if found.latents.exists()}


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
