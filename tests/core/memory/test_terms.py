"""Terms grow as the arrays that they stand for."""

from __future__ import annotations

from dataclasses import replace

import pytest

from tomodrgn.core.memory.footprint import Footprint
from tomodrgn.core.memory.terms import (
    Images,
    Networks,
    block_term,
    cache_terms,
    columns_term,
    embedding_terms,
    equations_term,
    kept_term,
    linear_terms,
    training_terms,
    volumes_terms,
)

IMAGES = Images(n_images=41_000, n_particles=1000, n_coefficients=3500, most_tilts=41)
NETWORKS = Networks(
    n_weights=500_000,
    encoder_width=500,
    decoder_width=2000,
    rows_at_once=1 << 19,
    n_workers=1,
    feature_bytes=2,
    latent_dim=8,
)


def training(images: Images = IMAGES, *, batch_size: int = 8, is_gpu: bool = False) -> Footprint:
    return training_terms(images, NETWORKS, batch_size=batch_size, embedding_batch=4, is_gpu=is_gpu)


def test_the_cache_is_as_large_as_its_coefficients() -> None:
    assert IMAGES.cache_bytes == 41_000 * 3500 * 2 * 2  # two float16 numbers each
    assert cache_terms(100, "ram").host_bytes == 100
    assert cache_terms(100, "device").device_bytes == 100
    assert cache_terms(100, "stream") == Footprint()


def test_columns_of_the_input_take_its_text_and_no_more_than_some_numbers() -> None:
    assert columns_term(8000, most_numbers=10**6).n_bytes == 8000 + 8 * 1000
    assert columns_term(8000, most_numbers=10).n_bytes == 8000 + 8 * 10


def test_training_does_not_grow_with_the_set_beyond_its_latents() -> None:
    larger = replace(IMAGES, n_images=1000 * IMAGES.n_images, n_particles=10**6)
    grown = training(larger).host_bytes - training().host_bytes
    assert grown == 16 * 8 * (10**6 - 1000)


def test_a_batch_of_all_particles_is_the_largest() -> None:
    assert training(batch_size=1000) == training(batch_size=10_000)
    assert training(batch_size=8).host_bytes < training(batch_size=16).host_bytes


def test_encoding_takes_less_than_training() -> None:
    for is_gpu in (False, True):
        encoding = embedding_terms(IMAGES, NETWORKS, batch_size=8, is_gpu=is_gpu)
        assert encoding.host_bytes < training(is_gpu=is_gpu).host_bytes
        assert encoding.device_bytes < training(is_gpu=is_gpu).device_bytes or not is_gpu


def test_a_gpu_holds_the_work_and_the_host_what_waits() -> None:
    footprint = training(is_gpu=True)
    assert {term.name for term in footprint.device} >= {"weights and optimizer", "batch"}
    assert {term.name for term in footprint.host} == {"batches read ahead", "latents", "checkpoint"}
    assert training().device == ()


def linear(n_maps: int, grid_points: int) -> int:
    return linear_terms(
        IMAGES,
        n_maps=n_maps,
        n_searched=5,
        points_at_once=2**16,
        grid_points=grid_points,
        n_halves_at_once=2,
        is_gpu=False,
        is_joint=True,
    ).host_bytes


def test_sums_of_a_linear_model_grow_with_pairs_of_maps() -> None:
    one, three = (linear(n, 10**7) - linear(n, 0) for n in (1, 3))
    assert one == 4 * 10**7 * (8 * (2 + 1) + 75)
    assert three == 4 * 10**7 * (8 * (6 + 6) + 75)


def test_small_sets_alone_are_kept() -> None:
    assert kept_term(1000, 1000).n_bytes == 120_000
    assert kept_term(1001, 1000).n_bytes == 0


def test_blocks_are_no_larger_than_the_set() -> None:
    assert block_term(2**26, 10**6, 64).n_bytes == 9 * 2**26
    assert block_term(2**26, 10, 64).n_bytes == 9 * 10 * 4 * 64**2


@pytest.mark.parametrize("is_gpu", [False, True])
def test_volumes_grow_with_their_voxels(*, is_gpu: bool) -> None:
    def needed(box_size_px: int) -> int:
        networks = replace(NETWORKS, n_weights=0, decoder_width=0)
        terms = volumes_terms(networks, n_volumes=4, box_size_px=box_size_px, is_gpu=is_gpu)
        return terms.host_bytes + terms.device_bytes

    fixed = needed(0)
    assert needed(128) - fixed == 8 * (needed(64) - fixed)


def test_equations_take_what_their_numbers_take() -> None:
    none = equations_term(replace(IMAGES, n_particles=0), n_maps=3, n_kept=1).n_bytes
    assert none == IMAGES.n_images * 8 * (36 + 6 + 9 + 2)
    of_particles = equations_term(IMAGES, n_maps=3, n_kept=0).n_bytes
    assert of_particles == IMAGES.n_particles * 8 * 4 * 10**2
