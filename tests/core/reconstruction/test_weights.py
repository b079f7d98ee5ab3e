"""The laws of back-projection: what was done upstream does not change the sums."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import pytest
import torch

from tomodrgn.core.particles.tables import ImageState
from tomodrgn.core.physics.ctf import contrast_transfer
from tomodrgn.core.physics.dose import dose_attenuation
from tomodrgn.core.physics.transfer import phase_flip
from tomodrgn.core.reconstruction.weights import Attenuation, SliceWeights, slice_weights

if TYPE_CHECKING:
    from .conftest import Recorded

ALLOWED_FOR = Attenuation(dose=True, tilt=True)


def weights_of(recorded: Recorded, state: ImageState, allowed_for: Attenuation) -> SliceWeights:
    freqs = torch.from_numpy(recorded.disc.freqs()).double() / recorded.optics.pixel_size_a
    optics = (replace(recorded.optics, state=state),)
    return slice_weights(recorded.images, freqs, optics, allowed_for)


def treated(recorded: Recorded, state: ImageState) -> torch.Tensor:
    """Coefficients after an upstream program has multiplied them."""
    freqs = torch.from_numpy(recorded.disc.freqs()).double() / recorded.optics.pixel_size_a
    images = recorded.images
    assert images.ctf is not None
    transfer = contrast_transfer(images.ctf, freqs)
    y = recorded.coefficients
    if state.ctf_premultiplied:
        y = y * transfer
    if state.phase_flipped:
        y = y * phase_flip(transfer)
    if state.dose_weighted:
        y = y * dose_attenuation(images.dose_e_per_a2, freqs.norm(dim=-1), images.voltage_kv)
    if state.tilt_weighted:
        y = y * torch.cos(torch.deg2rad(images.tilt_deg))[:, None]
    return -y if state.inverted else y


@pytest.mark.parametrize(
    "state",
    [
        ImageState(ctf_premultiplied=True),
        ImageState(phase_flipped=True),
        ImageState(inverted=True),
        ImageState(dose_weighted=True),
        ImageState(tilt_weighted=True),
        ImageState(ctf_premultiplied=True, dose_weighted=True),
        ImageState(phase_flipped=True, tilt_weighted=True, inverted=True),
        ImageState(ctf_premultiplied=True, dose_weighted=True, tilt_weighted=True, inverted=True),
    ],
    ids=str,
)
def test_what_was_done_upstream_changes_nothing(recorded: Recorded, state: ImageState) -> None:
    raw = weights_of(recorded, ImageState(), ALLOWED_FOR)
    found = weights_of(recorded, state, ALLOWED_FOR)
    torch.testing.assert_close(found.power, raw.power)
    expected = recorded.coefficients * raw.signal
    torch.testing.assert_close(treated(recorded, state) * found.signal, expected)


@pytest.mark.parametrize("treatment", ["dose", "tilt"])
def test_upstream_weights_are_allowed_for_unasked(recorded: Recorded, treatment: str) -> None:
    state = ImageState(**{f"{treatment}_weighted": True})
    unasked = weights_of(recorded, state, Attenuation())
    asked = weights_of(recorded, state, Attenuation(**{treatment: True}))
    torch.testing.assert_close(unasked.signal, asked.signal)
    torch.testing.assert_close(unasked.power, asked.power)


def test_nothing_is_divided_by_a_small_transfer(recorded: Recorded) -> None:
    state = ImageState(ctf_premultiplied=True, dose_weighted=True, tilt_weighted=True)
    found = weights_of(recorded, state, ALLOWED_FOR)
    assert torch.equal(found.signal.abs(), torch.ones_like(found.signal))


def test_a_perfect_image_counts_once(recorded: Recorded) -> None:
    recorded = replace(recorded, images=replace(recorded.images, ctf=None))
    found = weights_of(recorded, ImageState(), Attenuation())
    assert torch.equal(found.signal, torch.ones_like(found.signal))
    assert torch.equal(found.power, torch.ones_like(found.power))


def test_each_optics_group_has_its_own_state(recorded: Recorded) -> None:
    group = torch.arange(len(recorded.images)) % 2
    images = replace(recorded.images, optics=group)
    freqs = torch.from_numpy(recorded.disc.freqs()).double() / 8.0
    states = (ImageState(), ImageState(ctf_premultiplied=True, inverted=True))
    optics = tuple(replace(recorded.optics, state=state) for state in states)
    found = slice_weights(images, freqs, optics, Attenuation())
    for number, state in enumerate(states):
        alone = weights_of(recorded, state, Attenuation())
        torch.testing.assert_close(found.signal[group == number], alone.signal[group == number])


def test_images_damped_by_a_b_factor_give_the_map_without_it(recorded: Recorded) -> None:
    freqs = torch.from_numpy(recorded.disc.freqs()).double() / recorded.optics.pixel_size_a
    b_factor_a2 = torch.linspace(0, 400, len(recorded.images), dtype=torch.float64)
    images = replace(recorded.images, b_factor_a2=b_factor_a2)
    envelope = torch.exp(-0.25 * b_factor_a2[:, None] * freqs.square().sum(-1))
    optics = (replace(recorded.optics, state=ImageState(ctf_premultiplied=True)),)
    found = slice_weights(images, freqs, optics, Attenuation())
    raw = weights_of(recorded, ImageState(), Attenuation())
    # of one slice F seen without noise, y = C F: sum(signal y) / sum(power) is F
    transfer = contrast_transfer(images.ctf, freqs)
    damped = transfer * transfer * envelope
    torch.testing.assert_close(found.signal * damped, found.power)
    torch.testing.assert_close(found.power, raw.power * envelope)
