from __future__ import annotations

import contextlib
import copy
from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest
import torch

from tests.core.training.test_objective import TinyDecoder, TinyEncoder
from tomodrgn.core.errors import RunError
from tomodrgn.core.fourier.disc import HalfPlaneDisc
from tomodrgn.core.model.volume_model import VolumeModel
from tomodrgn.core.model.workers import Workers
from tomodrgn.core.particles.tables import ParticleSet
from tomodrgn.core.training.sampling import Sampler
from tomodrgn.core.training.step import LIMIT, AskedStep, StepLosses, Stepper
from tomodrgn.core.training.tilt_batch import TiltBatch, TiltBatchBuilder


@pytest.fixture(params=[False, True])
def stepper(request: pytest.FixtureRequest, disc: HalfPlaneDisc) -> Stepper:
    """With an optimizer that leaves its decision to the host, and with one that does not."""
    torch.manual_seed(0)
    model = VolumeModel(TinyDecoder(), TinyEncoder(len(disc)))
    one_cpu = SimpleNamespace(
        device=torch.device("cpu"),
        dtype=torch.float32,
        needs_loss_scaling=False,
        autocast=contextlib.nullcontext,
        sum_over_processes=lambda tensors: None,
        lower_precision_risk=lambda: False,
        workers=Workers(1),
    )
    optimizer = torch.optim.AdamW(model.parameters(), lr=1e-3, fused=request.param)
    return Stepper(model, optimizer, one_cpu)  # type: ignore[arg-type]


@pytest.fixture
def tilts(particles: ParticleSet, disc: HalfPlaneDisc, coefficients: torch.Tensor) -> TiltBatch:
    kept = np.full(particles.n_images, len(disc))
    builder = TiltBatchBuilder(
        particles, disc, weightings=[], kept=kept, dtype=torch.float32, device=torch.device("cpu")
    )
    sampler = Sampler(particles, kept=kept, usable=None, sample_ntilts=None, seed=0)
    return builder.build(next(sampler.in_order(100)), coefficients)


def step(stepper: Stepper, tilts: TiltBatch) -> StepLosses | None:
    return stepper.read(ask(stepper, tilts)).losses


def ask(stepper: Stepper, tilts: TiltBatch) -> AskedStep:
    return stepper.step(
        tilts,
        torch.zeros(7, 4),
        beta=0.1,
        control=None,
        lr=1e-2,
        n_coefficients=int(tilts.kept.sum()),
        n_particles=7,
    )


def test_steps_lower_the_loss(stepper: Stepper, tilts: TiltBatch) -> None:
    losses = [step(stepper, tilts) for _ in range(20)]
    totals = [loss.total for loss in losses if loss is not None]
    assert totals[-1] < totals[0]


def test_a_step_with_bad_numbers_changes_nothing(stepper: Stepper, tilts: TiltBatch) -> None:
    before = [p.clone() for p in stepper.model.parameters()]
    tilts.coefficients[3, 5, 0] = torch.nan
    assert step(stepper, tilts) is None
    for old, new in zip(before, stepper.model.parameters(), strict=True):
        assert torch.equal(old, new)


def test_bad_numbers_stop_the_run_within_a_bound(stepper: Stepper, tilts: TiltBatch) -> None:
    tilts.coefficients[0] = torch.inf
    for _ in range(LIMIT - 1):
        assert step(stepper, tilts) is None
    with pytest.raises(RunError, match=f"not finite in {LIMIT} steps in a row"):
        step(stepper, tilts)


def test_a_good_step_forgives_the_bad_ones(stepper: Stepper, tilts: TiltBatch) -> None:
    spoilt = tilts.coefficients.clone()
    good = spoilt.clone()
    spoilt[0] = torch.nan
    for round_ in range(3 * LIMIT):
        tilts.coefficients.copy_(good if round_ % 3 == 0 else spoilt)
        assert (step(stepper, tilts) is None) == (round_ % 3 != 0)


def test_steps_may_be_asked_for_before_those_in_front_are_read(
    stepper: Stepper, tilts: TiltBatch
) -> None:
    undisturbed, spoilt = copy.deepcopy(stepper), tilts.coefficients.clone()
    spoilt[0] = torch.nan
    asked = [ask(stepper, each) for each in (tilts, replace(tilts, coefficients=spoilt), tilts)]
    first, second, third = (stepper.read(each).losses for each in asked)
    assert second is None
    assert [step(undisturbed, tilts), step(undisturbed, tilts)] == [first, third]
    for mine, theirs in zip(
        stepper.model.parameters(), undisturbed.model.parameters(), strict=True
    ):
        assert torch.equal(mine, theirs)
