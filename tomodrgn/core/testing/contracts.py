"""The promises of each family, as tests: subclass one class per component.

Every contract works on tiny, ragged, seeded data: three particles with 3, 5 and 4 tilt images.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar

import pytest
import torch

from tomodrgn.core.fourier.disc import half_plane_disc
from tomodrgn.core.interfaces import (
    DecoderContext,
    EncoderContext,
    EncodingContext,
    Posterior,
    WeightingContext,
)
from tomodrgn.core.particles.tables import ImageTable
from tomodrgn.core.testing.component_contract import ComponentContract

if TYPE_CHECKING:
    from torch import Tensor, nn

    from tomodrgn.core.components import Component
    from tomodrgn.core.interfaces import LossWeighting
    from tomodrgn.core.specs.base import Spec

BOX_SIZE_PX = 16
LATENT_DIM = 3
RAGGED = (3, 5, 4)


class EncodingContract(ComponentContract):
    """A positional encoding maps each frequency on its own, the same way every time."""

    family: ClassVar[str] = "positional_encoding"

    @pytest.fixture
    def encoding(self, component: Component, own_spec: Spec) -> Any:
        context = EncodingContext(box_size_px=BOX_SIZE_PX, seed=0)
        return seeded(component, own_spec, context)

    def test_features_have_the_promised_shape(self, encoding: Any) -> None:
        features = encoding(frequencies(20))
        assert features.shape == (20, encoding.out_dim)
        assert features.dtype == torch.float32
        assert torch.isfinite(features).all()

    def test_no_frequencies_give_no_features(self, encoding: Any) -> None:
        assert encoding(frequencies(0)).shape == (0, encoding.out_dim)

    def test_frequencies_do_not_influence_each_other(self, encoding: Any) -> None:
        freqs = frequencies(20)
        alone = torch.cat([encoding(freqs[i : i + 1]) for i in range(20)])
        assert_same(alone, encoding(freqs))

    def test_same_seed_gives_the_same_features(
        self, encoding: Any, component: Component, own_spec: Spec
    ) -> None:
        twin = seeded(component, own_spec, EncodingContext(box_size_px=BOX_SIZE_PX, seed=0))
        assert torch.equal(twin(frequencies(20)), encoding(frequencies(20)))

    def test_saved_state_restores_the_features(
        self, encoding: Any, component: Component, own_spec: Spec
    ) -> None:
        other = seeded(component, own_spec, EncodingContext(box_size_px=BOX_SIZE_PX, seed=1))
        other.load_state_dict(encoding.state_dict())
        assert torch.equal(other(frequencies(20)), encoding(frequencies(20)))


class EncoderContract(ComponentContract):
    """An encoder turns packed tilt images into one posterior per particle.

    Set ``ragged = False`` for a spec that needs the same number of tilt images of each particle.
    """

    family: ClassVar[str] = "encoder"
    ragged: ClassVar[bool] = True

    @property
    def counts(self) -> Tensor:
        """(B,) images of each particle."""
        return torch.tensor(RAGGED if self.ragged else (min(RAGGED),) * len(RAGGED))

    @property
    def images(self) -> Tensor:
        """(M, P, 2) coefficients."""
        return noise(int(self.counts.sum()), len(half_plane_disc(BOX_SIZE_PX)), 2)

    @pytest.fixture
    def encoder(self, component: Component, own_spec: Spec) -> nn.Module:
        radius = torch.from_numpy(half_plane_disc(BOX_SIZE_PX).radius_px)
        context = EncoderContext(
            box_size_px=BOX_SIZE_PX,
            radius_px=radius,
            latent_dim=LATENT_DIM,
            min_tilts=min(RAGGED),
        )
        encoder: nn.Module = seeded(component, own_spec, context).eval()
        return encoder

    def test_posterior_has_one_row_per_particle(self, encoder: nn.Module) -> None:
        posterior = Posterior(*encoder(self.images, self.counts))
        for part in posterior:
            assert part.shape == (len(RAGGED), LATENT_DIM)
            assert torch.isfinite(part).all()

    def test_encoding_twice_gives_the_same_posterior(self, encoder: nn.Module) -> None:
        first, second = (encoder(self.images, self.counts) for _ in range(2))
        assert torch.equal(first[0], second[0])
        assert torch.equal(first[1], second[1])

    def test_particles_do_not_influence_each_other(self, encoder: nn.Module) -> None:
        together = encoder(self.images, self.counts)
        blocks = torch.split(self.images, self.counts.tolist())
        alone = [encoder(block, torch.tensor([len(block)])) for block in blocks]
        for part in range(2):
            rows = torch.cat([posterior[part] for posterior in alone])
            assert_same(rows, together[part])

    def test_every_parameter_learns(self, encoder: nn.Module) -> None:
        posterior = encoder.train()(self.images, self.counts)
        (posterior[0].square().sum() + posterior[1].square().sum()).backward()
        assert_gradients(encoder)


class SubspaceEncoderContract(ComponentContract):
    """An encoder in a subspace turns linear posteriors into one posterior per particle."""

    family: ClassVar[str] = "encoder"
    n_coordinates: ClassVar[int] = 4

    @property
    def linear(self) -> Posterior:
        """(B, K) what a linear model says of particles."""
        n_particles = len(RAGGED)
        mean = noise(n_particles, self.n_coordinates)
        return Posterior(mean, -mean.square())

    @property
    def context(self) -> EncoderContext:
        """What it is built for."""
        return EncoderContext(
            box_size_px=BOX_SIZE_PX,
            radius_px=torch.zeros(1),
            latent_dim=LATENT_DIM,
            min_tilts=min(RAGGED),
            n_coordinates=self.n_coordinates,
        )

    @pytest.fixture
    def encoder(self, component: Component, own_spec: Spec) -> Any:
        encoder = seeded(component, own_spec, self.context).eval()
        encoder.begin(self.linear)
        return encoder

    def test_posterior_has_one_row_per_particle(self, encoder: Any) -> None:
        for part in Posterior(*encoder(self.linear)):
            assert part.shape == (len(RAGGED), LATENT_DIM)
            assert torch.isfinite(part).all()

    def test_particles_do_not_influence_each_other(self, encoder: Any) -> None:
        together = encoder(self.linear)
        for row in range(len(RAGGED)):
            alone = encoder(Posterior(*(part[row : row + 1] for part in self.linear)))
            for part in range(2):
                assert_same(alone[part], together[part][row : row + 1])

    def test_every_parameter_learns(self, encoder: Any) -> None:
        posterior = encoder.train()(self.linear)
        (posterior[0].square().sum() + posterior[1].square().sum()).backward()
        assert_gradients(encoder)

    def test_saved_state_restores_the_posterior(
        self, encoder: Any, component: Component, own_spec: Spec
    ) -> None:
        """Scales that it took from the data set are part of its state."""
        other = component.load()(own_spec, self.context).eval()
        other.load_state_dict(encoder.state_dict())
        assert torch.equal(other(self.linear)[0], encoder(self.linear)[0])


class DecoderContract(ComponentContract):
    """A decoder gives one Fourier coefficient per frequency, with and without latents."""

    family: ClassVar[str] = "decoder"

    def build(self, component: Component, spec: Spec, latent_dim: int) -> nn.Module:
        context = DecoderContext(
            box_size_px=BOX_SIZE_PX, latent_dim=latent_dim, encoding=None, seed=0
        )
        decoder: nn.Module = seeded(component, spec, context)
        return decoder

    @pytest.fixture
    def decoder(self, component: Component, own_spec: Spec) -> nn.Module:
        return self.build(component, own_spec, LATENT_DIM).eval()

    def test_each_frequency_has_a_coefficient(self, decoder: nn.Module) -> None:
        values = decoder(frequencies(sum(RAGGED)), noise(3, LATENT_DIM), torch.tensor(RAGGED))
        assert values.shape == (sum(RAGGED), 2)
        assert torch.isfinite(values).all()

    def test_one_volume_needs_no_latent(self, component: Component, own_spec: Spec) -> None:
        decoder = self.build(component, own_spec, 0).eval()
        values = decoder(frequencies(sum(RAGGED)), None, torch.tensor(RAGGED))
        assert values.shape == (sum(RAGGED), 2)
        assert torch.isfinite(values).all()

    def test_decoding_twice_gives_the_same(self, decoder: nn.Module) -> None:
        arguments = frequencies(sum(RAGGED)), noise(3, LATENT_DIM), torch.tensor(RAGGED)
        assert torch.equal(decoder(*arguments), decoder(*arguments))

    def test_particles_do_not_influence_each_other(self, decoder: nn.Module) -> None:
        freqs, latent = frequencies(sum(RAGGED)), noise(3, LATENT_DIM)
        together = decoder(freqs, latent, torch.tensor(RAGGED))
        alone = [
            decoder(block, latent[row : row + 1], torch.tensor([len(block)]))
            for row, block in enumerate(torch.split(freqs, list(RAGGED)))
        ]
        assert_same(torch.cat(alone), together)

    def test_frequencies_do_not_influence_each_other(self, decoder: nn.Module) -> None:
        freqs, latent = frequencies(8), noise(1, LATENT_DIM)
        some = decoder(freqs[2:5], latent, torch.tensor([3]))
        together = decoder(freqs, latent, torch.tensor([8]))
        assert_same(some, together[2:5])

    def test_latents_and_parameters_learn(self, decoder: nn.Module) -> None:
        latent = noise(3, LATENT_DIM).requires_grad_()
        values = decoder.train()(frequencies(sum(RAGGED)), latent, torch.tensor(RAGGED))
        values.square().sum().backward()
        assert latent.grad is not None
        assert_gradients(decoder)

    def test_same_seed_gives_the_same_start(
        self, decoder: nn.Module, component: Component, own_spec: Spec
    ) -> None:
        twin = self.build(component, own_spec, LATENT_DIM).state_dict()
        assert all(torch.equal(twin[name], value) for name, value in decoder.state_dict().items())


class WeightingContract(ComponentContract):
    """A loss weighting gives each coefficient of each image a weight between 0 and 1."""

    family: ClassVar[str] = "loss_weightings"

    @pytest.fixture
    def weighting(self, component: Component, own_spec: Spec) -> LossWeighting:
        context = WeightingContext(box_size_px=BOX_SIZE_PX, pixel_size_a=4.0)
        weighting: LossWeighting = seeded(component, own_spec, context)
        return weighting

    def test_weights_lie_between_zero_and_one(self, weighting: LossWeighting) -> None:
        weights = weighting.weights(tilt_images(), radii())
        assert weights.shape == (len(tilt_images()), len(radii()))
        assert weights.dtype == torch.float32
        assert bool(((weights >= 0) & (weights <= 1)).all())

    def test_images_do_not_influence_each_other(self, weighting: LossWeighting) -> None:
        together = weighting.weights(tilt_images(), radii())
        some = weighting.weights(tilt_images().convert(lambda column: column[2:4]), radii())
        assert_same(some, together[2:4])

    def test_coefficients_do_not_influence_each_other(self, weighting: LossWeighting) -> None:
        together = weighting.weights(tilt_images(), radii())
        some = weighting.weights(tilt_images(), radii()[:5])
        assert_same(some, together[:, :5])


def seeded(component: Component, spec: Spec, context: Any) -> Any:
    """The part built with a fixed state of torch's own generator."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        return component.load()(spec, context)


