from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from tests.core.cache.imaginary import imaginary_particles
from tomodrgn.core.errors import DataError
from tomodrgn.core.particles.possible import refuse_impossible
from tomodrgn.core.particles.tables import CtfTable, ParticleSet

USUAL = {
    "defocus_u_a": 30_000, "defocus_v_a": 29_000, "defocus_angle_deg": 20, "voltage_kv": 300,
    "cs_mm": 2.7, "amplitude_contrast": 0.07, "phase_shift_deg": 90,
}  # fmt: skip


def _set(**changes: float) -> ParticleSet:
    """Particles as any reader may return them, with other numbers in their last image."""
    particles = imaginary_particles()
    n = particles.n_images

    def column(field: str, usual: float) -> np.ndarray[Any, Any]:
        values = np.full(n, usual, np.float32)
        values[-1] = changes.get(field, usual)
        return values

    ctf = CtfTable(**{field: column(field, usual) for field, usual in USUAL.items()})
    images = replace(
        particles.images,
        ctf=ctf,
        voltage_kv=ctf.voltage_kv,
        dose_e_per_a2=column("dose_e_per_a2", 30.0),
        tilt_deg=column("tilt_deg", -60.0),
    )
    return replace(particles, images=images)


def test_usual_numbers_pass_with_and_without_a_ctf() -> None:
    particles = _set()
    refuse_impossible(particles)
    refuse_impossible(replace(particles, images=replace(particles.images, ctf=None)))


@pytest.mark.parametrize(
    ("field", "value", "remedy"),
    [
        ("voltage_kv", 300_000, "in V, divide by 1000"),
        ("cs_mm", 2700, "in micrometers"),
        ("amplitude_contrast", 7, "in percent"),
        ("defocus_v_a", 3e7, "in pm"),
        ("dose_e_per_a2", 12_000, "in e/nm"),
        ("tilt_deg", 500, "correct"),
        ("phase_shift_deg", 5000, "correct"),
    ],
)
def test_a_number_in_another_unit_is_refused_with_its_image(
    field: str, value: float, remedy: str
) -> None:
    with pytest.raises(DataError, match=rf"image 000011@stack.mrcs: {field} .*{remedy}.*1 such im"):
        refuse_impossible(_set(**{field: value}))


def test_a_pixel_size_in_meters_is_refused() -> None:
    particles = _set()
    group = replace(particles.optics[0], pixel_size_a=4e-10)
    with pytest.raises(DataError, match=r"4e-10 A/px of one is outside .* in m, multiply"):
        refuse_impossible(replace(particles, optics=(group,)))
