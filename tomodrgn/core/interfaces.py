"""Protocols of built parts, and the frozen contexts that their factories receive.

A factory is called as ``factory(spec, context)``. Together with hookspecs, components, specs and
particles this is the plugin API. Shape letters as in :mod:`tomodrgn.core.conventions`.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NamedTuple, Protocol, Self, runtime_checkable

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from pathlib import Path

    import numpy as np
    from numpy.typing import NDArray
    from torch import Tensor, nn

    from tomodrgn.core.particles.corrections import Corrections
    from tomodrgn.core.particles.tables import ImageTable, ParticleSet


class Posterior(NamedTuple):
    """Gaussian posterior of the latents of B particles."""

    mean: Tensor  # (B, Z)
    log_variance: Tensor  # (B, Z)


@runtime_checkable
class Reader(Protocol):
    """Reads one upstream format; must survive pickling."""

    has_images: bool
    """False for a series without tilt images: training refuses it, filtering and mapback work."""

    def read(self) -> ParticleSet:
        """Metadata of the whole input; no pixels are read."""

    def load_images(self, rows: NDArray[np.int64]) -> NDArray[np.float32]:
        """(n, D, D) pixels of the ``source_image`` rows given, in that order."""

    def fingerprint(self) -> Mapping[str, Any]:
        """Files behind the set with size, mtime and header hash, as JSON values."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SourceRows:
    """The rows of an input, also those that its reader leaves out.

    Rows count like ``source_image`` of the set that is read or, where it has no images, like
    ``source_particle``.

    Attributes:
        particle: (rows,) ``source_particle`` of each row.
        tomogram: (particles,) tomogram name of each ``source_particle``, empty where none is known.
    """

    particle: NDArray[np.int64]
    tomogram: NDArray[np.object_]


@runtime_checkable
class SelectionWriter(Protocol):
    """A reader that can also write part of its input, as files of the same format."""

    def source_rows(self) -> SourceRows:
        """Particle and tomogram of every row of the input; no pixels are read."""

    def write_selection(
        self,
        rows: NDArray[np.int64],
        out: Path,
        columns: Mapping[str, NDArray[np.object_]] | None = None,
    ) -> list[Path]:
        """Write some rows (M,), each value as in the input; the files written, ``out`` first.

        ``columns`` are appended to the table of particles: text by name, one value for each
        ``source_particle``.
        """


class WrittenPoses(NamedTuple):
    """What became of refined poses.

    Attributes:
        files: the files written, the one asked for first.
        changed: the columns of the input that state something else now.
        not_written: what has no place in the files, and why.
    """

    files: list[Path]
    changed: tuple[str, ...]
    not_written: tuple[str, ...]


@runtime_checkable
class PoseWriter(Protocol):
    """A reader that can also write its input with refined poses, as files of the same format."""

    def write_poses(
        self, particles: ParticleSet, corrections: Corrections, out: Path
    ) -> WrittenPoses:
        """Write the input with other poses; every other value stays as it stands in the input.

        The poses that were stated first are kept beside them, so that the reader finds them again
        as ``corrections``.

        Args:
            particles: as they were read, all of them or some; the others keep their poses.
            corrections: of their poses.
            out: the file to write.
        """


class Doubt(NamedTuple):
    """What a reader had to assume that may not be so.

    Attributes:
        assumed: what was seen, and what is assumed.
        remedy: how to be sure.
    """

    assumed: str
    remedy: str


@runtime_checkable
class DoubtingReader(Protocol):
    """A reader that says what it had to assume, once it has read."""

    @property
    def doubts(self) -> Sequence[Doubt]:
        """What no test on images can settle."""


class PositionalEncoding(Protocol):
    """``nn.Module`` from frequencies to features."""

    out_dim: int

    def __call__(self, freqs: Tensor) -> Tensor:
        """(N, 3) cycles/px to (N, out_dim)."""


class Encoder(Protocol):
    """``nn.Module`` from the tilt images of particles to their latent posterior."""

    n_tilts: int | None
    """Number of images that every particle must bring; None for any."""

    def __call__(self, images: Tensor, counts: Tensor) -> Posterior:
        """Packed images (M, P, 2) of B particles with ``counts`` (B,) images each."""


@runtime_checkable
class PaddingEncoder(Protocol):
    """An encoder that lays the images of each particle side by side; optional.

    It would make the host wait if it asked a GPU how long the longest row is.
    """

    pads_images: bool
    """True where calls also take ``longest``, the largest of the counts, or None."""


class Decoder(Protocol):
    """``nn.Module`` from frequencies and latents to Fourier coefficients.

    Asked only at z <= 0; the volume model conjugates the rest.
    """

    def __call__(self, freqs: Tensor, latent: Tensor | None, counts: Tensor) -> Tensor:
        """(N, 3) cycles/px, (B, Z), ``counts`` (B,) rows of each particle, to (N, 2)."""


class DecoderSweep(Protocol):
    """Collects the gradients of a decoder over rows, forward and backward in one go."""

    def add(
        self, freqs: Tensor, owner: Tensor, answer_gradient: Callable[[slice, Tensor], Tensor]
    ) -> None:
        """Add rows ``freqs`` (N, 3), z <= 0, of the particles ``owner`` (N,).

        ``answer_gradient`` takes some of these rows and their answers (n, 2) and returns the
        derivative of the loss by these answers.
        """

    def finish(self) -> SweepGradients:
        """The gradients of all rows that were added."""


