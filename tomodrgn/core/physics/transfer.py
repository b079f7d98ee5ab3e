"""From a central slice to what an image holds of it: y = g F + h noise.

g and h follow from the contrast transfer function C and from what upstream programs have done to
the images (:class:`~tomodrgn.core.particles.tables.ImageState`): g = C and h = 1 for raw images,
g = |C| and h = 1 for phase-flipped ones, g = C^2 and h = |C| for premultiplied ones. Dose
and tilt weights multiply g and h alike. The sign of inverted contrast and fitted scales belong to
g alone.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import torch

from tomodrgn.core.device_transfer import send
from tomodrgn.core.physics.ctf import contrast_transfer
from tomodrgn.core.physics.dose import dose_attenuation

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from torch import Tensor

    from tomodrgn.core.particles.tables import ImageTable, OpticsGroup


def signal_transfer(
    images: ImageTable[Tensor], freqs_per_a: Tensor, optics: Sequence[OpticsGroup]
) -> Tensor | None:
    """Factor g of each coefficient.

    Args:
        images: M images.
        freqs_per_a: (P, 2) in 1/angstrom.
        optics: the groups that ``images.optics`` counts; they say what was done upstream.

    Returns:
        (M, P), or None where every factor is 1.
    """
    transfer = None
    if images.ctf is not None:
        transfer = contrast_transfer(images.ctf, freqs_per_a)
        transfer = _choose(images, optics, "phase_flipped", transfer.abs, transfer)
        transfer = _choose(images, optics, "ctf_premultiplied", transfer.square, transfer)
    weights = upstream_weights(images, freqs_per_a, optics)
    if weights is not None:
        transfer = weights if transfer is None else transfer * weights
    if images.scale is not None:
        scale = images.scale[:, None].to(freqs_per_a)
        transfer = scale.expand(-1, len(freqs_per_a)) if transfer is None else transfer * scale
    if not any(group.state.inverted for group in optics):
        return transfer
    ones = images.dose_e_per_a2.new_ones(len(images), len(freqs_per_a))
    bright = ones if transfer is None else transfer
    return _choose(images, optics, "inverted", bright.neg, bright)


def noise_transfer(
    images: ImageTable[Tensor], freqs_per_a: Tensor, optics: Sequence[OpticsGroup]
) -> Tensor | None:
    """(M, P) factor h >= 0 of the noise; arguments as :func:`signal_transfer`."""
    transfer = None
    if images.ctf is not None and any(group.state.ctf_premultiplied for group in optics):
        modulus = contrast_transfer(images.ctf, freqs_per_a).abs()
        transfer = _choose(
            images, optics, "ctf_premultiplied", lambda: modulus, torch.ones_like(modulus)
        )
    weights = upstream_weights(images, freqs_per_a, optics)
    if transfer is None or weights is None:
        return weights if transfer is None else transfer
    return transfer * weights


def upstream_weights(
    images: ImageTable[Tensor], freqs_per_a: Tensor, optics: Sequence[OpticsGroup]
) -> Tensor | None:
    """(M, P) weights that upstream programs multiplied the images with, or None.

    They are those of dose and tilt, and the envelope that was part of the transfer function of
    premultiplied images.
    """
    weights = None
    if any(group.state.dose_weighted for group in optics):
        left = dose_attenuation(images.dose_e_per_a2, freqs_per_a.norm(dim=-1), images.voltage_kv)
        weights = _choose(images, optics, "dose_weighted", lambda: left, torch.ones_like(left))
    if any(group.state.tilt_weighted for group in optics):
        cosine = torch.cos(torch.deg2rad(images.tilt_deg)).clamp(0, 1)[:, None]
        ones = cosine.new_ones(len(images), len(freqs_per_a)) if weights is None else weights
        weights = _choose(images, optics, "tilt_weighted", lambda: ones * cosine, ones)
    if images.b_factor_a2 is not None:
        envelope = b_factor_envelope(images.b_factor_a2, freqs_per_a)
        left = _choose(
            images, optics, "ctf_premultiplied", lambda: envelope, torch.ones_like(envelope)
        )
        weights = left if weights is None else weights * left
    return weights


def b_factor_envelope(b_factor_a2: Tensor, freqs_per_a: Tensor) -> Tensor:
    """(M, P) factor exp(-B k^2 / 4) of images with B (M,) at frequencies (P, 2).

    Source:
        The envelope of ``rlnCtfBfactor`` in RELION.
    """
    return torch.exp(-0.25 * b_factor_a2[:, None] * freqs_per_a.square().sum(-1))


def phase_flip(transfer: Tensor) -> Tensor:
    """(M, P) sign, +1 or -1, that makes the contrast of an image agree at all frequencies."""
    return torch.where(transfer < 0, -1.0, 1.0)


def _choose(
    images: ImageTable[Tensor],
    optics: Sequence[OpticsGroup],
    treatment: str,
    treated: Callable[[], Tensor],
    untreated: Tensor,
) -> Tensor:
    """``treated()`` for the images of groups with a treatment, ``untreated`` for the others."""
    applies = [bool(getattr(group.state, treatment)) for group in optics]
    if not any(applies):
        return untreated
    if all(applies):
        return treated()
    which = send(np.array(applies), untreated.device)[images.optics]
    return torch.where(which[:, None], treated(), untreated)
