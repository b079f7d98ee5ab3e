"""What flaws do to images, and what files say of them: nothing."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest
import torch

from tomodrgn.core.fourier.disc import images_to_disc, shift_phases
from tomodrgn.core.simulation.flaws import EXPOSURE_COLUMNS
from tomodrgn.core.simulation.forward import Simulation, design
from tomodrgn.core.simulation.structures import build_structure
from tomodrgn.core.simulation.tilt_series import simulate

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from tomodrgn.core.specs.simulation import SimulationSpec

    Alter = Callable[..., SimulationSpec]


def _design(spec: SimulationSpec) -> Simulation:
    return design(spec, build_structure(spec))


def _recorded(simulation: Simulation) -> np.ndarray:
    return np.concatenate([images for _, images in simulation.record()])


def _signal(simulation: Simulation) -> np.ndarray:
    return simulation.clean_images(np.arange(len(simulation.experiment.images)))


@pytest.mark.parametrize(
    "name", ["contrast_particle_log_std", "contrast_tilt_log_std", "contrast_tomogram_log_std"]
)
def test_contrast_multiplies_the_signal_and_not_the_noise(altered: Alter, name: str) -> None:
    plain, faded = _design(altered(snr=0.5)), _design(altered(snr=0.5, **{name: 0.4}))
    contrast = faded.experiment.contrast[:, None, None]
    assert np.ptp(contrast) > 0.1
    np.testing.assert_allclose(
        _recorded(faded) - _recorded(plain), (1 - contrast) * _signal(plain), atol=1e-5
    )  # images of Warp are inverted, recorded ones are not


def test_contrast_is_shared_as_its_name_says(altered: Alter) -> None:
    options = {
        "contrast_particle_log_std": lambda e: e.particle_of_image,
        "contrast_tilt_log_std": lambda e: e.tomogram[e.particle_of_image] * 100 + e.tilt,
        "contrast_tomogram_log_std": lambda e: e.tomogram[e.particle_of_image],
    }
    for name, group in options.items():
        experiment = _design(altered(**{name: 0.3})).experiment
        shared = group(experiment)
        contrasts = {(g, round(c, 9)) for g, c in zip(shared, experiment.contrast, strict=True)}
        assert len(contrasts) == len(np.unique(shared)) == len({c for _, c in contrasts})


def test_logs_of_contrasts_have_the_deviation_asked_for(altered: Alter) -> None:
    spec = altered(n_particles=4000, n_tilts=1, contrast_particle_log_std=0.4)
    contrast = _design(spec).experiment.flaws.particle_contrast
    assert np.log(contrast).std() == pytest.approx(0.4, rel=0.05)  # 1 / sqrt(8000) is 0.011
    assert np.log(contrast).mean() == pytest.approx(0.0, abs=0.03)


def test_contrast_falls_as_the_path_through_the_specimen_grows(altered: Alter) -> None:
    experiment = _design(altered(tilt_step_deg=30.0, contrast_tilt_falloff=0.5)).experiment
    steepest = np.abs(experiment.images.tilt_deg) == 60
    assert steepest.any()
    np.testing.assert_allclose(experiment.contrast[steepest], np.exp(-0.5))  # twice the path
    np.testing.assert_allclose(experiment.contrast[experiment.images.tilt_deg == 0], 1)


def test_gain_multiplies_signal_and_noise_of_a_tomogram(altered: Alter) -> None:
    plain, scaled = (_design(altered(snr=0.5, gain_tomogram_log_std=g)) for g in (0.0, 0.3))
    gain = scaled.experiment.flaws.tomogram_gain
    assert abs(gain[0] - gain[1]) > 0.01
    rows = gain[scaled.experiment.tomogram[scaled.experiment.particle_of_image], None, None]
    np.testing.assert_allclose(_recorded(scaled), rows * _recorded(plain), rtol=1e-5, atol=1e-6)
    np.testing.assert_allclose(_signal(scaled), rows * _signal(plain), rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("name", ["warp", "relion5"])
def test_a_displaced_exposure_moves_all_its_particles_by_the_shift_theorem(
    altered: Alter, name: str
) -> None:
    plain, moved = (
        _design(altered(format=name, tilt_shift_px=s, ctf_premultiplied=False)) for s in (0, 1.0)
    )
    experiment, disc = moved.experiment, moved.disc
    exposure = experiment.tomogram[experiment.particle_of_image], experiment.tilt
    shift_px = experiment.flaws.tilt_shift_px[exposure]
    assert np.abs(shift_px).max() > 1
    before, after = (
        torch.view_as_complex(images_to_disc(torch.from_numpy(_signal(s)), disc))
        for s in (plain, moved)
    )
    back = shift_phases(torch.from_numpy(disc.k / disc.box_size_px), torch.from_numpy(shift_px))
    torch.testing.assert_close(
        (after * back).to(before.dtype), before, rtol=1e-4, atol=1e-5 * float(before.abs().max())
    )
    np.testing.assert_array_equal(experiment.stated.shift_px, plain.experiment.stated.shift_px)
    np.testing.assert_array_equal(experiment.stated.origin_a, plain.experiment.stated.origin_a)


@pytest.mark.parametrize("name", ["warp", "nextpyp", "relion5"])
def test_defocus_errors_are_in_images_and_in_no_file(
    altered: Alter, name: str, tmp_path: Path
) -> None:
    plain, wrong = (
        altered(format=name, tilt_defocus_error_um=e, outdir=tmp_path / str(e)) for e in (0, 0.3)
    )
    for spec in (plain, wrong):
        simulate(spec)
    for star in plain.outdir.rglob("*.star"):
        assert star.read_bytes() == (wrong.outdir / star.relative_to(plain.outdir)).read_bytes()
    experiment = _design(wrong).experiment
    assert experiment.images.ctf is not None
    assert experiment.stated_ctf is not None
    error_a = experiment.images.ctf.defocus_u_a - experiment.stated_ctf.defocus_u_a
    assert error_a.std() == pytest.approx(3000, rel=0.5)  # ten exposures
    assert not np.allclose(_signal(_design(plain)), _signal(_design(wrong)))


def test_what_was_drawn_lies_beside_the_truth(altered: Alter) -> None:
    spec = altered(contrast_particle_log_std=0.3, tilt_shift_px=0.5, min_tilts=2)
    folder = simulate(spec).parent
    flaws, acquisition = (_design(spec).experiment.flaws, _design(spec).experiment.acquisition)
    contrast = np.loadtxt(folder / "contrast.txt")
    np.testing.assert_allclose(contrast, flaws.particle_contrast, atol=1e-6)
    table = np.loadtxt(folder / "exposures.txt")
    assert table.shape == (acquisition.n_frames.sum(), len(EXPOSURE_COLUMNS))
    tomogram, exposure = table[:, :2].astype(int).T
    np.testing.assert_allclose(table[:, 4:6], flaws.tilt_shift_px[tomogram, exposure], rtol=1e-5)


def test_a_set_without_flaws_has_no_tables_of_them(small_spec: SimulationSpec) -> None:
    folder = simulate(small_spec).parent
    assert not (folder / "contrast.txt").exists()
    assert not (folder / "exposures.txt").exists()


def test_programs_multiply_images_by_the_transfer_that_they_believe_in(altered: Alter) -> None:
    plain, wrong = (
        _design(altered(format="relion5", snr=0.5, tilt_defocus_error_um=e)) for e in (0, 0.5)
    )
    noise = [np.concatenate([i for _, i in s.render()]) - _signal(s) for s in (plain, wrong)]
    np.testing.assert_allclose(noise[1], noise[0], atol=1e-5)  # that of the stated defocus
