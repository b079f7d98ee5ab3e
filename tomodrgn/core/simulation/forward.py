"""From an experiment to its images: slices, transfer, damage, displacement, noise, treatment.

Images hold the disc of coefficients below Nyquist; their corners in Fourier space and their mean
are zero but for noise. A recorded image is ``scale * a * C * q * F(k @ R) * exp(2 pi i k.t)``: a
its contrast, C the contrast transfer, q the dose attenuation, t the shift that centers the particle
again. What surrounds the particle and the noise are added, and the gain of its tomogram multiplies
all. One scale for all images makes the variance of the noise 1, or that of the signal at contrast 1
where there is no noise.
What programs do to recorded images is in :mod:`~tomodrgn.core.simulation.treatment`.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Protocol

import numpy as np
import torch

from tomodrgn.core.fourier.disc import HalfPlaneDisc, disc_to_images, half_plane_disc, shift_phases
from tomodrgn.core.particles.tables import OpticsGroup
from tomodrgn.core.simulation.background import Background
from tomodrgn.core.simulation.experiment import JUNK, Experiment, draw_experiment
from tomodrgn.core.simulation.imaging import blocks, freqs_px, imaged
from tomodrgn.core.simulation.noise import colored
from tomodrgn.core.simulation.streams import random_stream
from tomodrgn.core.simulation.treatment import stated_dose_e_per_a2, treat, written_state

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import NDArray
    from torch import Tensor

    from tomodrgn.core.specs.simulation import SimulationSpec

_CALIBRATION_PARTICLES = 512


class Structure(Protocol):
    """Molecules of known shape, asked for slices and maps."""

    @property
    def box_size_px(self) -> int:
        """Edge D of images and maps."""

    @property
    def pixel_size_a(self) -> float:
        """Pixel size of images and maps."""

    def slices(
        self, labels: Tensor, motion: Tensor, rotation: Tensor, disc: HalfPlaneDisc
    ) -> Tensor:
        """(M, P) complex128 central slices of M particles of (M,) classes and (M, C) motions."""

    def volumes(self) -> Tensor:
        """(classes, D, D, D) maps at rest."""

    def states(self, labels: Tensor, motion: Tensor) -> Tensor:
        """(B, D, D, D) maps of B particles of (B,) classes and (B, C) motions."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Simulation:
    """An experiment on a structure, ready to be rendered.

    Attributes:
        spec: what was asked for.
        structure: the molecules.
        experiment: the draws.
        background: what surrounds them.
        scale: factor of every map and image.
        noise_std: standard deviation of the noise in the images, 1 or 0.
    """

    spec: SimulationSpec
    structure: Structure
    experiment: Experiment
    background: Background
    scale: float
    noise_std: float

    @property
    def disc(self) -> HalfPlaneDisc:
        """Coefficients of the images."""
        return half_plane_disc(self.structure.box_size_px)

    def expected(self, rows: NDArray[np.int64], labels: Tensor | None = None) -> Tensor:
        """(m, P) complex128 noiseless coefficients of images of gain 1, particles centered.

        Args:
            rows: (m,) rows of images.
            labels: (m,) classes to pretend, instead of the true ones.
        """
        found = self.scale * _centred_coefficients(self.structure, self.experiment, rows, labels)
        found *= torch.from_numpy(self.experiment.contrast[rows])[:, None]
        if self.spec.junk == "noise":
            particle = self.experiment.particle_of_image[rows]
            found[torch.from_numpy(self.experiment.labels[particle] == JUNK)] = 0
        return found

    @property
    def optics(self) -> OpticsGroup:
        """The optics of all images, with what is done to them."""
        return OpticsGroup(
            name="opticsGroup1",
            pixel_size_a=self.structure.pixel_size_a,
            box_size_px=self.structure.box_size_px,
            state=written_state(self.spec),
        )

    def clean_images(self, rows: NDArray[np.int64]) -> NDArray[np.float32]:
        """(m, D, D) images without noise, as they are written."""
        images = self._signal(rows)
        self._add_surroundings(rows, images)
        return self._treated(rows, self._amplified(rows, images))

    def surroundings(self, rows: NDArray[np.int64]) -> NDArray[np.float32]:
        """(m, D, D) all that images of gain 1 show besides their particle and noise."""
        images = np.zeros((len(rows), *[self.structure.box_size_px] * 2), dtype=np.float32)
        self._add_surroundings(rows, images)
        return images

    def record(self) -> Iterator[tuple[slice, NDArray[np.float32]]]:
        """Images (m, D, D) before any treatment, density positive, as :meth:`render` gives them."""
        box = self.structure.box_size_px
        rng = random_stream(self.spec.seed, "noise")
        for block in blocks(len(self.experiment.images), self.disc):
            rows = np.arange(block.start, block.stop)
            images = self._signal(rows)
            if self.noise_std:  # subtracted, and so added to the inverted images of Warp
                white = rng.standard_normal((len(images), box, box), dtype=np.float32)
                images -= colored(white, self.spec.noise_color)
            self._add_surroundings(rows, images)
            yield block, self._amplified(rows, images)

    def render(self) -> Iterator[tuple[slice, NDArray[np.float32]]]:
        """Images (m, D, D) of all rows in order, in bounded memory; the same at every call."""
        for block, recorded in self.record():
            yield block, self._treated(np.arange(block.start, block.stop), recorded)

    def true_maps(self) -> NDArray[np.float32]:
        """(classes, D, D, D) maps on the scale of the images."""
        return (self.scale * self.structure.volumes()).to(torch.float32).numpy()

    def true_volumes(self, particles: NDArray[np.int64]) -> NDArray[np.float32]:
        """(b, D, D, D) maps of particles that are no junk, likewise."""
        labels = torch.from_numpy(self.experiment.labels[particles])
        motion = torch.from_numpy(self.experiment.motion[particles])
        return (self.scale * self.structure.states(labels, motion)).to(torch.float32).numpy()

    def _signal(self, rows: NDArray[np.int64]) -> NDArray[np.float32]:
        """(m, D, D) images of gain 1 without noise."""
        shifts = torch.from_numpy(self.experiment.images.shift_px[rows])
        displaced = self.expected(rows) * shift_phases(freqs_px(self.disc), -shifts)
        images = disc_to_images(torch.view_as_real(displaced), self.disc)
        return images.to(torch.float32).numpy()

    def _add_surroundings(self, rows: NDArray[np.int64], images: NDArray[np.float32]) -> None:
        """Add to (m, D, D) images of gain 1."""
        if self.background.is_empty:
            return
        images += self.scale * self.background.objects(rows)
        images += self.background.patterns(rows)

    def _amplified(
        self, rows: NDArray[np.int64], images: NDArray[np.float32]
    ) -> NDArray[np.float32]:
        """(m, D, D) images times the gain of their tomogram."""
        return images * self.experiment.gain[rows, None, None].astype(np.float32)

    def _treated(
        self, rows: NDArray[np.int64], recorded: NDArray[np.float32]
    ) -> NDArray[np.float32]:
        """(m, D, D) images as programs write them that know what the files state."""
        known = replace(self.experiment.images, ctf=self.experiment.stated_ctf)
        images = known.convert(lambda column: torch.from_numpy(column[rows]))
        dose = torch.from_numpy(stated_dose_e_per_a2(self.spec, self.experiment.tilt[rows]))
        stated = replace(images, dose_e_per_a2=dose)
        return treat(torch.from_numpy(recorded), stated, self.optics).numpy()


