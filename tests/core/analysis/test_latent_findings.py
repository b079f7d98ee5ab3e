from __future__ import annotations

import numpy as np

from tomodrgn.core.analysis.latent_findings import (
    SPARE_DIMENSIONS,
    UNUSED_LATENT,
    clusters_of_one_tomogram,
    components_with_metadata,
    count_by_tomogram,
    one_direction,
    rank_correlations,
    spare_dimensions,
)

TOMOGRAMS = np.array(["TS_1", "TS_2"] * 50, dtype=object)


def test_every_particle_is_counted_once() -> None:
    labels = np.random.default_rng(0).integers(0, 3, 100)
    found = count_by_tomogram(labels, 4, TOMOGRAMS)
    assert found.names == ["TS_1", "TS_2"]
    assert found.counts.sum(axis=0).tolist() == [50, 50]
    assert found.counts.sum(axis=1).tolist() == np.bincount(labels, minlength=4).tolist()


def test_a_cluster_of_one_tomogram_is_named() -> None:
    tomograms = np.repeat(np.array(["TS_1", "TS_2", "TS_3"], dtype=object), 40)
    labels = np.concatenate([np.full(40, 1), np.tile([0, 2], 40)])
    words = clusters_of_one_tomogram(count_by_tomogram(labels, 3, tomograms))
    assert words is not None
    assert "cluster 1 (100% of 40 in TS_1)" in words


def test_clusters_mixed_over_tomograms_are_fine() -> None:
    labels = np.arange(100) // 2 % 2
    assert clusters_of_one_tomogram(count_by_tomogram(labels, 2, TOMOGRAMS)) is None


def test_one_tomogram_alone_is_no_fault() -> None:
    labels = np.arange(100) % 2
    one = np.full(100, "TS_1", dtype=object)
    assert clusters_of_one_tomogram(count_by_tomogram(labels, 2, one)) is None


def test_dimensions_at_the_prior_are_spare() -> None:
    found = spare_dimensions(np.array([2.0, 0.001, 0.5]))
    assert found is not None
    assert found[0] == SPARE_DIMENSIONS
    assert "(number 2)" in found[1]
    assert "--zdim 2" in found[1]


def test_a_latent_wholly_at_the_prior_is_unused() -> None:
    found = spare_dimensions(np.zeros(3))
    assert found is not None
    assert found[0] == UNUSED_LATENT


def test_used_dimensions_are_not_mentioned() -> None:
    assert spare_dimensions(np.array([0.1, 2.0])) is None


def test_rank_correlation_sees_any_rising_relation() -> None:
    scores = np.random.default_rng(0).normal(size=(300, 3)).astype(np.float32)
    first, second = rank_correlations(scores, np.exp(-scores[:, 0]), 2)
    assert first < -0.999
    assert abs(second) < 0.3


def test_strong_relations_are_named_the_strongest_first() -> None:
    words = components_with_metadata({"defocus": [0.1, -0.6], "dose": [0.9, 0.2]}, 100)
    assert words is not None
    assert "PC 1 and dose (+0.90), PC 2 and defocus (-0.60);" in words


def test_weak_relations_and_those_of_few_particles_are_not() -> None:
    assert components_with_metadata({"defocus": [0.1, -0.4]}, 100) is None
    assert components_with_metadata({"defocus": [0.1, -0.9]}, 20) is None


def test_latents_along_a_line_are_named() -> None:
    assert "99.0% of their variance lies along PC 1" in str(one_direction(np.array([0.99, 0.01])))
    assert one_direction(np.array([0.7, 0.3])) is None
    assert one_direction(np.array([1.0])) is None