def frequencies(n: int) -> Tensor:
    """(n, 3) cycles/px with z <= 0, where decoders are asked."""
    freqs = 0.3 * noise(n, 3).tanh()
    freqs[:, 2] = -freqs[:, 2].abs()
    return freqs


def noise(*shape: int) -> Tensor:
    """Normal numbers, the same for every call of that shape."""
    return torch.randn(shape, generator=torch.Generator().manual_seed(7))


def radii() -> Tensor:
    """(P,) radius of each coefficient in Fourier pixels, ascending."""
    return torch.from_numpy(half_plane_disc(BOX_SIZE_PX).radius_px).float()


def tilt_images() -> ImageTable[Tensor]:
    """Six tilt images of a typical tilt series, without CTF: columns (6,), (6, 2) and (6, 3, 3)."""
    n = 6
    return ImageTable(
        rotation=torch.eye(3).expand(n, 3, 3),
        shift_px=torch.zeros(n, 2),
        dose_e_per_a2=torch.arange(1, n + 1) * 3.0,
        tilt_deg=torch.tensor([0.0, 3.0, -3.0, 30.0, -60.0, 90.0]),
        voltage_kv=torch.full((n,), 300.0),
        optics=torch.zeros(n, dtype=torch.int64),
    )


def assert_same(actual: Tensor, expected: Tensor) -> None:
    """Equal in shape, and but for the order of sums in float32, which sizes of matrices decide."""
    torch.testing.assert_close(actual, expected, rtol=1e-4, atol=1e-5)


def assert_gradients(module: nn.Module) -> None:
    """Every parameter has a finite gradient."""
    for name, parameter in module.named_parameters():
        assert parameter.grad is not None, f"{name} has no gradient"
        assert torch.isfinite(parameter.grad).all(), f"the gradient of {name} is not finite"
