"""Refinement in rounds: maps of two halves, then a step of every particle and exposure.

Steps are those of Gauss and Newton, which hold where the angle times the distance from the center
times the shell is small: so few shells come first and more follow while the halves agree on them.
Each particle is compared with the map of its own half, so that halves stay independent. What errors
are worth is judged with the map of the *other* half, which a particle did not help to make.

Source:
    Gold-standard halves: Scheres 2012, doi:10.1016/j.jmb.2011.11.010. Frame alignment of exposures
    and particles together: Tegunov et al. 2021, doi:10.1038/s41592-020-01054-7.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Final

import numpy as np
import torch

from tomodrgn.core.linear.fit import FIRST_RADIUS_PX
from tomodrgn.core.linear.half_models import Halves, cores_for_halves, run_both
from tomodrgn.core.particles.corrections import Corrections, no_corrections
from tomodrgn.core.particles.exposures import distinct_exposures
from tomodrgn.core.refinement.equations import ImageEquations, equations
from tomodrgn.core.refinement.joint import JointErrors, Prior, TiltWidths, joint_errors
from tomodrgn.core.refinement.moves import errors_back, errors_back_of_tilts, moved
from tomodrgn.core.refinement.steps import (
    ParticleEquations,
    Widths,
    particle_equations,
    widths_of,
)

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray
    from torch import Tensor

    from tomodrgn.core.linear.observations import Observations

SIGNIFICANT_Z: Final = 3.0
"""Gain of log evidence over its standard error from which errors are taken to be there."""
MIN_TILT_EVIDENCE: Final = 10.0
"""Log evidence that errors of exposures have to gain in all."""
_START: Final = Widths(0.1, 0.5, 0.05)
_TILT_START: Final = TiltWidths(0.3, 0.1)
_TILT_WIDTH_ROUNDS: Final = 10
_MIN_EDGE_FSC: Final = 0.3
_RADIUS_GROWTH: Final = 1.25
_MAX_ROUNDS_AT_RADIUS: Final = 4
_LARGE_STEP: Final = 0.4
"""A step over the width of the prior from which one more is made with the same shells."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Refinement:
    """Errors of poses and contrast that were found.

    Attributes:
        corrections: of the B particles.
        covariance: (B, 7, 7) of what is not known of them: contrast, shift (px), turn (rad).
        widths: standard deviations of the errors about the stated poses.
        tilt_widths: those of exposures, 0 where exposures have none.
        gain: (B,) log likelihood of the images of a particle that the corrections add, both with
            maps of the other half; or, where nothing was corrected, their log evidence.
        is_used: whether the corrections are worth it; otherwise there are none.
        radius_px: shells that were compared last.
        rounds: of maps and steps.
    """

    corrections: Corrections
    covariance: Tensor
    widths: Widths
    tilt_widths: TiltWidths
    gain: Tensor
    is_used: bool
    radius_px: int
    rounds: int

    @property
    def z(self) -> float:
        """Mean gain over its standard error."""
        return z_of(self.gain)


def refine_poses(
    images: Observations,
    rows: tuple[NDArray[np.int64], NDArray[np.int64]],
    window_power: float,
    report: Callable[[str], None],
    *,
    always: bool = False,
) -> Refinement:
    """Refine poses and contrast of B particles, where they are worse than the images allow.

    Args:
        images: all coefficients of the particles, in the poses that the file states.
        rows: the particles (n,) of each half.
        window_power: mean square of the window of the images.
        report: takes a line about each stage.
        always: refine even where nothing says that poses are wrong.
    """
    stated = no_corrections(images.particles)
    with cores_for_halves(images.device):
        work = _Work(images, rows, window_power)
        radius_px = min(FIRST_RADIUS_PX, images.radius_px)
        view = work.view(stated, radius_px, None)
        across = view.particle_equations(across=True)
        widths, evidence = worthy_widths(across, always=always)
        tilt_widths = work.tilt_widths(view, stated, widths)
        if not any((*widths.of_errors(), *tilt_widths.of_errors())):
            nothing = torch.zeros_like(across.vector)
            return Refinement(
                corrections=stated,
                covariance=across.errors(widths, nothing)[1],
                widths=widths,
                tilt_widths=tilt_widths,
                gain=evidence,
                is_used=False,
                radius_px=radius_px,
                rounds=0,
            )
        report(
            f"poses are refined: shells 1 to {radius_px} show errors of {_text(widths)} "
            f"({z_of(evidence):.1f} standard errors)"
        )
        return _rounds(work, view, widths, tilt_widths, report)


def z_of(values: Tensor) -> float:
    """Mean of values (B,) over its standard error."""
    error = float(values.std()) / len(values) ** 0.5
    return float(values.mean()) / error if error > 0 else 0.0


def worthy_widths(across: ParticleEquations, *, always: bool = False) -> tuple[Widths, Tensor]:
    """Widths of the kinds of errors that are there, and the log evidence (B,) of all of them.

    Args:
        across: equations about the maps of the other halves.
        always: take it that there are some.
    """
    kept = [True, True, True]
    widths = across.widths(_START)
    evidence = across.evidence(widths)
    if z_of(evidence) < SIGNIFICANT_Z and not always:
        return Widths(0.0, 0.0, 0.0), evidence
    for kind in range(len(kept)):
        fewer = [each and number != kind for number, each in enumerate(kept)]
        without = across.widths(_START.only(fewer))
        left = across.evidence(without)
        if z_of(evidence - left) < SIGNIFICANT_Z and any(fewer):
            kept, widths, evidence = fewer, without, left
    return widths, evidence


