"""Sets with smaller images: the same particles in the same places."""

from __future__ import annotations

import os
import shutil
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
import torch

from tests.plugins.readers.refined_sets import (
    assert_refined_by,
    some_corrections,
    some_tilt_corrections,
)
from tomodrgn.core.data.inputs import Inputs
from tomodrgn.core.files.mrc import read_mrc_header
from tomodrgn.core.files.star import read_star
from tomodrgn.core.fourier.cropping import crop_images
from tomodrgn.core.interfaces import ReaderContext
from tomodrgn.core.particles.downsampling import downsample_particles
from tomodrgn.core.simulation.tilt_series import simulate
from tomodrgn.core.specs.faults import validate
from tomodrgn.core.specs.simulation import SimulationSpec
from tomodrgn.plugins.commands.downsample.command import downsample
from tomodrgn.plugins.commands.downsample.spec import DownsampleSpec

if TYPE_CHECKING:
    from tomodrgn.core.interfaces import Reader
from tomodrgn.core.registry import Registry

FLAVOURS: dict[str, dict[str, Any]] = {
    "warptools": {"format": "warptools"},
    "warptools, binned sizes": {"format": "warptools", "size_convention": "binned"},
    "relion5": {"format": "relion5"},
    "relion5, moving": {"format": "relion5", "trajectories_a": 10.0, "subtomogram_priors": True},
    "relion4": {"format": "relion4"},
}


def _simulate(folder: Path, **flavour: Any) -> Path:
    spec = SimulationSpec(
        outdir=folder,
        n_particles=6,
        n_tomograms=2,
        n_classes=1,
        box_size_px=16,
        pixel_size_a=20.0,
        n_tilts=5,
        missing_fraction=0.2,
        origin_shift_px=2.0,
        **flavour,
    )
    return simulate(spec)


def _reader(registry: Registry, path: Path, **options: Any) -> Reader:
    component = registry.get("reader", registry.identify_reader(path))
    spec = validate(component.spec, {"path": path, **options})
    reader: Reader = registry.build(spec, ReaderContext())
    return reader


def _assert_same_but_smaller(original: Reader, again: Reader) -> None:
    expected, found = downsample_particles(original.read(), 8), again.read()
    assert found.optics[0].box_size_px == 8
    assert found.optics[0].pixel_size_a == pytest.approx(expected.optics[0].pixel_size_a)
    assert found.optics[0].state == expected.optics[0].state
    for name in ("tomogram", "name", "counts", "source_image", "orientation", "half_set"):
        np.testing.assert_array_equal(getattr(found, name), getattr(expected, name))
    np.testing.assert_allclose(found.position_a, expected.position_a, atol=1e-4)
    assert found.images.ctf is not None
    assert expected.images.ctf is not None
    for name in ("rotation", "dose_e_per_a2", "tilt_deg"):
        np.testing.assert_array_equal(getattr(found.images, name), getattr(expected.images, name))
    for images in (found.images.ctf.defocus_u_a, found.images.shift_px):
        assert np.ptp(images) > 0
    np.testing.assert_allclose(
        found.images.ctf.defocus_u_a, expected.images.ctf.defocus_u_a, atol=0.01
    )
    np.testing.assert_allclose(found.images.shift_px, expected.images.shift_px, atol=1e-4)
    rows = found.source_image
    smaller = crop_images(torch.from_numpy(original.load_images(rows)), 8).numpy()
    np.testing.assert_allclose(again.load_images(rows), smaller, atol=5e-3)  # float16


@pytest.mark.parametrize("flavour", FLAVOURS)
def test_every_flavour_reads_as_the_same_particles(
    registry: Registry, tmp_path: Path, flavour: str
) -> None:
    star = _simulate(tmp_path / "in", **FLAVOURS[flavour])
    spec = DownsampleSpec(particles=star, out=tmp_path / "far" / "small.star", downsample=8)
    written = downsample(Inputs(registry), spec)
    assert [path.name for path in written] == [
        "small_stacks",
        "small_particles.star",
        "small_tomograms.star",
        "small.star",
    ]
    assert sorted(path.name for path in written) == sorted(
        path.name for path in (tmp_path / "far").iterdir()
    )
    _assert_same_but_smaller(_reader(registry, star), _reader(registry, written[-1]))


