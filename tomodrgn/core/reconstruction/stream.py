"""From the stacks of a particle set to sums, in file order and in bounded memory."""

from __future__ import annotations

import logging
import math
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from itertools import zip_longest
from typing import TYPE_CHECKING, Final

import numpy as np
import torch

from tomodrgn.core.device_transfer import send, send_rows
from tomodrgn.core.errors import DataError
from tomodrgn.core.fourier.disc import HalfPlaneDisc, half_plane_disc, images_to_disc, shift_phases
from tomodrgn.core.fourier.grids import grid_shape
from tomodrgn.core.gray_levels.damage import SOUND, damage_lines
from tomodrgn.core.gray_levels.reader import LookedAt, look_at
from tomodrgn.core.physics.windows import circular_window
from tomodrgn.core.reconstruction.insertion import FourierSums, empty_sums
from tomodrgn.core.reconstruction.maps import add_images

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from numpy.typing import NDArray
    from torch import Tensor

    from tomodrgn.core.interfaces import Reader
    from tomodrgn.core.particles.tables import ParticleSet
    from tomodrgn.core.reconstruction.weights import Attenuation
    from tomodrgn.core.specs.dataset import PreparationSpec

logger = logging.getLogger(__name__)

BLOCK_BYTES: Final = 16 * 2**20
"""Pixels read at once; the next block is read while one is inserted."""

_GRIDS_OF_SUMS: Final = 3
_GRIDS_OF_DIVISION: Final = 12
"""Most grids in use at once while one map is divided and transformed."""

_NAMES_SHOWN: Final = 5


def sum_images(
    reader: Reader,
    particles: ParticleSet,
    volume_index: NDArray[np.int64],
    *,
    n_volumes: int,
    preparation: PreparationSpec,
    attenuation: Attenuation,
    device: torch.device,
    progress: Callable[[int, int], None],
    block_bytes: int = BLOCK_BYTES,
) -> FourierSums:
    """Sums of all images of a set.

    Args:
        reader: loads their pixels.
        particles: M images.
        volume_index: (M,) the volume of each image.
        n_volumes: V.
        preparation: window and extent.
        attenuation: what to allow for beyond what was done upstream.
        device: where the sums are.
        progress: called with images done and images in all.
        block_bytes: pixels read at once.

    Raises:
        DataError: pixels are not finite and the reader does not leave such images out, or nothing
            is left but zeros.
    """
    box = particles.box_size_px
    sums = empty_sums(n_volumes, box, like=torch.empty(0, device=device))
    n_workers = 1 if device.type == "cuda" else min(n_volumes, torch.get_num_threads())
    insertion = _Insertion(
        sums,
        particles,
        volume_index,
        half_plane_disc(box, preparation.l_extent),
        _window(preparation, box, device),
        attenuation,
        device,
        n_workers,
    )
    done, damage = 0, np.zeros(particles.n_images, dtype=np.uint8)
    with _sharing(n_workers) as share:
        for rows, seen in _blocks(reader, particles, block_bytes):
            sound = np.flatnonzero(seen.damage == SOUND)
            share(partial(insertion.insert_share, rows=rows[sound], pixels=seen.images[sound]))
            damage[rows] = seen.damage
            done += len(rows)
            progress(done, particles.n_images)
    for line in damage_lines(damage, np.arange(particles.n_images), particles):
        logger.warning("left out %s", line)
    if not (sums.real.any() or sums.imag.any()):
        raise DataError(
            f"{particles.source}: all images are empty or damaged; check the image stacks"
        )
    return sums


@dataclass(frozen=True, slots=True)
class _Insertion:
    """Where images go, and what is done to them on the way."""

    sums: FourierSums
    particles: ParticleSet
    volume_index: NDArray[np.int64]
    disc: HalfPlaneDisc
    window: Tensor | None
    attenuation: Attenuation | None
    device: torch.device
    n_workers: int

    def insert_share(
        self, worker: int, rows: NDArray[np.int64], pixels: NDArray[np.float32]
    ) -> None:
        """Add those of the images to the sums whose volumes belong to a worker."""
        mine = np.flatnonzero(self.volume_index[rows] % self.n_workers == worker)
        if not len(mine):  # of which there is no transform
            return
        rows = rows[mine]
        images = send_rows(self.particles.images, rows, self.device)
        coefficients = _centred(
            send(pixels[mine], self.device), images.whole_shift_px(), self.disc, self.window
        )
        _refuse_spoilt(coefficients, self.particles, rows)
        add_images(
            self.sums,
            coefficients,
            images,
            self.particles.optics,
            self.disc,
            volume_index=send(self.volume_index[rows], self.device),
            attenuation=self.attenuation,
        )


