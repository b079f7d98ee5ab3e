"""Images in blocks: whole particles, whitened, kept where there is room."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
import torch

from tests.core.linear.class_sets import ClassSet, class_set
from tests.rounding import assert_equal_to_rounding
from tomodrgn.core.fourier.grids import OVERSAMPLING
from tomodrgn.core.linear import observations
from tomodrgn.core.linear.basis import MapSpectra, resize_maps
from tomodrgn.core.linear.observations import Observations
from tomodrgn.core.simulation.truth import read_truth

if TYPE_CHECKING:
    from pathlib import Path

B = 8
N_ROUNDINGS = 30  # of a transform, the phase of a shift, and weights


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("alike")


@pytest.fixture(scope="module")
def given(folder: Path) -> ClassSet:
    """Eight particles that are alike, without noise."""
    return class_set(folder, n_particles=B, n_classes=1, snr=float("inf"))


@pytest.fixture
def images(given: ClassSet) -> Observations:
    """A fresh view, so that no test sees what another one kept."""
    return given.images.to_radius(6)


def test_every_image_is_in_one_block(images: Observations, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(observations._COEFFICIENTS_AT_ONCE, "cpu", 10 * images.n_coefficients)
    blocks = list(images.blocks(np.arange(B)))
    assert len(blocks) > 2
    assert torch.cat([block.particles for block in blocks]).tolist() == list(range(B))
    for block in blocks:
        counts = images.particles.counts[block.particles.numpy()]
        assert torch.bincount(block.owner).tolist() == counts.tolist()
        assert block.rank.tolist() == [rank for count in counts for rank in range(count)]


def test_particles_that_just_fit_share_a_block(
    images: Observations, monkeypatch: pytest.MonkeyPatch
) -> None:
    n_images = int(images.particles.counts[:2].sum())
    monkeypatch.setitem(observations._COEFFICIENTS_AT_ONCE, "cpu", n_images * images.n_coefficients)
    first = next(iter(images.blocks(np.arange(B))))
    assert first.particles.tolist() == [0, 1]


def test_the_size_of_blocks_changes_nothing(
    images: Observations, monkeypatch: pytest.MonkeyPatch
) -> None:
    (whole,) = images.blocks(np.arange(B))
    monkeypatch.setitem(observations._COEFFICIENTS_AT_ONCE, "cpu", 1)
    parts = list(images.to_radius(6).blocks(np.arange(B)))
    assert len(parts) == B
    signal = torch.cat([part.signal for part in parts])
    assert_equal_to_rounding(signal, whole.signal, n_roundings=N_ROUNDINGS)
    power = torch.cat([part.power for part in parts])
    assert_equal_to_rounding(power, whole.power, n_roundings=N_ROUNDINGS)


def test_blocks_follow_the_order_of_the_rows(images: Observations) -> None:
    (one,) = images.blocks(np.array([5]))
    (both,) = images.blocks(np.array([5, 2]))
    assert both.particles.tolist() == [5, 2]
    assert_equal_to_rounding(both.signal[: len(one.signal)], one.signal, n_roundings=N_ROUNDINGS)


def test_small_sets_are_kept_and_others_are_not(
    images: Observations, monkeypatch: pytest.MonkeyPatch
) -> None:
    rows = np.arange(B)
    assert next(images.blocks(rows)) is not next(images.blocks(rows))  # not finished, not kept
    list(images.blocks(rows))
    assert next(images.blocks(rows)) is next(images.blocks(rows))
    monkeypatch.setattr(observations, "KEPT_COEFFICIENTS", 0)
    large = images.to_radius(6)
    list(large.blocks(rows))
    assert next(large.blocks(rows)) is not next(large.blocks(rows))


def test_a_smaller_radius_sees_the_beginning_of_each_image(images: Observations) -> None:
    (wide,) = images.blocks(np.arange(B))
    narrow_images = images.to_radius(3)
    (narrow,) = narrow_images.blocks(np.arange(B))
    n = narrow_images.n_coefficients
    torch.testing.assert_close(narrow.signal, wide.signal[:, :n])
    torch.testing.assert_close(narrow.power, wide.power[:, :n])
    assert int(narrow_images.shells.max()) == 3
    assert narrow_images.box_size_px == 8


def test_the_box_is_never_larger_than_that_of_the_images(given: ClassSet) -> None:
    assert given.images.box_size_px == 16


def test_signal_and_power_are_whitened(images: Observations) -> None:
    (block,) = images.blocks(np.arange(B))
    g, variance = block.signal_transfer, block.noise_power
    torch.testing.assert_close(block.signal * variance, g * block.observed)
    torch.testing.assert_close(block.power * variance, g * g)


def test_places_are_rotated_points_of_the_disc(images: Observations) -> None:
    (block,) = images.blocks(np.arange(B))
    rotation = images.particles.images.rotation
    k = images.disc.k[: images.n_coefficients]
    points = OVERSAMPLING * np.einsum("nd,mdc->mnc", k, rotation[:, :2])
    is_folded = torch.from_numpy((points[..., 0] < 0).ravel())
    near_zero = torch.from_numpy((np.abs(points[..., 0]) < 1e-4).ravel())
    assert torch.equal((block.where.fold < 0)[~near_zero], is_folded[~near_zero])


def test_images_are_slices_of_the_true_volume(folder: Path, images: Observations) -> None:
    (block,) = images.blocks(np.arange(B))
    volume = resize_maps(torch.from_numpy(read_truth(folder).maps), images.box_size_px)
    shown = block.signal_transfer * MapSpectra(volume).at(block)[0]
    observed = block.observed
    overlap = (shown.conj() * observed).real.sum() / (shown.norm() * observed.norm())
    assert float(overlap) > 0.95  # trilinear reading, and the window


@pytest.mark.parametrize(("h", "factor"), [(0.5, 2.0), (0.01, 100.0), (5e-4, 0.0)])
def test_images_are_divided_by_what_they_transmit_and_left_out_where_that_is_nothing(
    images: Observations, monkeypatch: pytest.MonkeyPatch, h: float, factor: float
) -> None:
    def evenly(table: Any, freqs: Any, _optics: Any) -> torch.Tensor:
        return torch.full((len(table.rotation), len(freqs)), h)

    monkeypatch.setattr(observations, "signal_transfer", evenly)
    monkeypatch.setattr(observations, "noise_transfer", evenly)
    monkeypatch.setattr(observations, "dose_attenuation", lambda *_: torch.ones(1))
    (block,) = images.to_radius(6).blocks(np.arange(B))
    torch.testing.assert_close(block.signal, block.observed * factor)
    torch.testing.assert_close(block.power, torch.full_like(block.power, h * factor))
