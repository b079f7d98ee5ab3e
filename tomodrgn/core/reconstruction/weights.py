"""How each coefficient of an image counts in a reconstruction.

An image is taken as ``y = g d F + h n``: g and h as in :mod:`tomodrgn.core.physics.transfer`, d the
amplitude that radiation left of the molecule, n noise alike in all images. The map of least error
is the sum of ``w (g d / h^2) y`` over the sum of ``w g^2 d^2 / h^2``, w being a weight of the
image. What upstream programs multiplied with cancels in these ratios, so they are written out here
for each state and nothing is divided by a contrast transfer close to zero.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import torch

from tomodrgn.core.device_transfer import send
from tomodrgn.core.physics.ctf import contrast_transfer
from tomodrgn.core.physics.dose import dose_attenuation
from tomodrgn.core.physics.transfer import b_factor_envelope

if TYPE_CHECKING:
    from collections.abc import Sequence

    from torch import Tensor

    from tomodrgn.core.particles.tables import ImageTable, OpticsGroup


@dataclass(frozen=True, slots=True, kw_only=True)
class Attenuation:
    """What a reconstruction allows for, beyond what was done to the images upstream.

    Attributes:
        dose: signal is lost to radiation, as the critical dose says.
        tilt: images count by the cosine of their tilt.
    """

    dose: bool = False
    tilt: bool = False


@dataclass(frozen=True, slots=True)
class SliceWeights:
    """Factor of each coefficient in the numerator, and its share of the denominator, (M, P)."""

    signal: Tensor
    power: Tensor


def slice_weights(
    images: ImageTable[Tensor],
    freqs_per_a: Tensor,
    optics: Sequence[OpticsGroup],
    attenuation: Attenuation,
) -> SliceWeights:
    """Weights of M images.

    Args:
        images: M images.
        freqs_per_a: (P, 2) in 1/angstrom.
        optics: the groups that ``images.optics`` counts; they say what was done upstream.
        attenuation: what to allow for; what was done upstream is allowed for in any case.
    """

    def state(treatment: str) -> Tensor:  # (M, 1) bool
        treated = [bool(getattr(group.state, treatment)) for group in optics]
        return send(np.array(treated), freqs_per_a.device)[images.optics.long(), None]

    sign = torch.where(state("inverted"), -1.0, 1.0).to(freqs_per_a.dtype)
    signal = sign.expand(-1, len(freqs_per_a))
    power = torch.ones_like(signal)
    if images.ctf is not None:
        transfer = contrast_transfer(images.ctf, freqs_per_a)
        power = transfer.square()
        matched = torch.where(state("phase_flipped"), transfer.abs(), transfer)
        signal = signal * torch.where(state("ctf_premultiplied"), 1.0, matched)
    is_weighted = state("dose_weighted")
    if attenuation.dose or bool(is_weighted.any()):
        radius = freqs_per_a.norm(dim=-1)
        left = dose_attenuation(images.dose_e_per_a2, radius, images.voltage_kv)
        left = left if attenuation.dose else torch.where(is_weighted, left, 1.0)
        signal = torch.where(is_weighted, signal, signal * left)
        power = power * left.square()
    is_weighted = state("tilt_weighted")
    if attenuation.tilt or bool(is_weighted.any()):
        cosine = torch.cos(torch.deg2rad(images.tilt_deg)).clamp(0, 1)[:, None]
        share = cosine if attenuation.tilt else torch.where(is_weighted, cosine, 1.0)
        signal = torch.where(is_weighted, signal, signal * share)
        power = power * share
    if images.b_factor_a2 is not None:
        envelope = b_factor_envelope(images.b_factor_a2, freqs_per_a)
        power = power * torch.where(state("ctf_premultiplied"), envelope, 1.0)
    if images.scale is not None:
        scale = images.scale[:, None].to(power)
        signal, power = signal * scale, power * scale.square()
    return SliceWeights(signal, power)
