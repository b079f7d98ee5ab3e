"""A cache is used only if it is the one that the run needs; otherwise the reason is named."""

from __future__ import annotations

import json
import os
from dataclasses import replace
from typing import TYPE_CHECKING

import h5py
import numpy as np
import pytest

from tests.core.cache.imaginary import ImaginaryReader, seal_again, take
from tomodrgn.core.cache.prepare import build_cache
from tomodrgn.core.cache.seal import Seal, write_seal
from tomodrgn.core.cache.store import CoefficientCache, ensure_cache, open_cache
from tomodrgn.core.errors import CacheError
from tomodrgn.core.specs.dataset import CacheSpec, PreparationSpec

if TYPE_CHECKING:
    from pathlib import Path

    from tomodrgn.core.particles.tables import ParticleSet

AS_BUILT = PreparationSpec()
SPEC = CacheSpec(reserve_gb=0)
WAY_OUT = "use --rebuild-cache to build it anew, or another --cache"


def test_a_smaller_set_in_another_order_finds_its_rows(
    cache: CoefficientCache, particles: ParticleSet
) -> None:
    some = take(particles, np.array([2, 0]))
    np.testing.assert_array_equal(cache.rows(some), [8, 9, 10, 11, 0, 1, 2])


def test_an_image_that_is_not_there_is_named(
    cache: CoefficientCache, particles: ParticleSet, reader: ImaginaryReader
) -> None:
    names = particles.image_name.copy()
    names[4] = "000099@other.mrcs"
    with pytest.raises(CacheError, match=f"1 of 12 images .* 000099@other.mrcs; {WAY_OUT}"):
        open_cache(cache.path, replace(particles, image_name=names), reader, AS_BUILT)


def test_another_shift_is_refused(
    cache: CoefficientCache, particles: ParticleSet, reader: ImaginaryReader
) -> None:
    shifts = particles.images.shift_px.copy()
    shifts[3] += 1
    moved = replace(particles, images=replace(particles.images, shift_px=shifts))
    with pytest.raises(CacheError, match="1 images were centered by other shifts"):
        open_cache(cache.path, moved, reader, AS_BUILT)


def test_a_file_that_changed_is_named(
    cache: CoefficientCache, particles: ParticleSet, reader: ImaginaryReader
) -> None:
    match = f"files stack.mrcs size is 100 in the cache and 101 now; {WAY_OUT}"
    with pytest.raises(CacheError, match=match):
        open_cache(cache.path, particles, replace(reader, size=101), AS_BUILT)


