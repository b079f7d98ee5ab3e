"""Samples whose images were transferred, treated or exposed otherwise."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Final

import numpy as np
import torch

from tomodrgn.core.inspection.sample import reversed_within

if TYPE_CHECKING:
    from torch import Tensor

    from tomodrgn.core.inspection.sample import Change, Sample
    from tomodrgn.core.particles.tables import ImageState

_SEEN_HEIGHT_A: Final = 100.0
"""Spread of particle heights below which their defocus cannot be told from none."""

_PHASE_PLATE_DEG: Final = 90.0


def _has_state(sample: Sample, name: str, *, value: bool) -> bool:
    return all(getattr(group.state, name) == value for group in sample.optics)


def _with_state(sample: Sample, **flags: bool) -> Sample:
    def changed(state: ImageState) -> ImageState:
        return replace(state, **flags)

    groups = tuple(replace(group, state=changed(group.state)) for group in sample.optics)
    return replace(sample, optics=groups)


def declared_state(state: str) -> Change:
    """Images in another state: raw, flipped or premultiplied."""
    flags = {"ctf_premultiplied": state == "premultiplied", "phase_flipped": state == "flipped"}

    def change(sample: Sample) -> Sample | None:
        if sample.images.ctf is None:
            return None
        if all(_has_state(sample, name, value=value) for name, value in flags.items()):
            return None
        return _with_state(sample, **flags)

    return change


def declared_dose_weighting(*, weighted: bool) -> Change:
    """Images that were dose-weighted upstream, or were not."""

    def change(sample: Sample) -> Sample | None:
        if _has_state(sample, "dose_weighted", value=weighted) or not _has_doses(sample):
            return None
        return _with_state(sample, dose_weighted=weighted)

    return change


def _has_doses(sample: Sample) -> bool:
    return float(sample.images.dose_e_per_a2.std()) > 0


def with_defocus(sample: Sample, added: Tensor | float, factor: float = 1.0) -> Sample | None:
    """Both defoci times a factor, plus a scalar or (M,) angstrom; None without CTF."""
    ctf = sample.images.ctf
    if ctf is None:
        return None
    changed = replace(
        ctf,
        defocus_u_a=factor * ctf.defocus_u_a + added,
        defocus_v_a=factor * ctf.defocus_v_a + added,
    )
    return sample.with_images(ctf=changed)


def scaled_defocus(factor: float) -> Change:
    """Defocus multiplied by a factor."""
    return lambda sample: with_defocus(sample, 0.0, factor)


def scaled_heights(factor: float) -> Change:
    """Particle heights multiplied by a factor, as far as they are in the defocus."""

    def change(sample: Sample) -> Sample | None:
        heights = sample.height_a
        if heights is None or float(heights.std()) < _SEEN_HEIGHT_A:
            return None
        return with_defocus(sample, (factor - 1) * heights)

    return change


def other_phase_shift(sample: Sample) -> Sample | None:
    """With a phase plate instead of without, or the other way round."""
    ctf = sample.images.ctf
    if ctf is None:
        return None
    near_none = ctf.phase_shift_deg.abs() < 45  # noqa: PLR2004  half way to a phase plate
    shifted = ctf.phase_shift_deg + torch.where(near_none, 90.0, -90.0)
    return sample.with_images(ctf=replace(ctf, phase_shift_deg=shifted))


def scaled_pixels(scale: float) -> Change:
    """Pixels that are larger by a factor; only the contrast transfer tells."""

    def change(sample: Sample) -> Sample | None:
        if sample.images.ctf is None:
            return None
        groups = (replace(g, pixel_size_a=scale * g.pixel_size_a) for g in sample.optics)
        return replace(sample, optics=tuple(groups))

    return change


def without_transfer(sample: Sample) -> Sample | None:
    """Images that were never transferred; maps take up what all of them have in common."""
    return None if sample.images.ctf is None else sample.with_images(ctf=None)


def reversed_doses(sample: Sample) -> Sample | None:
    """Doses of each particle from last to first."""
    if not _has_doses(sample):
        return None
    order = torch.from_numpy(
        np.lexsort((sample.images.dose_e_per_a2.numpy(), sample.particle.numpy()))
    )
    doses = sample.images.dose_e_per_a2.clone()
    doses[order] = doses[order][reversed_within(sample.particle[order])]
    return sample.with_images(dose_e_per_a2=doses)
