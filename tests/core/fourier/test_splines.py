from __future__ import annotations

import torch

from tomodrgn.core.fourier.splines import spline_spectra
from tomodrgn.core.reconstruction.resolution import spherical_mask

BOX = 24


def maps() -> torch.Tensor:
    generator = torch.Generator().manual_seed(3)
    mask = torch.from_numpy(spherical_mask(BOX, 0.7, 0.15))
    return torch.randn(2, BOX, BOX, BOX, generator=generator) * mask


def exact(volumes: torch.Tensor, freqs: torch.Tensor) -> torch.Tensor:
    place = torch.arange(BOX, dtype=torch.float64) - BOX // 2
    x, y, z = (torch.exp(-2j * torch.pi * f[:, None] * place) for f in freqs.double().unbind(1))
    return torch.einsum("czyx,nz,ny,nx->nc", volumes.to(torch.complex128), z, y, x)


def error(volumes: torch.Tensor, freqs: torch.Tensor) -> float:
    found = torch.view_as_complex(spline_spectra(volumes).at(freqs).double().contiguous())
    true = exact(volumes, freqs)
    return float((found - true).norm() / true.norm())


def test_values_on_the_lattice_are_exact() -> None:
    half = BOX // 2
    freqs = torch.randint(-half + 1, half, (100, 3)) / BOX
    assert error(maps(), freqs) < 1e-6


def test_values_between_are_close() -> None:
    freqs = (torch.rand(300, 3, generator=torch.Generator().manual_seed(1)) - 0.5) * 0.99
    assert error(maps(), freqs) < 3e-3


def test_gradients_reach_the_maps() -> None:
    volumes = maps().requires_grad_()
    spline_spectra(volumes).at(torch.rand(20, 3) - 0.5).square().sum().backward()
    assert volumes.grad is not None
    assert torch.isfinite(volumes.grad).all()
    assert volumes.grad.abs().max() > 0