class SweepGradients(NamedTuple):
    """Derivatives of the loss, summed over the rows of a sweep."""

    parameters: list[Tensor]
    """One for each parameter of the decoder, in its order."""
    latent: Tensor | None
    """(B, Z), or None without latents."""


@runtime_checkable
class SweepingDecoder(Protocol):
    """A decoder that need not keep its activations for a later backward pass; optional."""

    def sweep(self, latent: Tensor | None) -> DecoderSweep | None:
        """A new sweep with latents (B, Z), or None where automatic differentiation serves."""


@runtime_checkable
class ManyLatentsDecoder(Protocol):
    """A decoder that answers many latents at the same frequencies in one go; optional."""

    def decode_at(self, freqs: Tensor, latents: Tensor) -> Tensor:
        """(V, K, 2) coefficients at ``freqs`` (K, 3), z <= 0, for latents (V, Z); no gradient."""


@runtime_checkable
class MapDecoder(Protocol):
    """A decoder that knows its volumes as maps, without asking for every frequency; optional."""

    def volumes(self, latent: Tensor | None) -> Tensor:
        """(B, D, D, D) volumes of latents (B, Z), whose coefficients are its answers."""


@runtime_checkable
class SubspaceEncoder(Protocol):
    """An encoder that takes what a linear model says of particles, instead of their images.

    It goes with a :class:`SubspaceDecoder`, and is fitted without a look at the images.
    """

    def begin(self, linear: Posterior) -> None:
        """Take scales from the linear posteriors (B, K) of a data set, before the fit."""

    def __call__(self, linear: Posterior) -> Posterior:
        """Linear posteriors (B, K) to posteriors (B, Z)."""


@runtime_checkable
class SubspaceSpec(Protocol):
    """The spec of a :class:`SubspaceDecoder`."""

    n_coordinates: int | None
    """K; None until it has been found."""


@runtime_checkable
class SubspaceDecoder(Protocol):
    """A decoder of volumes ``mean + sum_k c_k(z) basis_k`` in the span of K basis maps."""

    maps: nn.Parameter
    """(1 + K, D, D, D) mean and basis maps."""
    coordinates: nn.Module
    """The network c from latents (..., Z) to coordinates (..., K)."""


@runtime_checkable
class WarmStarting(Protocol):
    """An encoder or decoder that may be taught by another model before it is trained; optional."""

    can_start_warm: bool
    """True where its parameters learn by gradients from examples of what to answer."""


class LossWeighting(Protocol):
    """Weight of each coefficient of each image in the loss."""

    def weights(self, images: ImageTable[Tensor], radius_px: Tensor) -> Tensor:
        """(M, P) float32 in [0, 1] for M images and P coefficients at ``radius_px`` (P,)."""


class Exporter(Protocol):
    """Writes results for another program."""

    def export(self, results: RunResults, selection: NDArray[np.int64] | None) -> list[Path]:
        """Write the rows (n,) of ``results.particles``, all by default; the files written."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RunResults:
    """What a finished run knows.

    Attributes:
        directory: the run directory.
        spec: the resolved run spec, as plain values.
        particles: the particles that the run was trained on, with box and pixel size of the run.
        latents: (B, Z) posterior mean of each of these particles; None for one structure.
        log_variance: (B, Z) logarithm of the posterior variance.
        reader: reads the input of the run; its images may be missing.
    """

    directory: Path
    spec: Mapping[str, Any]
    particles: ParticleSet
    latents: NDArray[np.float32] | None
    log_variance: NDArray[np.float32] | None
    reader: Reader


@dataclass(frozen=True, slots=True, kw_only=True)
class ReaderContext:
    """What a reader is built for.

    With ``needs_images`` False the tilt images are not used: their stacks may be missing, and the
    box of the optics groups may be 0. Selections and placements need metadata alone.
    """

    needs_images: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class EncodingContext:
    """What a positional encoding is built for."""

    box_size_px: int
    seed: int


@dataclass(frozen=True, slots=True, kw_only=True)
class EncoderContext:
    """What an encoder is built for; ``radius_px`` (P,) ascends."""

    box_size_px: int
    radius_px: Tensor
    latent_dim: int
    min_tilts: int
    """Smallest number of tilt images that a particle brings to the encoder."""
    n_coordinates: int = 0
    """K of the subspace whose posteriors a :class:`SubspaceEncoder` takes."""


@runtime_checkable
class TiltDependentSpec(Protocol):
    """A spec that is completed once the numbers of tilt images are known."""

    def for_tilt_counts(self, fewest: int, most: int) -> Self:
        """The spec for particles that bring ``fewest`` to ``most`` tilt images."""


@dataclass(frozen=True, slots=True, kw_only=True)
class DecoderContext:
    """What a decoder is built for; ``latent_dim`` 0 means one volume for all particles."""

    box_size_px: int
    latent_dim: int
    encoding: PositionalEncoding | None
    seed: int


@dataclass(frozen=True, slots=True, kw_only=True)
class WeightingContext:
    """What a loss weighting is built for."""

    box_size_px: int
    pixel_size_a: float


@dataclass(frozen=True, slots=True, kw_only=True)
class ExporterContext:
    """Where an exporter writes."""

    outdir: Path
