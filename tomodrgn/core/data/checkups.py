"""What is measured on a model at every checkpoint, as one line of a file each.

``held_out.jsonl`` says how well the decoder predicts held-out tilts, ``activity.jsonl`` which
latent dimensions it uses. A run that goes on may repeat an epoch; the last line of it counts.
"""

from __future__ import annotations

import json
import logging
from dataclasses import asdict, dataclass, field
from typing import TYPE_CHECKING, Any, TypeVar

from tomodrgn.core.analysis.latent_activity import LatentActivity, latent_activity
from tomodrgn.core.errors import RunError
from tomodrgn.core.files.atomic import append_line
from tomodrgn.core.files.json_text import parse_json
from tomodrgn.core.products import ACTIVITY, HELD_OUT
from tomodrgn.core.training.held_out import HeldOutReport, HeldOutTilts

if TYPE_CHECKING:
    from pathlib import Path

    import numpy as np
    from numpy.typing import NDArray

    from tomodrgn.core.data.run_directory import DatasetFacts
    from tomodrgn.core.model.volume_model import VolumeModel
    from tomodrgn.core.specs.run import RunSpecBase
    from tomodrgn.core.training.devices import Devices

logger = logging.getLogger(__name__)


LineT = TypeVar("LineT", HeldOutReport, LatentActivity)


@dataclass
class Checkups:
    """Measures a model with latents and writes what it finds.

    Attributes:
        outdir: run directory.
        run: resolved run spec.
        facts: the data set.
        model: the volume model, on its device.
        devices: precision.
        held_out: the tilts that the model is not trained on, where there are any.
    """

    outdir: Path
    run: RunSpecBase
    facts: DatasetFacts
    model: VolumeModel
    devices: Devices
    held_out: HeldOutTilts | None
    _done: set[int] = field(default_factory=set)

    def write(
        self, epoch: int, mean: NDArray[np.float32], log_variance: NDArray[np.float32]
    ) -> None:
        """Add a line to each file, once for each epoch; processes measure together.

        Args:
            epoch: counted from 0.
            mean: (B, Z) latents from the training tilts.
            log_variance: (B, Z).
        """
        if epoch in self._done:
            return
        self._done.add(epoch)
        self.devices.on_main(lambda: self._write_activity(epoch, mean, log_variance))
        if self.held_out is not None:
            report = self.held_out.measure(self.model, mean, self.devices).report(epoch)
            self.devices.on_main(lambda: self._write_held_out(report))

    def _write_activity(
        self, epoch: int, mean: NDArray[np.float32], log_variance: NDArray[np.float32]
    ) -> None:
        activity = latent_activity(
            self.model,
            mean,
            log_variance,
            epoch=epoch,
            box_size_px=self.facts.box_size_px,
            extent=self.run.preparation.l_extent,
            autocast=self.devices.autocast,
        )
        _append(self.outdir / ACTIVITY, asdict(activity))

    def _write_held_out(self, report: HeldOutReport) -> None:
        _append(self.outdir / HELD_OUT, asdict(report))
        logger.info(
            "held-out tilts: error %.6f, consensus map %.6f; gain %.2e +- %.1e over %d particles",
            report.error,
            report.consensus_error,
            report.gain,
            report.gain_standard_error,
            report.n_particles,
        )


def read_held_out(directory: Path) -> list[HeldOutReport]:
    """What held-out tilts said of the epochs of a run, ascending; empty where none were held out.

    Raises:
        RunError: the file is damaged.
    """
    return _read(directory / HELD_OUT, HeldOutReport)


def read_activity(directory: Path) -> list[LatentActivity]:
    """Activity of the latent dimensions by epoch, ascending.

    Raises:
        RunError: the file is damaged.
    """
    return _read(directory / ACTIVITY, LatentActivity)


def _append(path: Path, line: dict[str, Any]) -> None:
    append_line(path, json.dumps(line))


def _read(path: Path, kind: type[LineT]) -> list[LineT]:
    if not path.exists():
        return []
    try:
        lines = [parse_json(line) for line in path.read_text(encoding="utf-8").split("\n") if line]
        by_epoch = {int(line["epoch"]): kind(**line) for line in lines}
    except (OSError, ValueError, KeyError, TypeError, OverflowError) as error:
        raise RunError(
            f"{path}: cannot be read as one JSON object per line ({error}); remove it to go on "
            "without it"
        ) from error
    return [by_epoch[epoch] for epoch in sorted(by_epoch)]
