"""Ways through latents: along principal components, and from particle to particle."""

from __future__ import annotations

import logging
import re
from typing import TYPE_CHECKING, Final

import numpy as np

from tomodrgn.core.analysis.latent_axes import principal_axes
from tomodrgn.core.analysis.latent_traversals import count_within, values_at, values_between
from tomodrgn.core.errors import DataError
from tomodrgn.core.files.atomic import write_text_atomic
from tomodrgn.core.files.latent_table import write_latent_table
from tomodrgn.core.files.pickles import load_pickles, read_latents, write_pickle
from tomodrgn.core.ownership.results import begin_results
from tomodrgn.core.report.drawing import drawing
from tomodrgn.plugins.commands.traversals.graph import neighbor_graph, path_between

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray
    from scipy import sparse  # type: ignore[import-untyped]

    from tomodrgn.plugins.commands.traversals.spec import GraphTraversalSpec, PcTraversalSpec

logger = logging.getLogger(__name__)

NEAR: Final = 3.0
"""Distance in latent space within which particles are counted."""
_MAX_EDGES_DRAWN: Final = 200_000


def pc_traversal(spec: PcTraversalSpec) -> list[Path]:
    """Latents along principal components; the files, one for each component.

    Raises:
        DataError: the latents cannot be read, or have fewer dimensions.
    """
    latents = _finite_latents(spec.latents)
    n_dims = latents.shape[1]
    if spec.dim is not None and spec.dim > n_dims:
        raise DataError(
            f"{spec.latents}: latents have {n_dims} dimensions, --dim {spec.dim} is none of them; "
            f"give 1 to {n_dims}"
        )
    axes = principal_axes(latents)
    scores = axes.scores(latents)
    begin_results(spec.outdir)
    written = []
    for axis in range(n_dims) if spec.dim is None else [spec.dim - 1]:
        own = scores[:, axis]
        if spec.use_percentile_spacing:
            values = values_at(own, np.linspace(*spec.lim, spec.n))
        else:
            values = values_between(own, spec.lim, spec.n)
        places = axes.latents_at(axis, values)
        path = spec.outdir / f"pc{axis + 1}.txt"
        write_latent_table(path, places)
        counts = ", ".join(map(str, count_within(latents, places, NEAR).tolist()))
        logger.info(
            "component %d, %.1f%% of the variance: from %.4g to %.4g; particles within %g of each "
            "place: %s",
            axis + 1, 100 * axes.shares[axis], values[0], values[-1], NEAR, counts,
        )  # fmt: skip
        written.append(path)
    return written


def graph_traversal(spec: GraphTraversalSpec) -> list[Path]:
    """A way from particle to particle; its files: indices as text, indices, latents.

    Raises:
        DataError: the latents cannot be read, lack an anchor, or no way leads to it.
    """
    latents = _finite_latents(spec.latents)
    unknown = [anchor for anchor in spec.anchors if anchor >= len(latents)]
    if unknown:
        raise DataError(
            f"anchors: there is no particle {unknown[0]}; {spec.latents} has particles 0 to "
            f"{len(latents) - 1}"
        )
    graph = neighbor_graph(
        latents, max_neighbors=spec.max_neighbors, average_neighbors=spec.avg_neighbors
    )
    logger.info("%d particles with %.1f neighbors on average", *_size(graph))
    path = path_between(graph, spec.anchors)
    logger.info("the way visits %d particles: %s", len(path), " ".join(map(str, path.tolist())))
    begin_results(spec.outdir)
    names = (
        "path_particle_indices.txt",
        "path_particle_indices.pkl",
        "path_particle_embeddings.pkl",
    )
    text, indices, embeddings = (spec.outdir / name for name in names)
    write_text_atomic(text, "\n".join(map(str, path.tolist())) + "\n")
    write_pickle(indices, path.tolist())
    write_pickle(embeddings, latents[path])
    with drawing("pictures of the graph"):
        _draw_graph(spec, latents, graph, path)
    return [text, indices, embeddings]


def find_umap(latents: Path, n_particles: int) -> NDArray[np.float32] | None:
    """(B, 2) UMAP that ``analyze`` left beside latents ``z.N.pkl``; None where there is none."""
    match = re.fullmatch(r"z(?:\.(\d+))?(?:\.train)?\.pkl", latents.name)
    if match is None:
        return None
    folder = "analyze" if match[1] is None else f"analyze.{match[1]}"
    path = latents.parent / folder / "umap.pkl"
    if not path.exists():
        return None
    places = np.asarray(load_pickles(path)[0], np.float32)
    return places if places.shape == (n_particles, 2) else None


def _finite_latents(path: Path) -> NDArray[np.float32]:
    latents, _ = read_latents(path)
    if len(latents) < 2 or not np.isfinite(latents).all():  # noqa: PLR2004  a way has two ends
        raise DataError(
            f"{path}: holds {len(latents)} latents, "
            f"{(~np.isfinite(latents).all(axis=1)).sum()} of them not finite; at least two finite "
            "ones are needed"
        )
    return latents


def _size(graph: sparse.csr_array) -> tuple[int, float]:
    return graph.shape[0], graph.nnz / graph.shape[0]


def _draw_graph(
    spec: GraphTraversalSpec,
    latents: NDArray[np.float32],
    graph: sparse.csr_array,
    path: NDArray[np.int64],
) -> None:
    """Draw the graph, and the way through it, on the first two latents and on a UMAP."""
    from tomodrgn.core.figures.points import Points, draw_way

    second = latents[:, 1] if latents.shape[1] > 1 else np.arange(len(latents), dtype=np.float32)
    names = ("z1", "z2" if latents.shape[1] > 1 else "particle number")
    maps = {"latent": Points(np.column_stack([latents[:, 0], second]), names)}
    places = find_umap(spec.latents, len(latents))
    if places is not None:
        maps["umap"] = Points(places, ("l-UMAP1", "l-UMAP2"))
    edges = np.column_stack(graph.nonzero())
    some = np.random.default_rng(0).permutation(len(edges))[:_MAX_EDGES_DRAWN]
    for name, points in maps.items():
        draw_way(spec.outdir / f"{name}_graph.{spec.plot_format}", points, edges[some])
        draw_way(spec.outdir / f"{name}_graph_path.{spec.plot_format}", points, edges[some], path)
