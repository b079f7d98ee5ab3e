"""Which CTF state do images prefer: raw, phase-flipped or premultiplied?

Whether they were multiplied, their noise tells (:mod:`tomodrgn.core.inspection.modulation`), at the
resolution of the images. Raw and phase-flipped images have equal noise; there maps of one half of
the particles have to predict the other.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final, Literal

from tomodrgn.core.inspection.comparison import CLEARLY_BETTER_Z, paired_z, student_limit
from tomodrgn.core.inspection.likelihood import fit
from tomodrgn.core.inspection.modulation import Modulation, noise_modulation
from tomodrgn.core.inspection.sample import draw_particles, load_sample, without_rows
from tomodrgn.core.inspection.transfer_changes import declared_state, scaled_pixels
from tomodrgn.core.inspection.upstream_mask import with_upstream_mask

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from tomodrgn.core.inspection.alternatives import Alternative
    from tomodrgn.core.inspection.sample import Change, Sample
    from tomodrgn.core.interfaces import Reader
    from tomodrgn.core.particles.tables import ParticleSet

CtfState = Literal["raw", "flipped", "premultiplied"]
NoiseSays = Literal["multiplied", "not multiplied", "nothing"]

_STATES: Final[tuple[CtfState, ...]] = ("raw", "flipped", "premultiplied")
_MOST_IMAGES: Final = 600
_MOST_IMAGES_OF_MAPS: Final = 3000
_LARGEST_BOX_PX: Final = 96
"""Of images whose noise is looked at; zeros of the transfer lie at fine detail."""
_OTHER_SCALES: Final = (0.5, 0.67, 0.75, 0.8, 0.85, 0.9, 0.95, 1.05, 1.1, 1.17, 1.25, 1.5, 2.0)
"""Pixel sizes, or defoci, that might be right instead, where noise does not follow the given."""


@dataclass(frozen=True, slots=True)
class StatePreference:
    """What images say about their CTF state.

    Attributes:
        state: the one that they prefer; None where they cannot tell.
        candidates: what they leave possible, one or more.
        z: how surely, in standard errors over particles.
        depth: how much of the noise is modulated as the squared transfer, 0 to 1; None without CTF.
    """

    state: CtfState | None
    candidates: tuple[CtfState, ...]
    z: float
    depth: float | None


def load_noise_sample(
    particles: ParticleSet, reader: Reader, progress: Callable[[int, int], None]
) -> Sample:
    """Some images at the resolution at which noise is looked at.

    Args:
        particles: the set, or a part of it.
        reader: reads its images.
        progress: told how many images of all are read.
    """
    drawn = draw_particles(particles, _MOST_IMAGES)
    sample, pixels = load_sample(
        drawn, reader, n_groups=1, progress=progress, largest_box_px=_LARGEST_BOX_PX
    )
    sample = without_rows(sample, pixels.unusable)
    return replace(sample, is_masked=with_upstream_mask(sample).is_masked)


def what_noise_says(sample: Sample) -> tuple[NoiseSays, Modulation | None]:
    """Whether the noise of images is that of multiplied ones, whatever their declared state.

    That it is not is said only where no other pixel size or defocus makes it so.

    Args:
        sample: from :func:`load_noise_sample`.
    """
    found = noise_modulation(sample)
    if found is None:
        return "nothing", None
    return _read_modulation(sample, found), found


class NoiseEvidence:
    """What noise says of the state of a set, under other readings of its metadata.

    Args:
        sample: from :func:`load_noise_sample`.
    """

    def __init__(self, sample: Sample) -> None:
        self._sample = sample
        self._found: dict[tuple[str, ...], tuple[Sample, Modulation | None]] = {}
        self._said: dict[tuple[str, ...], NoiseSays] = {}

    def under(self, alternatives: Sequence[Alternative]) -> tuple[NoiseSays, float]:
        """What it says if these alternatives are true, and z, positive where it is multiplied."""
        sample, found = self._modulation(alternatives)
        if found is None:
            return "nothing", 0.0
        key = _names(alternatives)
        if key not in self._said:
            agrees = found.is_shallow and not any(g.state.ctf_premultiplied for g in sample.optics)
            self._said[key] = "not multiplied" if agrees else _read_modulation(sample, found)
        return self._said[key], found.z

    def is_against(self, alternatives: Sequence[Alternative]) -> bool:
        """Whether noise that was multiplied follows the given transfer better than another one."""
        _, given = self._modulation([])
        if given is None or not given.is_deep:
            return False
        _, other = self._modulation(alternatives)
        return other is not None and other.log_likelihood < given.log_likelihood

    def is_cropped(self) -> bool:
        """Whether images were multiplied in a larger box, and then cropped."""
        _, found = self._modulation([])
        return found is not None and found.is_deep and found.box > 1

    def is_unclear(self) -> bool:
        """Whether noise is neither clearly multiplied nor clearly not, as the transfer is given."""
        _, found = self._modulation([])
        return found is None or not (found.is_deep or found.is_shallow)

    def _modulation(self, alternatives: Sequence[Alternative]) -> tuple[Sample, Modulation | None]:
        """The sample under some alternatives, and its modulation."""
        key = _names(alternatives)
        if key not in self._found:
            sample = self._sample
            for alternative in alternatives:
                sample = alternative.change(sample) or sample
            self._found[key] = sample, noise_modulation(sample)
        return self._found[key]


def _names(alternatives: Sequence[Alternative]) -> tuple[str, ...]:
    return tuple(alternative.name for alternative in alternatives)


def _read_modulation(sample: Sample, found: Modulation) -> NoiseSays:
    if found.is_deep:
        return "multiplied"
    if sample.is_masked and found.depth > 0:  # little is left around particles, and it is theirs
        return "nothing"
    if not found.is_shallow or any(other.is_deep for other in _elsewhere(sample)):
        return "nothing"
    return "not multiplied"


def preferred_state(
    particles: ParticleSet, reader: Reader, progress: Callable[[int, int], None]
) -> StatePreference:
    """The CTF state that images prefer, whatever they are declared to be in.

    Args:
        particles: the set, with poses, defocus and the sign of its contrast.
        reader: reads its images.
        progress: told how many images of all are read.
    """
    says, modulation = what_noise_says(load_noise_sample(particles, reader, progress))
    if modulation is None:
        return StatePreference(None, _STATES, 0.0, None)
    if says == "multiplied":
        return StatePreference("premultiplied", ("premultiplied",), modulation.z, modulation.depth)
    if says == "nothing":
        return StatePreference(None, _STATES, abs(modulation.z), modulation.depth)
    drawn = draw_particles(particles, _MOST_IMAGES_OF_MAPS)
    sample, _ = load_sample(drawn, reader, n_groups=1, progress=progress)
    raw, flipped = (_declared(sample, state) for state in ("raw", "flipped"))
    z = float(paired_z(fit(flipped).likelihood - fit(raw).likelihood))
    two: tuple[CtfState, ...] = ("raw", "flipped")
    if abs(z) < student_limit(CLEARLY_BETTER_Z, sample.n_particles):
        return StatePreference(None, two, abs(z), modulation.depth)
    state = two[int(z > 0)]
    return StatePreference(state, (state,), abs(z), modulation.depth)


def _declared(sample: Sample, state: str) -> Sample:
    return declared_state(state)(sample) or sample


def _elsewhere(sample: Sample) -> Iterator[Modulation]:
    """Modulations by transfer functions of other pixel sizes."""
    changes: list[Change] = [scaled_pixels(scale) for scale in _OTHER_SCALES]
    for change in changes:
        changed = change(sample)
        found = None if changed is None else noise_modulation(changed, boxes=(2,))
        if found is not None:
            yield found