def test_a_file_that_was_added_is_named(
    cache: CoefficientCache,
    particles: ParticleSet,
    reader: ImaginaryReader,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    described = reader.fingerprint()
    described["files"].append({"path": "more.mrcs", "size": 1})
    monkeypatch.setattr(reader, "fingerprint", lambda: described)
    with pytest.raises(CacheError, match=r"files more\.mrcs is not in the cache"):
        open_cache(cache.path, particles, reader, AS_BUILT)


def test_an_option_that_differs_is_named(
    cache: CoefficientCache, particles: ParticleSet, reader: ImaginaryReader
) -> None:
    with pytest.raises(CacheError, match=r"window_r is 0.8 in the cache and 0.7 now"):
        open_cache(cache.path, particles, reader, PreparationSpec(window_r=0.7))


def test_the_radii_of_a_window_that_is_off_do_not_matter(
    particles: ParticleSet, reader: ImaginaryReader, tmp_path: Path
) -> None:
    build_cache(tmp_path / "c.h5", particles, reader, PreparationSpec(window=False), SPEC)
    open_cache(tmp_path / "c.h5", particles, reader, PreparationSpec(window=False, window_r=0.5))


def test_a_text_file_is_no_cache(
    particles: ParticleSet, reader: ImaginaryReader, tmp_path: Path
) -> None:
    (tmp_path / "c.h5").write_text("notes")
    with pytest.raises(CacheError, match="no cache, or a damaged one"):
        open_cache(tmp_path / "c.h5", particles, reader, AS_BUILT)


def test_a_foreign_file_is_never_overwritten(
    particles: ParticleSet, reader: ImaginaryReader, tmp_path: Path
) -> None:
    (tmp_path / "c.h5").write_text("notes")
    with pytest.raises(CacheError, match="left alone; give another --cache"):
        ensure_cache(
            tmp_path / "c.h5", particles, reader, AS_BUILT, CacheSpec(rebuild=True, reserve_gb=0)
        )
    assert (tmp_path / "c.h5").read_text() == "notes"


def test_a_cache_of_another_version_is_refused(
    cache: CoefficientCache, particles: ParticleSet, reader: ImaginaryReader
) -> None:
    with h5py.File(cache.path, "r+", locking=False) as file:
        file.attrs["encoding-version"] = 99
    seal_again(cache.path)
    with pytest.raises(CacheError, match="layout version 99, this program reads version 1"):
        open_cache(cache.path, particles, reader, AS_BUILT)


def test_a_copy_that_was_cut_short_is_refused(
    cache: CoefficientCache, particles: ParticleSet, reader: ImaginaryReader
) -> None:
    os.truncate(cache.path, cache.path.stat().st_size - 1)
    with pytest.raises(CacheError):
        open_cache(cache.path, particles, reader, AS_BUILT)


def test_an_unfinished_cache_is_refused(
    cache: CoefficientCache, particles: ParticleSet, reader: ImaginaryReader
) -> None:
    write_seal(cache.path, Seal("", 0))
    with pytest.raises(CacheError, match=f"incomplete; {WAY_OUT}"):
        open_cache(cache.path, particles, reader, AS_BUILT)


def test_ensuring_twice_builds_once(
    particles: ParticleSet, reader: ImaginaryReader, tmp_path: Path
) -> None:
    first = ensure_cache(tmp_path / "c.h5", particles, reader, AS_BUILT, SPEC)
    loaded = reader.loaded
    assert ensure_cache(tmp_path / "c.h5", particles, reader, AS_BUILT, SPEC) == first
    assert reader.loaded == loaded


def test_a_stale_cache_is_rebuilt_on_request(
    cache: CoefficientCache, particles: ParticleSet, reader: ImaginaryReader
) -> None:
    changed = replace(reader, size=101)
    with pytest.raises(CacheError, match="stale"):
        ensure_cache(cache.path, particles, changed, AS_BUILT, SPEC)
    rebuilt = ensure_cache(
        cache.path, particles, changed, AS_BUILT, CacheSpec(rebuild=True, reserve_gb=0)
    )
    assert rebuilt.header.fingerprint == changed.fingerprint()


def test_a_less_precise_cache_is_refused(
    cache: CoefficientCache, particles: ParticleSet, reader: ImaginaryReader
) -> None:
    with pytest.raises(CacheError, match="the cache is float16, the run needs float32"):
        ensure_cache(cache.path, particles, reader, AS_BUILT, CacheSpec(dtype="float32"))


def test_every_column_is_kept(cache: CoefficientCache, particles: ParticleSet) -> None:
    with h5py.File(cache.path, "r", locking=False) as file:
        np.testing.assert_array_equal(file["images/rotation"][:], particles.images.rotation)
        np.testing.assert_array_equal(file["images/source_image"][:], particles.source_image)
        np.testing.assert_array_equal(file["particles/start"][:], particles.starts)
        assert list(file["particles/tomogram"].asstr()[:]) == list(particles.tomogram)
        assert particles.images.ctf is not None
        np.testing.assert_array_equal(
            file["images/ctf/defocus_u_a"][:], particles.images.ctf.defocus_u_a
        )
        assert json.loads(file.attrs["preparation"])["window_r"] == 0.8
