"""Whether posteriors of latents are as wide as they say, for decoders that are linear in z.

There a true volume has coordinates: those of its projection on the basis of the run, by least
squares over all coefficients, each counted by what images say of it where the run tells. Where a
run refined poses, the true volume is turned as it has it: the pose of a particle that bends is a
matter of definition. The ellipsoid that a posterior fills with 90 % of its mass should hold them
for 90 % of the particles.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np

from tomodrgn.core.fourier.shells import shell_indices

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from numpy.typing import NDArray

    Decode = Callable[[NDArray[np.float32]], Iterable[NDArray[np.float32]]]
    """(V, Z) latents to (D, D, D) volumes, one after the other."""

LEVELS: Final = (0.5, 0.9, 0.95)

_NOT_LINEAR = 1e-2
"""Largest deviation from linearity, relative to what the latents change."""


def linear_basis(
    decode: Decode, typical: NDArray[np.float32]
) -> tuple[NDArray[np.float32], NDArray[np.float32]] | None:
    """Volume at z = 0 and (Z, D, D, D) change with each latent; None for a decoder that bends.

    Args:
        decode: the decoder.
        typical: (Z,) a latent away from 0, at which linearity is judged.
    """
    z = np.concatenate([np.zeros((1, len(typical))), np.eye(len(typical)), typical[None]])
    volumes = np.stack(list(decode(z.astype(np.float32))))
    origin, basis = volumes[0], volumes[1:-1] - volumes[0]
    change = volumes[-1] - origin
    error = np.linalg.norm(change - np.tensordot(typical, basis, 1))
    return (origin, basis) if error <= _NOT_LINEAR * np.linalg.norm(change) else None


def coordinates_on(
    basis: NDArray[np.float32], origin: NDArray[np.float32], volumes: Iterable[NDArray[np.float32]]
) -> NDArray[np.float64]:
    """(V, Z) coordinates of the projections of volumes on ``origin + span(basis)``."""
    rows = basis.reshape(len(basis), -1)
    overlaps = np.stack([rows @ (volume - origin).ravel() for volume in volumes])
    coordinates: NDArray[np.float64] = np.linalg.lstsq(
        (rows @ rows.T).astype(np.float64), overlaps.T.astype(np.float64), rcond=None
    )[0].T
    return coordinates


def as_images_see(
    volume: NDArray[np.floating], weights: NDArray[np.floating] | None
) -> NDArray[np.float32]:
    """A volume (D, D, D) whose squared error is that of images with weights (D/2 + 1,) of shells.

    Without weights all coefficients count alike.
    """
    if weights is None:
        return volume.astype(np.float32)
    box = volume.shape[-1]
    axis = np.fft.fftfreq(box, 1 / box)
    radius = np.sqrt(axis[:, None, None] ** 2 + axis[:, None] ** 2 + axis[: box // 2 + 1] ** 2)
    shells = shell_indices(radius)
    factor = np.append(np.sqrt(weights), 0.0)[np.minimum(shells, len(weights))]
    seen: NDArray[np.float32] = np.fft.irfftn(
        np.fft.rfftn(volume) * factor, volume.shape, axes=(0, 1, 2)
    ).astype(np.float32)
    return seen


def turned(volume: NDArray[np.floating], turn: NDArray[np.floating]) -> NDArray[np.float32]:
    """A volume (D, D, D) about its center: at x, y, z is what was at (x, y, z) ``turn``."""
    from scipy.ndimage import affine_transform  # type: ignore[import-untyped]

    center = np.full(3, volume.shape[-1] // 2)
    matrix = np.asarray(turn, dtype=np.float64)[::-1, ::-1].T  # of indices, z first
    values: NDArray[np.float32] = affine_transform(
        volume.astype(np.float32), matrix, offset=center - matrix @ center
    )
    return values


def coverage(
    true: NDArray[np.float64], mean: NDArray[np.floating], covariance: NDArray[np.floating]
) -> dict[float, float]:
    """Fraction of true coordinates within the region of each level.

    Args:
        true: (B, Z).
        mean: (B, Z) of the posteriors.
        covariance: (B, Z, Z) of the posteriors.
    """
    from scipy.stats import chi2  # type: ignore[import-untyped]

    error = (true - mean)[..., None].astype(np.float64)
    weighted = np.linalg.solve(covariance.astype(np.float64), error)
    squared = (error * weighted).sum((1, 2))
    return {level: float((squared <= chi2.ppf(level, true.shape[1])).mean()) for level in LEVELS}
