"""The terms of each kind of work: formulas of its sizes, in bytes.

Factors are bytes per coefficient, voxel or grid point. Those that follow from the number of arrays
are written as such; the others, marked *measured*, are the growth of the resident memory of the
work alone, on a CPU, over its sizes (``python -m benchmarks memory`` compares the whole).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from tomodrgn.core.memory.footprint import NOTHING, Footprint, Term, on_device

if TYPE_CHECKING:
    from tomodrgn.core.cache.residency import ResidencyKind

_CHANGES: Final = 6
"""Changes of an image by errors of its pose and contrast."""
_FLOAT: Final = 4
_DOUBLE: Final = 8
_COMPLEX: Final = 8
_BYTES_OF_LINE: Final = 41
"""Of a line beside its text: an object (33), and where it is (8)."""
_CHARACTERS_OF_NUMBER: Final = 8
"""With the space before it, at least."""
_BLOCK_FACTOR: Final = 9
"""Pixels of a block while they are read, windowed, transformed and centered; measured."""
_BYTES_OF_BATCH: Final = 64
"""Of a coefficient of a batch: observed (8), transfer and weights (8), what these are computed
from and what the encoder and the loss make of them; measured."""
_VOXEL_FACTOR: Final = 28
"""Of a voxel while it is decoded (24) and while the one before is written (4); measured."""
_BYTES_OF_POINT: Final = 1000
"""Of a coefficient that a linear model looks at: eight places in the grid with their shares, and
what is made of them; measured."""
_BYTES_OF_POINT_AND_MAP: Final = 150
"""The same for each map of the model; measured."""
_SUMS_FACTOR: Final = 8
"""Copies of the sums of one half: two halves, turned into a common frame, and solved; measured."""
_MORE_GRIDS: Final = 75
"""Grids that do not grow with the number of maps; measured."""
_FIRST_COEFFICIENTS: Final = 56
"""Coefficients of an image up to the radius that a linear model begins with."""
_BYTES_KEPT: Final = 120
"""Of a coefficient that a linear model keeps between passes."""
_LIBRARIES_TO_DRAW: Final = 70 * 10**6
"""What draws pictures, loaded when it is needed; measured."""
_CUDA_CONTEXT: Final = 500 * 10**6
"""What the driver and the libraries of a GPU take; measured by others on GPUs of this decade."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Images:
    """The images of a run.

    Attributes:
        n_images: M.
        n_particles: B.
        n_coefficients: P of each image.
        most_tilts: images of the particle that has most.
        stored_bytes: of a stored coefficient, 4 or 8.
        prefetch: batches that are read ahead unless the cache is on the device.
    """

    n_images: int
    n_particles: int
    n_coefficients: int
    most_tilts: int
    stored_bytes: int = 4
    prefetch: int = 4

    @property
    def cache_bytes(self) -> int:
        """Size of all coefficients as they are stored."""
        return self.n_images * self.n_coefficients * self.stored_bytes

    def of_batch(self, n_particles: int) -> int:
        """Coefficients of a large batch."""
        return min(n_particles * self.most_tilts, self.n_images) * self.n_coefficients


@dataclass(frozen=True, slots=True, kw_only=True)
class Networks:
    """The networks of a run.

    Attributes:
        n_weights: of encoder and decoder.
        encoder_width: features of all layers together, for one image.
        decoder_width: features of all layers together, for one coefficient.
        rows_at_once: coefficients that the decoder sees at once.
        n_workers: threads that share them.
        feature_bytes: of a feature in the number type of the networks.
        latent_dim: Z; 0 for one structure.
    """

    n_weights: int
    encoder_width: int
    decoder_width: int
    rows_at_once: int
    n_workers: int
    feature_bytes: int
    latent_dim: int


def cache_terms(cache_bytes: int, residency: ResidencyKind) -> Footprint:
    """Where all coefficients lie: on the device, in memory, or in the file alone."""
    term = Term("cache", cache_bytes)
    if residency == "stream":
        return NOTHING
    return Footprint(device=(term,)) if residency == "device" else Footprint(host=(term,))


def block_term(block_bytes: int, n_images: int, box_size_px: int) -> Term:
    """Images that are read, transformed and written or inserted a block at a time."""
    pixels = min(block_bytes, n_images * _FLOAT * box_size_px**2)
    return Term("blocks of images", _BLOCK_FACTOR * pixels)


