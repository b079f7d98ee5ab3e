"""Sets that other code wrote, against slow readings of their tables."""

from __future__ import annotations

import math
import os
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from tests.core.simulation.set_files import WrittenSet
from tests.core.simulation.test_sets import DETAILS, FLAVOURS
from tomodrgn.core.files.mrc import read_mrc_slices
from tomodrgn.core.files.star import read_star
from tomodrgn.core.fourier.disc import half_plane_disc, images_to_disc
from tomodrgn.core.interfaces import ReaderContext
from tomodrgn.core.physics.transfer import noise_transfer
from tomodrgn.core.physics.windows import circular_window
from tomodrgn.core.simulation.tilt_series import simulate
from tomodrgn.core.specs.simulation import SimulationSpec
from tomodrgn.plugins.readers import OptimisationSetSpec, tomodrgn_identify_reader
from tomodrgn.plugins.readers.optimisation_set.reader import OptimisationSet

needs_test_data = pytest.mark.skipif(
    "TOMODRGN_TEST_DATA" not in os.environ, reason="TOMODRGN_TEST_DATA is not set"
)


def _reader(path: Path) -> OptimisationSet:
    return OptimisationSet(OptimisationSetSpec(path=path), ReaderContext())


@pytest.mark.parametrize("flavour", FLAVOURS.values(), ids=FLAVOURS.keys())
def test_simulated_sets_are_read_as_written(flavour: dict[str, Any], tmp_path: Path) -> None:
    spec = SimulationSpec(
        **{**DETAILS, "outdir": tmp_path, "n_tomograms": 2, "box_size_px": 16,
           "pixel_size_a": 12.0, "origin_shift_px": 2.0, "snr": None, **flavour}
    )  # fmt: skip
    entry = simulate(spec)
    assert tomodrgn_identify_reader(entry) == "optimisation_set"
    reader = _reader(entry)
    particles = reader.read()
    images, ctf = particles.images, particles.images.ctf
    assert ctf is not None
    assert particles.n_particles == spec.n_particles
    pixels = reader.load_images(particles.source_image)
    for particle in range(spec.n_particles):
        rows = np.arange(particles.starts[particle], particles.starts[particle + 1])
        frames = WrittenSet(entry).frames(particle)
        assert len(frames) == len(rows)
        for frame, row in zip(frames, rows[np.argsort(particles.source_image[rows])], strict=True):
            np.testing.assert_allclose(images.rotation[row], frame.rotation, atol=1e-6)
            np.testing.assert_allclose(images.shift_px[row], frame.shift_a / 12, atol=1e-5)
            defocus = [ctf.defocus_u_a[row], ctf.defocus_v_a[row]]
            np.testing.assert_allclose(defocus, frame.defocus_a, atol=1e-2)  # float32 of 30,000
            assert ctf.defocus_angle_deg[row] == pytest.approx(frame.defocus_angle_deg)
            assert ctf.phase_shift_deg[row] == pytest.approx(frame.phase_shift_deg)
            assert images.dose_e_per_a2[row] == pytest.approx(frame.dose)
            assert math.cos(math.radians(images.tilt_deg[row])) == pytest.approx(frame.cosine)
            np.testing.assert_array_equal(pixels[row], frame.pixels)
    state = particles.optics[0].state
    assert (state.ctf_premultiplied, state.inverted) == (True, False)
    assert (state.dose_weighted, state.tilt_weighted) == (True, True)
    np.testing.assert_allclose(particles.position_a, np.load(tmp_path / "positions.npy"), atol=1e-3)
    assert (images.tilt_deg < -1).any()
    assert (images.tilt_deg > 1).any()


@needs_test_data
def test_every_visible_frame_of_the_warptools_set_has_its_own_dose_tilt_and_pixels() -> None:
    folder = Path(os.environ["TOMODRGN_TEST_DATA"]) / "warptools"
    stem = "warptools_test_4-tomos_10-ptcls_box-32_angpix-12"
    entry = folder / f"{stem}_optimisation_set.star"
    assert tomodrgn_identify_reader(entry) == "optimisation_set"
    reader = _reader(entry)
    particles = reader.read()
    assert (particles.n_particles, particles.n_images, particles.rows_read) == (40, 1430, 1480)
    pixels = dict(
        zip(particles.source_image, reader.load_images(particles.source_image), strict=True)
    )
    found = {
        image: (particles.images.dose_e_per_a2[row], particles.images.tilt_deg[row])
        for row, image in enumerate(particles.source_image)
    }
    star, tomograms = (
        read_star(folder / f"{stem}.star"),
        read_star(folder / f"{stem}_tomograms.star"),
    )
    tilts = {block.name: tomograms.read(block) for block in tomograms.tables}
    seen = entry_of_image = 0
    for _, row in star.read(star.table_with("rlnTomoVisibleFrames")).iterrows():
        for frame, shown in enumerate(row.rlnTomoVisibleFrames.strip("[]").split(",")):
            if shown == "1":
                tilt = tilts[row.rlnTomoName].iloc[frame]
                dose, tilt_deg = found[entry_of_image]
                assert dose == np.float32(tilt.rlnMicrographPreExposure)
                sign = -1 if float(tilt.rlnTomoProjZ.strip("[]").split(",")[0]) > 0 else 1
                expected = sign * math.degrees(math.acos(float(tilt.rlnCtfScalefactor)))
                assert tilt_deg == pytest.approx(expected, abs=1e-4)
                image = read_mrc_slices(folder / row.rlnImageName, np.array([frame]))[0]
                np.testing.assert_array_equal(pixels[entry_of_image], image)
                seen += 1
            entry_of_image += 1
    assert (seen, entry_of_image) == (1430, 1480)


@needs_test_data
def test_noise_of_the_warptools_set_falls_with_the_cosine_of_tilt() -> None:
    folder = Path(os.environ["TOMODRGN_TEST_DATA"]) / "warptools"
    stem = "warptools_test_4-tomos_10-ptcls_box-32_angpix-12"
    reader = _reader(folder / f"{stem}_optimisation_set.star")
    particles = reader.read()
    disc = half_plane_disc(particles.box_size_px)
    band = np.flatnonzero(disc.radius_px > 0.35 * particles.box_size_px)
    around = 1 - circular_window(particles.box_size_px, inner=0.7, outer=0.8)  # no particle there
    pixels = torch.from_numpy(reader.load_images(particles.source_image)) * around
    coefficients = torch.view_as_complex(images_to_disc(pixels, disc))[:, band]
    images = particles.images.convert(torch.from_numpy)
    freqs = torch.from_numpy(disc.freqs()[band] / np.float32(particles.pixel_size_a))
    untilted = [replace(g, state=replace(g.state, tilt_weighted=False)) for g in particles.optics]
    known = noise_transfer(images, freqs, untilted)
    assert known is not None
    noise = coefficients.abs().square().mean(1) / known.square().mean(1)
    cosine = np.log(np.cos(np.deg2rad(particles.images.tilt_deg)))
    exponent, _ = np.polyfit(cosine, 0.5 * np.log(noise.numpy()), 1)
    assert exponent == pytest.approx(1, abs=0.1)
