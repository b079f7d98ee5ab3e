"""Were images multiplied with their contrast transfer function? Their noise tells.

Noise that was multiplied with C has power C^2, and none at its zeros; other noise knows nothing of
C. So the power around particles, where little of their signal is, is taken as
``p(|k|) (1 - f + f C^2)``: f is the depth of the modulation, and p, of each image, is as smooth as
radiation, the detector and what surrounds particles make spectra, which C^2 is not. Nothing here
depends on poses, maps or the sign of contrast.

Source:
    Likelihood of a power spectrum: Whittle 1953, doi:10.1007/BF02590998.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import torch

from tomodrgn.core.fourier.disc import disc_to_images, images_to_disc
from tomodrgn.core.fourier.shells import shell_indices
from tomodrgn.core.inspection.comparison import paired_z
from tomodrgn.core.inspection.spectral_leakage import WindowLeakage
from tomodrgn.core.physics.ctf import contrast_transfer, electron_wavelength_a
from tomodrgn.core.physics.windows import circular_window

if TYPE_CHECKING:
    from torch import Tensor

    from tomodrgn.core.inspection.sample import Sample
    from tomodrgn.core.particles.tables import CtfTable

DEEP: Final = 0.8
"""Depth from which images are multiplied; errors of the defocus keep it below 1."""
SHALLOW: Final = 0.5
"""Depth up to which they are not; what surrounds particles was transferred, and so modulates."""

BOXES: Final = (1, 2)
"""Their own box, and a larger one that they were cropped from; no file says which it was."""

_DEPTHS: Final = torch.tensor([0.0, 0.25, 0.5, 0.65, 0.8, 0.9, 1.0], dtype=torch.float64)
_AROUND: Final = (0.55, 0.8)
"""Radii in units of the half box between which pixels begin to count."""
_FIRST_SHELL: Final = 2  # what is below knows the mean of an image, and its slope
_LEAST_POWER: Final = 0.02  # of what a zero may leave, for the defocus is not exact
_CLEAR_GAIN: Final = 20.0  # of a log likelihood: where C has no zero, all depths are alike
_CLEAR_Z: Final = 4.0
_STEPS: Final = 4
_BLOCK: Final = 64


@dataclass(frozen=True, slots=True)
class Modulation:
    """How much of the noise is modulated as the square of the contrast transfer.

    Attributes:
        depth: of best likelihood: 1 where images were multiplied, near 0 where they were not.
        gain: log likelihood of the best deep modulation less that of the best shallow one.
        z: the same in units of its error over particles.
        log_likelihood: of the best depth.
        box: edge of the box in which images were multiplied, if they were, over their own.
    """

    box: int
    depth: float
    gain: float
    z: float
    log_likelihood: float

    @property
    def is_deep(self) -> bool:
        """Whether images were clearly multiplied."""
        return self.depth >= DEEP and self._is_clear(self.gain, self.z)

    @property
    def is_shallow(self) -> bool:
        """Whether images were clearly left as they were, if the defocus is right."""
        return self.depth <= SHALLOW and self._is_clear(-self.gain, -self.z)

    @staticmethod
    def _is_clear(gain: float, z: float) -> bool:
        return gain > _CLEAR_GAIN and z > _CLEAR_Z


def noise_modulation(sample: Sample, boxes: tuple[int, ...] = BOXES) -> Modulation | None:
    """Modulation of what surrounds the particles of a sample; None without CTF or images.

    Args:
        sample: images and metadata, better at the resolution of the images.
        boxes: in which they may have been multiplied, in units of their own.
    """
    if sample.images.ctf is None or not len(sample.images):
        return None
    each = [_of_box(sample, larger) for larger in boxes]
    return max(each, key=lambda modulation: modulation.log_likelihood)


def _of_box(sample: Sample, larger: int) -> Modulation:
    """The modulation if images were multiplied in a box so many times larger."""
    pixels, window = _surroundings(sample)
    leakage = WindowLeakage(window, sample.disc, larger=larger)
    by_depth = torch.cat(
        [
            _log_likelihoods(sample, leakage, pixels[rows], rows)
            for rows in torch.arange(len(pixels)).split(_BLOCK)
        ]
    )  # fmt: skip  (M, depths)
    totals = by_depth.sum(0)
    deep = torch.where(_DEPTHS >= DEEP, totals, -torch.inf).argmax()
    shallow = torch.where(_DEPTHS <= SHALLOW, totals, -torch.inf).argmax()
    difference = torch.zeros(sample.n_particles, dtype=torch.float64)
    difference.index_add_(0, sample.particle, by_depth[:, deep] - by_depth[:, shallow])
    return Modulation(
        box=larger,
        depth=round(float(_DEPTHS[totals.argmax()]), 2),
        gain=float(totals[deep] - totals[shallow]),
        z=float(paired_z(difference)),
        log_likelihood=float(totals.max()),
    )


def _surroundings(sample: Sample) -> tuple[Tensor, Tensor]:
    """(M, D, D) images without their middle, and (D, D) how strong their noise is where.

    The latter has in it how upstream programs masked images.
    """
    disc = sample.disc
    pixels = disc_to_images(torch.view_as_real(sample.coefficients), disc)
    around = 1 - circular_window(disc.box_size_px, inner=_AROUND[0], outer=_AROUND[1])
    level = (pixels * around).sum((1, 2), keepdim=True) / around.sum()
    pixels = pixels - level
    square = pixels.square()
    mean = (square * around).mean((1, 2), keepdim=True)
    relative = square[mean.ravel() > 0] / mean[mean.ravel() > 0]
    strength = relative.median(0).values.sqrt() if len(relative) else torch.ones_like(around)
    return pixels * around, around * strength


def _log_likelihoods(
    sample: Sample, leakage: WindowLeakage, pixels: Tensor, rows: Tensor
) -> Tensor:
    """(n, depths) log likelihood of images at every depth; 0 for images of one value."""
    disc = sample.disc
    power = images_to_disc(pixels, disc).square().sum(-1)
    ctf = sample.images.ctf.convert(lambda column: column[rows])  # type: ignore[union-attr]
    freqs_per_a = torch.from_numpy(leakage.disc.freqs()) / sample.pixel_size_a
    squared = contrast_transfer(ctf, freqs_per_a).square()
    if leakage.disc is not disc:
        reach_px = ring_reach_a(ctf, freqs_per_a.norm(dim=-1)) / sample.pixel_size_a
        squared = torch.where(reach_px < disc.box_size_px, squared, 0.5)
    modulated = leakage(squared)
    shell = torch.from_numpy(shell_indices(disc.radius_px)) - 1
    counts = torch.bincount(shell)[_FIRST_SHELL - 1 :].double()
    radius = torch.arange(_FIRST_SHELL, _FIRST_SHELL + len(counts)) / (disc.box_size_px / 2)
    radius = radius.double()
    basis = torch.stack([torch.ones_like(radius), radius.log(), radius, radius.square()], dim=1)
    found = []
    for depth in _DEPTHS.tolist():
        variance = (1 - depth + depth * modulated).clamp_min(_LEAST_POWER)
        sums = _by_shell(power / variance, shell)[:, _FIRST_SHELL - 1 :]
        known = _by_shell(variance.log(), shell)[:, _FIRST_SHELL - 1 :].sum(1)
        found.append(_smooth_likelihood(sums, counts, basis) - known)
    return torch.where((power.sum(1) > 0)[:, None], torch.stack(found, dim=1), 0.0)


def ring_reach_a(ctf: CtfTable[Tensor], radius_per_a: Tensor) -> Tensor:
    """(M, P) how far apart C^2 correlates pixels of noise at a frequency, in angstrom.

    C^2 = (1 - cos 2 gamma) / 2, so that is the slope of 2 gamma / (2 pi). What reaches beyond the
    box is lost with the crop: there the mean of C^2 over neighboring frequencies is 1/2.

    Args:
        ctf: columns of M images.
        radius_per_a: (P,) in 1/angstrom.
    """
    wavelength = electron_wavelength_a(ctf.voltage_kv)[:, None]
    defocus = 0.5 * (ctf.defocus_u_a + ctf.defocus_v_a)[:, None]
    spherical = 1e7 * ctf.cs_mm[:, None]
    slope = -wavelength * defocus * radius_per_a + spherical * wavelength**3 * radius_per_a**3
    return 2 * slope.abs()


def _by_shell(values: Tensor, shell: Tensor) -> Tensor:
    """(n, shells) float64 sums over the coefficients of each shell."""
    sums = torch.zeros(len(values), int(shell.max()) + 1, dtype=torch.float64)
    return sums.index_add_(1, shell, values.double())


def _smooth_likelihood(sums: Tensor, counts: Tensor, basis: Tensor) -> Tensor:
    """(n,) log likelihood of power under the smooth spectrum that fits each image best.

    Args:
        sums: (n, shells) power, over its variance without the smooth part, summed over shells.
        counts: (shells,) coefficients of each.
        basis: (shells, 4) functions of radius whose sum is the log of the smooth part.
    """
    tiny = torch.finfo(sums.dtype).tiny
    logs = (sums / counts).clamp_min(tiny).log()
    orthogonal = torch.linalg.qr(basis * counts.sqrt()[:, None]).Q / counts.sqrt()[:, None]
    factors = (logs * counts) @ orthogonal
    for _ in range(_STEPS):  # Newton; the likelihood is concave
        share = sums * torch.exp(-(factors @ orthogonal.T))
        slope = (counts - share) @ orthogonal
        bend = torch.einsum("ms,si,sj->mij", share.clamp_min(1e-3), orthogonal, orthogonal)
        step = torch.linalg.solve(bend, slope[..., None])[..., 0]
        longest = (step @ orthogonal.T).abs().amax(1, keepdim=True)
        factors = factors - step / longest.clamp_min(1)
    logs = factors @ orthogonal.T
    likelihood: Tensor = -(sums * torch.exp(-logs) + counts * logs).sum(1)
    return likelihood
