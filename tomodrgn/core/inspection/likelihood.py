"""How likely the images of a sample are under its metadata, particle by particle.

Two maps are reconstructed, each from half of the particles, and predict the images of the other
half. What is left is noise: per shell, the misfit of the maps as the images transfer it, and the
noise as they transfer it. So a wrong assumption shows where it spoils the prediction, and where it
mistakes the spectrum of what is left, as for CTF-premultiplied images. Nothing is predicted from
itself, so consistent mistakes gain nothing, and what no image can tell stays open: a sign of
contrast, or a hand, that is the same everywhere.

Coefficients are independent complex Gaussians: log p = -|y - a g F|^2 / v - log v with
v = c (E g^2 + N h^2). The amplitude a, the misfit E and the noise N are fitted per shell, the
scale c per image.

Source:
    Comparison of models by their paired likelihoods: Vuong 1989, doi:10.2307/1912557.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, NamedTuple

import torch

from tomodrgn.core.fourier.shells import shell_indices
from tomodrgn.core.inspection.prediction import (
    as_recorded,
    centred_coefficients,
    half_maps,
    predict,
    sum_parts,
)
from tomodrgn.core.inspection.spectral_leakage import WindowLeakage
from tomodrgn.core.physics.dose import dose_attenuation
from tomodrgn.core.physics.transfer import noise_transfer, signal_transfer

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray
    from torch import Tensor

    from tomodrgn.core.inspection.sample import Sample

_ROUNDS: Final = 3
_SMALLEST_VARIANCE: Final = 0.03
"""Part of the mean power of a shell of an image that is always noise, whatever is assumed; it keeps
data without noise finite, and forgives where a transfer of nearly zero is nearly right."""
_INDEPENDENT: Final = 1e-4
"""Least determinant of two normalised columns at which both are fitted."""
_TINY: Final = 1e-30


@dataclass(frozen=True, slots=True, kw_only=True)
class Fit:
    """What a sample says about its metadata.

    Attributes:
        likelihood: (B,) log likelihood of the images of each particle.
        maps: (2, D, D, D) half maps.
        agreement: (D/2 + 1,) their Fourier shell correlation.
        noise: the model that weighed what the maps leave.
    """

    likelihood: Tensor
    maps: NDArray[np.float32]
    agreement: NDArray[np.float64]
    noise: NoiseModel


def fit(sample: Sample, noise: NoiseModel | None = None) -> Fit:
    """Predict each half of a sample from the other, and weigh what is left.

    Args:
        sample: images and metadata.
        noise: of another reading of the sample; taken over where images are transferred alike.
    """
    model = noise if noise is not None and noise.suits(sample) else NoiseModel(sample)
    centred = centred_coefficients(sample)
    maps, agreement = half_maps(sum_parts(sample, centred, sample.half, 2))
    return Fit(
        likelihood=likelihood_of_maps(sample, maps, 1 - sample.half, model),
        maps=maps,
        agreement=agreement,
        noise=model,
    )


def likelihood_of_maps(
    sample: Sample, maps: NDArray[np.float32], which: Tensor, model: NoiseModel
) -> Tensor:
    """(B,) log likelihood of the images of each particle under given maps.

    Args:
        sample: images and metadata.
        maps: (V, D, D, D) in the gray levels of the images, up to a factor of 2 in each shell.
        which: (M,) the map of each image.
        model: of the noise of the sample.
    """
    predicted = as_recorded(sample, model.signal * predict(sample, maps, which))
    return _per_particle(model.likelihood(sample.coefficients, predicted), sample)


def blind_likelihood(sample: Sample, noise: NoiseModel | None = None) -> Tensor:
    """(B,) log likelihood of the images of each particle where nothing is predicted."""
    model = noise or NoiseModel(sample)
    return _per_particle(model.likelihood(sample.coefficients, None), sample)


class _Parts(NamedTuple):
    """What is fitted to images."""

    variance: Tensor
    """(M, P) of what the prediction leaves, but for the scale."""
    scale: Tensor
    """(M, 1) of each image."""
    left: Tensor
    """(M, P) power that it leaves."""


class NoiseModel:
    """Variance of each coefficient, fitted to what a prediction leaves."""

    def __init__(self, sample: Sample) -> None:
        self._source = _what_transfers(sample)
        self.signal = _damaged_transfer(sample, sample.freqs_per_a())  # (M, P), signed
        leak = WindowLeakage(sample.window, sample.disc, larger=sample.filtered_in)
        freqs_per_a = torch.from_numpy(leak.disc.freqs()) / sample.pixel_size_a
        is_finer = leak.disc is not sample.disc
        signal = _damaged_transfer(sample, freqs_per_a) if is_finer else self.signal
        noise = noise_transfer(sample.images, freqs_per_a, sample.optics)
        self._signal_power = leak(signal.square())
        self._noise_power = torch.ones_like(self.signal) if noise is None else leak(noise.square())
        self._shell = torch.from_numpy(shell_indices(sample.disc.radius_px)) - 1
        self._n_shells = int(self._shell.max()) + 1

    def suits(self, sample: Sample) -> bool:
        """Whether images of a sample are transferred as those of the sample it was made from."""
        return all(a is b for a, b in zip(self._source, _what_transfers(sample), strict=True))

    def likelihood(self, observed: Tensor, predicted: Tensor | None) -> Tensor:
        """(M,) log likelihood of images, given a prediction or none."""
        parts = self._fit(observed, predicted)
        variance = parts.scale * parts.variance
        return -(parts.left / variance + variance.log()).sum(1)

    def variance(self, observed: Tensor, predicted: Tensor, particle: Tensor) -> Tensor:
        """(M, P) variance around a prediction, with the scale of particles instead of images.

        So it hardly changes where images of a particle change places.

        Args:
            observed: (M, P) coefficients of images.
            predicted: (M, P) what is predicted of them.
            particle: (M,) the particle of each image.
        """
        parts = self._fit(observed, predicted)
        counts = torch.bincount(particle).clamp_min(1)
        scale = torch.zeros(len(counts)).index_add_(0, particle, parts.scale[:, 0]) / counts
        return scale[particle][:, None] * parts.variance

    def _fit(self, observed: Tensor, predicted: Tensor | None) -> _Parts:
        """Amplitudes of the prediction, variances and scales, by turns."""
        left = _squared(observed)
        floor = _SMALLEST_VARIANCE * self._means(left)[:, self._shell]
        variance = self._means(left).mean(0)[self._shell] * self._noise_power + floor
        scale = torch.ones_like(left[:, :1])
        for _ in range(_ROUNDS):
            if predicted is not None:
                amplitude = self._amplitude(observed, predicted, scale * variance)
                left = _squared(observed - amplitude[self._shell] * predicted)
            misfit, noise = self._two_parts(left / scale, variance)
            variance = misfit[self._shell] * self._signal_power
            variance += noise[self._shell] * self._noise_power + floor
            scale = (left / variance).mean(1, keepdim=True).clamp_min(_TINY)
        return _Parts(variance, scale, left)

    def _amplitude(self, observed: Tensor, predicted: Tensor, variance: Tensor) -> Tensor:
        """(shells,) factor between 0 and 2 that fits a prediction best."""
        product = observed.real * predicted.real + observed.imag * predicted.imag
        agreement = self._sums(product / variance)
        strength = self._sums(_squared(predicted) / variance)
        return (agreement / strength.clamp_min(_TINY)).clamp(0, 2)

    def _two_parts(self, left: Tensor, variance: Tensor) -> tuple[Tensor, Tensor]:
        """(shells,) misfit E and noise N, neither negative, by weighted least squares."""
        weight = variance.square().reciprocal()
        signal, noise = self._signal_power, self._noise_power
        ss, sn, nn = (self._sums(weight * a * b) for a, b in
                      ((signal, signal), (signal, noise), (noise, noise)))  # fmt: skip
        ys, yn = self._sums(weight * left * signal), self._sums(weight * left * noise)
        determinant = ss * nn - sn.square()
        both = determinant > _INDEPENDENT * ss * nn
        safe = torch.where(both, determinant, 1.0)
        misfit = torch.where(both, (ys * nn - yn * sn) / safe, 0.0)
        only_noise = yn / nn.clamp_min(_TINY)
        rest = torch.where(both, (yn * ss - ys * sn) / safe, only_noise)
        rest = torch.where(misfit < 0, only_noise, rest)
        misfit = torch.where(rest < 0, ys / ss.clamp_min(_TINY), misfit)
        return misfit.clamp_min(0), rest.clamp_min(0)

    def _sums(self, values: Tensor) -> Tensor:
        """(shells,) sums over images and coefficients."""
        sums = values.new_zeros(self._n_shells, dtype=torch.float64)
        return sums.index_add_(0, self._shell, values.sum(0).double()).to(values.dtype)

    def _means(self, values: Tensor) -> Tensor:
        """(M, shells) means over the coefficients of each image."""
        counts = torch.bincount(self._shell, minlength=self._n_shells)
        sums = values.new_zeros(len(values), self._n_shells)
        return sums.index_add_(1, self._shell, values) / counts


def _damaged_transfer(sample: Sample, freqs_per_a: Tensor) -> Tensor:
    """(M, P) what images hold of a slice at frequencies (P, 2): transfer and radiation damage."""
    images = sample.images
    damage = dose_attenuation(images.dose_e_per_a2, freqs_per_a.norm(dim=-1), images.voltage_kv)
    signal = signal_transfer(images, freqs_per_a, sample.optics)
    return damage if signal is None else signal * damage


def _what_transfers(sample: Sample) -> tuple[object, ...]:
    """All that signal and noise of images depend on."""
    return sample.images.ctf, sample.images.dose_e_per_a2, sample.images.tilt_deg, sample.optics


def _squared(values: Tensor) -> Tensor:
    """Squared magnitude of complex values."""
    return values.real * values.real + values.imag * values.imag


def _per_particle(values: Tensor, sample: Sample) -> Tensor:
    """(B,) sums of log likelihoods (M,), as densities of the images that were read."""
    if sample.levels is not None:  # a complex number has two parts
        values = values + 2 * sample.coefficients.shape[1] * sample.levels.factor
    sums = torch.zeros(sample.n_particles, dtype=torch.float64)
    return sums.index_add_(0, sample.particle, values.double())
