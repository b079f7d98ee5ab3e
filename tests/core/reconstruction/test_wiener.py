from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest
import torch

from tomodrgn.core.fourier.shells import fsc, shell_indices
from tomodrgn.core.reconstruction.insertion import empty_sums
from tomodrgn.core.reconstruction.maps import finish, finish_halves, reconstruct
from tomodrgn.core.reconstruction.weights import Attenuation
from tomodrgn.core.reconstruction.wiener import (
    prior_from_fsc,
    reconstruct_volume,
    shell_weights,
)

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from tomodrgn.core.reconstruction.insertion import FourierSums

    from .conftest import Recorded

TURN = torch.tensor([[0.0, 1, 0], [0, 0, 1], [1, 0, 0]]).double()
"""Takes x to y, y to z and z to x, so that grids go over into grids."""


@pytest.fixture(scope="session")
def sums(recorded: Recorded) -> FourierSums:
    return reconstructed(recorded)


def reconstructed(recorded: Recorded, turn: torch.Tensor | None = None) -> FourierSums:
    images = recorded.images
    if turn is not None:
        images = images.convert(lambda column: column @ turn if column.ndim == 3 else column)
    return reconstruct(
        recorded.coefficients,
        images,
        (recorded.optics,),
        recorded.disc,
        volume_index=recorded.everything_in_one,
        n_volumes=1,
        attenuation=Attenuation(dose=True),
    )


def scale_by_shell(volume: NDArray[np.floating], true: NDArray[np.floating]) -> NDArray[np.float64]:
    """Slope of the coefficients of a volume on those of the true map in shells 1 to D/2 - 1."""
    box = len(true)
    axis = np.fft.fftfreq(box, 1 / box)
    radius = np.sqrt(axis[:, None, None] ** 2 + axis[:, None] ** 2 + axis**2)
    shells = shell_indices(radius).ravel()
    a, b = np.fft.fftn(volume).ravel(), np.fft.fftn(true).ravel()
    cross, power = (np.bincount(shells, part) for part in ((a * b.conj()).real, np.abs(b) ** 2))
    return (cross / power)[1 : box // 2]


def test_map_of_perfect_images_is_the_true_map(recorded: Recorded, sums: FourierSums) -> None:
    volume = finish(sums)[0].numpy()
    assert fsc(volume, recorded.true_map)[1:-1].min() > 0.995
    # trilinear interpolation and the unknown mean of the images cost a few percent
    np.testing.assert_allclose(scale_by_shell(volume, recorded.true_map), 1, atol=0.05)


def test_map_turns_with_the_poses(recorded: Recorded, sums: FourierSums) -> None:
    turned = finish(reconstructed(recorded, TURN))[0]
    # V'(p) = V(p @ TURN.T), [z, y, x]: what lay along x now lies along y
    expected = finish(sums)[0].permute(1, 2, 0)
    torch.testing.assert_close(turned, expected, atol=1e-6 * float(expected.abs().max()), rtol=0)


def test_map_is_centred_and_has_no_mean(sums: FourierSums) -> None:
    volume = finish(sums)[0].numpy()
    assert abs(volume.mean()) < 1e-9 * np.abs(volume).max()


def test_nothing_inserted_is_an_empty_map() -> None:
    sums = empty_sums(1, 8, like=torch.zeros(0))
    assert torch.equal(reconstruct_volume(sums), torch.zeros(8, 8, 8))


def test_a_prior_as_strong_as_the_data_halves_even_data() -> None:
    sums = empty_sums(1, 8, like=torch.zeros(0))
    sums.real.normal_(generator=torch.Generator().manual_seed(0))
    sums.power.fill_(2.0)
    weights = shell_weights(sums)[0]
    weights[0] = 2.0
    damped, plain = (reconstruct_volume(sums, prior) for prior in (weights, weights * 1e-9))
    strength = float(damped.std() / plain.std())
    assert 0.45 < strength < 0.55  # the plane x = 0 counts twice


@pytest.mark.parametrize(("correlation", "over_weight"), [(1.0, 0.0), (0.5, 1.0), (0.2, 4.0)])
def test_prior_is_noise_over_signal(correlation: float, over_weight: float) -> None:
    weights = torch.tensor([1.0, 3.0, 5.0])
    prior = prior_from_fsc(weights, np.full(3, correlation))
    torch.testing.assert_close(prior, over_weight * weights)


def test_shells_are_damped_as_far_as_halves_disagree(recorded: Recorded) -> None:
    rng = torch.Generator().manual_seed(0)
    noise = torch.randn(recorded.coefficients.shape, dtype=torch.complex128, generator=rng)
    sums = reconstruct(
        recorded.coefficients + 0.5 * recorded.coefficients.abs().max() * noise,
        recorded.images,
        (recorded.optics,),
        recorded.disc,
        volume_index=torch.arange(len(recorded.images)) % 2,
        n_volumes=2,
        attenuation=Attenuation(dose=True),
    )
    found = finish_halves(sums, (0, 1), pixel_size_a=8.0, mask=None)
    undamped = reconstruct_volume(sums.pooled([0, 1])).numpy()
    agreement = found.fsc[1:-1]
    assert agreement[:2].min() > 0.6
    assert agreement[-2:].max() < 0.6
    # what is left of the signal in a mean of two halves, were all directions seen alike
    wiener = 2 * agreement / (1 + agreement)
    np.testing.assert_allclose(scale_by_shell(found.full, undamped), wiener, atol=0.2)
