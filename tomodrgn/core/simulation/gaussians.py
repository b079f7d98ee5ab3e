"""Molecules as sums of isotropic Gaussians, whose transforms are known in closed form.

Positions and widths are in angstrom. A blob of mass m adds ``m exp(-2 pi^2 sigma^2 s^2)`` times its
phase at a spatial frequency s in 1/angstrom, in two as in three dimensions, so slices and volumes
agree exactly.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch

from tomodrgn.core.fourier.volumes import half_ball, half_ball_to_volumes

if TYPE_CHECKING:
    from torch import Tensor

    from tomodrgn.core.fourier.disc import HalfPlaneDisc


@dataclass(frozen=True, slots=True, kw_only=True)
class Blobs:
    """K Gaussians in each of B states of a molecule.

    Attributes:
        position_a: (B, K, 3) float64 centers (x, y, z); the origin is the center of the box.
        mass: (B, K) float64 integrals over space; 0 where a state lacks the blob.
        sigma_a: (K,) float64 widths.
    """

    position_a: Tensor
    mass: Tensor
    sigma_a: Tensor

    def take(self, rows: Tensor) -> Blobs:
        """The states of the rows (n,) given."""
        return Blobs(position_a=self.position_a[rows], mass=self.mass[rows], sigma_a=self.sigma_a)


def coefficients(blobs: Blobs, freqs_per_a: Tensor) -> Tensor:
    """Fourier transform of each state at any frequencies.

    Args:
        blobs: B states.
        freqs_per_a: (N, 3) float64 in 1/angstrom.

    Returns:
        (B, N) complex128.
    """
    angle = -2 * torch.pi * (blobs.position_a @ freqs_per_a.T)  # (B, K, N)
    envelope = _envelope(blobs.sigma_a, freqs_per_a.square().sum(-1))
    return (torch.polar(envelope.expand_as(angle), angle) * blobs.mass[..., None]).sum(1)


def slices(blobs: Blobs, rotation: Tensor, disc: HalfPlaneDisc, pixel_size_a: float) -> Tensor:
    """Central slices, one per state: the transforms of its projection along the beam.

    A Gaussian is a product over axes, so the lattice of a slice is one small matrix product.

    Args:
        blobs: M states, one per image.
        rotation: (M, 3, 3) float64, reference to image coordinates.
        disc: coefficients of the images.
        pixel_size_a: pixel size of the images.

    Returns:
        (M, P) complex128, coefficient of frequency k being that of the molecule at ``k @ R``.
    """
    projected = blobs.position_a @ rotation[:, :2].mT  # (M, K, 2)
    half = disc.box_size_px // 2
    step = 1 / (disc.box_size_px * pixel_size_a)
    along_x = _both_signs(_waves(projected[..., 0], blobs.sigma_a, step, half))
    along_y = _waves(projected[..., 1], blobs.sigma_a, step, half)
    lattice = (along_y * blobs.mass[..., None]).mT @ along_x  # (M, D/2 in y, D - 1 in x)
    kx, ky = torch.from_numpy(disc.k).T
    return lattice[:, ky, kx + half - 1]


def volumes(blobs: Blobs, box_size_px: int, pixel_size_a: float) -> Tensor:
    """Maps of each state as far as a box can hold it: the coefficients below Nyquist.

    Args:
        blobs: B states.
        box_size_px: D.
        pixel_size_a: pixel size of the maps.

    Returns:
        (B, D, D, D) float64, [z, y, x].
    """
    half, step = box_size_px // 2, 1 / (box_size_px * pixel_size_a)
    x, y, z = (
        _both_signs(_waves(position_a, blobs.sigma_a, step, half))
        for position_a in blobs.position_a.unbind(-1)
    )
    lattice = torch.einsum("bk,bkz,bky,bkx->bzyx", blobs.mass.to(x.dtype), z, y, x)
    ball = half_ball(box_size_px)
    kx, ky, kz = torch.from_numpy(ball.k).T + half - 1
    mean = blobs.mass.sum(1) / box_size_px**3
    return half_ball_to_volumes(lattice[:, kz, ky, kx], ball) + mean[:, None, None, None]


def _waves(position_a: Tensor, sigma_a: Tensor, step_per_a: float, n: int) -> Tensor:
    """(..., K, n) transform of each blob at n frequencies along one axis, from 0 upwards.

    Powers of one wave: repeated products are faster than sines and exact to 1e-14.
    """
    angle = -2 * torch.pi * step_per_a * position_a[..., None]
    first = torch.polar(torch.ones_like(angle), angle)
    powers = torch.cat([torch.ones_like(first), first.expand(*first.shape[:-1], n - 1)], dim=-1)
    freqs_per_a = step_per_a * torch.arange(n, dtype=position_a.dtype)
    return powers.cumprod(dim=-1) * _envelope(sigma_a, freqs_per_a.square())


def _both_signs(waves: Tensor) -> Tensor:
    """(..., 2 n - 1) transform at frequencies of both signs, ascending."""
    return torch.cat([waves[..., 1:].flip(-1).conj(), waves], dim=-1)


def _envelope(sigma_a: Tensor, squared_per_a2: Tensor) -> Tensor:
    """(K, n) amplitude of Gaussians of unit mass."""
    return torch.exp(-2 * torch.pi**2 * sigma_a[:, None] ** 2 * squared_per_a2)
