from __future__ import annotations

import numpy as np
import pytest

from tomodrgn.core.errors import DataError
from tomodrgn.plugins.commands.score.agreement import (
    axis_rank_correlation,
    cluster_latents,
    compare_classes,
    compare_maps,
    outlier_auc,
    readout_rank_correlation,
)


@pytest.fixture
def rng() -> np.random.Generator:
    return np.random.default_rng(5)


def test_renaming_classes_changes_no_score(rng: np.random.Generator) -> None:
    true = rng.integers(0, 3, 90)
    found = np.where(rng.random(90) < 0.2, rng.integers(0, 3, 90), true)
    plain, renamed = compare_classes(found, true), compare_classes(np.array([2, 0, 1])[found], true)
    assert plain.accuracy == renamed.accuracy
    assert plain.adjusted_rand_index == pytest.approx(renamed.adjusted_rand_index)
    np.testing.assert_array_equal(plain.renamed, renamed.renamed)


def test_unrelated_classes_score_about_chance(rng: np.random.Generator) -> None:
    agreement = compare_classes(rng.integers(0, 2, 4000), rng.integers(0, 2, 4000))
    assert agreement.accuracy == pytest.approx(0.5, abs=0.03)
    assert agreement.adjusted_rand_index == pytest.approx(0, abs=0.01)


def test_separate_latents_fall_into_their_classes(rng: np.random.Generator) -> None:
    true = rng.integers(0, 3, 60)
    latents = (5 * np.eye(3)[true] + 0.1 * rng.standard_normal((60, 3))).astype(np.float32)
    assert compare_classes(cluster_latents(latents, 3), true).accuracy == 1


def test_a_motion_is_read_from_latents_that_turn_with_it(rng: np.random.Generator) -> None:
    motion = rng.uniform(-30, 30, 100)
    latents = np.stack([rng.standard_normal(100), -motion, motion**2 / 50], 1).astype(np.float32)
    assert readout_rank_correlation(latents, motion) > 0.99
    assert axis_rank_correlation(latents, motion) == pytest.approx(1)
    assert abs(readout_rank_correlation(latents[:, :1], motion)) < 0.3
    assert axis_rank_correlation(latents[:, :1], motion) < 0.3


def test_a_readout_finds_what_no_axis_shows(rng: np.random.Generator) -> None:
    motion = rng.uniform(-30, 30, 200)
    other = rng.uniform(-60, 60, 200)
    latents = np.stack([motion + other, motion - other], 1).astype(np.float32)
    assert axis_rank_correlation(latents, motion) < 0.7
    assert readout_rank_correlation(latents, motion) > 0.99


def test_latents_that_collapsed_say_nothing_of_a_motion() -> None:
    assert axis_rank_correlation(np.ones((20, 2), np.float32), np.arange(20.0)) == 0


def test_f1_of_the_rarest_class_sees_what_accuracy_does_not() -> None:
    true = np.repeat([0, 1], [95, 5])
    blind = compare_classes(np.where(np.arange(100) == 99, 1, 0), true)
    assert blind.accuracy == pytest.approx(0.96)
    assert blind.rarest_f1 == pytest.approx(1 / 3)  # one of five found, none wrong


def test_junk_far_out_is_told_and_junk_among_others_is_not(rng: np.random.Generator) -> None:
    latents = rng.standard_normal((400, 3)).astype(np.float32)
    is_junk = np.arange(400) < 100
    assert outlier_auc(latents, is_junk) == pytest.approx(0.5, abs=0.1)
    assert outlier_auc(latents * np.where(is_junk, 10, 1)[:, None], is_junk) > 0.9


def test_volumes_find_their_maps_in_any_order(rng: np.random.Generator) -> None:
    maps = rng.standard_normal((3, 12, 12, 12)).astype(np.float32)
    pairs = compare_maps(list(maps[[2, 0, 1]]), list(maps))
    assert [(pair.label, pair.volume) for pair in pairs] == [(0, 1), (1, 2), (2, 0)]
    assert all(pair.mean == pytest.approx(1) for pair in pairs)


def test_volumes_of_another_box_are_refused() -> None:
    with pytest.raises(DataError, match="equal boxes"):
        compare_maps([np.ones((8, 8, 8), np.float32)], [np.ones((12, 12, 12), np.float32)])
