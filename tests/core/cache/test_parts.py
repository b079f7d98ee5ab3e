"""However many files and builders a cache has, it gives the same coefficients."""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import h5py
import numpy as np
import pytest
import torch

from tests.core.cache.imaginary import ImaginaryReader, imaginary_particles
from tests.core.cache.interrupted import ONE_IMAGE, digest
from tomodrgn.core.cache.job import divide
from tomodrgn.core.cache.prepare import build_cache
from tomodrgn.core.cache.residency import Residency
from tomodrgn.core.cache.store import CoefficientCache, ensure_cache, open_cache
from tomodrgn.core.cache.stream import open_images
from tomodrgn.core.errors import CacheError, DataError
from tomodrgn.core.specs.dataset import CacheSpec, PreparationSpec

if TYPE_CHECKING:
    from torch import Tensor

    from tomodrgn.core.cache.residency import ResidencyKind
    from tomodrgn.core.particles.tables import ParticleSet

AS_BUILT = PreparationSpec()
IN_THREE = CacheSpec(files=3, reserve_gb=0)


def built(
    path: Path, particles: ParticleSet, reader: ImaginaryReader, spec: CacheSpec
) -> CoefficientCache:
    build_cache(path, particles, reader, AS_BUILT, spec, block_bytes=2 * ONE_IMAGE)
    return open_cache(path, particles, reader, AS_BUILT)


def delivered(cache: CoefficientCache, kind: ResidencyKind = "ram") -> list[Tensor]:
    """Normalized coefficients of requests that cross the borders of files, forth and back."""
    rows = np.arange(cache.n_images)
    source = open_images(
        cache, Residency(kind, ""), torch.device("cpu"), shift=0.1, scale=cache.rms
    )
    return list(source.batches([rows, rows[::-1].copy(), rows[::2], rows[2:9], rows[[11, 0, 6]]]))


def equal(first: list[Tensor], second: list[Tensor]) -> bool:
    return all(torch.equal(one, two) for one, two in zip(first, second, strict=True))


@pytest.fixture
def in_three(particles: ParticleSet, reader: ImaginaryReader, tmp_path: Path) -> CoefficientCache:
    return built(tmp_path / "one" / "c.h5", particles, reader, IN_THREE)


@pytest.mark.parametrize("strongest", [None, 2, 9])
@pytest.mark.parametrize("n_files", [2, 3])
def test_the_number_of_files_changes_no_bit(
    particles: ParticleSet,
    reader: ImaginaryReader,
    tmp_path: Path,
    n_files: int,
    strongest: int | None,
) -> None:
    if strongest is not None:  # float16 overflows at the first scale
        reader.pixels[particles.source_image[strongest]] *= 1e6
    one = built(tmp_path / "one.h5", particles, reader, CacheSpec(reserve_gb=0))
    spec = CacheSpec(files=n_files, reserve_gb=0)
    several = built(tmp_path / "several.h5", particles, reader, spec)
    assert len(several.files) == n_files
    assert (several.rms, several.header.scale) == (one.rms, one.header.scale)
    for kind in ("ram", "stream"):
        assert equal(delivered(several, kind), delivered(one, kind))


def test_several_processes_build_the_same_files(
    in_three: CoefficientCache, particles: ParticleSet, reader: ImaginaryReader, tmp_path: Path
) -> None:
    seen: list[tuple[int, int]] = []
    spec = CacheSpec(files=3, processes=2, reserve_gb=0)
    path = tmp_path / "two" / "c.h5"
    build_cache(
        path,
        particles,
        reader,
        AS_BUILT,
        spec,
        block_bytes=2 * ONE_IMAGE,
        progress=lambda *now: seen.append(now),
    )
    assert seen[-1] == (particles.n_images, particles.n_images)
    assert equal(delivered(open_cache(path, particles, reader, AS_BUILT)), delivered(in_three))
    assert digest(path.parent) == digest(in_three.path.parent)


def test_a_fault_in_a_process_is_told_and_leaves_nothing(
    particles: ParticleSet, reader: ImaginaryReader, tmp_path: Path
) -> None:
    reader.pixels[particles.source_image[7], 0, 0] = np.nan
    with pytest.raises(DataError, match="hold pixels that are not finite"):
        built(tmp_path / "c.h5", particles, reader, IN_THREE.model_copy(update={"processes": 2}))
    assert not list(tmp_path.iterdir())


def test_other_programs_see_one_dataset(
    in_three: CoefficientCache, particles: ParticleSet, reader: ImaginaryReader
) -> None:
    path = in_three.path.parent
    one = built(path / "one.h5", particles, reader, CacheSpec(reserve_gb=0))
    with h5py.File(in_three.path) as several, h5py.File(one.path) as single:
        name = "images/coefficients"
        np.testing.assert_array_equal(several[name][:], single[name][:])


