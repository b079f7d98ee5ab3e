from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest
import torch

from tomodrgn.core.fourier.disc import images_to_disc, shift_phases
from tomodrgn.core.physics.ctf import contrast_transfer
from tomodrgn.core.physics.dose import dose_attenuation
from tomodrgn.core.simulation import imaging
from tomodrgn.core.simulation.forward import Simulation, design
from tomodrgn.core.simulation.gaussians import coefficients
from tomodrgn.core.simulation.structures import PhantomStructure, build_structure

if TYPE_CHECKING:
    from collections.abc import Callable

    from tomodrgn.core.specs.simulation import SimulationSpec

    Alter = Callable[..., SimulationSpec]


def _design(spec: SimulationSpec) -> Simulation:
    return design(spec, build_structure(spec))


def _rendered(simulation: Simulation) -> np.ndarray:
    return np.concatenate([images for _, images in simulation.render()])


def _closed_form(simulation: Simulation) -> torch.Tensor:
    """scale C q F(k @ R) of every image, one particle at a time."""
    structure, experiment = simulation.structure, simulation.experiment
    assert isinstance(structure, PhantomStructure)
    images = experiment.images.convert(torch.from_numpy)
    assert images.ctf is not None
    freqs_per_a = torch.from_numpy(
        simulation.disc.k / (structure.box_size_px * structure.pixel_size_a)
    )
    blobs = structure.phantom.conform(
        torch.from_numpy(experiment.labels), torch.from_numpy(experiment.motion[:, 0])
    )
    exact = torch.stack(
        [
            coefficients(blobs.take(torch.tensor([p])), freqs_per_a @ rotation[:2])[0]
            for p, rotation in zip(experiment.particle_of_image, images.rotation, strict=True)
        ]
    )
    damage = dose_attenuation(images.dose_e_per_a2, freqs_per_a.norm(dim=1), images.voltage_kv)
    return simulation.scale * exact * damage * contrast_transfer(images.ctf, freqs_per_a)


@pytest.mark.parametrize("inverted", [True, False])
def test_moving_an_image_by_its_shift_gives_the_modulated_central_slice(
    altered: Alter, inverted: bool
) -> None:
    simulation = _design(altered(motion="hinge", inverted=inverted, phase_shift_deg=30.0))
    disc = simulation.disc
    images = torch.from_numpy(_rendered(simulation))
    found = torch.view_as_complex(images_to_disc(images, disc)).to(torch.complex128)
    shifts = torch.from_numpy(simulation.experiment.images.shift_px)
    centred = found * shift_phases(torch.from_numpy(disc.k / disc.box_size_px), shifts)
    expected = _closed_form(simulation) * (-1 if inverted else 1)
    # float32 images: 1e-5 of the largest coefficient
    torch.testing.assert_close(
        centred, expected, rtol=1e-5, atol=1e-5 * float(expected.abs().max())
    )


def test_noise_has_variance_one_and_the_signal_the_ratio_asked_for(altered: Alter) -> None:
    spec = altered(snr=0.25, n_particles=40, n_tilts=9)
    simulation = _design(spec)
    noise = _rendered(simulation) - simulation.clean_images(
        np.arange(len(simulation.experiment.images))
    )
    assert noise.std() == pytest.approx(1.0, rel=0.01)  # 92,160 pixels
    signal = simulation.clean_images(np.arange(len(simulation.experiment.images)))
    assert np.square(signal).mean() == pytest.approx(0.25, rel=1e-4)


@pytest.mark.parametrize("snr", [None, float("inf")])
def test_without_noise_the_signal_has_variance_one(altered: Alter, snr: float | None) -> None:
    images = _rendered(_design(altered(snr=snr)))
    assert np.square(images).mean() == pytest.approx(1.0, rel=1e-4)


def test_block_size_changes_no_pixel(altered: Alter, monkeypatch: pytest.MonkeyPatch) -> None:
    simulation = _design(altered(snr=0.5))
    whole = _rendered(simulation)
    monkeypatch.setattr(imaging, "_BLOCK_BYTES", 100_000)
    assert len(list(simulation.render())) > 1
    np.testing.assert_allclose(_rendered(simulation), whole, rtol=0, atol=1e-6)


def test_pixels_are_the_same_at_every_call_and_differ_between_seeds(altered: Alter) -> None:
    first, again, other = (_rendered(_design(altered(snr=0.5, seed=s))) for s in (3, 3, 4))
    np.testing.assert_array_equal(first, again)
    assert not np.allclose(first, other)


def test_dose_only_weakens_an_image(altered: Alter) -> None:
    gentle, harsh = (_design(altered(dose_per_tilt_e_per_a2=dose)) for dose in (0.0, 10.0))
    rows = np.arange(len(gentle.experiment.images))
    undamaged = gentle.expected(rows).abs() / gentle.scale
    damaged = harsh.expected(rows).abs() / harsh.scale
    assert (damaged <= undamaged + 1e-12).all()


def test_without_ctf_images_show_density_in_the_sign_of_the_contrast(altered: Alter) -> None:
    simulation = _design(altered(ctf=False, inverted=False, origin_shift_px=0.0))
    images = _rendered(simulation)
    centre = images[:, 4:12, 4:12].mean()
    border = images[:, 0].mean()
    assert centre > border