def columns_term(file_bytes: int, most_numbers: int) -> Term:
    """Columns of the input that are numbers, while they are taken from its text."""
    numbers = min(most_numbers, file_bytes // _CHARACTERS_OF_NUMBER)
    return Term("columns of the input", file_bytes + _DOUBLE * numbers)


def drawing_term() -> Term:
    """What draws the pictures of a command."""
    return Term("pictures", _LIBRARIES_TO_DRAW)


def training_terms(
    images: Images, networks: Networks, *, batch_size: int, embedding_batch: int, is_gpu: bool
) -> Footprint:
    """Optimizer steps on batches, and the encoding of all particles at checkpoints."""
    step = images.of_batch(batch_size)
    most = max(step, images.of_batch(embedding_batch) if networks.latent_dim else 0)
    rows = min(step, networks.rows_at_once * networks.n_workers)
    images_of_most = most // max(1, images.n_coefficients)
    features = rows * networks.decoder_width + images_of_most * networks.encoder_width
    copies = 4 + (2 * networks.n_workers if not is_gpu else 0)
    work = (
        Term("weights and optimizer", copies * _FLOAT * networks.n_weights),
        Term("batch", _BYTES_OF_BATCH * most),
        Term("activations", 2 * networks.feature_bytes * features),
    )
    latents = 4 * _FLOAT * images.n_particles * networks.latent_dim
    checkpoint = 2 * 3 * _FLOAT * networks.n_weights
    host = (
        Term("batches read ahead", images.prefetch * images.stored_bytes * most),
        Term("latents", latents),
        Term("checkpoint", checkpoint),
    )
    return on_device(work, is_gpu=is_gpu) + Footprint(host=host) + context(is_gpu=is_gpu)


def embedding_terms(
    images: Images, networks: Networks, *, batch_size: int, is_gpu: bool
) -> Footprint:
    """The encoding of all particles."""
    most = images.of_batch(batch_size)
    n_images = most // max(1, images.n_coefficients)
    work = (
        Term("weights", _FLOAT * networks.n_weights),
        Term("batch", _BYTES_OF_BATCH * most),
        Term("activations", networks.feature_bytes * n_images * networks.encoder_width),
    )
    host = (
        Term("batches read ahead", images.prefetch * images.stored_bytes * most),
        Term("latents", 4 * _FLOAT * images.n_particles * networks.latent_dim),
    )
    return on_device(work, is_gpu=is_gpu) + Footprint(host=host) + context(is_gpu=is_gpu)


def rows_term(file_bytes: int, n_rows: int) -> Term:
    """A table of which rows are written again: its text, and each of its lines."""
    return Term("rows to write", 2 * file_bytes + _BYTES_OF_LINE * n_rows)


def linear_terms(
    images: Images,
    *,
    n_maps: int,
    n_searched: int,
    points_at_once: int,
    grid_points: int,
    n_halves_at_once: int,
    is_gpu: bool,
    is_joint: bool,
) -> Footprint:
    """Passes of a linear model, or of classes, and the solution for their maps.

    Args:
        images: of the set.
        n_maps: of the model of a half.
        n_searched: maps that are looked for at low resolution.
        points_at_once: coefficients of a block.
        grid_points: of the grid of one map at the highest resolution.
        n_halves_at_once: halves that are passed through at the same time.
        is_gpu: where blocks and grids lie.
        is_joint: sums hold a channel for each pair of maps, as those of classes do not.
    """
    largest = images.most_tilts * images.n_coefficients
    points = min(points_at_once + largest, images.n_images * images.n_coefficients)
    arrived = min(points_at_once // _FIRST_COEFFICIENTS, images.n_images) * images.n_coefficients
    each = _BYTES_OF_POINT + _BYTES_OF_POINT_AND_MAP * n_searched
    channels = 2 * n_maps + (n_maps * (n_maps + 1) // 2 if is_joint else n_maps)
    per_particle = 2 * (n_searched**2 + n_searched) if is_joint else 2 * n_searched
    work = (
        Term("blocks of particles", n_halves_at_once * (points * each + _COMPLEX * arrived)),
        Term("sums for maps", _FLOAT * grid_points * (_SUMS_FACTOR * channels + _MORE_GRIDS)),
        Term("posteriors", 8 * _FLOAT * per_particle * images.n_particles),
    )
    ahead = images.prefetch * arrived * images.stored_bytes * n_halves_at_once
    host = Footprint(host=(Term("blocks read ahead", ahead),))
    return on_device(work, is_gpu=is_gpu) + host + context(is_gpu=is_gpu)


def equations_term(images: Images, *, n_maps: int, n_kept: int) -> Term:
    """What images say of errors of their poses, and particles of these and of latents.

    Args:
        images: of the set.
        n_maps: of the model that is judged.
        n_kept: sets of equations that are kept at the same time.
    """
    numbers = _CHANGES**2 + _CHANGES + 9 + 2  # a matrix, a vector, a rotation and two rows
    of_particle = 2 * (1 + _CHANGES + n_maps) ** 2
    of_all = n_kept * numbers * images.n_images + 2 * of_particle * images.n_particles
    return Term("equations of poses", _DOUBLE * of_all)


def kept_term(n_coefficients: int, most_kept: int) -> Term:
    """Small sets, which a linear model keeps between passes."""
    kept = n_coefficients if n_coefficients <= most_kept else 0
    return Term("kept images", _BYTES_KEPT * kept)


def volumes_terms(
    networks: Networks, *, n_volumes: int, box_size_px: int, is_gpu: bool
) -> Footprint:
    """Volumes that are decoded at once, and those that are written meanwhile."""
    voxels = n_volumes * box_size_px**3
    rows = min(networks.rows_at_once, voxels // 4)
    work = (
        Term("weights", _FLOAT * networks.n_weights),
        Term("volumes", _VOXEL_FACTOR * voxels),
        Term("activations", 2 * networks.feature_bytes * rows * networks.decoder_width),
    )
    host = Footprint(host=(Term("volumes to write", 2 * _FLOAT * voxels),) if is_gpu else ())
    return on_device(work, is_gpu=is_gpu) + host + context(is_gpu=is_gpu)


def context(*, is_gpu: bool) -> Footprint:
    """What a GPU needs before it holds anything."""
    return Footprint(device=(Term("driver", _CUDA_CONTEXT),) if is_gpu else ())
