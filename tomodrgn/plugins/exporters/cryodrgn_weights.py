"""Weights in the layout of cryoDRGN, for models that its networks can represent.

Our encoder sees P half-plane coefficients of an image, cryoDRGN's every pixel of the Hartley
transform H inside its mask. With Re = (H(k) + H(-k)) / 2 and Im = (H(-k) - H(k)) / 2 the first
layer takes the one for the other; all other layers are the same. The decoders agree as they are.
"""

from __future__ import annotations

import io
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import numpy as np
import torch

from tomodrgn.core.errors import RunError
from tomodrgn.core.files.atomic import write_bytes_atomic
from tomodrgn.core.files.unreadable import require_readable
from tomodrgn.core.fourier.disc import half_plane_disc
from tomodrgn.core.model.mlp import ResidualMlp
from tomodrgn.plugins.exporters.cryodrgn_model import (
    NO_ENCODER,
    encoder_mask_px,
    why_no_encoder,
)

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from numpy.typing import NDArray
    from torch import Tensor

WEIGHTS: Final = "weights.pkl"
_FIRST: Final = "encoder.encoder1.main.0"


@dataclass(frozen=True, kw_only=True)
class Weights:
    """The final weights of a run."""

    epoch: int
    norm: tuple[float, float]
    model: dict[str, Tensor]
    n_tilts: int


def read_weights(directory: Path) -> Weights | None:
    """The final weights of a run directory; None where there are none."""
    path = directory / WEIGHTS
    if not path.exists():
        return None
    try:
        content = torch.load(path, map_location="cpu", weights_only=True)
        model: dict[str, Tensor] = content["model_state_dict"]
        norm = float(content["norm"][0]), float(content["norm"][1])
        epoch = int(content["epoch"])
    except Exception as error:  # a damaged file raises anything
        require_readable(path, error)
        raise RunError(f"{path}: cannot be read as weights of a run: {error}") from error
    return Weights(epoch=epoch, norm=norm, model=model, n_tilts=_n_tilts(model))


def write_weights(
    path: Path, weights: Weights, spec: Mapping[str, Any], *, box_size_px: int, n_tilts: int
) -> None:
    """Write a weights file of cryoDRGN; see :func:`cryodrgn_state`."""
    content = {
        "epoch": weights.epoch + 1,
        "model_state_dict": cryodrgn_state(
            weights.model, spec, box_size_px=box_size_px, n_tilts=n_tilts
        ),
        "optimizer_state_dict": {},
        "scaler": None,
    }
    buffer = io.BytesIO()
    torch.save(content, buffer)
    write_bytes_atomic(path, buffer.getbuffer())


def cryodrgn_state(
    model: Mapping[str, Tensor], spec: Mapping[str, Any], *, box_size_px: int, n_tilts: int
) -> dict[str, Tensor]:
    """State of the model under cryoDRGN's names, in its shapes.

    An encoder that cryoDRGN does not have becomes one of not-a-numbers: whoever asks it gets no
    latents, rather than wrong ones.

    Args:
        model: state of our model.
        spec: of its run.
        box_size_px: box edge D.
        n_tilts: tilt images that cryoDRGN's encoder concatenates.
    """
    mask_px = encoder_mask_px(spec, box_size_px)
    decoder = {
        name.replace("decoder.encoding.rand_freqs", "decoder.rand_freqs"): value.float()
        for name, value in model.items()
        if name.startswith("decoder.")
    }
    if why_no_encoder(spec) is None:
        return _encoder(model, box_size_px, mask_px) | decoder
    n_pixels = len(hartley_pixels(box_size_px, mask_px))
    return _no_encoder(n_pixels, n_tilts, spec["latent"]["dim"]) | decoder


