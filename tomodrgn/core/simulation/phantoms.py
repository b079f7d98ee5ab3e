"""Built-in molecules: chiral, without symmetry, with domains that go and twist, and a hinged arm.

Lengths are in units of the radius of the molecule until :func:`build_phantom` gives it a size.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import combinations
from typing import TYPE_CHECKING, Final

import numpy as np
import torch

from tomodrgn.core.simulation.gaussians import Blobs

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from torch import Tensor

_RIGID, _ARM, _FIRST_DOMAIN = -2, -1, 0

BOX_FILLED: Final = 0.7
"""Diameter of a molecule over the edge of its box."""

_GOLDEN_ANGLE = np.pi * (3 - np.sqrt(5))


@dataclass(frozen=True, slots=True, kw_only=True)
class Phantom:
    """A molecule of K blobs that can lack domains, twist them about z, and swing its arm.

    Attributes:
        position_a: (K, 3) rest positions in angstrom.
        mass: (K,) integrals; they add up to the squared diameter, so that the projected density
            is about 1.
        sigma_a: (K,) widths in angstrom.
        part: (K,) int64, number of the domain, or negative for the body and the arm.
        hinge_a: (3,) point that the arm turns about.
        hinge_axis: (3,) unit vector that it turns around.
    """

    position_a: NDArray[np.float64]
    mass: NDArray[np.float64]
    sigma_a: NDArray[np.float64]
    part: NDArray[np.int64]
    hinge_a: NDArray[np.float64]
    hinge_axis: NDArray[np.float64]

    def presence(self) -> NDArray[np.bool_]:
        """(classes, K) which blobs each class has: all, then without one domain, two, three."""
        domains = range(_FIRST_DOMAIN, int(self.part.max()) + 1)
        absent = [lost for n in range(len(domains) + 1) for lost in combinations(domains, n)]
        return np.stack([~np.isin(self.part, lost) for lost in absent])

    def conform(self, labels: Tensor, hinge_deg: Tensor, twist_deg: Tensor | None = None) -> Blobs:
        """Blobs of B particles.

        Args:
            labels: (B,) int64 classes.
            hinge_deg: (B,) float64 angles of the arm.
            twist_deg: (B,) float64 angles of the domains about z; None where they rest.
        """
        rest = torch.from_numpy(self.position_a)
        hinge, axis = torch.from_numpy(self.hinge_a), torch.from_numpy(self.hinge_axis)
        turned = hinge + _turn(rest - hinge, axis, torch.deg2rad(hinge_deg))
        on_arm = torch.from_numpy(self.part == _ARM)[:, None]
        position_a = torch.where(on_arm, turned, rest)
        if twist_deg is not None:
            twisted = _turn(rest, torch.tensor([0.0, 0.0, 1.0]).double(), torch.deg2rad(twist_deg))
            in_domain = torch.from_numpy(self.part >= _FIRST_DOMAIN)[:, None]
            position_a = torch.where(in_domain, twisted, position_a)
        return Blobs(
            position_a=position_a,
            mass=torch.from_numpy(self.presence() * self.mass)[labels],
            sigma_a=torch.from_numpy(self.sigma_a),
        )


def build_phantom(diameter_a: float) -> Phantom:
    """The assembly: 139 blobs; each domain holds 10 to 14 % of the mass, the arm 15 %."""
    parts = [
        (_RIGID, _helix(n=44, radius=0.31, height=0.90, turns=1.5), 0.055, 0.36),
        (_RIGID, _cluster((0.08, -0.12, 0.56), n=22, radius=0.27), 0.050, 0.14),
        (_ARM, _rod((0.40, 0.00, 0.14), (0.82, 0.10, 0.26), n=7), 0.050, 0.07),
        (_ARM, _cluster((0.80, 0.20, 0.28), n=11, radius=0.17), 0.050, 0.08),
        (0, _cluster((-0.50, 0.30, 0.12), n=22, radius=0.26), 0.050, 0.14),
        (1, _cluster((-0.08, -0.56, -0.20), n=17, radius=0.24), 0.050, 0.11),
        (2, _cluster((0.28, 0.34, -0.56), n=16, radius=0.23), 0.050, 0.10),
    ]
    radius = diameter_a / 2
    counts = [len(positions) for _, positions, _, _ in parts]
    share = np.array([mass / n for (_, _, _, mass), n in zip(parts, counts, strict=True)])
    axis = np.array([-0.2, 0.45, 1.0])
    return Phantom(
        position_a=radius * np.concatenate([positions for _, positions, _, _ in parts]),
        mass=diameter_a**2 * np.repeat(share, counts),
        sigma_a=radius * np.repeat([sigma for _, _, sigma, _ in parts], counts),
        part=np.repeat([part for part, _, _, _ in parts], counts),
        hinge_a=radius * np.array([0.40, 0.0, 0.15]),
        hinge_axis=axis / np.linalg.norm(axis),
    )


def build_barrel(diameter_a: float) -> Phantom:
    """Another molecule: four rings of seven blobs, a lid, and a foot off the axis."""
    heights = (-0.55, -0.18, 0.18, 0.55)
    positions = [_ring(7, radius=0.55, height=z, turn=0.4 * i) for i, z in enumerate(heights)]
    positions.append(_cluster((0.0, 0.0, 0.8), n=8, radius=0.2))
    positions.append(_cluster((0.45, 0.2, -0.8), n=6, radius=0.15))
    blobs = np.concatenate(positions)
    radius = diameter_a / 2
    return Phantom(
        position_a=radius * blobs,
        mass=np.full(len(blobs), diameter_a**2 / len(blobs)),
        sigma_a=np.full(len(blobs), 0.06 * radius),
        part=np.full(len(blobs), _RIGID),
        hinge_a=np.zeros(3),
        hinge_axis=np.array([0.0, 0.0, 1.0]),
    )


def _ring(n: int, *, radius: float, height: float, turn: float) -> NDArray[np.float64]:
    """(n, 3) points of a ring around z."""
    angle = 2 * np.pi * np.arange(n) / n + turn
    return np.stack([radius * np.cos(angle), radius * np.sin(angle), np.full(n, height)], axis=1)


def _helix(*, n: int, radius: float, height: float, turns: float) -> NDArray[np.float64]:
    """(n, 3) points of a right-handed helix around z."""
    t = np.linspace(0, 1, n)
    angle = 2 * np.pi * turns * t
    return np.stack([radius * np.cos(angle), radius * np.sin(angle), height * (t - 0.5)], axis=1)


def _cluster(centre: tuple[float, float, float], *, n: int, radius: float) -> NDArray[np.float64]:
    """(n, 3) points spread evenly in a ball."""
    t = (np.arange(n) + 0.5) / n
    z = 1 - 2 * t
    angle = _GOLDEN_ANGLE * np.arange(n)
    ring = np.sqrt(1 - z**2)
    directions = np.stack([ring * np.cos(angle), ring * np.sin(angle), z], axis=1)
    depth = np.cbrt(((np.arange(n) * 5) % n + 0.5) / n)
    points: NDArray[np.float64] = np.asarray(centre) + radius * depth[:, None] * directions
    return points


def _rod(
    start: tuple[float, float, float], end: tuple[float, float, float], *, n: int
) -> NDArray[np.float64]:
    """(n, 3) points on a line."""
    return np.linspace(start, end, n)


def _turn(vectors: Tensor, axis: Tensor, angle: Tensor) -> Tensor:
    """(B, K, 3): K vectors turned around a unit axis by each of B angles in radians.

    Source:
        Rodrigues' rotation formula.
    """
    along = (vectors @ axis)[:, None] * axis
    across = torch.linalg.cross(axis.expand_as(vectors), vectors)
    cos, sin = torch.cos(angle)[:, None, None], torch.sin(angle)[:, None, None]
    turned: Tensor = along + (vectors - along) * cos + across * sin
    return turned
