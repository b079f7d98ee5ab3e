"""Comparing decoded volumes voxel by voxel: components, clusters and pictures."""

from __future__ import annotations

import logging
import pickle
import re
import shutil
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from tomodrgn.core.analysis import masks
from tomodrgn.core.analysis.umap_map import umap_map
from tomodrgn.core.display import show_progress
from tomodrgn.core.errors import DataError
from tomodrgn.core.files.atomic import atomic_path, make_folder, write_text_atomic
from tomodrgn.core.files.mrc import read_mrc_header, read_volume, write_volume
from tomodrgn.core.ownership.leftovers import partial_beside
from tomodrgn.core.ownership.results import begin_results
from tomodrgn.core.ownership.undamaged import say_if_of_another_run
from tomodrgn.plugins.commands.volumes.components import (
    Clusters,
    VolumeSpace,
    cluster,
    volume_space,
    voxel_table,
)
from tomodrgn.plugins.commands.volumes.pictures import draw_volume_space

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from numpy.typing import NDArray

    from tomodrgn.core.data.inputs import Inputs
    from tomodrgn.core.interfaces import RunResults
    from tomodrgn.plugins.commands.volumes.spec import VolumeSpaceSpec

logger = logging.getLogger(__name__)

N_AXES: Final = 10
PERCENTILES: Final = np.arange(5, 100, 10)
_NUMBERED: Final = re.compile(r"vol_(\d+)\.mrc")


def analyze_volumes(inputs: Inputs, spec: VolumeSpaceSpec) -> Path:
    """Compare the volumes of a folder; the folder of what was found.

    Raises:
        DataError: there are fewer than two volumes, or they differ in size, or the mask does.
        RunError: the run that the config names is not there.
    """
    paths = _volume_paths(spec)
    shape, pixel_size_a = _common_shape(paths)
    results = None
    if spec.config is not None:
        run = inputs.run(spec.config)
        say_if_of_another_run(spec.voldir, run.directory)
        results = run.results()
    given = None if spec.mask_path is None else _read_mask(spec.mask_path, shape)
    outdir = spec.outdir or spec.voldir.with_name(f"{spec.voldir.name}_analyze_volumes")
    begin_results(outdir)
    common = _common_voxels(spec, given, shape)
    with show_progress("reading volumes") as progress:
        rows = _masked_rows(spec, paths, given, common, progress)
        with voxel_table(partial_beside(outdir / "voxels"), rows) as table:
            space = volume_space(table, n_components=spec.num_pcs, n_axes=N_AXES)
    _write_pickle(outdir / "voxel_pc.pkl", space.scores)
    _log_shares(space)
    places = None if spec.skip_umap else umap_map(space.scores, random_state=spec.seed)
    if places is not None:
        _write_pickle(outdir / "voxel_pc_umap.pkl", places)
    traversals = _write_traversals(outdir, space, common, pixel_size_a)
    clusters = None
    if spec.ksample is not None:
        clusters = _write_clusters(outdir, spec, space, paths)
    particles = None if results is None else _particles_of(results, len(paths))
    draw_volume_space(
        outdir,
        spec,
        space,
        places=places,
        clusters=clusters,
        traversals=traversals,
        results=particles,
    )
    return outdir


def _volume_paths(spec: VolumeSpaceSpec) -> list[Path]:
    """The numbered volumes of a folder, in the order of their numbers."""
    if not spec.voldir.is_dir():
        raise DataError(f"{spec.voldir}: is no folder; give the one that eval_vol wrote")
    found = [(match, path) for path in spec.voldir.iterdir()
             if (match := _NUMBERED.fullmatch(path.name))]  # fmt: skip
    paths = [path for _, path in sorted(found, key=lambda pair: int(pair[0][1]))]
    needed = max(2, spec.ksample or 0)
    if len(paths) < needed:
        raise DataError(
            f"{spec.voldir}: holds {len(paths)} volumes called vol_000.mrc and so on, at least "
            f"{needed} are needed; decode more with eval_vol --zfile, or lower --ksample"
        )
    logger.info("%d volumes in %s", len(paths), spec.voldir)
    return paths


def _common_shape(paths: list[Path]) -> tuple[tuple[int, int, int], float]:
    """Voxels (z, y, x) and pixel size of all volumes."""
    headers = [read_mrc_header(path) for path in paths]
    first = headers[0]
    for path, header in zip(paths, headers, strict=True):
        if header.shape != first.shape:
            raise DataError(
                f"{path}: has {header.shape} voxels, {paths[0].name} has {first.shape}; volumes "
                "of one folder must be alike"
            )
    return first.shape, first.pixel_size_a


