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
from typing import TYPE_CHECKING, Any, Final

import numpy as np
import torch

from tomodrgn.core.linear.fit import FIRST_RADIUS_PX
from tomodrgn.core.linear.half_models import cores_for_halves
from tomodrgn.core.particles.corrections import Corrections, no_corrections
from tomodrgn.core.refinement.moves import moved
from tomodrgn.core.refinement.steps import (
    SHIFTS,
    TURNS,
    ParticleEquations,
    Widths,
    widths_of,
)
from tomodrgn.core.refinement.views import Work

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray
    from torch import Tensor

    from tomodrgn.core.linear.observations import Observations
    from tomodrgn.core.refinement.joint import JointErrors, TiltWidths
    from tomodrgn.core.refinement.views import View

SIGNIFICANT_Z: Final = 3.0
"""Gain of log evidence over its standard error from which errors are taken to be there."""
FIRST_WIDTHS: Final = Widths(0.1, 0.5, 0.05)
"""Of errors of particles, from which those of greatest evidence are searched for."""
_MIN_EDGE_FSC: Final = 0.3
_RADIUS_GROWTH: Final = 1.25
_MAX_ROUNDS_AT_RADIUS: Final = 4
_LARGE_STEP: Final = 0.4
"""A step over the width of the prior from which one more is made with the same shells."""
_NO_STEP: Final = 1e-6
_WORTH_SAYING: Final = 1.02
"""Factor of widths from which the log has it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Refinement:
    """Errors of poses and contrast that were found.

    Attributes:
        corrections: of the B particles.
        covariance: (B, 7, 7) of what is not known of them: contrast, shift (px), turn (rad); where
            nothing was corrected, of errors that would have been seen.
        widths: standard deviations of the errors about the stated poses, as likely as they may be.
        tilt_widths: those of exposures, 0 where exposures have none.
        gain: (B,) log likelihood of the images of a particle that the corrections add, both with
            maps of the other half; or, where nothing was corrected, their log evidence.
        half_set: (B,) 1 or 2, the half in which each particle was refined.
        is_used: whether the corrections are worth it; otherwise there are none.
        radius_px: shells that were compared last.
        rounds: of maps and steps.
        widened: factor of standard deviations that is in the covariance, because tilts of even and
            odd rank differ by more than noise.
    """

    corrections: Corrections
    covariance: Tensor
    widths: Widths
    tilt_widths: TiltWidths
    gain: Tensor
    half_set: NDArray[np.int64]
    is_used: bool
    radius_px: int
    rounds: int
    widened: float = 1.0

    def figures(self, pixel_size_a: float) -> dict[str, Any]:
        """The same in numbers, angles in degrees and lengths in angstrom."""
        return {
            "is_used": self.is_used,
            "rotation_deg": float(np.degrees(self.widths.turn_rad)),
            "shift_a": self.widths.shift_px * pixel_size_a,
            "log_contrast": self.widths.contrast,
            "tilt_shift_a": self.tilt_widths.shift_px * pixel_size_a,
            "tilt_log_contrast": self.tilt_widths.contrast,
            "gain": float(self.gain.mean()),
            "z": self.z,
            "widened": self.widened,
            "rounds": self.rounds,
            "shells": self.radius_px,
        }

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
        work = Work(images, rows, window_power)
        radius_px = min(FIRST_RADIUS_PX, images.radius_px)
        view = work.view(stated, radius_px)
        across = view.particle_equations(across=True)
        widths, evidence = worthy_widths(across, always=always)
        tilt_widths = work.tilt_widths(view, stated, widths)
        if not any((*widths.of_errors(), *tilt_widths.of_errors())):
            nothing = torch.zeros_like(across.vector)
            return Refinement(
                corrections=stated,
                covariance=across.errors(FIRST_WIDTHS, nothing)[1],
                widths=across.widths(FIRST_WIDTHS),
                tilt_widths=tilt_widths,
                gain=evidence,
                half_set=work.half_set,
                is_used=False,
                radius_px=radius_px,
                rounds=0,
            )
        report(
            f"poses are refined: shells 1 to {radius_px} show errors of "
            f"{_text(widths, tilt_widths)} ({z_of(evidence):.1f} standard errors)"
        )
        return _rounds(work, _Poses(stated, view, widths, tilt_widths), report)


def width_of_errors(
    images: Observations,
    rows: tuple[NDArray[np.int64], NDArray[np.int64]],
    window_power: float,
) -> Widths:
    """How wide errors of particles may be about their present poses; arguments as above."""
    with cores_for_halves(images.device):
        work = Work(images, rows, window_power)
        radius_px = min(FIRST_RADIUS_PX, images.radius_px)
        view = work.view(no_corrections(images.particles), radius_px)
        return view.particle_equations(across=True).widths(FIRST_WIDTHS)


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
    widths = across.widths(FIRST_WIDTHS)
    evidence = across.evidence(widths)
    if z_of(evidence) < SIGNIFICANT_Z and not always:
        return Widths(0.0, 0.0, 0.0), evidence
    for kind in range(len(kept)):
        fewer = [each and number != kind for number, each in enumerate(kept)]
        without = across.widths(FIRST_WIDTHS.only(fewer))
        left = across.evidence(without)
        if z_of(evidence - left) < SIGNIFICANT_Z and any(fewer):
            kept, widths, evidence = fewer, without, left
    return widths, evidence


@dataclass(slots=True)
class _Poses:
    """Present corrections with the widths of the errors that they correct, and their maps."""

    corrections: Corrections
    view: View
    widths: Widths
    tilt_widths: TiltWidths
    found: JointErrors | None = None
    seen: tuple[View, Tensor] | None = None
    rounds: int = 0
    is_past_start: bool = False

    @property
    def radius_px(self) -> int:
        return self.view.images.radius_px

    def steps(self) -> tuple[float, float]:
        """Rms turn (rad) and shift (px) of the last step along an axis."""
        errors = _known(self.found).particle
        turn, shift = (errors[:, part].square().mean().sqrt() for part in (TURNS, SHIFTS))
        return float(turn), float(shift)

    def line(self) -> str:
        """What was done last, in words."""
        turn, shift = self.steps()
        steps = []
        if self.widths.turn_rad:
            steps.append(f"{np.degrees(turn):.2g} degrees")
        if self.widths.shift_px:
            steps.append(f"{shift:.2g} px")
        last = f"; last step {', '.join(steps)}" if steps else ""
        errors = _text(self.widths, self.tilt_widths)
        return f"poses, shells 1 to {self.radius_px}: errors of what is stated: {errors}{last}"


def _rounds(work: Work, poses: _Poses, report: Callable[[str], None]) -> Refinement:
    """Steps with more and more shells, as long as the halves agree on these."""
    while True:
        _settle(work, poses)
        report(poses.line())
        grown = min(int(np.ceil(_RADIUS_GROWTH * poses.radius_px)), work.images.radius_px)
        if grown == poses.radius_px or poses.view.edge_fsc < _MIN_EDGE_FSC:
            break
        poses.view = work.view(poses.corrections, grown)
        poses.is_past_start = True
        poses.tilt_widths = work.tilt_widths(poses.view, poses.corrections, poses.widths)
    covariance, widened = _known_up_to(poses)
    if widened > _WORTH_SAYING:
        report(
            f"odd and even tilts differ by more than noise: errors are known {widened:.2f} times "
            "less well than it alone would have it"
        )
    gain = work.gain(poses.view)
    is_used = z_of(gain) > SIGNIFICANT_Z
    return Refinement(
        corrections=poses.corrections if is_used else no_corrections(work.images.particles),
        covariance=covariance,
        widths=poses.widths,
        tilt_widths=poses.tilt_widths,
        gain=gain,
        half_set=work.half_set,
        is_used=is_used,
        radius_px=poses.radius_px,
        rounds=poses.rounds,
        widened=widened,
    )


def _known_up_to(poses: _Poses) -> tuple[Tensor, float]:
    """Covariance (B, 7, 7) of what is not known after the last step, and by what it was widened."""
    if poses.seen is None:
        raise ValueError("no step was made")
    view, stated = poses.seen
    excess = view.excess(poses.widths, stated)
    particles = view.particle_equations(across=False).weakened(excess)
    return particles.errors(poses.widths, stated)[1], excess**0.5


def _settle(work: Work, poses: _Poses) -> None:
    """Rounds with the same shells until steps are small beside the errors."""
    for _ in range(_MAX_ROUNDS_AT_RADIUS):
        back, _ = work.back(poses.corrections)
        found = work.errors(poses.view, poses.corrections, poses.widths, poses.tilt_widths)
        poses.widths = widths_of(found.particle - back, found.particle_covariance, poses.widths)
        poses.corrections = moved(
            poses.corrections,
            found,
            work.exposure,
            work.rows_of_images,
            work.rows,
            with_contrast=poses.is_past_start or not poses.widths.turn_rad + poses.widths.shift_px,
        )
        poses.found, poses.seen = found, (poses.view, back)
        poses.rounds += 1
        poses.view = work.view(poses.corrections, poses.radius_px)
        turn, shift = poses.steps()
        if turn <= _LARGE_STEP * poses.widths.turn_rad + _NO_STEP and (
            shift <= _LARGE_STEP * poses.widths.shift_px + _NO_STEP
        ):
            break


def _known(found: JointErrors | None) -> JointErrors:
    """Errors of a step that was made."""
    if found is None:
        raise ValueError("no step was made")
    return found


def _text(widths: Widths, tilt_widths: TiltWidths) -> str:
    """Errors that there are, in words."""
    parts = {
        f"{np.degrees(widths.turn_rad):.2g} degrees about each axis": widths.turn_rad,
        f"{widths.shift_px:.2g} px along each axis": widths.shift_px,
        f"contrast by {widths.contrast:.0%}": widths.contrast,
        f"tilt images displaced by {tilt_widths.shift_px:.2g} px": tilt_widths.shift_px,
        f"contrast of tilt images by {tilt_widths.contrast:.0%}": tilt_widths.contrast,
    }
    return ", ".join(text for text, width in parts.items() if width) or "none"