def design(spec: SimulationSpec, structure: Structure) -> Simulation:
    """Draw an experiment and set its scale from the signal of up to 512 particles."""
    experiment = draw_experiment(spec, structure.pixel_size_a)
    variance = _signal_variance(structure, experiment)
    noisy = spec.snr is not None and np.isfinite(spec.snr)
    target = spec.snr if noisy and spec.snr is not None else 1.0
    return Simulation(
        spec=spec,
        structure=structure,
        experiment=experiment,
        background=Background(spec=spec, structure=structure, experiment=experiment),
        scale=float(np.sqrt(target / variance)),
        noise_std=1.0 if noisy else 0.0,
    )


def _signal_variance(structure: Structure, experiment: Experiment) -> float:
    """Mean square of the noiseless images, by Parseval's theorem on half planes."""
    real = np.flatnonzero(experiment.labels != JUNK)
    n = len(real)
    places = np.unique(np.linspace(0, n - 1, min(n, _CALIBRATION_PARTICLES)).astype(np.int64))
    sample = real[places]
    rows = np.flatnonzero(np.isin(experiment.particle_of_image, sample))
    disc = half_plane_disc(structure.box_size_px)
    total = sum(
        float(_centred_coefficients(structure, experiment, rows[block]).abs().square().sum())
        for block in blocks(len(rows), disc)
    )
    return 2 * total / (len(rows) * structure.box_size_px**4)


def _centred_coefficients(
    structure: Structure,
    experiment: Experiment,
    rows: NDArray[np.int64],
    labels: Tensor | None = None,
) -> Tensor:
    """(m, P) C q F(k @ R) of image rows."""
    disc = half_plane_disc(structure.box_size_px)
    images = experiment.images.convert(lambda column: torch.from_numpy(column[rows]))
    particle = experiment.particle_of_image[rows]
    true_labels = torch.from_numpy(experiment.labels[particle].clip(0))
    motion = torch.from_numpy(experiment.motion[particle])
    slices = structure.slices(
        true_labels if labels is None else labels, motion, images.rotation, disc
    )
    return imaged(slices, images, disc, structure.pixel_size_a)
