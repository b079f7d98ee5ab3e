from __future__ import annotations

import torch

from tomodrgn.core.interfaces import DecoderContext
from tomodrgn.core.model import evaluation
from tomodrgn.core.model.evaluation import decode_volumes
from tomodrgn.core.model.volume_model import VolumeModel
from tomodrgn.plugins.decoders import LinearVolumesSpec
from tomodrgn.plugins.decoders.linear_volumes import LinearVolumes
from tomodrgn.testing import DecoderContract

BOX, LATENTS = 16, 2


class TestLinearVolumes(DecoderContract):
    spec = LinearVolumesSpec()


def filled() -> LinearVolumes:
    context = DecoderContext(box_size_px=BOX, latent_dim=LATENTS, encoding=None, seed=0)
    decoder = LinearVolumes(LinearVolumesSpec(), context)
    with torch.no_grad():
        decoder.maps.normal_(generator=torch.Generator().manual_seed(2))
    return decoder


def test_volumes_are_the_mean_and_shares_of_the_basis() -> None:
    decoder, latent = filled(), torch.tensor([[0.5, -2.0]])
    mean, first, second = decoder.maps
    assert torch.allclose(decoder.volumes(latent)[0], mean + 0.5 * first - 2 * second)


def test_decoding_maps_equals_asking_for_every_frequency(monkeypatch) -> None:
    model, latents = VolumeModel(filled(), None), torch.randn(3, LATENTS)
    options = {"box_size_px": BOX, "output_box_px": 12, "extent": 0.4, "scale": 2.0}
    (fast,) = decode_volumes(model, latents, **options)
    monkeypatch.setattr(evaluation, "MapDecoder", type(None))
    (slow,) = decode_volumes(model, latents, **options)
    assert torch.allclose(fast, slow, atol=1e-4 * float(slow.abs().max()))


def test_spectra_follow_the_maps() -> None:
    decoder, freqs = filled().requires_grad_(False), -torch.rand(10, 3) / 2
    before = decoder(freqs, None, torch.tensor([10]))
    decoder.maps.mul_(2)
    assert torch.allclose(decoder(freqs, None, torch.tensor([10])), 2 * before, rtol=1e-4)
