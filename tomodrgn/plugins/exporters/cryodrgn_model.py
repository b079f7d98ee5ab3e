"""What of a model cryoDRGN has, and how its config describes that.

Volumes need the decoder alone. Where cryoDRGN has our decoder but no such encoder, the smallest
one that it accepts stands in, see :data:`NO_ENCODER`.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from tomodrgn.core.conventions import NYQUIST

if TYPE_CHECKING:
    from collections.abc import Mapping

_ENCODINGS: Final = (
    "geom_ft", "geom_full", "geom_lowf", "geom_nohighf", "linear_lowf", "gaussian",
)  # fmt: skip


@dataclass(frozen=True, kw_only=True)
class EncoderShape:
    """Layers and widths of the networks per image (a) and per particle (b)."""

    layers_a: int
    dim_a: int
    out_dim_a: int
    layers_b: int
    dim_b: int


NO_ENCODER: Final = EncoderShape(layers_a=1, dim_a=1, out_dim_a=1, layers_b=1, dim_b=1)


def why_no_decoder(spec: Mapping[str, Any]) -> str | None:
    """Why cryoDRGN cannot decode the volumes of a run; None if it can."""
    decoder = spec["decoder"]
    encoding = spec["positional_encoding"] or {"kind": "none"}
    if decoder["kind"] != "fourier_mlp":
        return f"cryoDRGN has no decoder {decoder['kind']}"
    if encoding["kind"] not in _ENCODINGS:
        return f"cryoDRGN has no such decoder with the positional encoding {encoding['kind']}"
    if spec["preparation"]["l_extent"] != NYQUIST:
        return "preparation.l_extent leaves out frequencies that cryoDRGN would decode"
    return None


def why_no_encoder(spec: Mapping[str, Any]) -> str | None:
    """Why cryoDRGN cannot find the latents of images; None if it can."""
    encoder = spec["encoder"]
    if encoder is None or encoder["kind"] != "tilt_set":
        return f"cryoDRGN has no encoder {encoder and encoder['kind']}"
    if encoder["pooling"] not in ("auto", "concatenate"):
        return f"cryoDRGN concatenates tilt images and has no pooling {encoder['pooling']}"
    if encoder["activation"] != spec["decoder"].get("activation"):
        return "cryoDRGN has one activation for encoder and decoder, the run has two"
    return None


def encoder_shape(spec: Mapping[str, Any]) -> EncoderShape:
    """That of the encoder of a run, or of the stand-in."""
    if why_no_encoder(spec) is not None:
        return NO_ENCODER
    encoder = spec["encoder"]
    return EncoderShape(
        layers_a=encoder["layers_a"],
        dim_a=encoder["dim_a"],
        out_dim_a=encoder["out_dim_a"],
        layers_b=encoder["layers_b"],
        dim_b=encoder["dim_b"],
    )


def encoder_mask_px(spec: Mapping[str, Any], box_size_px: int) -> int:
    """Radius of the mask of the encoder, -1 for the whole square."""
    radius: int | None = (spec["encoder"] or {}).get("mask_radius_px")
    return box_size_px // 2 if radius is None else radius


def model_config(spec: Mapping[str, Any], box_size_px: int, n_tilts: int) -> dict[str, Any]:
    """The model in cryoDRGN's words; what a decoder lacks is None."""
    decoder, encoder = spec["decoder"], encoder_shape(spec)
    encoding = spec["positional_encoding"] or {"kind": "none"}
    return {
        "qlayers": encoder.layers_a,
        "qdim": encoder.dim_a,
        "players": decoder.get("layers"),
        "pdim": decoder.get("dim"),
        "zdim": spec["latent"]["dim"],
        "encode_mode": "tilt",
        "enc_mask": encoder_mask_px(spec, box_size_px),
        "pe_type": encoding["kind"],
        "feat_sigma": encoding.get("sigma") or 0.5,
        "pe_dim": encoding.get("dim"),
        "domain": "fourier",
        "activation": decoder.get("activation"),
        "tilt_params": {
            "t_emb_dim": encoder.out_dim_a,
            "ntilts": n_tilts,
            "tlayers": encoder.layers_b,
            "tdim": encoder.dim_b,
        },
    }
