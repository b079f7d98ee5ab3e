"""Errors of exposures: widths that explain images best, whatever the order of these."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch
from scipy.spatial.transform import Rotation
from torch import Tensor

from tomodrgn.core.refinement import steps
from tomodrgn.core.refinement.equations import ImageEquations
from tomodrgn.core.refinement.joint import (
    Prior,
    TiltWidths,
    joint_errors,
    likeliest_tilt_widths,
    solved_tilts,
    tilt_systems,
)
from tomodrgn.core.refinement.steps import N_ERRORS, Widths, particle_equations

N_PARTICLES, N_TILTS, N_SERIES = 60, 9, 3
N_EXPOSURES = N_TILTS * N_SERIES


def shaken_exposures(width_px: float) -> tuple[ImageEquations, Tensor, Tensor, Tensor]:
    """Equations of images whose exposures are displaced, with series and exposure of each."""
    generator = torch.Generator().manual_seed(0)
    n_images = N_PARTICLES * N_TILTS
    owner = torch.arange(N_PARTICLES).repeat_interleave(N_TILTS)
    series = owner % N_SERIES
    exposure = N_TILTS * series + torch.arange(N_TILTS).repeat(N_PARTICLES)
    drawn = width_px * torch.randn(N_EXPOSURES, 2, generator=generator, dtype=torch.float64)
    root = torch.randn(n_images, 6, 9, generator=generator, dtype=torch.float64) * 2
    matrix = root @ root.mT
    noise = root @ torch.randn(n_images, 9, 1, generator=generator, dtype=torch.float64)
    changes = torch.zeros(n_images, 6, dtype=torch.float64)
    changes[:, 1:3] = drawn[exposure]
    seen = ImageEquations(
        images=torch.arange(n_images),
        owner=owner,
        rotation=torch.from_numpy(Rotation.random(n_images, random_state=0).as_matrix()),
        matrix=matrix,
        vector=(matrix @ changes[..., None] + noise)[..., 0],
        residual=torch.zeros(3),
        noise_transfer=torch.ones(3),
    )
    return seen, series, exposure, drawn


def test_widths_of_exposures_are_those_of_greatest_evidence() -> None:
    """Of errors of exposures that were drawn: no other width has more evidence."""
    seen, series, exposure, drawn = shaken_exposures(0.4)
    nothing = torch.zeros(N_PARTICLES, N_ERRORS, dtype=torch.float64)
    widths = Widths(0.1, 0.3, 0.05)
    systems = [tilt_systems(seen, series, exposure, widths, nothing)]
    stated = torch.zeros(1, N_EXPOSURES, 3, dtype=torch.float64)
    found, evidence = likeliest_tilt_widths(systems, stated, TiltWidths(0.1, 0.0))
    assert found.contrast == 0
    assert found.shift_px == pytest.approx(float(drawn.std()), rel=0.3)
    for factor in (0.8, 1.25):
        other = TiltWidths(factor * found.shift_px, 0.0)
        less = sum(solved_tilts(each, other, stated[0, each.shown])[2] for each in systems[0])
        assert less < evidence


def test_exposures_are_solved_alike_whatever_their_order() -> None:
    seen, series, exposure, _ = shaken_exposures(0.4)
    nothing = torch.zeros(N_PARTICLES, N_ERRORS, dtype=torch.float64)
    prior = Prior(
        widths=Widths(0.1, 0.3, 0.05), tilt_widths=TiltWidths(0.4, 0.1), stated=nothing,
        stated_tilt=torch.zeros(N_EXPOSURES, 3, dtype=torch.float64),
    )  # fmt: skip
    order = torch.randperm(len(series), generator=torch.Generator().manual_seed(1))
    mixed = replace(
        seen, images=seen.images[order], owner=seen.owner[order], rotation=seen.rotation[order],
        matrix=seen.matrix[order], vector=seen.vector[order],
    )  # fmt: skip
    first = joint_errors(seen, series, exposure, prior)
    second = joint_errors(mixed, series[order], exposure[order], prior)
    torch.testing.assert_close(first.tilt, second.tilt)
    torch.testing.assert_close(first.particle, second.particle)


def test_particles_are_the_same_however_many_images_are_summed_at_once(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    seen, *_ = shaken_exposures(0.4)
    whole = particle_equations(seen, N_PARTICLES)
    monkeypatch.setattr(steps, "_IMAGES_AT_ONCE", 7)
    parts = particle_equations(seen, N_PARTICLES)
    torch.testing.assert_close(parts.matrix, whole.matrix)
    torch.testing.assert_close(parts.vector, whole.vector)