def _window(preparation: PreparationSpec, box_size_px: int, device: torch.device) -> Tensor | None:
    """The real-space window that a preparation spec asks for."""
    if not preparation.window:
        return None
    inner, outer = preparation.window_r, preparation.window_r_outer
    return circular_window(box_size_px, inner=inner, outer=outer).to(device)


def bytes_needed(n_volumes: int, box_size_px: int) -> int:
    """Memory that sums of V volumes take, and the division of one of them."""
    grids = _GRIDS_OF_SUMS * n_volumes + _GRIDS_OF_DIVISION
    return 4 * math.prod(grid_shape(box_size_px)) * grids


@contextmanager
def _sharing(n_workers: int) -> Iterator[Callable[[Callable[[int], None]], None]]:
    """A function that calls another with 0 to ``n_workers`` - 1, on one core each.

    Every worker has its own volumes, so that no two add to one grid, and sums do not depend on
    which is faster. Whole images are shared rather than each product on them, because threads that
    wait for each other after every product are slow on a machine that does something else, too.
    """
    if n_workers == 1:
        yield lambda work: work(0)
        return
    before = torch.get_num_threads()
    pool = ThreadPoolExecutor(n_workers, initializer=torch.set_num_threads, initargs=(1,))
    torch.set_num_threads(1)  # the matrix library counts threads for the whole process

    def share(work: Callable[[int], None]) -> None:
        for _ in pool.map(work, range(n_workers)):
            pass  # what a worker raised is raised here

    try:
        with pool:
            yield share
    finally:
        torch.set_num_threads(before)


def _blocks(
    reader: Reader, particles: ParticleSet, block_bytes: int
) -> Iterator[tuple[NDArray[np.int64], LookedAt]]:
    """Rows of images and their pixels, in the order of the input; the next are read ahead."""
    order = np.argsort(particles.source_image, kind="stable")
    n_images = max(1, block_bytes // (4 * particles.box_size_px**2))
    blocks = np.split(order, np.arange(n_images, len(order), n_images))

    def load(rows: NDArray[np.int64]) -> LookedAt:
        return look_at(reader, particles.source_image[rows])

    with ThreadPoolExecutor(1, thread_name_prefix="read-ahead") as pool:
        coming = pool.submit(load, blocks[0])
        for rows, following in zip_longest(blocks, blocks[1:]):
            seen = coming.result()
            if following is not None:
                coming = pool.submit(load, following)
            yield rows, seen


def _centred(
    pixels: Tensor, shift_px: Tensor, disc: HalfPlaneDisc, window: Tensor | None
) -> Tensor:
    """(m, P) coefficients of windowed images, moved by their shifts."""
    if window is not None:
        pixels = pixels * window
    freqs = torch.from_numpy(disc.freqs()).to(pixels)
    spectra: Tensor = torch.view_as_complex(images_to_disc(pixels, disc))
    return spectra * shift_phases(freqs, shift_px)


def _refuse_spoilt(coefficients: Tensor, particles: ParticleSet, rows: NDArray[np.int64]) -> None:
    """Raise where pixels are not finite: any one spoils all coefficients of its image."""
    is_finite = torch.isfinite(torch.view_as_real(coefficients).sum(dim=(1, 2))).cpu().numpy()
    spoilt: Sequence[str] = [str(name) for name in particles.image_name[rows[~is_finite]]]
    if spoilt:
        more = ", ..." if len(spoilt) > _NAMES_SHOWN else ""
        raise DataError(
            f"{particles.source}: {len(spoilt)} images have pixels that are not finite: "
            f"{', '.join(spoilt[:_NAMES_SHOWN])}{more}; extract them again, or leave them out "
            "with --ind-imgs"
        )
