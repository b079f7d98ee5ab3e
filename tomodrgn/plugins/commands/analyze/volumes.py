"""Volumes of an analysis: several folders of them, decoded in one go."""

from __future__ import annotations

import shutil
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from tomodrgn.core.decoding.volumes import Decoding, write_decoded
from tomodrgn.core.figures.gallery import central_slices
from tomodrgn.core.files.atomic import make_folder, move_into_place, writing
from tomodrgn.core.files.latent_table import write_latent_table
from tomodrgn.core.files.mrc import read_volume
from tomodrgn.core.ownership.call import remove
from tomodrgn.core.ownership.leftovers import partial_beside
from tomodrgn.core.placement.contour import automatic_level
from tomodrgn.core.training.devices import Devices

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from numpy.typing import NDArray

    from tomodrgn.core.data.run import Run
    from tomodrgn.plugins.commands.analyze.spec import AnalysisSpec


@dataclass(frozen=True, slots=True, kw_only=True)
class VolumeSet:
    """Latents whose volumes go into one folder.

    Attributes:
        folder: its name.
        name: what the picture calls the row.
        latents: (n, Z).
        titles: of each volume in the picture.
        particles: (n,) the particles that the latents are, or that lie nearest to them.
        are_particles: whether the latents are those of the particles.
    """

    folder: str
    name: str
    latents: NDArray[np.float32]
    titles: list[str]
    particles: NDArray[np.int64]
    are_particles: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class DecodedSets:
    """What pictures need of decoded volumes.

    Attributes:
        slices: central slices (n, 3, D, D) of the volumes of each set.
        level: one contour level for all volumes.
        pixel_size_a: of the volumes.
    """

    slices: list[NDArray[np.float32]]
    level: float
    pixel_size_a: float


def write_set(outdir: Path, each: VolumeSet) -> None:
    """Write ``z_values.txt`` of a folder; volumes of other latents, from earlier, are removed."""
    folder = outdir / each.folder
    table = folder / "z_values.txt"
    before = table.read_bytes() if table.exists() else b""
    write_latent_table(table, each.latents)
    if table.read_bytes() != before:
        remove_volumes(folder)


def remove_volumes(folder: Path) -> None:
    """Remove ``vol_000.mrc`` and so on."""
    for path in folder.glob("vol_*.mrc"):
        remove(path)


def decode_sets(
    run: Run, spec: AnalysisSpec, outdir: Path, sets: Sequence[VolumeSet], *, weights: Path
) -> DecodedSets:
    """Decode all volumes in one go and move each to its folder."""
    make_folder(outdir)
    stage = partial_beside(outdir / "volumes")
    stage.mkdir()
    try:
        latents = np.concatenate([each.latents for each in sets]).astype(np.float32)
        how = _decoding(spec, weights)
        paths = write_decoded(run, latents, stage, how, Devices(spec.devices))
        levels: list[float] = []
        slices, done = [], 0
        for each in sets:
            own = paths[done : done + len(each.latents)]
            done += len(own)
            slices.append(_look(own, levels))
            _move(own, outdir / each.folder)
        pixel_size_a = read_volume(outdir / sets[0].folder / "vol_000.mrc")[1]
    finally:
        shutil.rmtree(stage, ignore_errors=True)
    return DecodedSets(slices=slices, level=float(np.median(levels)), pixel_size_a=pixel_size_a)


def _decoding(spec: AnalysisSpec, weights: Path) -> Decoding:
    return Decoding(
        weights=weights,
        flip=spec.flip,
        invert=spec.invert,
        downsample=spec.downsample,
        lowpass_a=spec.lowpass_a,
        pixel_size_a=spec.pixel_size_a,
    )


def _look(paths: Sequence[Path], levels: list[float]) -> NDArray[np.float32]:
    """Central slices (n, 3, D, D) of volumes, whose contour levels are added to ``levels``."""
    slices = []
    for path in paths:
        volume, _ = read_volume(path)
        levels.append(automatic_level(volume))
        slices.append(central_slices(volume))
    return np.stack(slices)


def _move(paths: Sequence[Path], folder: Path) -> None:
    make_folder(folder)
    remove_volumes(folder)
    with writing(folder):
        for number, path in enumerate(paths):
            move_into_place(path, folder / f"vol_{number:03d}.mrc")
