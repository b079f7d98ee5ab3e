"""Agreement of two halves: whole where they are the same, none where they share nothing."""

from __future__ import annotations

import pytest
import torch

from tomodrgn.core.linear.halves import (
    Grams,
    common_frame,
    grams_of,
    honest_fsc,
    shells_of,
    smooth_fsc,
    where_alike,
    wiener_prior,
)

BOX, K = 16, 3
N_SHELLS = BOX // 2 + 1
WEIGHTS = torch.ones(N_SHELLS)


def _maps(seed: int, n_maps: int = K) -> torch.Tensor:
    return torch.randn(n_maps, BOX, BOX, BOX, generator=torch.Generator().manual_seed(seed))


def _rotation(seed: int) -> torch.Tensor:
    random = torch.Generator().manual_seed(seed)
    return torch.linalg.qr(torch.randn(K, K, generator=random))[0]


def test_grams_are_products_of_maps() -> None:
    first, second = _maps(0), _maps(1)
    grams = grams_of(first, second, WEIGHTS)
    shells = shells_of(BOX, first.device)
    spectra = [torch.fft.fftshift(torch.fft.fftn(maps, dim=(1, 2, 3)), dim=(1, 2, 3)).flatten(1)
               for maps in (first, second)]  # fmt: skip
    for shell in (1, 4, 7):
        one, other = (each[:, shells == shell].to(torch.complex128) for each in spectra)
        torch.testing.assert_close(grams.cross[shell], (one.conj() @ other.T).real, rtol=1e-4,
                                   atol=1e-2)  # fmt: skip


@pytest.mark.parametrize("seed", range(3))
def test_a_common_frame_undoes_a_rotation(seed: int) -> None:
    maps = _maps(seed)
    turned = torch.einsum("kl,lzyx->kzyx", _rotation(seed), maps)
    first, second = (frame.float() for frame in common_frame(grams_of(turned, maps, WEIGHTS)))
    in_frame = [torch.einsum("kl,kzyx->lzyx", frame, each)
                for frame, each in ((first, turned), (second, maps))]  # fmt: skip
    torch.testing.assert_close(*in_frame, atol=1e-4, rtol=0)


@pytest.mark.parametrize("seed", range(3))
def test_equal_maps_agree_in_every_shell(seed: int) -> None:
    maps = _maps(seed)
    turned = torch.einsum("kl,lzyx->kzyx", _rotation(seed), maps)
    curves = honest_fsc(grams_of(turned, maps, WEIGHTS))
    torch.testing.assert_close(curves[:, 1:], torch.ones_like(curves[:, 1:]), atol=1e-4, rtol=0)


def test_independent_noise_agrees_nowhere_on_average() -> None:
    curves = [honest_fsc(grams_of(_maps(seed), _maps(1000 + seed), WEIGHTS)) for seed in range(40)]
    found = torch.stack(curves)[:, :, 2:]
    error = found.std(0) / len(curves) ** 0.5
    assert float((found.mean(0) / error).abs().max()) < 4  # of 21 standard normal numbers


def test_choosing_the_order_of_noise_makes_it_agree_little() -> None:
    """What the first map wins by being chosen as the first, the others lose."""
    found = torch.zeros(K, N_SHELLS, dtype=torch.float64)
    for seed in range(20):
        grams = grams_of(_maps(seed), _maps(1000 + seed), WEIGHTS)
        found += honest_fsc(grams.turned(*common_frame(grams))) / 20
    assert float(found[:, 2:].abs().max()) < 0.1
    assert float(found[:, 2:].mean()) == pytest.approx(0, abs=0.01)


def test_a_shared_map_is_found_before_noise() -> None:
    shared = 3 * _maps(0, 1)
    first, second = _maps(1), _maps(2)
    first[1] += shared[0]
    second[2] += shared[0]
    grams = grams_of(first, second, WEIGHTS)
    curves = honest_fsc(grams.turned(*common_frame(grams)))
    assert float(curves[0, 3:].min()) > 0.8  # 9 / (9 + 1), less chance
    assert float(curves[1:, 3:].abs().mean()) < 0.15


def test_agreement_of_maps_does_not_depend_on_their_scale() -> None:
    first, second = _maps(0, 1)[0], _maps(1, 1)[0] + _maps(0, 1)[0]
    torch.testing.assert_close(
        smooth_fsc(5 * first, second), smooth_fsc(first, second), atol=1e-6, rtol=0
    )


def test_priors_are_strong_where_halves_disagree() -> None:
    weights = torch.ones(1, 4)
    prior = wiener_prior(weights, torch.tensor([[1.0, 0.5, 0.1, -0.3]]))
    assert torch.all(prior.diff(dim=1) > 0)
    torch.testing.assert_close(prior[0, 1], torch.tensor(1.0))


def test_every_coefficient_has_its_shell() -> None:
    shells = shells_of(BOX, torch.device("cpu")).view(BOX, BOX, BOX)
    centre = BOX // 2
    assert shells[centre, centre, centre] == 0
    assert shells[centre, centre, centre:].tolist() == list(range(BOX // 2))
    assert shells[centre, centre + 1, centre + 1] == 2  # b - 1 < r <= b


def test_shells_weigh_by_their_coefficients_and_the_middle_one_twice() -> None:
    """A shell of radius r has some r^2 coefficients; the one of frequency 0 is left out."""
    agreement = torch.linspace(0.9, 0.1, N_SHELLS, dtype=torch.float64)
    power = torch.linspace(5.0, 1.0, N_SHELLS, dtype=torch.float64)[:, None, None]
    grams = Grams(agreement[:, None, None] * power, power, power)
    (curve,) = honest_fsc(grams)
    assert float(curve[0]) == 0
    for shell in range(1, N_SHELLS):
        near = [each for each in (shell - 1, shell, shell + 1) if 1 <= each < N_SHELLS]
        weights = [each**2 * (1 + (each == shell)) for each in near]
        mean = sum(w * float(agreement[s]) for w, s in zip(weights, near, strict=True))
        assert float(curve[shell]) == pytest.approx(mean / sum(weights), rel=1e-9)


def test_shells_without_power_agree_not_at_all() -> None:
    nothing = torch.zeros(N_SHELLS, 1, 1, dtype=torch.float64)
    assert float(honest_fsc(Grams(nothing, nothing, nothing)).abs().max()) == 0


def test_priors_are_bounded_however_halves_agree() -> None:
    weights = torch.full((1, 2), 4.0, dtype=torch.float64)
    strongest, weakest = wiener_prior(weights, torch.tensor([[-1.0, 1.0]], dtype=torch.float64))[0]
    assert float(strongest) == pytest.approx(4 * 0.999 / 0.001)
    assert float(weakest) == pytest.approx(4 * 0.001 / 0.999)


def test_equal_maps_are_alike_everywhere() -> None:
    volume = _maps(0)[0]
    torch.testing.assert_close(where_alike(volume, volume), torch.ones_like(volume))


def test_maps_are_alike_where_they_share_more_than_noise() -> None:
    box = 48
    random = torch.Generator().manual_seed(0)
    shared, one, other = torch.randn(3, box, box, box, generator=random)
    signal = 2.0 * shared * (torch.arange(box) < box // 2)  # in half of the box alone
    found = where_alike(signal + one, signal + other)
    inside, outside = found[..., 6 : box // 2 - 6], found[..., box // 2 + 6 : -6]
    # 4 / (4 + 1) of the power is shared, of windows that hold some 600 independent voxels
    assert float(inside.mean()) == pytest.approx(0.8, abs=0.02)
    assert float(outside.mean()) < 0.05
