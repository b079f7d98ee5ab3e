"""The pictures of ``convergence_vae``, under their classic names."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from tomodrgn.core.report.drawing import drawing

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    import numpy as np
    import pandas as pd
    from numpy.typing import NDArray

    from tomodrgn.core.analysis.held_out_verdict import Verdict
    from tomodrgn.core.data.epochs import Epochs
    from tomodrgn.plugins.commands.convergence.maps import Maps
    from tomodrgn.plugins.commands.convergence.sketching import Sketch
    from tomodrgn.plugins.commands.convergence.volumes import VolumeAgreement


@dataclass(frozen=True, slots=True)
class ConvergencePictures:
    """Draws into a folder, in one format. A picture that fails is only a warning."""

    folder: Path
    plot_format: str

    def of_latents(
        self,
        epochs: Epochs,
        metrics: pd.DataFrame,
        shifts: NDArray[np.float64],
        maps: Maps,
        groups: Sketch,
    ) -> None:
        """Losses, maps by epoch, shifts (E - 2, 3) of latents, and the groups that are followed."""
        with drawing("pictures of latents"):
            from tomodrgn.core.figures.training import training_curves
            from tomodrgn.plugins.commands.convergence.figures import latents as figures

            if len(metrics):
                training_curves(self._path("00_total_loss"), metrics)
            figures.maps_by_epoch(
                self._path("01_encoder_pcs"),
                maps.components,
                names=("PC 1", "PC 2"),
                title=f"latents by epoch, on the principal components of epoch {epochs.last}",
                common_axes=True,
            )
            if maps.umaps:
                figures.maps_by_epoch(
                    self._path("02_encoder_umaps"),
                    maps.umaps,
                    names=maps.names,
                    title="UMAP of the latents of each epoch by itself",
                    common_axes=False,
                )
            if len(shifts):
                path = self._path("03_encoder_latent_vector_shifts")
                figures.shifts(path, epochs.saved[1:-1], shifts)
            path = self._path("04_decoder_UMAP-sketching")
            figures.sketched_groups(path, maps.sketched, groups, maps.names)

    def of_checkups(
        self,
        held_out: pd.DataFrame,
        activity: pd.DataFrame,
        training_error: pd.Series[float],
        verdict: Verdict | None,
    ) -> None:
        """Held-out tilts, and use of the latent dimensions."""
        with drawing("pictures of held-out tilts"):
            from tomodrgn.core.figures.held_out import held_out as draw_held_out
            from tomodrgn.plugins.commands.convergence.figures import latents as figures

            if verdict is not None:
                path, epoch = self._path("11_held_out_tilts"), verdict.recommended_epoch
                draw_held_out(path, held_out, training_error, epoch)
            if len(activity):
                figures.activity(self._path("12_latent_activity"), activity)

    def of_places(self, maps: Maps, chosen: dict[int, NDArray[np.int64]], groups: Sketch) -> None:
        """Where the representatives, rows (groups,) of a map, lie on the map of each epoch."""
        with drawing("pictures of representatives"):
            from tomodrgn.plugins.commands.convergence.figures import latents as figures

            places = {epoch: maps.best[epoch][rows] for epoch, rows in chosen.items()}
            path = self._path("05_decoder_maxima-sketch-consistency")
            figures.group_places(path, maps.best, places, groups.names, maps.names)

    def of_volumes(
        self, epochs: Sequence[int], found: VolumeAgreement, labels: Sequence[str]
    ) -> None:
        """Agreement of volumes of successive epochs, within epochs, and with known maps."""
        with drawing("pictures of volumes"):
            from tomodrgn.plugins.commands.convergence.figures import volumes as figures

            later = epochs[1:]
            figures.value_by_epoch(
                self._path("06_decoder_CC"), later, found.correlations, labels,
                "masked correlation of volumes",
            )  # fmt: skip
            freqs_per_a = found.freqs / found.pixel_size_a
            path = self._path("07_decoder_FSC")
            figures.fsc_by_epoch(path, later, found.curves, labels, freqs_per_a)
            figures.value_by_epoch(
                self._path("08_decoder_FSC-nyquist"), later, found.curves[:, :, -1], labels,
                "FSC of volumes at Nyquist",
            )  # fmt: skip
            for index, epoch in enumerate(epochs):
                figures.correlation_matrix(
                    self._path(f"09_pairwise_CC_matrix_epoch-{epoch}"), found.within[index],
                    labels, labels, f"groups in epoch {epoch}",
                    lowest=min(float(each.min()) for each in found.within),
                )  # fmt: skip
                if found.with_truth is not None:
                    figures.correlation_matrix(
                        self._path(f"10_groundtruth_CC_matrix_epoch-{epoch}"),
                        found.with_truth[index],
                        found.truth_names,
                        labels,
                        f"groups in epoch {epoch} and known maps",
                        lowest=min(float(each.min()) for each in found.with_truth),
                    )

    def _path(self, name: str) -> Path:
        return self.folder / f"{name}.{self.plot_format}"
