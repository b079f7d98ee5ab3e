from __future__ import annotations

import numpy as np
import pytest
import torch

from tomodrgn.core.simulation.gaussians import volumes
from tomodrgn.core.simulation.phantoms import Phantom, build_phantom

DIAMETER_A = 200.0


@pytest.fixture
def phantom() -> Phantom:
    return build_phantom(DIAMETER_A)


def _at_rest(phantom: Phantom, label: int, motion_deg: float = 0.0) -> torch.Tensor:
    blobs = phantom.conform(torch.tensor([label]), torch.tensor([motion_deg], dtype=torch.float64))
    return volumes(blobs, 32, 9.0)[0]


def _correlation(first: torch.Tensor, second: torch.Tensor) -> float:
    return float(torch.corrcoef(torch.stack([first.ravel(), second.ravel()]))[0, 1])


def test_the_molecule_fits_its_diameter(phantom: Phantom) -> None:
    assert np.linalg.norm(phantom.position_a, axis=1).max() <= DIAMETER_A / 2


def test_eight_classes_differ_by_a_tenth_of_the_mass_or_more(phantom: Phantom) -> None:
    presence = phantom.presence()
    assert len(np.unique(presence, axis=0)) == 8
    assert presence[0].all()
    lost = 1 - presence @ phantom.mass / phantom.mass.sum()
    assert ((lost[1:4] > 0.09) & (lost[1:4] < 0.25)).all()


def test_no_proper_rotation_by_axes_makes_the_mirror_image(phantom: Phantom) -> None:
    volume = _at_rest(phantom, 0)[1:, 1:, 1:]  # symmetric about the center
    mirror = volume.flip(0)
    for axes in [(0, 1, 2), (1, 2, 0), (2, 0, 1)]:
        for flips in [(), (0, 1), (0, 2), (1, 2)]:
            assert _correlation(volume, mirror.permute(axes).flip(flips)) < 0.8


def test_the_arm_swings_about_its_hinge_and_nothing_else_moves(phantom: Phantom) -> None:
    motion = torch.tensor([0.0, 40.0], dtype=torch.float64)
    rest, swung = phantom.conform(torch.zeros(2, dtype=torch.int64), motion).position_a
    moved = (rest - swung).norm(dim=1).numpy() > 1e-9
    assert moved.sum() == (phantom.part == -1).sum()
    hinge = torch.from_numpy(phantom.hinge_a)
    torch.testing.assert_close(
        (rest - hinge).norm(dim=1)[moved], (swung - hinge).norm(dim=1)[moved]
    )


def test_larger_angles_resemble_the_resting_molecule_less(phantom: Phantom) -> None:
    rest = _at_rest(phantom, 0)
    likeness = [_correlation(rest, _at_rest(phantom, 0, angle)) for angle in (5.0, 15.0, 30.0)]
    assert 1 > likeness[0] > likeness[1] > likeness[2] > 0.5
