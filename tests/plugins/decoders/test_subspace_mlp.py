from __future__ import annotations

from dataclasses import replace

import pytest
import torch

from tomodrgn.core.errors import SpecError
from tomodrgn.core.interfaces import DecoderContext, MapDecoder, SubspaceDecoder, SubspaceSpec
from tomodrgn.plugins.decoders import LinearVolumesSpec, SubspaceMlpSpec
from tomodrgn.plugins.decoders.linear_volumes import LinearVolumes
from tomodrgn.plugins.decoders.subspace_mlp import SubspaceMlp
from tomodrgn.testing import DecoderContract

CONTEXT = DecoderContext(box_size_px=16, latent_dim=2, encoding=None, seed=0)


class TestSubspaceMlp(DecoderContract):
    spec = SubspaceMlpSpec(n_coordinates=3, dim=8)


def filled() -> SubspaceMlp:
    decoder = SubspaceMlp(SubspaceMlpSpec(n_coordinates=3, dim=8), CONTEXT)
    with torch.no_grad():
        decoder.maps.normal_(generator=torch.Generator().manual_seed(2))
    return decoder


def test_volumes_are_those_of_the_linear_model_at_the_coordinates() -> None:
    decoder, latent = filled(), torch.tensor([[0.5, -2.0], [1.0, 0.2]])
    linear = LinearVolumes(LinearVolumesSpec(), replace(CONTEXT, latent_dim=3))
    linear.load_state_dict({"maps": decoder.maps})
    coordinates = decoder.coordinates(latent)
    torch.testing.assert_close(decoder.volumes(latent), linear.volumes(coordinates))
    freqs, counts = -torch.rand(8, 3) / 2, torch.tensor([5, 3])
    found = decoder(freqs, latent, counts)
    torch.testing.assert_close(found, linear(freqs, coordinates, counts))


def test_it_says_what_it_is() -> None:
    assert isinstance(filled(), MapDecoder)
    assert isinstance(filled(), SubspaceDecoder)
    assert isinstance(SubspaceMlpSpec(), SubspaceSpec)
    assert not isinstance(LinearVolumesSpec(), SubspaceSpec)


def test_the_number_of_basis_maps_is_found_by_training() -> None:
    with pytest.raises(SpecError, match="n_coordinates"):
        SubspaceMlp(SubspaceMlpSpec(), CONTEXT)
