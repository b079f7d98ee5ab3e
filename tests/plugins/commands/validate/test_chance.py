"""Labels against labels drawn by lot: moments, false alarms, and what is found."""

from __future__ import annotations

from itertools import combinations, permutations

import numpy as np
import pytest

from tomodrgn.plugins.commands.validate import chance
from tomodrgn.plugins.commands.validate.chance import compare_with_chance


def _halves(n: int) -> np.ndarray:
    return np.arange(n) % 2


def test_moments_are_those_of_all_permutations() -> None:
    generator = np.random.default_rng(0)
    scores, labels = generator.standard_normal((6, 3)), np.array([0, 0, 1, 2, 2, 2])
    everything = [
        scores[np.arange(6), labels[list(order)]].sum() for order in permutations(range(6))
    ]
    own, mean, variance = chance._moments(scores, labels)
    assert own == pytest.approx(everything[0])  # the order given
    assert mean == pytest.approx(np.mean(everything))
    assert variance == pytest.approx(np.var(everything))
    above = (everything[0] - np.mean(everything)) / np.std(everything)
    assert chance._z(own, mean, variance) == pytest.approx(above)


def test_a_class_lies_as_far_above_all_draws_of_its_size_as_it_says() -> None:
    generator = np.random.default_rng(5)
    scores, labels = generator.standard_normal((7, 3)), np.array([0, 0, 1, 2, 2, 2, 2])
    found = chance._class_z(scores, labels)
    for k, size in enumerate([2, 1, 4]):
        draws = [scores[list(rows), k].sum() for rows in combinations(range(7), size)]
        own = scores[labels == k, k].sum()
        assert found[k] == pytest.approx((own - np.mean(draws)) / np.std(draws))


def test_p_values_are_the_share_of_all_labelings_that_do_as_well() -> None:
    generator = np.random.default_rng(6)
    scores, labels = generator.standard_normal((7, 2)), np.array([0, 0, 0, 1, 1, 1, 1])
    scores += 0.7 * np.eye(2)[labels]
    given = np.array([scores[labels == k, k].sum() for k in (0, 1)])
    sums = []
    for rows in combinations(range(7), 3):
        is_first = np.isin(np.arange(7), rows)
        sums.append([scores[is_first, 0].sum(), scores[~is_first, 1].sum()])
    by_class = (np.array(sums) >= given - 1e-9).mean(0)
    over_all = (np.sum(sums, 1) >= given.sum() - 1e-9).mean()
    found_all, found = chance._shuffled_p_values(scores, labels, generator)
    # 9,999 shuffles: five standard errors are 0.025
    assert found_all == pytest.approx(over_all, abs=0.025)
    np.testing.assert_allclose(found, by_class, atol=0.025)
    assert 0.05 < by_class.min() < by_class.max() < 0.95


@pytest.mark.parametrize("gathered", [7, 7 * 1000, 2**22])
def test_shuffles_are_as_many_as_the_p_values_count(
    gathered: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(chance, "_GATHERED_AT_ONCE", gathered)
    labels = np.array([0, 0, 0, 1, 1, 1, 2])
    parts = list(chance._shuffles(labels, np.random.default_rng(0)))
    assert sum(map(len, parts)) == chance.N_SHUFFLES
    assert max(map(len, parts)) * len(labels) <= gathered
    for each in parts[:3]:
        assert (np.sort(each, axis=1) == labels).all()


def test_labels_by_lot_are_seldom_called_real(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(chance, "N_SHUFFLES", 99)
    generator = np.random.default_rng(1)
    p_values = []
    for _ in range(300):
        common = generator.standard_normal((20, 1)) * generator.exponential(size=(20, 1))
        scores = common + generator.standard_t(3, (20, 3))  # heavy tails, and few particles
        labels = generator.integers(0, 3, 20)
        p_values.append(compare_with_chance(scores, labels, _halves(20)).p_value)
    for level in (0.05, 0.2):
        assert np.mean(np.array(p_values) <= level) <= level + 0.03  # 300 draws


def test_true_labels_of_few_particles_are_found() -> None:
    labels = np.repeat([0, 1], 12)
    scores = np.random.default_rng(2).standard_normal((24, 2)) + 3 * np.eye(2)[labels]
    found = compare_with_chance(scores, labels, _halves(24))
    assert found.is_real
    assert (found.class_p_value < 0.05).all()
    assert found.pair_p_value[0, 1] < 0.05
    assert found.pair_z[0, 1] == pytest.approx(found.z)  # two classes are one pair


def test_a_state_cut_in_two_is_not_told_apart() -> None:
    labels = np.repeat([0, 1, 2], 40)
    scores = np.random.default_rng(3).standard_normal((120, 3))
    scores[:80, :2] += 2  # classes 0 and 1 are one state
    scores[80:, 2] += 2
    found = compare_with_chance(scores, labels, _halves(120))
    assert found.is_real
    assert found.pair_p_value[0, 1] > 0.05
    assert max(found.pair_p_value[0, 2], found.pair_p_value[1, 2]) < 0.05


def test_difference_of_tomograms_vanishes_within_them() -> None:
    generator = np.random.default_rng(4)
    strata = np.repeat([0, 1], 60)
    labels = (generator.uniform(size=120) < np.where(strata, 0.8, 0.2)).astype(int)
    scores = generator.standard_normal((120, 2)) + 2 * np.eye(2)[strata]
    found = compare_with_chance(scores, labels, _halves(120), strata=strata)
    assert found.z > 4
    assert found.z_within is not None
    assert abs(found.z_within) < 3


def test_equal_scores_say_nothing() -> None:
    found = compare_with_chance(np.ones((10, 2)), _halves(10), np.arange(10) // 5)
    assert (found.p_value, found.z, found.is_real) == (1, 0, False)


@pytest.mark.parametrize("level", [0.01, 0.05, 0.4])
def test_halves_that_depend_on_each_other_raise_no_more_false_alarms(level: float) -> None:
    """Two p values, each uniform, whose mean is as often half the level as it can be."""
    first = (np.arange(10_000) + 0.5) / 10_000
    second = np.where(first < level, level - first, first)
    np.testing.assert_allclose(np.sort(second), first, atol=1e-12)
    joint = np.array([chance._joint(np.array(pair)) for pair in zip(first, second, strict=True)])
    assert np.mean(joint <= level + 1e-9) == pytest.approx(level)
    assert not (joint < level - 1e-9).any()
    assert joint.max() == 1
