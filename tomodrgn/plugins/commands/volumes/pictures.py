"""Pictures of a space of volumes, in the folders of what they show."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from tomodrgn.core.analysis.covariates import particle_covariates
from tomodrgn.core.analysis.latent_findings import count_by_tomogram
from tomodrgn.core.files.atomic import make_folder
from tomodrgn.core.files.file_names import file_stems, without_units
from tomodrgn.core.placement.contour import common_level
from tomodrgn.core.report.drawing import drawing

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray

    from tomodrgn.core.figures.points import Points
    from tomodrgn.core.interfaces import RunResults
    from tomodrgn.plugins.commands.volumes.components import Clusters, VolumeSpace
    from tomodrgn.plugins.commands.volumes.spec import VolumeSpaceSpec

_MAX_ROWS: Final = 6
_MIN_SHARE: Final = 0.01
"""Part of the variance of a component that is worth a row of pictures."""

logger = logging.getLogger(__name__)


def draw_volume_space(
    outdir: Path,
    spec: VolumeSpaceSpec,
    space: VolumeSpace,
    *,
    places: NDArray[np.float32] | None,
    clusters: Clusters | None,
    traversals: list[list[NDArray[np.float32]]],
    results: RunResults | None,
) -> None:
    """Draw all that is known of a space of volumes.

    Args:
        outdir: folder.
        spec: names the format.
        space: components of N volumes.
        places: (N, 2) UMAP, or None.
        clusters: of the volumes, or None.
        traversals: volumes along each of the first components.
        results: the run whose particles the volumes are, one by one, or None.
    """
    ending = spec.plot_format
    with drawing("pictures of the volumes"):
        from tomodrgn.core.figures import points as figures

        maps = _maps(space, places)
        figures.draw_shares(outdir / f"voxel_pca_explainedvariance.{ending}", space.shares, "v-PC")
        for name, points in maps.items():
            figures.draw_scatter(outdir / f"voxel_{name}_scatter.{ending}", points)
            figures.draw_hexbin(outdir / f"voxel_{name}_hexbin.{ending}", points)
        _draw_traversals(outdir, space, maps, traversals, ending)
        if clusters is not None:
            _draw_clusters(outdir / f"kmeans{spec.ksample}", maps, clusters, ending)
        if results is not None:
            _draw_metadata(outdir, spec, maps, clusters, results)


def _maps(space: VolumeSpace, places: NDArray[np.float32] | None) -> dict[str, Points]:
    """The volumes on their first two components, and on a UMAP."""
    from tomodrgn.core.figures.points import Points

    scores = space.scores[:, :2]
    if scores.shape[1] < 2:  # noqa: PLR2004  a plane
        scores = np.column_stack([scores, np.zeros(len(scores), np.float32)])
    shares = [*space.shares[:2], 0.0]
    names = (f"v-PC1 ({shares[0]:.1%} of variance)", f"v-PC2 ({shares[1]:.1%} of variance)")
    maps = {"pca": Points(scores, names, "volumes")}
    if places is not None:
        maps["umap"] = Points(places, ("v-UMAP1", "v-UMAP2"), "volumes")
    return maps


def _draw_traversals(
    outdir: Path,
    space: VolumeSpace,
    maps: dict[str, Points],
    traversals: list[list[NDArray[np.float32]]],
    ending: str,
) -> None:
    from tomodrgn.core.figures.gallery import central_slices, draw_slice_gallery
    from tomodrgn.core.figures.points import draw_scatter

    if not traversals:
        return
    titles = [f"{percent} %" for percent in range(5, 100, 10)]
    names = [f"v-PC{number}" for number in range(1, len(traversals) + 1)]
    n_shown = max(1, min(_MAX_ROWS, int((space.shares >= _MIN_SHARE).sum())))
    shown = traversals[:n_shown]
    draw_slice_gallery(
        outdir / f"voxel_pca_volumes.{ending}",
        [np.stack([central_slices(volume) for volume in row]) for row in shown],
        names[:n_shown],
        [titles] * n_shown,
        common_level(volume for row in shown for volume in row),
    )
    for number, name in enumerate(names):
        if "umap" in maps:
            path = outdir / f"pc{number + 1}" / f"voxel_umap_colorvoxelpca.{ending}"
            draw_scatter(path, maps["umap"], space.scores[:, number], name)


def _draw_clusters(folder: Path, maps: dict[str, Points], clusters: Clusters, ending: str) -> None:
    from tomodrgn.core.figures import points as figures

    for name, points in maps.items():
        stem, marks = f"voxel_{name}", points.places[clusters.nearest]
        figures.draw_annotated(folder / f"{stem}_scatter_annotatekmeans.{ending}", points, marks)
        figures.draw_hexbin(folder / f"{stem}_hexbin_annotatekmeans.{ending}", points, marks)
        figures.draw_labels(
            folder / f"{stem}_scatter_colorkmeanslabel.{ending}", points, clusters.labels, marks
        )
        figures.draw_panels(
            folder / f"{stem}_scatter_subplotkmeanslabel.{ending}", points, clusters.labels
        )


def _draw_metadata(
    outdir: Path,
    spec: VolumeSpaceSpec,
    maps: dict[str, Points],
    clusters: Clusters | None,
    results: RunResults,
) -> None:
    """Clusters by tomogram, and the volumes against each numeric quantity."""
    from tomodrgn.core.figures import points as figures

    if clusters is not None:
        path = outdir / f"kmeans{spec.ksample}" / f"tomogram_label_distribution.{spec.plot_format}"
        n_labels, tomograms = len(clusters.nearest), results.particles.tomogram
        found = count_by_tomogram(clusters.labels, n_labels, tomograms)
        figures.draw_distribution(path, found.counts, found.names)
    make_folder(outdir / "controls")
    points = maps.get("umap", maps["pca"])
    quantities = _numeric(results)
    stems = file_stems(list(quantities), without_units)
    for (name, values), stem in zip(quantities.items(), stems, strict=True):
        path = outdir / "controls" / f"{stem}.{spec.plot_format}"
        figures.draw_control(path, points, values, name)


def _numeric(results: RunResults) -> dict[str, NDArray[Any]]:
    """Quantities of particles that are numbers and vary."""
    return {
        name: values
        for name, values in particle_covariates(results.particles).items()
        if values.ndim == 1 and values.dtype.kind == "f" and np.ptp(values) > 0
    }
