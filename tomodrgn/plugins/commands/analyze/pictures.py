"""The pictures of an analysis, under their classic names in the folders of what they show."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from tomodrgn.core.analysis.latent_findings import count_by_tomogram
from tomodrgn.core.analysis.particle_columns import particle_columns
from tomodrgn.core.data.epochs import read_metrics
from tomodrgn.core.files.file_names import file_stems, without_units
from tomodrgn.core.report.drawing import drawing

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from numpy.typing import NDArray

    from tomodrgn.core.data.chosen_epoch import ChosenEpoch
    from tomodrgn.core.figures.points import Points
    from tomodrgn.core.interfaces import RunResults
    from tomodrgn.plugins.commands.analyze.latents import LatentAnalysis, NamedClusters
    from tomodrgn.plugins.commands.analyze.spec import AnalysisSpec
    from tomodrgn.plugins.commands.analyze.volumes import DecodedSets, VolumeSet

_IMAGES_OF_CLUSTER: Final = 6


def draw_analysis(
    outdir: Path,
    spec: AnalysisSpec,
    chosen: ChosenEpoch,
    *,
    results: RunResults,
    found: LatentAnalysis,
    volumes: DecodedSets | None,
) -> dict[str, NDArray[np.floating]]:
    """Draw everything; what is known of the particles besides, as columns (B,).

    A picture that fails is only a warning.
    """
    columns = particle_columns(results)
    pictures = None
    with drawing("pictures of latents"):
        pictures = _Pictures(outdir, spec.plot_format, found, _maps(found))
    if pictures is None:
        return columns
    with drawing("model_loss"):
        pictures.of_training(chosen)
    with drawing("maps of latents"):
        pictures.of_maps()
    for each in found.clusters:
        with drawing(f"pictures of {each.folder}"):
            pictures.of_clusters(each, results)
    for axis in range(len(found.sets) - len(found.clusters)):
        with drawing(f"pictures of pc{axis + 1}"):
            pictures.of_traversal(axis)
    if volumes is not None:
        with drawing("pictures of volumes"):
            pictures.of_volumes(volumes)
    with drawing("pictures of particles"):
        for each in found.clusters:
            pictures.of_images(each, results, spec.seed)
    with drawing("controls"):
        pictures.of_columns(columns)
    return columns


def _maps(found: LatentAnalysis) -> dict[str, Points]:
    """Particles on their first two components, and on a UMAP."""
    from tomodrgn.core.figures.points import Points

    if found.latents.shape[1] == 1:
        numbers = np.arange(len(found.latents), dtype=np.float32)
        return {"pca": Points(np.column_stack([found.latents[:, 0], numbers]),
                              ("latent", "particle number"))}  # fmt: skip
    first, second = (f"l-PC{k + 1} ({found.axes.shares[k]:.1%} of variance)" for k in range(2))
    maps = {"pca": Points(found.scores[:, :2], (first, second))}
    if found.umap is not None:
        maps["umap"] = Points(found.umap.places, ("l-UMAP1", "l-UMAP2"))
    return maps


@dataclass(frozen=True)
class _Pictures:
    """Draws into the folders of an analysis, in one format."""

    outdir: Path
    plot_format: str
    found: LatentAnalysis
    maps: Mapping[str, Points]

    def path(self, name: str) -> Path:
        """Where a picture goes."""
        return self.outdir / f"{name}.{self.plot_format}"

    def of_training(self, chosen: ChosenEpoch) -> None:
        """Losses by epoch, of a run that has epochs."""
        from tomodrgn.core.figures.training import training_curves

        metrics = read_metrics(chosen.run)
        if len(metrics):
            training_curves(self.path("model_loss"), metrics)

    def of_maps(self) -> None:
        """Variance of components, and particles on each map."""
        from tomodrgn.core.figures import points as figures

        figures.draw_shares(self.path("z_pca_explainedvariance"), self.found.axes.shares, "l-PC")
        for name, points in self.maps.items():
            figures.draw_scatter(self.path(f"z_{name}_scatter"), points)
            figures.draw_hexbin(self.path(f"z_{name}_hexbin"), points)
        if self.found.latents.shape[1] == 1:
            latent = self.found.latents[:, 0]
            figures.draw_scatter(self.path("z"), self.maps["pca"])
            figures.draw_histogram(self.path("z_hist"), latent, "latent")
            for each in self.found.sets[:1]:
                figures.draw_histogram(
                    self.path("z_hist_percentile_volumes"), latent, "latent", each.latents[:, 0]
                )

    def of_clusters(self, each: NamedClusters, results: RunResults) -> None:
        """Clusters on each map, and by tomogram."""
        from tomodrgn.core.figures import points as figures

        labels, rows, method = each.found.labels, each.found.centre_particles, each.method
        for name, points in self.maps.items():
            stem, marks = f"{each.folder}/z_{name}", points.places[rows]
            path = self.path(f"{stem}_scatter_annotate{method}")
            figures.draw_annotated(path, points, marks)
            figures.draw_hexbin(self.path(f"{stem}_hexbin_annotate{method}"), points, marks)
            path = self.path(f"{stem}_scatter_color{method}label")
            figures.draw_labels(path, points, labels, marks)
            figures.draw_panels(self.path(f"{stem}_scatter_subplot{method}label"), points, labels)
        tomograms = count_by_tomogram(labels, len(rows), results.particles.tomogram)
        path = self.path(f"{each.folder}/tomogram_label_distribution")
        figures.draw_distribution(path, tomograms.counts, tomograms.names)

    def of_traversal(self, axis: int) -> None:
        """The places of one component on each map, and the UMAP in the colors of the component."""
        from tomodrgn.core.figures import points as figures

        each = self.found.sets[axis]
        is_plane = self.found.latents.shape[1] > 1
        for name, points in self.maps.items():
            marks = points.places[each.particles]
            if name == "pca" and is_plane:
                marks = self.found.axes.scores(each.latents)[:, :2]
            stem = f"{each.folder}/z_{name}"
            path = self.path(f"{stem}_scatter_annotatepca")
            figures.draw_annotated(path, points, marks, joined=is_plane)
            figures.draw_hexbin(self.path(f"{stem}_hexbin_annotatepca"), points, marks)
        if "umap" in self.maps:
            path = self.path(f"{each.folder}/z_umap_colorlatentpca")
            scores = self.found.scores[:, axis]
            figures.draw_scatter(path, self.maps["umap"], scores, f"l-PC{axis + 1}")

    def of_volumes(self, volumes: DecodedSets) -> None:
        """Slices of the volumes of all components in one picture, and of each set of clusters."""
        n_axes = len(self.found.sets) - len(self.found.clusters)
        together = [("z_pca_volumes", slice(0, n_axes))] if n_axes else []
        for number in range(n_axes, len(self.found.sets)):
            folder = self.found.sets[number].folder
            together.append((f"{folder}/volumes", slice(number, number + 1)))
        for name, part in together:
            self._gallery(name, self.found.sets[part], volumes.slices[part], volumes.level)

    def of_images(self, each: NamedClusters, results: RunResults, seed: int) -> None:
        """The least exposed images of a few particles of each cluster."""
        from tomodrgn.core.figures.gallery import draw_images

        particles = results.particles
        if not particles.n_images or not results.reader.has_images:
            return
        draw = np.random.default_rng(seed)
        members = [
            np.sort(
                draw.permutation(np.flatnonzero(each.found.labels == label))[:_IMAGES_OF_CLUSTER]
            )
            for label in range(len(each.found.sizes))
        ]
        rows = particles.source_image[particles.starts[np.concatenate(members)]]
        images = np.split(
            results.reader.load_images(rows), np.cumsum([len(some) for some in members])[:-1]
        )
        for label, (some, own) in enumerate(zip(members, images, strict=True)):
            path = self.path(f"{each.folder}/particle_images_{each.method}label{label}")
            draw_images(path, own, [f"particle {row}" for row in some.tolist()])

    def of_columns(self, columns: Mapping[str, NDArray[np.floating]]) -> None:
        """The best map against everything known of the particles."""
        from tomodrgn.core.figures.points import draw_control

        points = self.maps.get("umap", self.maps["pca"])
        stems = file_stems(list(columns), without_units)
        for (name, values), stem in zip(columns.items(), stems, strict=True):
            draw_control(self.path(f"controls/{stem}"), points, values, name)

    def _gallery(self, name: str, sets: list[VolumeSet], slices: list[Any], level: float) -> None:
        from tomodrgn.core.figures.gallery import draw_slice_gallery

        draw_slice_gallery(
            self.path(name),
            slices,
            [each.name for each in sets],
            [each.titles for each in sets],
            level,
        )
