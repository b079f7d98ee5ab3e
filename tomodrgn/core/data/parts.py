"""Building the parts of a model from a run spec, through the registry alone."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

import torch

from tomodrgn.core.errors import RunError, SpecError
from tomodrgn.core.fourier.disc import HalfPlaneDisc, half_plane_disc
from tomodrgn.core.interfaces import (
    DecoderContext,
    EncoderContext,
    EncodingContext,
    LossWeighting,
    SubspaceSpec,
    TiltDependentSpec,
    WeightingContext,
)
from tomodrgn.core.model.volume_model import VolumeModel
from tomodrgn.core.particles.tilt_counts import describe_fewest

if TYPE_CHECKING:
    from tomodrgn.core.data.run_directory import DatasetFacts
    from tomodrgn.core.particles.tables import ParticleSet
    from tomodrgn.core.registry import Registry
    from tomodrgn.core.specs.run import RunSpecBase

logger = logging.getLogger(__name__)


def require_sound(run: RunSpecBase) -> None:
    """Refuse combinations that no single section can see.

    Raises:
        SpecError: an encoder has no latents, or latents have no encoder.
    """
    if run.encoder is not None and run.latent.dim is None:
        raise SpecError("latent.dim: a model with an encoder needs --zdim, for example --zdim 8")
    if run.encoder is None and run.latent.dim is not None:
        raise SpecError("latent.dim: a model without encoder has no latents; leave --zdim out")


def run_disc(run: RunSpecBase, box_size_px: int) -> HalfPlaneDisc:
    """The coefficients that a run uses of each image."""
    return half_plane_disc(box_size_px, run.preparation.l_extent)


def build_model(run: RunSpecBase, registry: Registry, facts: DatasetFacts) -> VolumeModel:
    """The volume model of a run, with weights drawn from its seed."""
    box, seed = facts.box_size_px, run.seed or 0
    latent_dim = run.latent.dim or 0
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        encoding = None
        if run.positional_encoding is not None:
            context = EncodingContext(box_size_px=box, seed=seed)
            encoding = registry.build(run.positional_encoding, context)
        decoder = registry.build(
            run.decoder,
            DecoderContext(box_size_px=box, latent_dim=latent_dim, encoding=encoding, seed=seed),
        )
        encoder = None
        if run.encoder is not None:
            radius = torch.from_numpy(run_disc(run, box).radius_px)
            n_tilts = run.training.sample_ntilts or facts.min_tilts
            encoder = registry.build(
                run.encoder,
                EncoderContext(
                    box_size_px=box,
                    radius_px=radius,
                    latent_dim=latent_dim,
                    min_tilts=n_tilts,
                    n_coordinates=_n_coordinates(run),
                ),
            )
    return VolumeModel(decoder, encoder)


def _n_coordinates(run: RunSpecBase) -> int:
    """Basis maps of a decoder in a subspace; 0 of others."""
    return run.decoder.n_coordinates or 0 if isinstance(run.decoder, SubspaceSpec) else 0


def settle_encoder(run: RunSpecBase, facts: DatasetFacts) -> RunSpecBase:
    """The run with an encoder for the numbers of tilt images that particles bring to it."""
    if not isinstance(run.encoder, TiltDependentSpec):
        return run
    counts = facts.min_tilts, facts.max_tilts
    drawn = run.training.sample_ntilts
    if drawn is not None:
        counts = min(counts[0], drawn), min(counts[1], drawn)
    return run.model_copy(update={"encoder": run.encoder.for_tilt_counts(*counts)})


def say_tilt_counts(particles: ParticleSet, n_tilts: int | None) -> None:
    """Log how the numbers of tilt images differ, and who has few.

    Args:
        particles: of the run.
        n_tilts: images that the encoder takes of each particle; None for any number.
    """
    counts = particles.counts
    if counts.min() == counts.max():
        return
    said = f"particles have {counts.min()} to {counts.max()} tilt images"
    few = describe_fewest(particles, counts, int(counts.max()))
    if n_tilts is None:
        logger.info("%s; %s", said, few)
        return
    logger.warning(
        "%s; the encoder takes %d of each, which are drawn anew in each epoch; %s; leave these "
        "out with --min-tilts, or choose a pooling that takes any number (--pooling-function mean)",
        said, n_tilts, few,
    )  # fmt: skip


def tilts_per_particle(run: RunSpecBase, model: VolumeModel, facts: DatasetFacts) -> int | None:
    """Images drawn of each particle; None for all of them.

    Raises:
        RunError: the encoder needs more images than some particle has.
    """
    needed = getattr(model.encoder, "n_tilts", None)
    if needed is not None and needed > facts.min_tilts:
        raise RunError(
            f"training.sample_ntilts: {needed} tilt images are asked for, some particles have "
            f"{facts.min_tilts}; lower it, or choose a pooling that takes any number"
        )
    return run.training.sample_ntilts or needed


def build_weightings(
    run: RunSpecBase, registry: Registry, facts: DatasetFacts
) -> list[LossWeighting]:
    """The loss weightings that a run multiplies."""
    context = WeightingContext(box_size_px=facts.box_size_px, pixel_size_a=facts.pixel_size_a)
    return [registry.build(spec, context) for spec in run.loss_weightings]
