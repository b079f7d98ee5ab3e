"""Maps from posed tilt images: one of all particles, or one of each class."""

from __future__ import annotations

import logging
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np
import torch

from tomodrgn.core.data.dataset import select_particles
from tomodrgn.core.display import show_progress
from tomodrgn.core.errors import DataError
from tomodrgn.core.files.atomic import make_folder
from tomodrgn.core.files.fsc_curves import write_fsc
from tomodrgn.core.files.mrc import write_volume
from tomodrgn.core.files.pickles import read_index_file
from tomodrgn.core.fourier.volumes import lowpass, mirror_z
from tomodrgn.core.memory.work import announce, maps_work
from tomodrgn.core.particles.selection import take_images, take_particles
from tomodrgn.core.reconstruction.halves import (
    halves_by_particle,
    halves_by_tilt,
    require_both_halves,
)
from tomodrgn.core.reconstruction.insertion import empty_sums
from tomodrgn.core.reconstruction.maps import HalvedMap, finish_halves
from tomodrgn.core.reconstruction.resolution import FSC_THRESHOLD, spherical_mask
from tomodrgn.core.reconstruction.stream import sum_images
from tomodrgn.core.reconstruction.weights import Attenuation
from tomodrgn.core.report.drawing import draw_half_map_fsc
from tomodrgn.core.training.devices import Devices
from tomodrgn.core.training.sharing import neighbors
from tomodrgn.plugins.commands.backproject.refined import PosesOfMaps

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray

    from tomodrgn.core.data.dataset import Dataset
    from tomodrgn.core.interfaces import Reader
    from tomodrgn.core.particles.tables import ParticleSet
    from tomodrgn.core.reconstruction.insertion import FourierSums
    from tomodrgn.core.specs.run import RunSpecBase
    from tomodrgn.plugins.commands.backproject.spec import ReconstructionSpec

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class _Classes:
    """Which map each of B particles belongs to, and what the maps are called."""

    of_particle: NDArray[np.int64]
    suffixes: tuple[str, ...]

    @property
    def names(self) -> list[str]:
        """For messages and legends."""
        return [
            suffix.removeprefix("_").replace("class", "class ") or "map" for suffix in self.suffixes
        ]


def reconstruct(dataset: Dataset, spec: ReconstructionSpec) -> list[Path]:
    """Back-project a particle set, and write maps, half maps and their FSC; the paths of the maps.

    Processes share the images in file order; the main process, which alone has paths to tell,
    divides and writes.

    Args:
        dataset: from which images.
        spec: which maps, and where.

    Raises:
        DataError: labels do not fit the input, or a class cannot be halved.
        RunError: memory does not suffice.
    """
    devices = Devices(dataset.spec.devices)
    paths: list[Path] = []
    with devices.agreement():
        chosen = _choose(dataset, spec)
    halves = chosen.halves if spec.half_by == "particle" else None
    poses = PosesOfMaps(dataset.spec, chosen.reader, spec.out, devices)
    particles = poses.refined(chosen.particles, halves)
    with devices.agreement():
        sums = _sum_share(dataset.spec, spec, replace(chosen, particles=particles), devices)
    for grid in sums.grids:
        for of_one_map in grid:
            devices.sum_over_processes([of_one_map])
    pixel_size_a = particles.pixel_size_a
    devices.on_main(lambda: paths.extend(_finish_all(spec, sums, chosen.classes, pixel_size_a)))
    return paths


@dataclass(frozen=True, slots=True)
class _Chosen:
    """M images of B particles, and which of V volumes each belongs to."""

    reader: Reader
    particles: ParticleSet
    classes: _Classes
    volume_index: NDArray[np.int64]

    @property
    def halves(self) -> NDArray[np.int64]:
        """(B,) half of the first image of each particle."""
        halves: NDArray[np.int64] = self.volume_index[self.particles.starts[:-1]] % 2
        return halves

    @property
    def n_volumes(self) -> int:
        return 2 * len(self.classes.suffixes)


def _choose(dataset: Dataset, spec: ReconstructionSpec) -> _Chosen:
    """The images that maps are made of."""
    run, (reader, everything) = dataset.spec, dataset.everything
    reader, particles = select_particles(run, reader, everything)
    particles, classes = _classify(spec, everything, particles)
    make_folder(spec.out.parent)
    return _Chosen(reader, particles, classes, _halve(spec, particles, classes, run.seed or 0))


def _sum_share(
    run: RunSpecBase, spec: ReconstructionSpec, chosen: _Chosen, devices: Devices
) -> FourierSums:
    """Sums of the images of this process."""
    particles, n_volumes = chosen.particles, chosen.n_volumes
    announce(
        maps_work(particles, n_volumes, devices.device),
        devices.device,
        way_out="take fewer classes at a time (--labels-sel) or fewer pixels (--downsample)",
        processes=devices.n_on_node,
    )
    is_mine = _share_of_images(particles, devices)
    if not is_mine.any():
        nothing = torch.empty(0, device=devices.device)
        return empty_sums(n_volumes, particles.box_size_px, like=nothing)
    with show_progress("inserting images") as progress:
        return sum_images(
            chosen.reader,
            take_images(particles, is_mine, "image of another process"),
            chosen.volume_index[is_mine],
            n_volumes=n_volumes,
            preparation=run.preparation,
            attenuation=Attenuation(dose=spec.recon_dose_weight, tilt=spec.recon_tilt_weight),
            device=devices.device,
            progress=progress,
        )


