"""Signal and noise factors of every image state."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch

from tomodrgn.core.particles.tables import CtfTable, ImageState, ImageTable, OpticsGroup
from tomodrgn.core.physics.dose import dose_attenuation
from tomodrgn.core.physics.transfer import noise_transfer, phase_flip, signal_transfer

FREQS = torch.tensor([[0.01, 0.0], [0.02, 0.01], [0.05, 0.03]])


def images(n: int = 4) -> ImageTable[torch.Tensor]:
    column = torch.ones(n)
    ctf = CtfTable(
        defocus_u_a=column * 2e4,
        defocus_v_a=column * 2.1e4,
        defocus_angle_deg=column * 30,
        voltage_kv=column * 300,
        cs_mm=column * 2.7,
        amplitude_contrast=column * 0.1,
        phase_shift_deg=column * 0,
    )
    return ImageTable(
        rotation=torch.eye(3).expand(n, 3, 3),
        shift_px=torch.zeros(n, 2),
        dose_e_per_a2=torch.arange(n) * 10.0,
        tilt_deg=torch.arange(n) * 15.0,
        voltage_kv=column * 300,
        optics=torch.arange(n) % 2,
        ctf=ctf,
    )


def groups(*states: ImageState) -> tuple[OpticsGroup, ...]:
    return tuple(
        OpticsGroup(name=str(i), pixel_size_a=4.0, box_size_px=8, state=state)
        for i, state in enumerate(states)
    )


RAW = groups(ImageState(), ImageState())


def signal(optics: tuple[OpticsGroup, ...]) -> torch.Tensor:
    found = signal_transfer(images(), FREQS, optics)
    assert found is not None
    return found


def test_premultiplied_signal_is_the_square_and_its_noise_the_modulus() -> None:
    optics = groups(*[ImageState(ctf_premultiplied=True)] * 2)
    noise = noise_transfer(images(), FREQS, optics)
    assert noise is not None
    torch.testing.assert_close(signal(optics), signal(RAW).square())
    torch.testing.assert_close(noise, signal(RAW).abs())


def test_flipped_signal_is_the_modulus_and_its_noise_white() -> None:
    optics = groups(*[ImageState(phase_flipped=True)] * 2)
    torch.testing.assert_close(signal(optics), signal(RAW).abs())
    assert noise_transfer(images(), FREQS, optics) is None


def test_inverted_contrast_changes_the_sign_of_the_signal_alone() -> None:
    optics = groups(*[ImageState(inverted=True)] * 2)
    torch.testing.assert_close(signal(optics), -signal(RAW))
    assert noise_transfer(images(), FREQS, optics) is None


@pytest.mark.parametrize("weighted", ["dose_weighted", "tilt_weighted"])
def test_weights_multiply_signal_and_noise_alike(weighted: str) -> None:
    optics = groups(*[ImageState(**{weighted: True})] * 2)
    noise = noise_transfer(images(), FREQS, optics)
    assert noise is not None
    torch.testing.assert_close(signal(optics), signal(RAW) * noise)
    expected = {
        "dose_weighted": dose_attenuation(
            images().dose_e_per_a2, FREQS.norm(dim=-1), torch.full((4,), 300.0)
        ),
        "tilt_weighted": torch.cos(torch.deg2rad(images().tilt_deg))[:, None].expand(4, 3),
    }
    torch.testing.assert_close(noise, expected[weighted])


@pytest.mark.parametrize(
    "state",
    [
        ImageState(ctf_premultiplied=True, inverted=True),
        ImageState(phase_flipped=True),
        ImageState(dose_weighted=True),
        ImageState(tilt_weighted=True),
    ],
)
def test_each_group_keeps_its_own_state(state: ImageState) -> None:
    of_second = images().optics == 1
    assert not torch.equal(signal(groups(state, state)), signal(RAW))
    for transfer in (signal_transfer, noise_transfer):
        mixed, alone, raw = (
            transfer(images(), FREQS, optics)
            for optics in (groups(ImageState(), state), groups(state, state), RAW)
        )
        if alone is None:  # no factor of the noise
            assert mixed is None
            continue
        assert mixed is not None
        torch.testing.assert_close(mixed[of_second], alone[of_second])
        expected = torch.ones_like(mixed) if raw is None else raw
        torch.testing.assert_close(mixed[~of_second], expected[~of_second])


def test_a_flip_makes_the_transfer_its_modulus() -> None:
    transfer = signal(RAW)
    assert (transfer < 0).any()
    torch.testing.assert_close(phase_flip(transfer) * transfer, transfer.abs())
    assert phase_flip(torch.zeros(1)).item() == 1


def test_untreated_images_without_ctf_have_no_factor() -> None:
    bare = replace(images(), ctf=None)
    assert signal_transfer(bare, FREQS, RAW) is None
    assert noise_transfer(bare, FREQS, RAW) is None


def test_dark_images_without_ctf_have_minus_one() -> None:
    bare = replace(images(), ctf=None)
    found = signal_transfer(bare, FREQS, groups(*[ImageState(inverted=True)] * 2))
    np.testing.assert_array_equal(found, -np.ones((4, 3)))


def test_the_envelope_of_a_b_factor_is_in_premultiplied_images_alone() -> None:
    optics = groups(ImageState(ctf_premultiplied=True), ImageState())
    damped = replace(images(), b_factor_a2=torch.tensor([100.0, 100.0, 0.0, 50.0]))
    envelope = torch.exp(-0.25 * 100 * FREQS.square().sum(-1))
    for transfer in (signal_transfer, noise_transfer):
        plain, found = (transfer(table, FREQS, optics) for table in (images(), damped))
        assert plain is not None
        assert found is not None
        torch.testing.assert_close(found[0], plain[0] * envelope)
        torch.testing.assert_close(found[1:], plain[1:])


def test_rows_without_b_factors_convert_without_them() -> None:
    assert images().convert(lambda column: column[:2]).b_factor_a2 is None
    damped = replace(images(), b_factor_a2=torch.arange(4.0))
    kept = damped.convert(lambda column: column[2:]).b_factor_a2
    assert kept is not None
    assert kept.tolist() == [2, 3]