def _rounds(
    work: _Work,
    first: _View,
    widths: Widths,
    tilt_widths: TiltWidths,
    report: Callable[[str], None],
) -> Refinement:
    corrections, view, rounds = no_corrections(work.images.particles), first, 0
    radius_px = view.images.radius_px
    while True:
        for _ in range(_MAX_ROUNDS_AT_RADIUS):
            back, _ = work.back(corrections)
            found = work.errors(view, corrections, widths, tilt_widths)
            widths = widths_of(found.particle - back, found.particle_covariance, widths)
            corrections = moved(corrections, found, work.exposure, work.rows_of_images, work.rows)
            rounds += 1
            size = found.particle[:, 4:].square().mean().sqrt() / max(widths.turn_rad, 1e-9)
            shift = found.particle[:, 1:4].square().mean().sqrt() / max(widths.shift_px, 1e-9)
            is_last = max(size, shift) < _LARGE_STEP
            view = work.view(corrections, radius_px, view)
            if is_last:
                break
        report(
            f"poses, shells 1 to {radius_px}: errors of the stated ones {_text(widths)}; last step "
            f"{float(found.particle[:, 4:].square().mean().sqrt()) * 180 / np.pi:.2g} degrees, "
            f"{float(found.particle[:, 1:4].square().mean().sqrt()):.2g} px"
        )
        grown = min(int(np.ceil(_RADIUS_GROWTH * radius_px)), work.images.radius_px)
        if grown == radius_px or view.edge_fsc < _MIN_EDGE_FSC:
            break
        radius_px = grown
        view = work.view(corrections, radius_px, view)
        tilt_widths = work.tilt_widths(view, corrections, widths)
    gain = work.gain(view, radius_px)
    is_used = z_of(gain) > SIGNIFICANT_Z
    return Refinement(
        corrections=corrections if is_used else no_corrections(work.images.particles),
        covariance=found.particle_covariance,
        widths=widths,
        tilt_widths=tilt_widths,
        gain=gain,
        is_used=is_used,
        radius_px=radius_px,
        rounds=rounds,
    )


class _View:
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
        """The same with a given precision of the noise."""
        return self._equations(self.maps.flip(0), precision)

    def particle_equations(self, *, across: bool) -> ParticleEquations:
        """Of all particles."""
        n_particles = self.images.particles.n_particles
        first, second = (
            particle_equations(each, n_particles) for each in (self.across if across else self.own)
        )
        return ParticleEquations(first.matrix + second.matrix, first.vector + second.vector)

    def _equations(self, maps: Tensor, precision: Tensor) -> list[ImageEquations]:
        def one(half: int) -> ImageEquations:
            return equations(self.images, self.halves.rows[half], maps[half], precision)

        return run_both(one, self.images)


class _Work:
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
        self.rows_of_images = [images.images_of(half) for half in rows]

    def view(self, corrections: Corrections, radius_px: int, before: _View | None) -> _View:
        """Maps of both halves at corrected poses."""
        images = self.images.to_radius(radius_px).of(corrections.of(self.images.particles))
        halves = Halves(images, self.rows, self.window_power)
        maps, precision, fsc = halves.mean_maps()
        return _View(halves, maps, precision, float(fsc[-4:-1].mean()))

    def back(self, corrections: Corrections) -> tuple[Tensor, Tensor]:
        """(B, 7) and (2, T, 3) errors by which everything would be as it was stated first."""
        earlier = self.images.particles.corrections
        total = corrections if earlier is None else corrections.after(earlier)
        tilts = errors_back_of_tilts(total, self.exposure, self.rows_of_images)
        return errors_back(total), tilts

    def errors(
        self, view: _View, corrections: Corrections, widths: Widths, tilt_widths: TiltWidths
    ) -> JointErrors:
        """Of all particles, and (2, T, 3) of exposures as either half sees them."""
        return self._solved(view.own, corrections, widths, tilt_widths)

    def tilt_widths(self, view: _View, corrections: Corrections, widths: Widths) -> TiltWidths:
        """Widths of the errors of exposures, 0 for kinds of which there are none."""
        kinds = TiltWidths(_TILT_START.shift_px, 0.0), TiltWidths(0.0, _TILT_START.contrast)
        shift, contrast = (
            found if evidence > MIN_TILT_EVIDENCE else TiltWidths(0.0, 0.0)
            for found, evidence in (
                self._tilt_widths(view, corrections, widths, start) for start in kinds
            )
        )
        return TiltWidths(shift.shift_px, contrast.contrast)

    def _tilt_widths(
        self, view: _View, corrections: Corrections, widths: Widths, start: TiltWidths
    ) -> tuple[TiltWidths, float]:
        """Widths of greatest evidence of the kinds of errors that are not 0 at the start."""
        found, back = start, self.back(corrections)[1]
        for _ in range(_TILT_WIDTH_ROUNDS):
            solved = self._solved(view.across, corrections, widths, found)
            second = ((solved.tilt - back).square() + solved.tilt_variance).mean((0, 1))
            shift_px, contrast = float(second[:2].mean().sqrt()), float(second[2].sqrt())
            found = TiltWidths(
                shift_px if start.shift_px else 0.0, contrast if start.contrast else 0.0
            )
        return found, solved.tilt_evidence

    def gain(self, view: _View, radius_px: int) -> Tensor:
        """(B,) log likelihood that refined poses add, with maps of the other half."""
        stated = self.view(no_corrections(self.images.particles), radius_px, None)
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


def _text(widths: Widths) -> str:
    return (
        f"{np.degrees(widths.turn_rad):.2g} degrees and {widths.shift_px:.2g} px about each axis, "
        f"contrast {widths.contrast:.2g}"
    )