def test_set_written_elsewhere_can_be_moved(registry: Registry, tmp_path: Path) -> None:
    star = _simulate(tmp_path / "in", format="warptools")
    spec = DownsampleSpec(particles=star, out=tmp_path / "there" / "small.star", downsample=8)
    downsample(Inputs(registry), spec)
    shutil.move(tmp_path / "there", tmp_path / "elsewhere")
    moved = _reader(registry, tmp_path / "elsewhere" / "small.star")
    _assert_same_but_smaller(_reader(registry, star), moved)


def test_particles_without_their_set(registry: Registry, tmp_path: Path) -> None:
    folder = _simulate(tmp_path / "in", format="relion5").parent
    star, tomograms = folder / "particles.star", folder / "tomograms.star"
    spec = DownsampleSpec(
        particles=star, out=tmp_path / "small.star", downsample=8, tomograms=tomograms
    )
    written = downsample(Inputs(registry), spec)
    assert [path.name for path in written] == ["small_stacks", "small.star"]
    _assert_same_but_smaller(
        _reader(registry, star, tomograms=tomograms),
        _reader(registry, written[-1], tomograms=tomograms),
    )


def test_columns_that_nobody_knows_stay(registry: Registry, tmp_path: Path) -> None:
    star = _simulate(tmp_path / "in", format="relion5")
    particles = star.with_name("particles.star")
    text = particles.read_text().replace(
        "_rlnTomoVisibleFrames", "_myNote #99\n_rlnTomoVisibleFrames"
    )
    particles.write_text(text.replace("[", "'a b' ["))
    spec = DownsampleSpec(particles=star, out=tmp_path / "small.star", downsample=8)
    _, out, *_ = downsample(Inputs(registry), spec)
    before, after = read_star(particles), read_star(out)
    for column in ("myNote", "rlnTomoVisibleFrames", "rlnOriginXAngst", "rlnAngleRot"):
        texts = [file.read(file.table_with(column))[column].tolist() for file in (before, after)]
        assert texts[0] == texts[1]


@pytest.mark.skipif("TOMODRGN_TEST_DATA" not in os.environ, reason="needs real data")
def test_real_set_of_warptools(registry: Registry, tmp_path: Path) -> None:
    folder = Path(os.environ["TOMODRGN_TEST_DATA"]) / "warptools"
    (star,) = folder.glob("*_optimisation_set.star")
    spec = DownsampleSpec(particles=star, out=tmp_path / "small.star", downsample=16)
    stacks, *_, out = downsample(Inputs(registry), spec)
    original, again = _reader(registry, star), _reader(registry, out)
    assert again.read().n_images == original.read().n_images
    np.testing.assert_allclose(again.read().position_a, original.read().position_a, atol=1e-3)
    headers = [read_mrc_header(path) for path in stacks.rglob("*.mrcs")]
    assert len(headers) == 40
    assert {str(header.dtype) for header in headers} == {"float16"}
    assert {round(header.pixel_size_a, 3) for header in headers} == {24.0}


@pytest.mark.parametrize("flavour", ["warptools", "relion5, moving"])
def test_refined_sets_stay_refined(flavour: str, registry: Registry, tmp_path: Path) -> None:
    path = _simulate(tmp_path / "set", **FLAVOURS[flavour])
    reader: Any = _reader(registry, path)
    stated = reader.read()
    found = some_corrections(stated).after(some_tilt_corrections(stated))
    refined = reader.write_poses(stated, found, path.with_name("refined.star")).files[0]
    spec = DownsampleSpec(particles=refined, out=tmp_path / "small.star", downsample=8)
    downsample(Inputs(registry), spec)
    again = _reader(registry, tmp_path / "small.star").read()
    expected = downsample_particles(_reader(registry, refined).read(), 8)
    np.testing.assert_allclose(again.images.shift_px, expected.images.shift_px, atol=1e-5)
    np.testing.assert_allclose(again.images.scale, expected.images.scale, rtol=1e-6)
    assert_refined_by(again, found.rescaled(0.5))
