from __future__ import annotations

import torch

from tests.rounding import assert_equal_to_rounding
from tomodrgn.core.interfaces import DecoderContext, EncodingContext
from tomodrgn.plugins.decoders import FourierMlpSpec
from tomodrgn.plugins.decoders.fourier_mlp.decoder import FourierMlp
from tomodrgn.plugins.encodings import GaussianSpec
from tomodrgn.plugins.encodings.gaussian import GaussianWaves
from tomodrgn.testing import DecoderContract


class TestFourierMlp(DecoderContract):
    spec = FourierMlpSpec(layers=2, dim=16)


class TestLeakyFourierMlp(DecoderContract):
    spec = FourierMlpSpec(layers=1, dim=8, activation="leaky_relu")


def test_the_random_waves_are_saved_with_the_weights() -> None:
    encoding = GaussianWaves(GaussianSpec(dim=2), EncodingContext(box_size_px=16, seed=5))
    context = DecoderContext(box_size_px=16, latent_dim=2, encoding=encoding, seed=5)
    state = FourierMlp(FourierMlpSpec(dim=8), context).state_dict()
    assert torch.equal(state["encoding.rand_freqs"], encoding.rand_freqs)
    assert state["decoder.main.0.weight"].shape == (8, 12 + 2)  # the latent comes last


def test_phases_keep_their_precision_where_networks_do_not() -> None:
    encoding = GaussianWaves(GaussianSpec(sigma=4.0), EncodingContext(box_size_px=64, seed=0))
    context = DecoderContext(box_size_px=64, latent_dim=0, encoding=encoding, seed=0)
    seen = []
    encoding.register_forward_hook(lambda module, given, features: seen.append(features))
    decoder = FourierMlp(FourierMlpSpec(dim=8), context)
    freqs, counts = torch.rand(50, 3) - 0.5, torch.tensor([50])
    decoder(freqs, None, counts)
    with torch.autocast("cpu", torch.bfloat16):
        decoder(freqs, None, counts)
        sweep = decoder.sweep(None)
        assert sweep is not None
        sweep.add(freqs, torch.zeros(50, dtype=torch.int64), lambda _, answers: answers)
    assert torch.equal(seen[0], seen[1])
    assert torch.equal(seen[0], seen[2])


def test_many_latents_are_decoded_as_each_alone() -> None:
    encoding = GaussianWaves(GaussianSpec(), EncodingContext(box_size_px=16, seed=0))
    context = DecoderContext(box_size_px=16, latent_dim=3, encoding=encoding, seed=0)
    decoder = FourierMlp(FourierMlpSpec(dim=8), context)
    freqs, latents = torch.rand(50, 3) - 0.5, torch.randn(4, 3)
    alone = [decoder(freqs, latent[None], torch.tensor([50])).detach() for latent in latents]
    together = decoder.decode_at(freqs, latents).detach()
    n_roundings = 5 * 51  # layers, of sums over features and latents
    assert_equal_to_rounding(together, torch.stack(alone), n_roundings=n_roundings)
