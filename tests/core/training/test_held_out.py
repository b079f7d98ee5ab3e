from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
from torch import nn

from tests.core.training.conftest import BOX, MemorySource, make_particles
from tomodrgn.core.fourier.disc import half_plane_disc
from tomodrgn.core.model.volume_model import VolumeModel
from tomodrgn.core.particles.splits import train_mask
from tomodrgn.core.physics.transfer import signal_transfer
from tomodrgn.core.reconstruction.map_slices import MapSlices
from tomodrgn.core.specs.training import DevicesSpec
from tomodrgn.core.training.devices import Devices
from tomodrgn.core.training.held_out import HeldOutErrors, HeldOutTilts
from tomodrgn.core.training.sampling import Sampler
from tomodrgn.core.training.tilt_batch import TiltBatchBuilder

N = 60
DISC = half_plane_disc(BOX)


class MapOfTwo(nn.Module):
    """A decoder that knows both maps: a latent below 0 means the first."""

    def __init__(self, maps: list[MapSlices]) -> None:
        super().__init__()
        self.maps = maps
        self.weight = nn.Parameter(torch.ones(1))

    def forward(
        self, freqs: torch.Tensor, latent: torch.Tensor, counts: torch.Tensor
    ) -> torch.Tensor:
        is_second = torch.repeat_interleave(latent[:, 0] > 0, counts)[:, None]
        first, second = (each.at(freqs) for each in self.maps)
        return torch.where(is_second, second, first)


def blob(x: int) -> torch.Tensor:
    axis = torch.arange(BOX) - BOX // 2
    z, y, wide = torch.meshgrid(axis, axis, axis, indexing="ij")
    common = torch.exp(-(wide**2 + y**2 + z**2) / 8.0)
    return common + torch.exp(-((wide - x) ** 2 + y**2 + z**2) / 4.0)


@pytest.fixture(scope="module")
def particles() -> object:
    return make_particles([6] * N)


def observed(particles: object, labels: np.ndarray, noise: float) -> torch.Tensor:
    """(M, P, 2) images of the two maps."""
    images = particles.images.convert(torch.from_numpy)
    freqs = torch.from_numpy(DISC.freqs())
    transfer = signal_transfer(images, freqs / 10.0, particles.optics)
    places = (freqs @ images.rotation[:, :2]).reshape(-1, 3)
    both = torch.stack([MapSlices(blob(x)).at(places) for x in (-4, 4)])
    both = both.view(2, particles.n_images, len(DISC), 2)
    label = torch.from_numpy(labels[particles.particle_of_image])
    signal = both[label, torch.arange(particles.n_images)]
    random = torch.randn(signal.shape, generator=torch.Generator().manual_seed(1))
    return signal * transfer[..., None] + noise * random


def held_out(
    particles: object, coefficients: torch.Tensor, most_particles: int = 4000
) -> HeldOutTilts:
    kept = np.full(particles.n_images, len(DISC))
    is_train = train_mask(particles, 0.7, 0)

    def sampler(usable: np.ndarray) -> Sampler:
        return Sampler(particles, kept=kept, usable=usable, sample_ntilts=1, seed=0)

    builder = TiltBatchBuilder(
        particles, DISC, weightings=(), kept=kept, dtype=torch.float32, device=torch.device("cpu")
    )
    return HeldOutTilts(
        sampler(is_train),
        sampler(~is_train),
        builder,
        DISC,
        source=MemorySource(coefficients),
        cache_rows=np.arange(particles.n_images),
        most_particles=most_particles,
    )


def measure(
    particles: object, labels: np.ndarray, guessed: np.ndarray, most_particles: int = 4000
) -> HeldOutErrors:
    check = held_out(particles, observed(particles, labels, 3.0), most_particles)
    model = VolumeModel(MapOfTwo([MapSlices(blob(-4)), MapSlices(blob(4))]), None)
    return check.measure(model, guessed[:, None].astype(np.float32), Devices(DevicesSpec()))


LABELS = np.arange(N) % 2


def test_the_right_volumes_gain_on_the_consensus_and_tell_particles_apart(
    particles: object,
) -> None:
    report = measure(particles, LABELS, LABELS - 0.5).report(0)
    assert report.error == pytest.approx(2 * 3.0**2, rel=0.02)  # noise of both parts alone
    assert report.gain > 5 * report.gain_standard_error
    assert report.information > 5 * report.information_standard_error
    assert report.error < report.consensus_error < report.empty_error


def test_volumes_of_other_particles_neither_gain_nor_inform(particles: object) -> None:
    guessed = np.random.default_rng(0).permutation(LABELS - 0.5)
    report = measure(particles, LABELS, guessed).report(0)
    assert report.gain < 0
    assert abs(report.information) < 3 * report.information_standard_error


def test_without_heterogeneity_the_true_map_is_hardly_better_than_the_consensus(
    particles: object,
) -> None:
    errors = measure(particles, np.zeros(N, np.int64), np.full(N, -0.5))
    signal = errors.empty.mean() - errors.decoder.mean()
    assert 0 < errors.consensus.mean() - errors.decoder.mean() < 0.1 * signal
    np.testing.assert_allclose(errors.exchanged, errors.decoder)


def test_a_bounded_number_of_particles_is_drawn_by_their_names(particles: object) -> None:
    some = measure(particles, LABELS, LABELS - 0.5, most_particles=20)
    all_of_them = measure(particles, LABELS, LABELS - 0.5)
    assert len(some.decoder) == 20
    assert np.isin(some.decoder.round(9), all_of_them.decoder.round(9)).all()


def test_one_particle_has_no_spread(particles: object) -> None:
    errors = measure(particles, LABELS, LABELS - 0.5)
    one = HeldOutErrors(
        **{name: getattr(errors, name)[:1] for name in ("decoder", "exchanged", "empty")},
        consensus=errors.consensus[:1],
    )
    assert one.report(3).gain_standard_error == 0
    assert one.report(3).epoch == 3


def test_phase_flipped_images_are_measured_alike(particles: object) -> None:
    group = replace(
        particles.optics[0], state=replace(particles.optics[0].state, phase_flipped=True)
    )
    flipped = replace(particles, optics=(group,))
    report = measure(flipped, LABELS, LABELS - 0.5).report(0)
    assert report.gain > 5 * report.gain_standard_error
