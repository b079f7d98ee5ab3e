"""Stepwise search for the readings that explain a sample."""

from __future__ import annotations

from itertools import combinations
from typing import TYPE_CHECKING, Final

import numpy as np

from tomodrgn.core.inspection import alternatives as tried
from tomodrgn.core.inspection.comparison import FEWEST_PARTICLES, Ground
from tomodrgn.core.inspection.image_levels import read_as
from tomodrgn.core.inspection.likelihood import fit
from tomodrgn.core.inspection.sample import part_of
from tomodrgn.plugins.commands.check.contrast import density_skewness
from tomodrgn.plugins.commands.check.weighing import weighed

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from tomodrgn.core.inspection.alternatives import Alternative
    from tomodrgn.core.inspection.comparison import Comparison
    from tomodrgn.core.inspection.sample import Sample
    from tomodrgn.core.inspection.state import NoiseEvidence

_MOST_FAULTS: Final = 3
_MOST_ROUNDS: Final = 5
_HOPELESS_Z: Final = -12.0
_PART: Final = 3
"""One in so many pairs of neighbors is enough to see what is hopeless."""


class Search:
    """Alternatives are accepted one by one, and needless ones dropped.

    A fault may at first look like another one, such as poses that spoil all predictions like a
    wrong model of the noise. So what was accepted earlier has to prove itself again.

    Args:
        sample: images and metadata.
        noise: what their noise says of their state, or None.

    Attributes:
        given: the metadata as they are.
        best: the reading that was found.
    """

    def __init__(self, sample: Sample, noise: NoiseEvidence | None = None) -> None:
        self.given = self.best = Ground(sample)
        self._noise = noise
        self._part = _small_part(sample)
        self._accepted: dict[str, tuple[Alternative, list[Comparison]]] = {}
        self._rivals: dict[str, tuple[Comparison, ...]] = {}
        self._rounds = 0

    def run(self, progress: Callable[[int, int], None]) -> list[Comparison]:
        """Comparisons with the best reading, and those in which alternatives were accepted.

        Args:
            progress: told how many alternatives of all are tried; faults add to them.
        """
        while True:
            comparisons = self._compare_all(progress)
            worst = _worst(comparisons)
            is_over = len(self._accepted) == _MOST_FAULTS or self._rounds == _MOST_ROUNDS
            if worst is None or is_over:
                break
            self._accept(worst.alternative, comparisons)
        return [*comparisons, *(each for _, own in self._accepted.values() for each in own)]

    def rivals(self, assumption: str) -> tuple[Comparison, ...]:
        """Other faults that explain images as well as the one that was accepted."""
        return self._rivals.get(assumption, ()) if assumption in self._accepted else ()

    def against_chance(self) -> list[Comparison]:
        """The best reading against images in no order."""
        return [c for c in map(self.best.compare, tried.scrambles()) if c is not None]

    def _compare_all(self, progress: Callable[[int, int], None]) -> list[Comparison]:
        """Every alternative to an assumption that has not been replaced.

        What is hopeless on a part of the particles is not tried on all of them.
        """
        screen = None if self._part is None else Ground(self._read(self._part, self._accepted))
        open_ones = [a for a in tried.alternatives() if a.assumption not in self._accepted]
        accepted = [alternative for alternative, _ in self._accepted.values()]
        comparisons = []
        for place, alternative in enumerate(open_ones):
            comparison = None if screen is None else screen.compare(alternative)
            if comparison is None or comparison.z > _HOPELESS_Z:
                comparison = self.best.compare(alternative)
            if comparison is not None:
                if self._noise is not None:
                    comparison = weighed(comparison, self._noise, self.best.sample, accepted)
                comparisons.append(comparison)
            progress(place + 1, len(open_ones))
        return comparisons

    def _accept(self, alternative: Alternative, comparisons: Sequence[Comparison]) -> None:
        """Take an alternative for true, or a finer one, and drop what is not needed beside it."""
        self._rounds += 1
        own = [c for c in comparisons if c.alternative.assumption == alternative.assumption]
        candidates = map(self.best.compare, tried.finer(alternative))
        best = max((*own, *(c for c in candidates if c is not None)), key=_how_much_better)
        if alternative.assumption == tried.CTF_STATE:
            best = self.bright(best, own)
        own = [best, *(c for c in own if c.alternative.name != best.alternative.name)]
        self._rivals[alternative.assumption] = tuple(
            c
            for c in comparisons
            if c.decision == "contradicted"
            and c.alternative.fault != best.alternative.fault
            and best.is_rivaled_by(c)
        )
        earlier = list(self._accepted)
        self._accepted[alternative.assumption] = best.alternative, own
        self.best = Ground(self._read(self.given.sample, self._accepted))
        self._drop_needless(earlier)

    def bright(self, best: Comparison, others: Sequence[Comparison]) -> Comparison:
        """Of states that explain images alike, that in which density is bright.

        At low frequencies raw images are flipped ones of the other contrast.
        """
        alike = [best, *(c for c in others if c is not best and _is_like(best, c))]
        if len(alike) == 1:
            return best
        return max(alike, key=self.brightness)

    def brightness(self, comparison: Comparison) -> float:
        """How clearly density is bright where an alternative is true."""
        sample = read_as(comparison.alternative.change, self.best.sample) or self.best.sample
        agreement = fit(sample, self.best.base.noise).agreement
        return density_skewness(sample, agreement, 1 + int(sample.group.max()))[1]

    def _drop_needless(self, earlier: Sequence[str]) -> None:
        """Do without as many of the earlier alternatives as possible."""
        for n_dropped in range(len(earlier), 0, -1):
            for dropped in combinations(earlier, n_dropped):
                sample = self._read(
                    self.given.sample, [name for name in self._accepted if name not in dropped]
                )
                other = fit(sample, self.best.base.noise)
                if not self.best.is_clearly_worse(other):
                    for name in dropped:
                        del self._accepted[name]
                    self.best = Ground(sample, other)
                    return

    def _read(self, sample: Sample, names: Iterable[str]) -> Sample:
        """A sample under some of the accepted alternatives."""
        for name in names:
            sample = read_as(self._accepted[name][0].change, sample) or sample
        return sample


def _small_part(sample: Sample) -> Sample | None:
    """Every third pair of neighbors, if enough particles of both halves are among them."""
    first_image = np.unique(sample.particle.numpy(), return_index=True)[1]
    order = np.argsort(sample.source_row[first_image])
    wanted = np.zeros(sample.n_particles, dtype=np.bool_)
    wanted[order[np.arange(len(order)) // 2 % _PART == 0]] = True
    halves = np.bincount(sample.half.numpy()[first_image][wanted], minlength=2)
    return part_of(sample, wanted) if halves.min() >= FEWEST_PARTICLES else None


def _worst(comparisons: Sequence[Comparison]) -> Comparison | None:
    """The contradiction by the alternative that gains most."""
    contradictions = [c for c in comparisons if c.decision == "contradicted"]
    return max(contradictions, key=lambda c: c.difference, default=None)


def _is_like(best: Comparison, other: Comparison) -> bool:
    return other.decision == "contradicted" and best.is_rivaled_by(other)


def _how_much_better(comparison: Comparison) -> tuple[bool, float]:
    return comparison.decision == "contradicted", comparison.difference