def test_files_hold_even_shares_of_whole_particles() -> None:
    particles = imaginary_particles(tuple(range(1, 40)))
    starts, images = set(particles.starts.tolist()), particles.n_images
    for n_files in (1, 2, 7, 39, 100):
        files = divide(Path("c.h5"), particles, n_files)
        assert len(files) == min(n_files, 39)
        assert {file.first for file in files} <= starts
        assert sum(file.n_images for file in files) == images
        assert max(file.n_images for file in files) <= images / n_files + 39
        assert files[0].name == f"c.1of{len(files)}.h5"


@pytest.mark.parametrize("spec", [CacheSpec(rebuild=True), CacheSpec(rebuild=True, files=2)])
def test_a_rebuilt_cache_leaves_no_part_of_the_former(
    in_three: CoefficientCache, particles: ParticleSet, reader: ImaginaryReader, spec: CacheSpec
) -> None:
    before = delivered(in_three)
    spec = spec.model_copy(update={"reserve_gb": 0})
    after = ensure_cache(in_three.path, particles, reader, AS_BUILT, spec)
    names = sorted(path.name for path in in_three.path.parent.iterdir())
    assert names == sorted({in_three.path.name, *(file.path.name for file in after.files)})
    assert equal(delivered(after), before)
    with pytest.raises(CacheError, match=r"c.1of3.h5: the cache cannot be opened|replaced"):
        delivered(in_three)


def test_a_build_in_another_division_leaves_nothing_of_the_one_before(
    particles: ParticleSet, reader: ImaginaryReader, tmp_path: Path
) -> None:
    class _StopError(Exception):
        """Stops a build."""

    def stop(done: int, _total: int) -> None:
        if done > 6:
            raise _StopError

    with pytest.raises(_StopError):
        build_cache(tmp_path / "c.h5", particles, reader, AS_BUILT, IN_THREE, progress=stop)
    assert (tmp_path / "c.1of3.h5.partial").exists()
    built(tmp_path / "c.h5", particles, reader, CacheSpec(reserve_gb=0))
    assert [path.name for path in tmp_path.iterdir()] == ["c.h5"]


def test_a_missing_part_is_named(
    in_three: CoefficientCache, particles: ParticleSet, reader: ImaginaryReader
) -> None:
    in_three.files[1].path.unlink()
    with pytest.raises(CacheError, match=r"c.2of3.h5: this part of c.h5 is missing; .*--rebuild"):
        open_cache(in_three.path, particles, reader, AS_BUILT)


def test_exchanged_parts_and_those_of_another_build_are_refused(
    in_three: CoefficientCache, particles: ParticleSet, reader: ImaginaryReader, tmp_path: Path
) -> None:
    stronger = replace(reader, pixels=reader.pixels * np.float32(1.1))
    (tmp_path / "other").mkdir()
    other = built(tmp_path / "other" / "c.h5", particles, stronger, IN_THREE)
    first, second, _ = (file.path for file in in_three.files)
    kept = second.read_bytes()
    for foreign in (other.files[1].path, first):
        second.write_bytes(foreign.read_bytes())
        with pytest.raises(CacheError, match=r"c.2of3.h5: this is no part of c.h5, or one of an"):
            open_cache(in_three.path, particles, reader, AS_BUILT)
    second.write_bytes(kept)
    os.truncate(second, len(kept) // 2)
    with pytest.raises(CacheError, match=r"c.2of3.h5: "):
        open_cache(in_three.path, particles, reader, AS_BUILT)


def test_a_part_is_not_taken_for_the_cache(
    in_three: CoefficientCache, particles: ParticleSet, reader: ImaginaryReader
) -> None:
    with pytest.raises(CacheError, match="this is part 2 of a cache; give the file that all"):
        open_cache(in_three.files[1].path, particles, reader, AS_BUILT)


def test_a_file_with_the_name_of_a_part_is_left_alone(
    particles: ParticleSet, reader: ImaginaryReader, tmp_path: Path
) -> None:
    (tmp_path / "c.3of3.h5").write_text("precious")
    with pytest.raises(CacheError, match=r"c.3of3.h5: this file is not a tomodrgn cache"):
        built(tmp_path / "c.h5", particles, reader, IN_THREE)
    assert [path.name for path in tmp_path.iterdir()] == ["c.3of3.h5"]


def test_large_caches_are_divided_by_themselves(
    reader: ImaginaryReader, particles: ParticleSet, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = built(tmp_path / "a.h5", particles, reader, CacheSpec(reserve_gb=0))
    monkeypatch.setattr("tomodrgn.core.cache.job.FILE_BYTES", whole.n_bytes / 1.5)
    cache = built(tmp_path / "b.h5", particles, reader, CacheSpec(reserve_gb=0))
    assert len(cache.files) == 2
