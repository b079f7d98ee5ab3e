"""What programs do to recorded images before they write them, and how a reader learns of it.

Signal and noise are treated alike: y = s T (C q F + noise), where T is the contrast transfer C for
premultiplied images or its sign for phase-flipped ones, times the weights of dose and tilt, and s
the sign of the contrast.
"""

from __future__ import annotations

from dataclasses import fields
from typing import TYPE_CHECKING

import numpy as np
import torch

from tomodrgn.core.particles.tables import ImageState, OpticsGroup
from tomodrgn.core.physics.ctf import contrast_transfer
from tomodrgn.core.physics.transfer import phase_flip, upstream_weights

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from torch import Tensor

    from tomodrgn.core.particles.tables import ImageTable
    from tomodrgn.core.specs.simulation import SimulationSpec


def written_state(spec: SimulationSpec) -> ImageState:
    """What is done to the images of a simulation: as the spec says, else as the program does."""
    multiplies = spec.writes_set and spec.ctf and not spec.phase_flipped
    premultiplied = multiplies if spec.ctf_premultiplied is None else spec.ctf_premultiplied
    weights = _weights_images(spec, premultiplied=premultiplied)
    inverts = _inverts_contrast(spec, premultiplied=premultiplied)
    return ImageState(
        ctf_premultiplied=premultiplied,
        phase_flipped=spec.phase_flipped,
        dose_weighted=weights if spec.dose_weighted is None else spec.dose_weighted,
        tilt_weighted=weights if spec.tilt_weighted is None else spec.tilt_weighted,
        inverted=inverts if spec.inverted is None else spec.inverted,
    )


def reading_options(spec: SimulationSpec) -> list[str]:
    """Options that tell a reader what the files of a simulation cannot say, or say otherwise."""
    written = written_state(spec)
    states_transfer = spec.format != "warp"
    premultiplied = bool(written.ctf_premultiplied) and states_transfer
    assumed = ImageState(
        ctf_premultiplied=premultiplied,
        dose_weighted=_weights_images(spec, premultiplied=premultiplied),
        tilt_weighted=_weights_images(spec, premultiplied=premultiplied),
        inverted=_inverts_contrast(spec, premultiplied=premultiplied),
    )
    options = []
    for field in fields(ImageState):
        applies = getattr(written, field.name)
        if applies != getattr(assumed, field.name):
            options.append(_option(field.name, applies=applies))
    return options


def stated_dose_e_per_a2(spec: SimulationSpec, tilt: NDArray[np.int64]) -> NDArray[np.float64]:
    """Dose (n,) that the files state of frames, by their rank (n,) of acquisition.

    Warp counts the exposure of a frame itself, other programs count only those before it.
    """
    exposures = tilt + 1 if spec.format == "warp" else tilt
    return exposures.astype(np.float64) * spec.dose_per_tilt_e_per_a2


def treat(pixels: Tensor, images: ImageTable[Tensor], optics: OpticsGroup) -> Tensor:
    """Recorded images as programs write them.

    Args:
        pixels: (M, D, D) float32, density positive.
        images: M rows; their dose is the one that the weights follow.
        optics: the one group of the images, with what is done to them.

    Returns:
        (M, D, D) float32.
    """
    box = optics.box_size_px
    factor = _treatment(images, _freqs_per_a(optics), optics)
    if factor is not None:
        spectra = torch.fft.rfft2(pixels.to(factor.dtype))  # (M, D, D//2+1)
        treated = torch.fft.irfft2(spectra * factor.view(spectra.shape), s=(box, box))
        pixels = treated.to(pixels.dtype)
    return -pixels if optics.state.inverted else pixels


def _weights_images(spec: SimulationSpec, *, premultiplied: bool) -> bool:
    """Whether the program of a format weights images by dose and tilt; RELION with the transfer."""
    return spec.format == "warptools" or (spec.writes_set and premultiplied)


def _inverts_contrast(spec: SimulationSpec, *, premultiplied: bool) -> bool:
    """Whether the program of a format makes the molecule bright in images that it writes raw."""
    return not spec.writes_set or (spec.format != "warptools" and not premultiplied)


def _option(treatment: str, *, applies: bool) -> str:
    """Option of the commands that read particles."""
    if treatment == "inverted":
        return "--invert-data" if applies else "--uninvert-data"
    return f"--{'' if applies else 'not-'}{treatment.replace('_', '-')}"


def _treatment(
    images: ImageTable[Tensor], freqs_per_a: Tensor, optics: OpticsGroup
) -> Tensor | None:
    """(M, P) factor T, or None where nothing is multiplied."""
    factor = None
    if images.ctf is not None and optics.state.ctf_premultiplied:
        factor = contrast_transfer(images.ctf, freqs_per_a)
    if images.ctf is not None and optics.state.phase_flipped:
        factor = phase_flip(contrast_transfer(images.ctf, freqs_per_a))
    weights = upstream_weights(images, freqs_per_a, (optics,))
    if factor is None or weights is None:
        return weights if factor is None else factor
    return factor * weights


def _freqs_per_a(optics: OpticsGroup) -> Tensor:
    """(D * (D//2+1), 2) float64 frequencies of a real transform, in its order."""
    spacing = optics.box_size_px, optics.pixel_size_a
    ky, kx = np.meshgrid(np.fft.fftfreq(*spacing), np.fft.rfftfreq(*spacing), indexing="ij")
    return torch.from_numpy(np.stack([kx.ravel(), ky.ravel()], axis=1))