def _share_of_images(particles: ParticleSet, devices: Devices) -> NDArray[np.bool_]:
    """(M,) which images this process inserts: a run of them in the order of the input."""
    in_file_order = np.argsort(particles.source_image, kind="stable")
    share = neighbors(np.ones(len(in_file_order), np.int64), devices.rank, devices.n_ranks)
    is_mine = np.zeros(len(in_file_order), bool)
    is_mine[in_file_order[share]] = True
    return is_mine


def _classify(
    spec: ReconstructionSpec, everything: ParticleSet, particles: ParticleSet
) -> tuple[ParticleSet, _Classes]:
    """The selected particles whose label is wanted, and their classes."""
    if spec.labels is None:
        return particles, _Classes(np.zeros(particles.n_particles, np.int64), ("",))
    labels = read_index_file(spec.labels)
    n_particles = everything.n_source_particles
    if len(labels) != n_particles:
        raise DataError(
            f"{spec.labels}: holds {len(labels)} labels, {everything.source} has {n_particles} "
            "particles; give one label per particle of the input, selected or not"
        )
    mine = labels[particles.source_particle]
    wanted = np.unique(mine) if spec.labels_sel is None else np.unique(spec.labels_sel)
    missing = np.setdiff1d(wanted, mine)
    if len(missing):
        found = ", ".join(map(str, np.unique(mine)))
        raise DataError(
            f"{spec.labels}: no selected particle has label {missing[0]}; found {found}"
        )
    chosen = np.isin(mine, wanted)
    particles = take_particles(particles, chosen, "label not selected")
    of_particle = np.searchsorted(wanted, mine[chosen]).astype(np.int64)
    return particles, _Classes(of_particle, tuple(f"_class{label}" for label in wanted))


def _halve(
    spec: ReconstructionSpec, particles: ParticleSet, classes: _Classes, seed: int
) -> NDArray[np.int64]:
    """(M,) volume of each image: twice its class, plus its half."""
    if spec.half_by == "particle":
        halves = halves_by_particle(particles, classes.of_particle, seed)
    else:
        halves = halves_by_tilt(particles, seed)
    volume_index = 2 * classes.of_particle[particles.particle_of_image] + halves
    way_out = "give --half-by tilt"
    if spec.labels is not None:
        way_out += ", or leave the class out with --labels-sel"
    require_both_halves(volume_index, classes.names, way_out=way_out)
    return volume_index


def _finish_all(
    spec: ReconstructionSpec, sums: FourierSums, classes: _Classes, pixel_size_a: float
) -> list[Path]:
    """Divide, write and compare the maps of all classes, one at a time."""
    mask = None
    if spec.mask_r is not None:
        mask = spherical_mask(sums.box_size_px, spec.mask_r)
    paths, curves = [], {}
    for number, (suffix, name) in enumerate(zip(classes.suffixes, classes.names, strict=True)):
        halves = (2 * number, 2 * number + 1)
        found = finish_halves(sums, halves, pixel_size_a=pixel_size_a, mask=mask)
        logger.info("%s: resolution %s at FSC %g", name, found.resolution, FSC_THRESHOLD)
        path = spec.out.with_name(f"{spec.out.stem}{suffix}.mrc")
        _write_maps(spec, path, found, pixel_size_a)
        write_fsc(path, found.fsc, pixel_size_a)
        curves[f"{name}, {found.resolution.drawn()}"] = found.fsc
        paths.append(path)
    picture = spec.out.with_name(f"{spec.out.stem}_FSC.png")
    draw_half_map_fsc(picture, curves, pixel_size_a=pixel_size_a, threshold=FSC_THRESHOLD)
    return paths


def _write_maps(
    spec: ReconstructionSpec, path: Path, found: HalvedMap, pixel_size_a: float
) -> None:
    """The map, its halves, and the map without the frequencies in which these disagree."""
    limit = spec.lowpass_a or found.resolution.resolution_a
    full = torch.from_numpy(found.full)
    filtered = lowpass(full, pixel_size_a=pixel_size_a, resolution_a=limit).numpy()
    maps = {"": found.full, "_filt": filtered, "_half1": found.first, "_half2": found.second}
    for suffix, volume in maps.items():
        turned = mirror_z(torch.from_numpy(volume)).numpy() if spec.flip else volume
        write_volume(
            path.with_name(f"{path.stem}{suffix}.mrc"),
            -turned if spec.invert else turned,
            pixel_size_a,
        )
