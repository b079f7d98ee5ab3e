from __future__ import annotations

import pytest
import torch
from pydantic import ValidationError

from tomodrgn.core.errors import SpecError
from tomodrgn.core.fourier.disc import half_plane_disc
from tomodrgn.core.interfaces import EncoderContext
from tomodrgn.plugins.encoders import TiltSetSpec
from tomodrgn.plugins.encoders.tilt_set import TiltSetEncoder
from tomodrgn.testing import EncoderContract

DISC = half_plane_disc(16)
CONTEXT = EncoderContext(
    box_size_px=16, radius_px=torch.from_numpy(DISC.radius_px), latent_dim=3, min_tilts=3
)


def small(**options: object) -> TiltSetSpec:
    sizes = {"layers_a": 1, "dim_a": 16, "out_dim_a": 8, "dim_b": 16}
    return TiltSetSpec.model_validate(sizes | options)


class TestConcatenate(EncoderContract):
    spec = small(pooling="concatenate")


class TestMax(EncoderContract):
    spec = small(pooling="max")


class TestMean(EncoderContract):
    spec = small(pooling="mean", mask_radius_px=4)


class TestMedian(EncoderContract):
    spec = small(pooling="median", activation="leaky_relu")


class TestSetEncoder(EncoderContract):
    spec = small(pooling="set_encoder", layer_norm=True)


def build(spec: TiltSetSpec) -> TiltSetEncoder:
    torch.manual_seed(0)
    return TiltSetEncoder(spec, CONTEXT)


@pytest.mark.parametrize("pooling", ["max", "mean", "median", "set_encoder"])
def test_order_of_tilts_has_no_effect(pooling: str) -> None:
    encoder = build(small(pooling=pooling))
    images, counts = torch.randn(7, len(DISC), 2), torch.tensor([3, 4])
    order = [2, 0, 1, 6, 4, 5, 3]
    for first, second in zip(encoder(images, counts), encoder(images[order], counts), strict=True):
        torch.testing.assert_close(first, second, rtol=1e-5, atol=1e-6)


def test_concatenation_reads_the_first_images_alone() -> None:
    encoder = build(small(pooling="concatenate"))
    images = torch.randn(9, len(DISC), 2)
    more = encoder(images, torch.tensor([4, 5]))
    fewer = encoder(images[[0, 1, 2, 4, 5, 6]], torch.tensor([3, 3]))
    torch.testing.assert_close(more.mean, fewer.mean)


@pytest.mark.parametrize(("radius", "reach"), [(None, 8), (-1, 8), (3, 3)])
def test_the_mask_limits_what_is_seen(radius: int | None, reach: int) -> None:
    encoder = build(small(pooling="mean", mask_radius_px=radius))
    images, counts = torch.randn(2, len(DISC), 2), torch.tensor([2])
    changed = images.clone()
    changed[:, DISC.prefix(reach) :] += 1
    torch.testing.assert_close(encoder(images, counts).mean, encoder(changed, counts).mean)
    changed[:, DISC.prefix(reach) - 1] += 1
    assert not torch.equal(encoder(images, counts).mean, encoder(changed, counts).mean)


def test_a_mask_without_coefficients_is_refused() -> None:
    with pytest.raises(SpecError, match="mask_radius_px: 0 leaves nothing to see"):
        build(small(mask_radius_px=0))


def test_heads_must_divide_the_features() -> None:
    with pytest.raises(ValidationError, match="num_heads 3 must divide dim_b 16"):
        small(pooling="set_encoder", num_heads=3)


def test_pooling_follows_the_numbers_of_tilts_unless_it_is_given() -> None:
    assert TiltSetSpec().for_tilt_counts(9, 9).pooling == "concatenate"
    assert TiltSetSpec().for_tilt_counts(1, 9).pooling == "mean"
    assert TiltSetSpec(pooling="max").for_tilt_counts(1, 9).pooling == "max"
