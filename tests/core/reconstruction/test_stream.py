from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
import pytest
import torch

from tests.core.cache.imaginary import ImaginaryReader, imaginary_reader
from tests.rounding import assert_equal_to_rounding
from tomodrgn.core.errors import DataError
from tomodrgn.core.reconstruction.stream import bytes_needed, sum_images
from tomodrgn.core.reconstruction.weights import Attenuation
from tomodrgn.core.specs.dataset import PreparationSpec

if TYPE_CHECKING:
    from tomodrgn.core.particles.tables import ParticleSet
    from tomodrgn.core.reconstruction.insertion import FourierSums

N_ROUNDINGS = 30 + 8 + 13
"""Images in a sum, log2 of the pixels of their transforms, and 2 pi times the turns of the largest
phase of a shift (2 px along both axes at half a cycle per px), whose cosine is no better known."""


def summed(reader: ImaginaryReader, particles: ParticleSet, **changes: int) -> FourierSums:
    return sum_images(
        reader,
        particles,
        np.arange(particles.n_images) % 2,
        n_volumes=2,
        preparation=PreparationSpec(),
        attenuation=Attenuation(),
        device=torch.device("cpu"),
        progress=lambda _done, _total: None,
        **changes,
    )


def test_size_of_blocks_does_not_matter(particles: ParticleSet) -> None:
    reader = imaginary_reader(particles)
    whole, small = summed(reader, particles), summed(reader, particles, block_bytes=1)
    for grid, expected in zip(small.grids, whole.grids, strict=True):
        assert_equal_to_rounding(grid, expected, n_roundings=N_ROUNDINGS)


def test_number_of_threads_does_not_matter(particles: ParticleSet) -> None:
    reader, before = imaginary_reader(particles), torch.get_num_threads()
    sums = []
    try:
        for n_threads in (1, 2):
            torch.set_num_threads(n_threads)
            sums.append(summed(reader, particles, block_bytes=1))  # of which each has one image
            assert torch.get_num_threads() == n_threads
    finally:
        torch.set_num_threads(before)
    for one, two in zip(sums[0].grids, sums[1].grids, strict=True):
        assert_equal_to_rounding(two, one, n_roundings=N_ROUNDINGS)


def test_each_image_is_read_once(particles: ParticleSet) -> None:
    reader = imaginary_reader(particles)
    summed(reader, particles, block_bytes=2**12)
    assert reader.loaded == particles.n_images


def test_progress_ends_at_all_images(particles: ParticleSet) -> None:
    seen: list[tuple[int, int]] = []
    sum_images(
        imaginary_reader(particles),
        particles,
        np.zeros(particles.n_images, np.int64),
        n_volumes=1,
        preparation=PreparationSpec(window=False),
        attenuation=Attenuation(),
        device=torch.device("cpu"),
        progress=lambda done, total: seen.append((done, total)),
        block_bytes=2**12,
    )
    assert seen[-1] == (particles.n_images, particles.n_images)
    assert len(seen) > 1


def test_images_that_are_not_finite_are_named(particles: ParticleSet) -> None:
    reader = imaginary_reader(particles)
    pixels = reader.pixels.copy()
    pixels[particles.source_image[4], 0, 3] = np.nan
    reader = replace(reader, pixels=pixels)
    with pytest.raises(DataError, match=f"1 images .* not finite: {particles.image_name[4]}"):
        summed(reader, particles)


def test_memory_grows_with_volumes() -> None:
    one, two, three = (bytes_needed(n, 32) for n in (1, 2, 3))
    assert two - one == three - two > 0
    assert bytes_needed(2, 200) < 8e9


def test_images_that_are_all_empty_are_refused(particles: ParticleSet) -> None:
    with pytest.raises(DataError, match="all images are empty or damaged; check the image stacks"):
        summed(imaginary_reader(particles, strength=0.0), particles)
