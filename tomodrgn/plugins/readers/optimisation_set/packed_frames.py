"""The tilt images of a set: which frames of which particles, and in what order."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np

from tomodrgn.core.errors import DataError
from tomodrgn.plugins.readers.optimisation_set.visible_frames import parse_frame_lists
from tomodrgn.plugins.readers.upstream_files import set_columns as columns

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray

    from tomodrgn.plugins.readers.optimisation_set.particles import SetParticles
    from tomodrgn.plugins.readers.optimisation_set.tomograms import Tomograms
    from tomodrgn.plugins.readers.optimisation_set.visible_frames import FrameLists

INVISIBLE_FRAME: Final = f"frame not visible: {columns.VISIBLE_FRAMES} is 0"
DARK_FRAME: Final = f"dark frame: {columns.TILT_COSINE} is 0"


@dataclass(frozen=True, kw_only=True)
class PackedFrames:
    """The M tilt images that are kept, packed by particle in ascending dose.

    Attributes:
        entry: (M,) place in the lists of frames.
        particle: (M,) row of the particle.
        tilt: (M,) row among the tilt images of all tomograms.
        rejected: entries left out, by reason.
    """

    entry: NDArray[np.int64]
    particle: NDArray[np.int64]
    tilt: NDArray[np.int64]
    rejected: Mapping[str, int]


def frames_of_particles(particles: SetParticles, tomograms: Tomograms) -> FrameLists:
    """The lists of frames of B particles.

    Raises:
        DataError: a list cannot be understood, or is not as long as the tilt series.
    """
    texts = particles.table[columns.VISIBLE_FRAMES].to_numpy(dtype=object)
    frames = parse_frame_lists(texts, particles.path)
    n_tilts = np.diff(tomograms.starts)[particles.tomogram_of]
    wrong = np.flatnonzero(frames.n_frames != n_tilts)
    if len(wrong):
        row = wrong[0]
        raise DataError(
            f"{particles.path}: column {columns.VISIBLE_FRAMES}, row {row + 1}: lists "
            f"{frames.n_frames[row]} frames, tomogram "
            f"{tomograms.names[particles.tomogram_of[row]]} has {n_tilts[row]} ({len(wrong)} such "
            f"rows); give the tomograms file that belongs to the particles"
        )
    return frames


def pack_frames(frames: FrameLists, particles: SetParticles, tomograms: Tomograms) -> PackedFrames:
    """The visible frames that are not dark, by particle, then ascending dose.

    Args:
        frames: lists of B particles, as long as their tilt series.
        particles: the particles.
        tomograms: tilt images of their tomograms.
    """
    of_entry = frames.particle_of_entry
    first_tilt = tomograms.starts[particles.tomogram_of]
    tilt = np.arange(len(of_entry)) - (frames.starts[:-1] - first_tilt)[of_entry]
    is_dark = tomograms.frames.is_dark[tilt]
    entry = np.flatnonzero(frames.visible & ~is_dark)
    particle, tilt = of_entry[entry], tilt[entry]
    order = np.argsort(particle * (frames.n_frames.max() + 1) + _rank_by_dose(tomograms)[tilt])
    left_out = {
        INVISIBLE_FRAME: int((~frames.visible).sum()),
        DARK_FRAME: int((frames.visible & is_dark).sum()),
    }
    return PackedFrames(
        entry=entry[order],
        particle=particle[order],
        tilt=tilt[order],
        rejected={reason: number for reason, number in left_out.items() if number},
    )


def _rank_by_dose(tomograms: Tomograms) -> NDArray[np.int64]:
    """(F,) place of each tilt image in its tilt series by ascending dose, then by row."""
    frames = tomograms.frames
    of_frame = np.repeat(np.arange(len(tomograms.names)), np.diff(tomograms.starts))
    order = np.lexsort((np.nan_to_num(frames.dose_e_per_a2), of_frame))
    rank = np.empty(len(frames), dtype=np.int64)
    rank[order] = np.arange(len(frames)) - tomograms.starts[of_frame]
    return rank
