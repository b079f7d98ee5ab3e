"""What the gray levels of a set ought to be, and whether its images have to be brought there."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import NDArray

    from tomodrgn.core.gray_levels.survey import GrayLevels

OFFSET_LIMIT: Final = 0.25
"""Background levels, and rises over half a box, of normalized images are smaller, in deviations."""
SCALE_LIMIT: Final = 0.1
"""Deviations of normalized images, over the expected ones, differ by less between tomograms."""
IMAGE_SCALE_LIMIT: Final = 0.2
"""The same between images of a tomogram."""
_CLEAR_Z: Final = 4.0
_MIN_EXTREME: Final = 15.0
_EXTREME_OVER_TYPICAL: Final = 5.0
"""Far beyond the brightest view of a particle, which at SNR 1 has two to three times the peak of a
typical one: to replace such a peak is worse than to leave a hot pixel."""
_STRONG_EXTREME: Final = 15.0
"""Typical largest pixel, in deviations, from which margins show the particles more than noise."""
_SIGNAL_IN_MARGIN: Final = 0.05
_ODD_FACTOR: Final = 10.0
"""An image whose deviation is so many times that of its tomogram, or one of so many, is damaged."""
_OWN_FACTOR: Final = 1.5
_OWN_Z: Final = 5.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Standard:
    """How images of a set are judged and normalized.

    Attributes:
        normalizes: whether backgrounds are brought to level 0 and deviation 1.
        scale: (T,) logarithm of the deviation over the expected one, of each tomogram.
        image_weight: how much of its own deviation over that of its tomogram an image is divided
            by; 0 where images of a tomogram differ by no more than few pixels explain.
        own_limit: logarithm of a factor beyond which an image has a scale of its own.
        odd_limit: logarithm of a factor beyond which it is damaged; infinite where margins hold no
            noise.
        extreme_limit: distance from the background beyond which a pixel is extreme, in deviations.
        evenness_limit: evenness below which a side of an image is blank.
        reasons: in words, why images are normalized, or what was found.
    """

    normalizes: bool
    scale: NDArray[np.float64]
    image_weight: float
    own_limit: float
    odd_limit: float
    extreme_limit: float
    evenness_limit: float
    reasons: tuple[str, ...]


def set_standard(found: GrayLevels, *, forced: bool) -> Standard:
    """The standard of a set.

    Args:
        found: its gray levels.
        forced: normalize, whatever is found.
    """
    faults = tuple(_faults(found))
    reasons = faults or tuple(_as_they_are(found))
    if forced:
        reasons = ("as asked for", *reasons)
    within = found.scale.within
    return Standard(
        normalizes=found.has_noise and (forced or bool(faults)),
        scale=shrunk_scales(found),
        image_weight=_image_weight(found),
        own_limit=max(np.log(_OWN_FACTOR), _OWN_Z * within),
        odd_limit=np.log(_ODD_FACTOR) + within if found.has_noise else np.inf,
        extreme_limit=max(_MIN_EXTREME, _EXTREME_OVER_TYPICAL * found.extreme)
        if found.has_noise
        else np.inf,
        evenness_limit=found.evenness_limit if found.has_noise else 0.0,
        reasons=reasons,
    )


def shrunk_scales(found: GrayLevels) -> NDArray[np.float64]:
    """(T,) scale of each tomogram: its own as far as it is known, else that of all of them.

    Source:
        Efron & Morris 1973, doi:10.1080/01621459.1973.10481350: estimates drawn together by the
        part of their spread that their errors explain.
    """
    scale = found.scale
    known = np.isfinite(scale.typical) & np.isfinite(scale.error)
    if not known.any():
        return np.zeros(len(scale.typical))
    own, variance = scale.typical[known], np.square(scale.error[known])
    shared = float(np.median(own))
    between = max(0.0, float(np.mean(np.square(own - shared) - variance)))
    clear = np.abs(own - shared) > _CLEAR_Z * scale.error[known]
    kept = np.where(clear, 1.0, between / np.maximum(between + variance, 1e-30))
    shrunk = np.full(len(scale.typical), shared)
    shrunk[known] += kept * (own - shared)
    return shrunk


def _image_weight(found: GrayLevels) -> float:
    """Part of the scatter between images of a tomogram that sampling does not explain."""
    if _is_strong(found) or not found.has_noise:
        return 0.0
    sampling = 0.5 / found.n_pixels
    scatter = found.scale.within**2
    return 1 - sampling / scatter if scatter > max(2 * sampling, IMAGE_SCALE_LIMIT**2 / 4) else 0.0


def _is_strong(found: GrayLevels) -> bool:
    return found.extreme > _STRONG_EXTREME


def _faults(found: GrayLevels) -> Iterator[str]:
    """What is unlike normalized images, in words."""
    if not found.has_noise or not found.is_measured.any():
        return
    sampling = 1 / np.sqrt(found.n_pixels)
    level = max(OFFSET_LIMIT, _SIGNAL_IN_MARGIN * found.extreme)
    offset = found.offset
    known = np.isfinite(offset.typical)
    far = np.abs(offset.typical[known]) - _CLEAR_Z * offset.error[known] > level
    if far.any():
        most = offset.typical[known][np.argmax(np.abs(offset.typical[known]))]
        yield f"backgrounds lie at up to {most:.3g} deviations instead of 0"
    elif offset.within > level + 2 * sampling:
        yield f"background levels of a tomogram scatter by {offset.within:.3g} deviations"
    if found.slope > 2 * level + 4 * sampling:
        yield f"backgrounds rise by {found.slope:.3g} deviations over half a box"
    yield from _scale_faults(found)


def _scale_faults(found: GrayLevels) -> Iterator[str]:
    scale = found.scale
    known = np.isfinite(scale.typical)
    own, error = scale.typical[known], scale.error[known]
    joint = np.hypot(error, np.median(error))
    far = np.abs(own - np.median(own)) - _CLEAR_Z * joint > SCALE_LIMIT / 2
    if far.any() and np.ptp(own) > SCALE_LIMIT:
        yield f"deviations differ by a factor of up to {np.exp(np.ptp(own)):.3g} between tomograms"
    if scale.within > IMAGE_SCALE_LIMIT and not _is_strong(found):
        yield f"deviations of a tomogram scatter by {100 * np.expm1(scale.within):.0f} %"


def _as_they_are(found: GrayLevels) -> Iterator[str]:
    """What was found where images are left as they are."""
    if not found.has_noise:
        yield "margins hold no noise (masked or noise-free images), so nothing could be measured"
        return
    if not found.is_measured.any():
        yield "no image could be measured"
        return
    level = float(np.nanmedian(found.offset.typical))
    deviation = np.exp(found.scale.shared)
    yield f"background level {level:.2g} deviations, deviation {deviation:.3g} in all tomograms"
