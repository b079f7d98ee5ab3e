"""Sums for maps: exact under changes of the latents, and solved by least squares."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
import torch

from tests.core.linear.class_sets import ClassSet, class_set
from tests.rounding import assert_equal_to_rounding
from tomodrgn.core.fourier.grids import (
    OVERSAMPLING,
    grid_shape,
    grid_shells,
    volumes_to_spectra,
)
from tomodrgn.core.linear.basis import (
    BasisSums,
    MapSpectra,
    empty_basis_sums,
    resize_maps,
    solve_basis,
)

if TYPE_CHECKING:
    from tomodrgn.core.linear.observations import Block

BOX, C = 16, 3


@pytest.fixture(scope="module")
def given(tmp_path_factory: pytest.TempPathFactory) -> ClassSet:
    """Six particles without noise."""
    folder = tmp_path_factory.mktemp("six")
    return class_set(folder, n_particles=6, n_classes=2, snr=float("inf"))


@pytest.fixture(scope="module")
def block(given: ClassSet) -> Block:
    """Their images up to radius 4, box 10."""
    rows = torch.arange(6).numpy()
    (block,) = given.images.to_radius(4).blocks(rows)
    return block


def _random(*shape: int, seed: int = 0) -> torch.Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


def _seen(block: Block, mean: torch.Tensor, precision: torch.Tensor) -> BasisSums:
    """Sums of a block for u = (1, z) of latents z that are certain."""
    u = torch.cat([torch.ones(len(mean), 1), mean], dim=1)
    sums = empty_basis_sums(u.shape[1], 10, u.device)
    sums.add(block, precision, u, u[:, :, None] * u[:, None])
    return sums


def _sums(box: int, real: torch.Tensor, imag: torch.Tensor, power: torch.Tensor) -> BasisSums:
    """Sums of parts (channels, points)."""
    return BasisSums(box, len(real), torch.cat([real, imag, power]).T.float())


def _assert_same(one: BasisSums, other: BasisSums) -> None:
    for found, expected in (
        (one.real, other.real),
        (one.imag, other.imag),
        (one.power, other.power),
    ):
        scale = float(expected.abs().max())
        torch.testing.assert_close(found, expected, atol=1e-4 * scale, rtol=0)  # float32 sums


@pytest.fixture
def precision(block: Block) -> torch.Tensor:
    return torch.linspace(0.5, 2, block.power.shape[1])


def test_sums_equal_those_of_image_after_image(block: Block, precision: torch.Tensor) -> None:
    latents = _random(6, C - 1)
    found = _seen(block, latents, precision)
    n_points = found.real.shape[1]
    numerator = torch.zeros(C, n_points, dtype=torch.complex128)
    power = torch.zeros(C, C, n_points, dtype=torch.float64)
    m, n = block.power.shape
    places = block.where.places.long().T.view(8, m, n)
    share = block.where.share.T.view(8, m, n).double()
    fold = block.where.fold.view(m, n)
    for image, owner in enumerate(block.owner.tolist()):
        u = torch.cat([torch.ones(1), latents[owner]]).double()
        signal = torch.complex(block.signal[image].real, block.signal[image].imag * fold[image])
        for at, near in zip(places[:, image], share[:, image], strict=True):
            for c in range(C):
                values = u[c] * near * precision * signal
                numerator[c].index_put_((at,), values.to(torch.complex128), accumulate=True)
                for d in range(C):
                    values = u[c] * u[d] * near * precision * block.power[image]
                    power[c, d].index_put_((at,), values, accumulate=True)
    left, right = torch.triu_indices(C, C)
    slow = _sums(10, numerator.real, numerator.imag, power[left, right])
    _assert_same(found, slow)


def test_sums_of_other_latents_follow_from_those_of_these(
    block: Block, precision: torch.Tensor
) -> None:
    latents, change = _random(6, C - 1), torch.eye(C)
    change[1:] = _random(C - 1, C, seed=1)
    u = torch.cat([torch.ones(6, 1), latents], dim=1) @ change.T
    _assert_same(
        _seen(block, latents, precision).transformed(change), _seen(block, u[:, 1:], precision)
    )


def test_a_change_and_its_inverse_leave_sums_as_they_are(
    block: Block, precision: torch.Tensor
) -> None:
    sums, change = _seen(block, _random(6, C - 1), precision), torch.eye(C) + 0.3 * _random(C, C)
    _assert_same(sums.transformed(change).transformed(torch.linalg.inv(change)), sums)


def test_what_is_pooled_can_be_taken_away(block: Block, precision: torch.Tensor) -> None:
    one = _seen(block, _random(6, C - 1), precision)
    other = _seen(block, _random(6, C - 1, seed=1), precision)
    _assert_same(one.pooled(other).without(other), one)


def test_mean_weights_are_those_of_the_squares(block: Block, precision: torch.Tensor) -> None:
    weights = _seen(block, torch.full((6, 1), 3.0), precision).mean_weights()
    assert weights.shape == (2, 6)
    torch.testing.assert_close(weights[1], 9 * weights[0])


def _sums_of_every_point(latents: torch.Tensor, maps: torch.Tensor) -> BasisSums:
    """As if every point of the grid had been seen once of each volume, without noise."""
    box = maps.shape[-1]
    u = torch.cat([torch.ones(len(latents), 1), latents], dim=1)
    total = u.T @ u
    left = torch.sinc((torch.arange(box) - box // 2) / box / OVERSAMPLING)
    shared = (left[:, None, None] * left[:, None] * left) ** 4  # reading and adding, sinc^2 each
    spectra = volumes_to_spectra(maps * shared).flatten(1)
    seen = torch.ones(grid_shape(box))
    seen[..., 0] = 0.5  # half of it at -k
    pairs = torch.triu_indices(len(maps), len(maps))
    power = total[pairs[0], pairs[1]][:, None] * seen.flatten()
    numerator = (total.to(torch.complex64) @ spectra) * seen.flatten()
    return _sums(box, numerator.real, numerator.imag, power)


def test_volumes_that_were_seen_everywhere_give_their_maps() -> None:
    axis = torch.arange(BOX) - BOX // 2
    blob = torch.exp(-axis.square() / 18.0)
    maps = _random(C, BOX, BOX, BOX) * blob[:, None, None] * blob[:, None] * blob
    smooth = resize_maps(resize_maps(maps, 10), BOX)  # nothing beyond Nyquist
    smooth = smooth - smooth.mean(dim=(1, 2, 3), keepdim=True)
    sums = _sums_of_every_point(_random(20, C - 1), smooth)
    found = solve_basis(sums, torch.zeros(C, BOX // 2 + 1), None)
    correlation = torch.cosine_similarity(found.flatten(1), smooth.flatten(1))
    assert float(correlation.min()) > 0.99  # what is left near Nyquist and at the edges


def test_data_and_prior_count_by_their_ratio(block: Block, precision: torch.Tensor) -> None:
    sums = _seen(block, torch.zeros(6, 0), precision)
    once = solve_basis(sums, torch.ones(1, 6), None)
    twice = solve_basis(sums.pooled(sums), 2 * torch.ones(1, 6), None)
    torch.testing.assert_close(once, twice, atol=1e-5 * float(once.abs().max()), rtol=0)


def test_an_endless_prior_leaves_nothing(block: Block, precision: torch.Tensor) -> None:
    sums = _seen(block, _random(6, C - 1), precision)
    assert float(solve_basis(sums, torch.full((C, 6), 1e12), None).abs().max()) < 1e-6


def test_maps_have_a_mean_of_zero_and_end_at_the_mask(
    block: Block, precision: torch.Tensor
) -> None:
    mask = torch.zeros(10, 10, 10)
    mask[3:8, 3:8, 3:8] = 1
    maps = solve_basis(_seen(block, _random(6, C - 1), precision), torch.ones(C, 6), mask)
    torch.testing.assert_close(maps.mean(dim=(1, 2, 3)), torch.zeros(C), atol=1e-6, rtol=0)
    outside = maps[:, mask == 0]
    assert float((outside - outside[:, :1]).abs().max()) == 0


def test_points_that_nobody_saw_do_not_make_the_system_singular() -> None:
    sums = empty_basis_sums(C, 10, torch.device("cpu"))
    sums.power[0, grid_shells(10) < 2] = 1.0
    assert torch.isfinite(solve_basis(sums, torch.zeros(C, 6), None)).all()


def test_slices_are_linear_in_the_maps(block: Block) -> None:
    maps = _random(2, 10, 10, 10)
    one, other = MapSpectra(maps).at(block)
    both = MapSpectra(maps.sum(0, keepdim=True)).at(block)[0]
    torch.testing.assert_close(one + other, both, atol=1e-3, rtol=1e-4)


@pytest.mark.parametrize("larger", [20, 24, 32])
def test_maps_survive_a_larger_box(larger: int) -> None:
    maps = resize_maps(_random(2, 32, 32, 32), BOX)  # without frequencies of Nyquist
    again = resize_maps(resize_maps(maps, larger), BOX)
    n_roundings = 4 * 15  # transforms of at most 32^3 points
    assert_equal_to_rounding(again, maps, n_roundings=n_roundings)


def test_resizing_keeps_coefficients() -> None:
    maps = resize_maps(_random(1, 32, 32, 32), BOX)
    larger = resize_maps(maps, 24)
    torch.testing.assert_close(larger.sum(), maps.sum())
    torch.testing.assert_close(larger.square().sum() * 24**3, maps.square().sum() * BOX**3)
