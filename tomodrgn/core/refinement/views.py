"""What a round of refinement sees: maps of two halves at some poses, and errors about these."""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING, Final

import numpy as np
import torch

from tomodrgn.core.linear.half_models import Halves, run_both
from tomodrgn.core.linear.halves import where_alike
from tomodrgn.core.particles.corrections import no_corrections
from tomodrgn.core.particles.exposures import distinct_exposures
from tomodrgn.core.refinement.equations import ImageEquations, equations
from tomodrgn.core.refinement.joint import (
    JointErrors,
    Prior,
    TiltSystem,
    TiltWidths,
    joint_errors,
    likeliest_tilt_widths,
    tilt_systems,
)
from tomodrgn.core.refinement.joint_terms import in_units_of_widths
from tomodrgn.core.refinement.moves import errors_back, errors_back_of_tilts
from tomodrgn.core.refinement.steps import (
    ParticleEquations,
    Widths,
    of_tilt_sets,
    particle_equations,
)

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from torch import Tensor

    from tomodrgn.core.linear.observations import Observations
    from tomodrgn.core.particles.corrections import Corrections

MIN_TILT_EVIDENCE: Final = 10.0
"""Log evidence that errors of exposures have to gain in all."""
_TILT_START: Final = TiltWidths(0.3, 0.1)


class View:
    """Particles in some poses, with the maps of both halves that follow from them."""

    def __init__(self, halves: Halves, maps: Tensor, precision: Tensor, edge_fsc: float) -> None:
        self.halves, self.images, self.maps = halves, halves.images, maps
        self.precision, self.edge_fsc = precision, edge_fsc

    @cached_property
    def own(self) -> list[ImageEquations]:
        """Of each half, about its own map."""
        return self._equations(self.maps, self.precision)

    @cached_property
    def across(self) -> list[ImageEquations]:
        """Of each half, about the map of the other."""
        return self.across_with(self.precision)

    def across_with(self, precision: Tensor) -> list[ImageEquations]:
        """The same with a given precision (shells,) of the noise."""
        return self._equations(self.maps.flip(0), precision)

    def particle_equations(self, *, across: bool) -> ParticleEquations:
        """Of all particles."""
        n_particles = self.images.particles.n_particles
        first, second = (
            particle_equations(each, n_particles) for each in (self.across if across else self.own)
        )
        return ParticleEquations(first.matrix + second.matrix, first.vector + second.vector)

    def excess(self, widths: Widths, stated: Tensor) -> float:
        """Power of noise over that which is taken to be there, 1 or more, as tilts tell it.

        Those of even and odd rank predict each other; errors are about what is stated (B, 7).
        """
        n_particles = self.images.particles.n_particles
        sets = [of_tilt_sets(each, n_particles) for each in self.own]
        matrix, vector = (first + second for first, second in zip(*sets, strict=True))
        return max(1.0, in_units_of_widths(matrix, vector, widths, stated).inconsistency())

    def _equations(self, maps: Tensor, precision: Tensor) -> list[ImageEquations]:
        def one(half: int) -> ImageEquations:
            return equations(self.images, self.halves.rows[half], maps[half], precision)

        return run_both(one, self.images)


