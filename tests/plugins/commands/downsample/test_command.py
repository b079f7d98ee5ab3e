"""Smaller images of every kind of input: same particles, same low frequencies."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pytest
import torch

from tomodrgn.core.data.inputs import Inputs
from tomodrgn.core.errors import DataError, OutputError
from tomodrgn.core.files.mrc import (
    read_mrc_header,
    read_mrc_slices,
    read_volume,
    write_stack,
    write_volume,
)
from tomodrgn.core.files.star import read_star
from tomodrgn.core.fourier.cropping import crop_images, crop_volumes
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

IMAGES = np.random.default_rng(0).normal(size=(11, 12, 12)).astype(np.float32)
SMALLER = crop_images(torch.from_numpy(IMAGES), 8).numpy()
ROUNDING = 1e-6  # float32 transforms of batches of different sizes


@pytest.fixture(scope="module")
def star(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Shifted particles of box 16 in several stacks of float16, as Warp writes them."""
    spec = SimulationSpec(
        outdir=tmp_path_factory.mktemp("series"),
        n_particles=6,
        n_classes=1,
        box_size_px=16,
        pixel_size_a=20.0,
        n_tilts=5,
        min_tilts=3,
        origin_shift_px=2.0,
        particles_per_stack=4,
        dtype="float16",
        seed=0,
    )
    return simulate(spec)


def _reader(registry: Registry, path: Path) -> Reader:
    component = registry.get("reader", registry.identify_reader(path))
    reader: Reader = registry.build(validate(component.spec, {"path": path}), ReaderContext())
    return reader


def test_stack(registry: Registry, tmp_path: Path) -> None:
    write_stack(tmp_path / "in.mrcs", IMAGES, 3.0)
    out = tmp_path / "out" / "small.mrcs"
    spec = DownsampleSpec(particles=tmp_path / "in.mrcs", out=out, downsample=8, batch_size=4)
    assert downsample(Inputs(registry), spec) == [out]
    header = read_mrc_header(out)
    assert (header.shape, header.dtype) == ((11, 8, 8), np.dtype("float32"))
    assert header.pixel_size_a == pytest.approx(4.5)
    np.testing.assert_allclose(read_mrc_slices(out, np.arange(11)), SMALLER, atol=ROUNDING)


def test_list_of_stacks_to_numbered_stacks(registry: Registry, tmp_path: Path) -> None:
    for name, images in (("a.mrcs", IMAGES[:3]), ("b.mrcs", IMAGES[3:])):
        write_stack(tmp_path / "in" / name, images, 3.0)
    listed = tmp_path / "in" / "all.txt"
    listed.write_text("a.mrcs\r\n\r\nb.mrcs\r\n")
    spec = DownsampleSpec(particles=listed, out=tmp_path / "small.mrcs", downsample=8, chunk=5)
    written = downsample(Inputs(registry), spec)
    names = ["small.0.mrcs", "small.1.mrcs", "small.2.mrcs"]
    assert [path.name for path in written] == [*names, "small.txt"]
    stacks = [tmp_path / name for name in (tmp_path / "small.txt").read_text().split()]
    assert stacks == written[:3]
    images = [read_mrc_slices(path, np.arange(read_mrc_header(path).shape[0])) for path in stacks]
    assert [len(of_stack) for of_stack in images] == [5, 5, 1]
    np.testing.assert_allclose(np.concatenate(images), SMALLER, atol=ROUNDING)


@pytest.mark.parametrize(("name", "is_vol"), [("in.mrc", False), ("in.mrcs", True)])
def test_volume(registry: Registry, tmp_path: Path, name: str, is_vol: bool) -> None:
    volume = np.random.default_rng(0).normal(size=(12, 12, 12)).astype(np.float32)
    write_volume(tmp_path / name, volume, 3.0)
    out = tmp_path / "small.mrc"
    spec = DownsampleSpec(particles=tmp_path / name, out=out, downsample=8, is_vol=is_vol)
    assert downsample(Inputs(registry), spec) == [out]
    smaller, pixel_size_a = read_volume(out)
    assert pixel_size_a == pytest.approx(4.5)
    expected = crop_volumes(torch.from_numpy(volume), 8).numpy()
    np.testing.assert_allclose(smaller, expected, atol=ROUNDING)


@pytest.mark.parametrize("chunk", [None, 7])
def test_image_series_reads_as_the_same_particles(
    registry: Registry, star: Path, tmp_path: Path, chunk: int | None
) -> None:
    spec = DownsampleSpec(
        particles=star, out=tmp_path / "small.star", downsample=8, chunk=chunk, batch_size=4
    )
    *stacks, out = downsample(Inputs(registry), spec)
    original, again = _reader(registry, star), _reader(registry, out)
    expected, found = downsample_particles(original.read(), 8), again.read()
    assert found.optics == expected.optics
    np.testing.assert_array_equal(found.source_image, expected.source_image)
    np.testing.assert_array_equal(found.name, expected.name)
    np.testing.assert_allclose(found.images.shift_px, expected.images.shift_px, atol=1e-6)
    for name in ("rotation", "dose_e_per_a2", "tilt_deg"):
        np.testing.assert_array_equal(getattr(found.images, name), getattr(expected.images, name))
    rows = found.source_image
    smaller = crop_images(torch.from_numpy(original.load_images(rows)), 8).numpy()
    np.testing.assert_allclose(again.load_images(rows), smaller, rtol=2e-3, atol=2e-3)  # float16
    assert {str(read_mrc_header(path).dtype) for path in stacks} == {"float16"}
    assert read_mrc_header(stacks[0]).pixel_size_a == pytest.approx(40)


