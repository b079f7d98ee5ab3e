"""The stacks of a set, one per particle: where they lie, which frames they hold, their pixels.

Older WarpTools writes every frame into a stack, RELION 5 and newer WarpTools only visible ones; the
number of images in a stack tells which.
"""

from __future__ import annotations

import hashlib
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any, Final, NamedTuple

import numpy as np

from tomodrgn.core.errors import DataError
from tomodrgn.core.files.mrc import MrcHeader, read_mrc_header, read_mrc_slices
from tomodrgn.core.files.named_files import SearchOrder
from tomodrgn.core.files.stack_choice import check_places, rivals_of, settle_rivals
from tomodrgn.plugins.readers.upstream_files.image_stacks import require_folder
from tomodrgn.plugins.readers.upstream_files.set_columns import STACK

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from numpy.typing import NDArray

    from tomodrgn.core.files.named_files import Place
    from tomodrgn.core.files.stack_choice import Rivals
    from tomodrgn.plugins.readers.optimisation_set.visible_frames import FrameLists

_THREADS: Final = 16
"""Headers read at a time: most of the time goes into waiting for the file system."""
_STACKS_PER_BATCH: Final = 500


class FoundStack(NamedTuple):
    """A stack that exists."""

    path: Path
    header: MrcHeader
    size: int
    mtime_ns: int


class _Found(NamedTuple):
    """What was found for a name."""

    places: list[Place]
    rivals: list[Rivals]
    stack: FoundStack | None


@dataclass(frozen=True, kw_only=True)
class FrameStacks:
    """The stacks of B particles, and the frames in them."""

    stacks: tuple[FoundStack, ...]
    frames: FrameLists

    @property
    def box_size_px(self) -> int:
        """Box edge shared by all stacks."""
        return self.stacks[0].header.shape[-1]

    def load(self, entries: NDArray[np.int64]) -> NDArray[np.float32]:
        """(n, D, D) pixels of entries of the lists of frames, in that order.

        They are read stack by stack, in file order.
        """
        particle = self.frames.particle_of(entries)
        position = np.where(
            self._holds_all_frames[particle],
            entries - self.frames.starts[particle],
            self.frames.visible_rank(entries),
        )
        images = np.empty((len(entries), self.box_size_px, self.box_size_px), dtype=np.float32)
        order = np.argsort(entries, kind="stable")
        which, firsts = np.unique(particle[order], return_index=True)
        for stack, places in zip(which.tolist(), np.split(order, firsts[1:]), strict=True):
            path, header, _, _ = self.stacks[stack]
            images[places] = read_mrc_slices(path, position[places], header)
        return images

    def fingerprint(self) -> dict[str, Any]:
        """Number, total size, and one hash of the paths, sizes, times and headers, as JSON."""
        digest = hashlib.sha256()
        for path, header, size, mtime_ns in self.stacks:
            digest.update(f"{path.absolute()}\0{size}\0{mtime_ns}\0{header}\n".encode())
        return {
            "number": len(self.stacks),
            "size": sum(stack.size for stack in self.stacks),
            "sha256": digest.hexdigest(),
        }

    @cached_property
    def _holds_all_frames(self) -> NDArray[np.bool_]:
        """(B,) whether a stack holds invisible frames too."""
        n_images = np.array([stack.header.shape[0] for stack in self.stacks])
        return np.asarray(n_images == self.frames.n_frames)


def find_stacks(
    names: Sequence[str], star: Path, datadir: Path | None, frames: FrameLists
) -> FrameStacks:
    """Find the stacks of particles and check their headers.

    Each is looked for in the order of :class:`~tomodrgn.core.files.named_files.SearchOrder`, also
    in the folders above the STAR file (RELION's project folder).

    Args:
        names: (B,) paths as written.
        star: the particles file.
        datadir: folder of the stacks, where the user names one.
        frames: lists of the frames of particles.

    Raises:
        DataError: a stack is missing, damaged, not square, unlike the others, may be either of two,
            or holds a number of images that fits neither all frames nor the visible ones.
    """
    for row, name in enumerate(names, start=1):
        if "@" in name:
            raise DataError(
                f"{star}: row {row}: image name {name!r} names one image; a particle of a set has "
                f"a stack of its own, with an image per frame; extract the particles as 2-D stacks"
            )
    batches = [names[i : i + _STACKS_PER_BATCH] for i in range(0, len(names), _STACKS_PER_BATCH)]
    require_folder(star, datadir)
    order = SearchOrder(star=star, datadir=datadir, looks_above=True)
    with ThreadPoolExecutor(_THREADS) as pool:
        found = [each for batch in pool.map(lambda some: _inspect(some, order), batches)
                 for each in batch]  # fmt: skip
    check_places(names, [each.places[0] if each.places else None for each in found], order)
    settle_rivals([pair for each in found for pair in each.rivals], star)
    stacks = FrameStacks(stacks=tuple(each.stack for each in found if each.stack), frames=frames)
    _check_boxes(stacks.stacks)
    _check_numbers(stacks, star)
    return stacks


def _inspect(names: Sequence[str], order: SearchOrder) -> list[_Found]:
    """The stacks of some names; equal headers are shared."""
    shared: dict[MrcHeader, MrcHeader] = {}
    found: list[_Found] = []
    for name in names:
        places = order.find(name)
        if not places:
            found.append(_Found([], [], None))
            continue
        path = places[0].path
        header = read_mrc_header(path)
        stat = path.stat()
        stack = FoundStack(path, shared.setdefault(header, header), stat.st_size, stat.st_mtime_ns)
        found.append(_Found(places, rivals_of(name, places), stack))
    return found


def _check_boxes(stacks: Sequence[FoundStack]) -> None:
    """Refuse images that are not square, of an odd edge, or unlike those of the first stack."""
    _, y, x = stacks[0].header.shape
    if y != x or x % 2:
        raise DataError(
            f"{stacks[0].path}: images are {y} x {x} pixels; boxes are square with an even edge, "
            f"extract the particles again"
        )
    for stack in stacks:
        if stack.header.shape[1:] != (y, x):
            raise DataError(
                f"{stack.path}: images are {stack.header.shape[1]} x {stack.header.shape[2]} "
                f"pixels, those of {stacks[0].path} are {y} x {x}; all stacks need the same box"
            )


def _check_numbers(found: FrameStacks, star: Path) -> None:
    """Refuse a stack that holds neither all frames nor the visible ones."""
    n_images = np.array([stack.header.shape[0] for stack in found.stacks])
    n_frames, n_visible = found.frames.n_frames, found.frames.n_visible
    wrong = np.flatnonzero((n_images != n_frames) & (n_images != n_visible))
    if len(wrong):
        row = wrong[0]
        raise DataError(
            f"{star}: row {row + 1}: {STACK} {found.stacks[row].path} holds {n_images[row]} "
            f"images, its particle has {n_frames[row]} frames of which {n_visible[row]} are "
            f"visible ({len(wrong)} such stacks); one of these is needed, extract the particles "
            f"again"
        )