def _encoder(
    model: Mapping[str, Tensor], box_size_px: int, mask_radius_px: int
) -> dict[str, Tensor]:
    """Our encoder, its first layer on the pixels that cryoDRGN's sees."""
    first = f"{_FIRST}.linear" if f"{_FIRST}.linear.weight" in model else _FIRST
    weight, bias = model[f"{first}.weight"].float(), model[f"{first}.bias"].float()
    if first != _FIRST:
        weight = weight + torch.eye(len(weight))
    weight = weight @ hartley_to_disc(box_size_px, mask_radius_px, weight.shape[1] // 2)
    name = _FIRST
    if weight.shape[0] == weight.shape[1]:  # a residual layer there
        name, weight = f"{_FIRST}.linear", weight - torch.eye(len(weight))
    others = {
        name: value.float()
        for name, value in model.items()
        if name.startswith("encoder.") and not name.startswith(f"{_FIRST}.")
    }
    return {f"{name}.weight": weight, f"{name}.bias": bias, **others}


def _no_encoder(n_pixels: int, n_tilts: int, latent_dim: int) -> dict[str, Tensor]:
    """Not-a-numbers in the shape of the stand-in."""
    shape = NO_ENCODER
    networks = {
        "encoder.encoder1.": ResidualMlp(
            n_pixels, shape.layers_a, shape.dim_a, shape.out_dim_a, "relu"
        ),
        "encoder.encoder2.": ResidualMlp(
            n_tilts * shape.out_dim_a, shape.layers_b, shape.dim_b, 2 * latent_dim, "relu"
        ),
    }
    return {
        prefix + name: torch.full_like(value, torch.nan)
        for prefix, network in networks.items()
        for name, value in network.state_dict().items()
    }


def hartley_pixels(box_size_px: int, mask_radius_px: int) -> NDArray[np.int64]:
    """(n, 2) integer frequencies (kx, ky) of the pixels that cryoDRGN's encoder sees, in order."""
    half = box_size_px // 2
    ky, kx = np.mgrid[-half : half + 1, -half : half + 1]
    pixels = np.stack([kx.ravel(), ky.ravel()], axis=1)
    if mask_radius_px < 0:
        return pixels
    radius_px = np.hypot(pixels[:, 0], pixels[:, 1])
    seen: NDArray[np.int64] = pixels[(radius_px > 0) & (radius_px <= mask_radius_px)]
    return seen


def hartley_to_disc(box_size_px: int, mask_radius_px: int, n_seen: int) -> Tensor:
    """(2 P, n) matrix from Hartley pixels to real and imaginary parts of P coefficients.

    Args:
        box_size_px: box edge D.
        mask_radius_px: radius of the mask, -1 for the whole square.
        n_seen: P, coefficients of the disc that our encoder sees.
    """
    pixels = hartley_pixels(box_size_px, mask_radius_px)
    place = np.full((box_size_px + 1, box_size_px + 1), -1, dtype=np.int64)
    half = box_size_px // 2
    place[pixels[:, 1] + half, pixels[:, 0] + half] = np.arange(len(pixels))
    k = half_plane_disc(box_size_px).k[:n_seen]
    plus = torch.from_numpy(place[k[:, 1] + half, k[:, 0] + half])
    minus = torch.from_numpy(place[half - k[:, 1], half - k[:, 0]])
    matrix = torch.zeros(2 * n_seen, len(pixels))
    real = 2 * torch.arange(n_seen)
    matrix[real, plus] = 0.5
    matrix[real, minus] = 0.5
    matrix[real + 1, plus] = -0.5
    matrix[real + 1, minus] = 0.5
    return matrix


def _n_tilts(model: Mapping[str, Tensor]) -> int:
    """Tilt images that the encoder concatenates; 1 for other poolings."""

    def width(network: str, side: int, layer: int) -> int:
        names = [n for n in model if n.startswith(f"encoder.{network}.main.") and "weight" in n]
        return int(model[names[layer]].shape[side]) if names else 1

    return max(1, width("encoder2", 1, 0) // max(1, width("encoder1", 0, -1)))