class Work:
    """The images that are refined, and which of them belong together."""

    def __init__(
        self,
        images: Observations,
        rows: tuple[NDArray[np.int64], NDArray[np.int64]],
        window_power: float,
    ) -> None:
        self.images, self.rows, self.window_power = images, rows, window_power
        series, exposure = distinct_exposures(images.particles)
        self.series, self.exposure = torch.from_numpy(series), torch.from_numpy(exposure)
        self.n_exposures = int(exposure.max()) + 1
        self.half_set = 1 + np.isin(np.arange(images.particles.n_particles), rows[1]).astype(int)
        self.rows_of_images = [images.images_of(half) for half in rows]

    def view(self, corrections: Corrections, radius_px: int) -> View:
        """Maps of both halves at corrected poses."""
        images = self.images.to_radius(radius_px).of(corrections.of(self.images.particles))
        halves = Halves(images, self.rows, self.window_power)
        maps, precision, fsc = halves.mean_maps()
        maps = _as_strong(maps * where_alike(*maps[:, 0]), maps)  # noise far out turns most
        return View(halves, maps, precision, float(fsc[-4:-1].mean()))

    def back(self, corrections: Corrections) -> tuple[Tensor, Tensor]:
        """(B, 7) and (2, T, 3) errors by which everything would be as it was stated first."""
        earlier = self.images.particles.corrections
        total = corrections if earlier is None else corrections.after(earlier)
        tilts = errors_back_of_tilts(total, self.exposure, self.rows_of_images)
        return errors_back(total), tilts

    def errors(
        self, view: View, corrections: Corrections, widths: Widths, tilt_widths: TiltWidths
    ) -> JointErrors:
        """Of all particles, and (2, T, 3) of exposures as either half sees them."""
        return self._solved(view.own, corrections, widths, tilt_widths)

    def tilt_widths(self, view: View, corrections: Corrections, widths: Widths) -> TiltWidths:
        """Widths of the errors of exposures, 0 for kinds of which there are none.

        Nothing is known of them where images do not say which of them are of one exposure.
        """
        if 2 * self.n_exposures > len(self.exposure):
            return TiltWidths(0.0, 0.0)
        kinds = TiltWidths(_TILT_START.shift_px, 0.0), TiltWidths(0.0, _TILT_START.contrast)
        systems = self._tilt_systems(view, corrections, widths)
        back = self.back(corrections)[1]
        shift, contrast = (
            found if evidence > MIN_TILT_EVIDENCE else TiltWidths(0.0, 0.0)
            for found, evidence in (likeliest_tilt_widths(systems, back, start) for start in kinds)
        )
        return TiltWidths(shift.shift_px, contrast.contrast)

    def _tilt_systems(
        self, view: View, corrections: Corrections, widths: Widths
    ) -> list[list[TiltSystem]]:
        """Of both halves, about the maps of the other."""
        stated = self.back(corrections)[0]
        return [
            tilt_systems(half, self.series[half.images], self.exposure[half.images], widths, stated)
            for half in view.across
        ]

    def gain(self, view: View) -> Tensor:
        """(B,) log likelihood that refined poses add, with maps of the other half."""
        stated = self.view(no_corrections(self.images.particles), view.images.radius_px)
        total = torch.zeros(self.images.particles.n_particles, dtype=torch.float64)
        for sign, each in ((1, view), (-1, stated)):
            for half in each.across_with(view.precision):
                total.index_add_(0, half.owner, sign * half.likelihood())
        return total

    def _solved(
        self,
        images: list[ImageEquations],
        corrections: Corrections,
        widths: Widths,
        tilt_widths: TiltWidths,
    ) -> JointErrors:
        n_particles = self.images.particles.n_particles
        back, back_of_tilts = self.back(corrections)
        found = [
            joint_errors(
                half,
                self.series[half.images],
                self.exposure[half.images],
                Prior(widths=widths, tilt_widths=tilt_widths, stated=back, stated_tilt=tilts),
            )
            for half, tilts in zip(images, back_of_tilts, strict=True)
        ]
        first, second = found
        in_second = torch.zeros(n_particles, dtype=torch.bool)
        in_second[torch.from_numpy(self.rows[1])] = True
        return JointErrors(
            particle=torch.where(in_second[:, None], second.particle, first.particle),
            particle_covariance=torch.where(
                in_second[:, None, None], second.particle_covariance, first.particle_covariance
            ),
            tilt=torch.stack([first.tilt, second.tilt]),
            tilt_variance=torch.stack([first.tilt_variance, second.tilt_variance]),
            tilt_evidence=first.tilt_evidence + second.tilt_evidence,
        )


def _as_strong(maps: Tensor, others: Tensor) -> Tensor:
    """Maps (2, 1, D, D, D) times what makes them most like others, so that contrast stays 1."""
    axes = (1, 2, 3, 4)
    alike = (maps * others).sum(axes, keepdim=True)
    return maps * alike / maps.square().sum(axes, keepdim=True).clamp_min(1e-30)
