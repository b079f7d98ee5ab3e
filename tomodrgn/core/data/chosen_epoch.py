"""Which epoch of a run to analyze, and its particles with their latents."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Final, Literal

import numpy as np
import pandas as pd

from tomodrgn.core.analysis.held_out_verdict import Verdict, judge
from tomodrgn.core.data.checkups import read_held_out
from tomodrgn.core.data.epochs import EpochFiles, epoch_files, read_metrics
from tomodrgn.core.errors import DataError, RunError
from tomodrgn.core.products import LATENTS

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray

    from tomodrgn.core.data.run import Run
    from tomodrgn.core.interfaces import RunResults

EpochName = int | Literal["latest", "recommended"]
END: Final = -1
"""Stands for the end of a run."""
_MIN_PARTICLES = 2


@dataclass(frozen=True, slots=True, kw_only=True)
class ChosenEpoch:
    """The epoch of a run that is looked at.

    Attributes:
        run: directory of the run.
        epoch: counted from 0; None for the end of the run.
        files: its weights and latents.
        verdict: what held-out tilts say of the whole run; None where none were held out.
    """

    run: Path
    epoch: int | None
    files: EpochFiles
    verdict: Verdict | None

    @property
    def folder_name(self) -> str:
        """Classic name of the folder of results."""
        return "analyze" if self.epoch is None else f"analyze.{self.epoch}"


def choose_epoch(run: Run, wanted: EpochName) -> ChosenEpoch:
    """An epoch of a run: its number, or a word for it.

    Raises:
        RunError: the run does not have it, or has no latents at all.
    """
    directory = run.directory
    if run.spec.latent.dim is None:
        raise RunError(
            f"{directory}: is a run without latents; analyze looks at train_vae, train_linear"
        )
    verdict = run_verdict(directory)
    if wanted == END:
        files = EpochFiles(run.weights, directory / LATENTS)
        missing = next((path for path in files if not path.exists()), None)
        if missing is not None:
            raise RunError(f"{missing}: is missing, so the run has not ended; give an epoch")
        return ChosenEpoch(run=directory, epoch=None, files=files, verdict=verdict)
    saved = epoch_files(directory)
    if not saved:
        raise RunError(
            f"{directory}: holds no weights with latents yet; wait for the first checkpoint"
        )
    epoch = _epoch_number(wanted, directory, saved, verdict)
    return ChosenEpoch(run=directory, epoch=epoch, files=saved[epoch], verdict=verdict)


def run_verdict(run: Path) -> Verdict | None:
    """What held-out tilts say of a run; None where none were held out."""
    held_out = pd.DataFrame([asdict(report) for report in read_held_out(run)])
    if held_out.empty:
        return None
    return judge(held_out, read_metrics(run).set_index("epoch")["generative"])


def open_latents(run: Run, chosen: ChosenEpoch) -> tuple[RunResults, NDArray[np.float32]]:
    """The results of a run at an epoch, and its latents (B, Z).

    Raises:
        DataError: latents are not finite, or those of one particle.
    """
    results = run.results(chosen.files.latents)
    latents = results.latents
    if latents is None:
        raise RunError(f"{chosen.run}: is a run without latents")
    if len(latents) < _MIN_PARTICLES:
        raise DataError(f"{chosen.files.latents}: holds one latent; nothing can be compared")
    bad = np.flatnonzero(~np.isfinite(latents).all(axis=1))
    if len(bad):
        raise DataError(
            f"{chosen.files.latents}: latents of {len(bad)} particles are not finite, the first "
            f"is that of particle {bad[0]}; analyze an earlier epoch"
        )
    return results, latents


def _epoch_number(
    wanted: EpochName, run: Path, saved: dict[int, EpochFiles], verdict: Verdict | None
) -> int:
    if wanted == "latest":
        return max(saved)
    if wanted == "recommended":
        if verdict is None:
            raise RunError(
                f"{run}: no tilts were held out, so no epoch is recommended; train with "
                "--fraction-train 0.8, or give an epoch"
            )
        epoch = verdict.recommended_epoch
    else:
        epoch = wanted
    if epoch not in saved:
        raise RunError(
            f"{run}: no weights and latents of epoch {epoch}; found epochs "
            f"{', '.join(map(str, saved))}; give one of them"
        )
    return epoch
