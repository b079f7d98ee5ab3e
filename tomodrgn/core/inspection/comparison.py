"""An alternative against the metadata, on the same particles.

The mean difference of their log likelihoods over its standard error is z. Both halves of the
particles have to agree, because each is judged by a map of the other, whose noise they share.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, Literal

import numpy as np
import torch

from tomodrgn.core.inspection import alternatives as tried
from tomodrgn.core.inspection.image_levels import read_as
from tomodrgn.core.inspection.likelihood import Fit, blind_likelihood, fit

if TYPE_CHECKING:
    from torch import Tensor

    from tomodrgn.core.inspection.alternatives import Alternative
    from tomodrgn.core.inspection.sample import Change, Sample

Decision = Literal["supported", "contradicted", "doubtful", "undecided"]

CLEARLY_BETTER_Z: Final = 4.5
"""About one false alarm in three hundred thousand comparisons, of which a check makes some 50."""
DOUBTFUL_Z: Final = 3.5
"""A warning: about one in a hundred clean sets would carry one. Where an alternative is bracketed
by controls, it is better than readings between it and the metadata, too, which explain more than it
does where the metadata are right. Then chance would have to make good for what the metadata explain
beside this z, so that it is enough."""
CLEARLY_WORSE_Z: Final = 3.0
_CONTROL_Z: Final = 2.0
"""Least z at which a control explains more: a peak lies off its place by chance, too."""
_BETTER_IN_HALF_Z: Final = 1.6
"""Least z in either half of the particles: what one map gained by chance, the other does not."""
FEWEST_PARTICLES: Final = 8
_TINY: Final = 1e-9
_NOTABLE: Final = 0.01
"""Least gain, in units of what is explained, of alternatives that change the
shape of transfer functions: no model of the contrast or the damage is exact."""
_NOTABLE_OF: Final[dict[str, float]] = {
    tried.PIXEL_SIZE: 4e-3, tried.DOSE_ORDER: 2e-3, tried.HEIGHT: 2e-4, tried.TILT: 2e-4,
}  # fmt: skip
"""The same where alternatives are scans of a number, or mirror images of the metadata."""
_NOTABLE_OF_CUT: Final = 0.1
"""The same for all that changes transfer functions, where images were cropped or masked after they
were transferred: what was cut off is not predicted."""
_TRANSFER: Final = frozenset(
    {tried.CTF, tried.PIXEL_SIZE, tried.HEIGHT, tried.DOSE_STATE, tried.DOSE_ORDER}
)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Comparison:
    """An alternative against the metadata.

    Attributes:
        alternative: what was tried.
        z: mean difference of log likelihoods over its standard error; positive where the
            alternative is better.
        difference: mean difference of log likelihoods, per particle.
        gain: the same, in units of what the better of both explains.
        halves: z of either half of the particles alone, which are judged by other maps.
        decision: about the metadata.
        differences: (B,) of the log likelihood of each particle; None where it was not compared
            particle by particle.
    """

    alternative: Alternative
    z: float
    difference: float
    gain: float
    halves: tuple[float, float]
    decision: Decision
    differences: Tensor | None = None

    def is_rivaled_by(self, other: Comparison) -> bool:
        """Whether another alternative, compared with the same ground, explains images as well."""
        if self.differences is None or other.differences is None:
            return False
        better = self.differences - other.differences
        return paired_z(better) < student_limit(CLEARLY_WORSE_Z, len(better))


class Ground:
    """A reading of a sample, which alternatives are compared with.

    Attributes:
        sample: images and metadata.
        base: their fit.
        gain: (B,) what the prediction adds to the log likelihood.
    """

    def __init__(self, sample: Sample, base: Fit | None = None) -> None:
        self.sample, self.base = sample, base or fit(sample)
        self.gain = self.base.likelihood - blind_likelihood(sample, self.base.noise)

    def is_clearly_worse(self, other: Fit) -> bool:
        """Whether another fit of the same particles is clearly worse."""
        differences = other.likelihood - self.base.likelihood
        return paired_z(differences) < -student_limit(CLEARLY_WORSE_Z, len(differences))

    def compare(self, alternative: Alternative) -> Comparison | None:
        """An alternative against this reading; None where it would not be seen."""
        changed = read_as(alternative.change, self.sample)
        if changed is None:
            return None
        differences = fit(changed, self.base.noise).likelihood - self.base.likelihood
        z, difference = paired_z(differences), float(differences.mean())
        gain = self._in_units(difference)
        halves = self._z_of_halves(differences)
        return Comparison(
            alternative=alternative,
            z=z,
            difference=difference,
            gain=gain,
            halves=halves,
            decision=self._decide(alternative, differences, halves, gain),
            differences=differences,
        )

    def _decide(
        self,
        alternative: Alternative,
        differences: Tensor,
        halves: tuple[float, float],
        gain: float,
    ) -> Decision:
        n, z = self.sample.n_particles, paired_z(differences)
        if z > student_limit(DOUBTFUL_Z, n):
            if (
                alternative.assumption in _TRANSFER
                and self.sample.is_cut
                and gain < _NOTABLE_OF_CUT
            ):
                return "undecided"
            controls = (self._gain_by(change) - differences for change in alternative.controls)
            if any(paired_z(more) > student_limit(_CONTROL_Z, n) for more in controls):
                return "undecided"
        return decide(alternative, z, halves, gain=gain, n=n)

    def _gain_by(self, change: Change) -> Tensor:
        """(B,) what another reading adds to the log likelihood; nothing where it changes none."""
        changed = read_as(change, self.sample)
        if changed is None:
            return torch.zeros_like(self.base.likelihood)
        return fit(changed, self.base.noise).likelihood - self.base.likelihood

    def _in_units(self, difference: float) -> float:
        worth = float(self.gain.mean())
        return difference / max(worth, worth + difference, _TINY)

    def _z_of_halves(self, differences: Tensor) -> tuple[float, float]:
        counts = torch.bincount(self.sample.particle)
        half = self.sample.half[torch.cumsum(counts, 0) - counts]
        return paired_z(differences[half == 0]), paired_z(differences[half == 1])


def decide(
    alternative: Alternative, z: float, halves: tuple[float, float], *, gain: float, n: int
) -> Decision:
    """What a comparison says of the metadata, where its controls explain less.

    Args:
        alternative: what was tried.
        z: as in :class:`Comparison`.
        halves: the same.
        gain: the same.
        n: particles.
    """
    notable = gain > _NOTABLE_OF.get(alternative.assumption, _NOTABLE)
    needed = DOUBTFUL_Z if alternative.is_bracketed else CLEARLY_BETTER_Z
    is_better = z > student_limit(needed, n) and min(halves) > _BETTER_IN_HALF_Z
    if is_better and notable:
        return "contradicted"
    if z > student_limit(DOUBTFUL_Z, n):
        return "doubtful"
    return "supported" if z < -student_limit(CLEARLY_WORSE_Z, n) else "undecided"


def paired_z(differences: Tensor) -> float:
    """Mean of (n,) differences over its standard error; 0 where all are equal or too few."""
    n = len(differences)
    if n < FEWEST_PARTICLES:
        return 0.0
    spread = float(differences.std())
    return float(differences.mean()) / (spread / np.sqrt(n)) if spread > 0 else 0.0


def student_limit(z: float, n: int) -> float:
    """The value that a mean of n over its estimated error passes as rarely as a normal number z.

    Source:
        First term of the Cornish-Fisher expansion, Abramowitz & Stegun 26.7.5.
    """
    return z + (z**3 + z) / (4 * max(n - 1, 1))