def test_columns_in_pixels_of_images_scale_and_all_others_stay(
    registry: Registry, star: Path, tmp_path: Path
) -> None:
    spec = DownsampleSpec(particles=star, out=tmp_path / "small.star", downsample=8)
    (*_, out) = downsample(Inputs(registry), spec)
    before, after = (
        star_file.read(star_file.tables[0]) for star_file in map(read_star, (star, out))
    )
    factors = dict.fromkeys(("rlnOriginX", "rlnOriginY", "rlnCoordinateX", "rlnCoordinateY"), 0.5)
    factors["rlnDetectorPixelSize"] = 2.0
    assert list(before) == list(after)
    for name in before:
        if name in factors:
            scaled = before[name].astype(float) * factors[name]
            np.testing.assert_allclose(after[name].astype(float), scaled, rtol=1e-8)
        elif name != "rlnImageName":
            assert before[name].tolist() == after[name].tolist()


def test_coordinates_in_pixels_of_micrographs_stay(registry: Registry, tmp_path: Path) -> None:
    """Where optics groups tell the pixel of micrographs from that of images, as in nextPYP."""
    star = simulate(
        SimulationSpec(
            outdir=tmp_path / "in", format="nextpyp", n_particles=4, n_classes=1, box_size_px=16,
            pixel_size_a=20.0, n_tilts=3, origin_shift_px=2.0,
        )
    )  # fmt: skip
    spec = DownsampleSpec(particles=star, out=tmp_path / "small.star", downsample=8)
    (*_, out) = downsample(Inputs(registry), spec)
    expected, found = (
        downsample_particles(_reader(registry, star).read(), 8),
        _reader(registry, out).read(),
    )
    assert found.optics == expected.optics
    np.testing.assert_allclose(found.images.shift_px, expected.images.shift_px, atol=1e-6)
    for column in ("rlnCoordinateX", "rlnOriginXAngst", "rlnMicrographOriginalPixelSize"):
        texts = [
            file.read(file.table_with(column))[column].tolist()
            for file in map(read_star, (star, out))
        ]
        assert texts[0] == texts[1]


def test_volume_series_has_nothing_to_downsample(registry: Registry, tmp_path: Path) -> None:
    star = simulate(
        SimulationSpec(outdir=tmp_path / "in", n_particles=4, box_size_px=16, n_tilts=3)
    ).with_name("volumes.star")
    spec = DownsampleSpec(particles=star, out=tmp_path / "small.star", downsample=8)
    with pytest.raises(DataError, match="one row per particle and no tilt images"):
        downsample(Inputs(registry), spec)


def test_number_type_can_be_chosen(registry: Registry, star: Path, tmp_path: Path) -> None:
    spec = DownsampleSpec(particles=star, out=tmp_path / "s.star", downsample=8, dtype="float32")
    stack, _ = downsample(Inputs(registry), spec)
    assert read_mrc_header(stack).dtype == np.dtype("float32")


def test_larger_box_is_refused_before_anything_is_written(
    registry: Registry, star: Path, tmp_path: Path
) -> None:
    spec = DownsampleSpec(particles=star, out=tmp_path / "new" / "s.star", downsample=32)
    with pytest.raises(DataError, match="32 px is more than the box of the images, 16 px"):
        downsample(Inputs(registry), spec)
    assert list(tmp_path.iterdir()) == []


def test_input_is_never_replaced(registry: Registry, star: Path) -> None:
    with pytest.raises(OutputError, match="exists; name another output"):
        downsample(Inputs(registry), DownsampleSpec(particles=star, out=star, downsample=8))


def test_nothing_is_left_of_images_that_are_not_finite(registry: Registry, tmp_path: Path) -> None:
    write_stack(tmp_path / "in.mrcs", IMAGES, 3.0)
    with (tmp_path / "in.mrcs").open("r+b") as file:
        file.seek(1024 + 6 * IMAGES[0].nbytes)
        file.write(np.float32(np.nan).tobytes())
    out = tmp_path / "out" / "small.mrcs"
    spec = DownsampleSpec(particles=tmp_path / "in.mrcs", out=out, downsample=8, chunk=4)
    with pytest.raises(
        DataError, match=r"small\.1\.mrcs: image 3 holds a pixel that is not finite"
    ):
        downsample(Inputs(registry), spec)
    assert list(out.parent.iterdir()) == []


def test_stack_that_is_no_cube_is_no_volume(registry: Registry, tmp_path: Path) -> None:
    write_stack(tmp_path / "in.mrcs", IMAGES, 3.0)
    spec = DownsampleSpec(
        particles=tmp_path / "in.mrcs", out=tmp_path / "s.mrc", downsample=8, is_vol=True
    )
    with pytest.raises(DataError, match="is 11 x 12 x 12 pixels; a volume is a cube"):
        downsample(Inputs(registry), spec)