def _read_mask(path: Path, shape: tuple[int, ...]) -> NDArray[np.float32]:
    mask = read_volume(path)[0]
    if mask.shape != shape or not (mask > 0).any():
        raise DataError(
            f"{path}: the mask has {mask.shape} voxels, {(mask > 0).sum()} of them above 0; "
            f"volumes have {shape}"
        )
    return mask


def _common_voxels(
    spec: VolumeSpaceSpec, given: NDArray[np.float32] | None, shape: tuple[int, ...]
) -> NDArray[np.bool_]:
    """(z, y, x) voxels that are compared."""
    if given is not None:
        return given > 0
    if spec.mask == "sphere":
        return masks.sphere(shape[0]) > 0
    return np.ones(shape, dtype=bool)


def _masked_rows(
    spec: VolumeSpaceSpec,
    paths: list[Path],
    given: NDArray[np.float32] | None,
    common: NDArray[np.bool_],
    progress: Callable[[int, int], None],
) -> Iterator[NDArray[np.float32]]:
    """The compared voxels of each volume, masked."""
    width = -(-common.shape[0] // 30)
    dilate_px = width if spec.dilate is None else spec.dilate
    edge_px = width if spec.dist is None else spec.dist
    for done, path in enumerate(paths, 1):
        volume, _ = read_volume(path)
        if given is not None:
            volume = volume * given
        elif spec.mask in {"tight", "soft"}:
            dense = masks.tight(volume, volume, spec.thresh)
            own = dense if spec.mask == "tight" else masks.soften(dense, dilate_px, edge_px)
            volume = volume * own.astype(np.float32)
        progress(done, len(paths))
        yield volume[common]


def _write_traversals(
    outdir: Path, space: VolumeSpace, common: NDArray[np.bool_], pixel_size_a: float
) -> list[list[NDArray[np.float32]]]:
    """Write volumes at percentiles of the first components; what was written."""
    written = []
    for number in range(len(space.axes)):
        values = np.percentile(space.scores[:, number], PERCENTILES)
        volumes = []
        for place, row in enumerate(space.along(number, values)):
            volume = np.zeros(common.shape, np.float32)
            volume[common] = row
            name = f"voxel_pc{number + 1}_vol{place}.mrc"
            write_volume(outdir / f"pc{number + 1}" / name, volume, pixel_size_a)
            volumes.append(volume)
        written.append(volumes)
    return written


def _write_clusters(
    outdir: Path, spec: VolumeSpaceSpec, space: VolumeSpace, paths: list[Path]
) -> Clusters:
    """Write labels, the volume nearest to each center, and its index."""
    n_clusters = spec.ksample or 0
    clusters = cluster(space.scores, n_clusters, seed=spec.seed)
    folder = outdir / f"kmeans{n_clusters}"
    make_folder(folder)
    _write_pickle(folder / f"voxel_kmeans{n_clusters}_labels.pkl", clusters.labels)
    indices = "\n".join(map(str, clusters.nearest.tolist())) + "\n"
    write_text_atomic(folder / "voxel_kmeans_centers_ind.txt", indices)
    for label, row in enumerate(clusters.nearest.tolist()):
        with atomic_path(folder / f"voxel_kmeans{n_clusters}_cluster{label}.mrc") as partial:
            shutil.copyfile(paths[row], partial)
    sizes = np.bincount(clusters.labels, minlength=n_clusters)
    logger.info("clusters of %s volumes", ", ".join(map(str, sizes)))
    return clusters


def _particles_of(results: RunResults, n_volumes: int) -> RunResults | None:
    """The run, if its particles are the volumes one by one."""
    n_particles = results.particles.n_particles
    if n_particles == n_volumes:
        return results
    logger.info(
        "%d volumes and %d particles of the run are not one to one, so tomograms, images and "
        "metadata are not looked at", n_volumes, n_particles,
    )  # fmt: skip
    return None


def _log_shares(space: VolumeSpace) -> None:
    shares = ", ".join(f"{share:.0%}" for share in space.shares[:5])
    logger.info("explained variance of the first components: %s", shares)


def _write_pickle(path: Path, values: NDArray[Any]) -> None:
    with atomic_path(path) as partial, partial.open("wb") as file:
        pickle.dump(np.ascontiguousarray(values), file, protocol=4)
