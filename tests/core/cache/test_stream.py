"""Wherever coefficients are held, the same requests give the same tensors."""

from __future__ import annotations

import multiprocessing
import os
import pickle
import threading
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import h5py
import numpy as np
import pytest
import torch

from tests.core.cache.imaginary import imaginary_particles, imaginary_reader
from tomodrgn.core.cache.prepare import build_cache
from tomodrgn.core.cache.residency import Residency
from tomodrgn.core.cache.store import open_cache
from tomodrgn.core.cache.stream import ImageSource, open_images
from tomodrgn.core.errors import CacheError
from tomodrgn.core.specs.dataset import CacheSpec, PreparationSpec

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import NDArray
    from torch import Tensor

    from tomodrgn.core.cache.store import CoefficientCache

KINDS: tuple[Literal["device", "ram", "stream"], ...] = ("device", "ram", "stream")
CPU = torch.device("cpu")
FORKS = pytest.mark.filterwarnings("ignore:.*use of fork:DeprecationWarning")
"""Later versions of Python warn of what these tests do on purpose."""


@pytest.fixture(params=["float16", "float32"])
def many(request: pytest.FixtureRequest, tmp_path: Path) -> CoefficientCache:
    """A cache of 60 ragged particles."""
    particles = imaginary_particles(tuple(np.random.default_rng(1).integers(1, 12, 60)))
    spec = CacheSpec(dtype=request.param, reserve_gb=0)
    path, reader = tmp_path / "many.h5", imaginary_reader(particles)
    build_cache(path, particles, reader, PreparationSpec(), spec)
    return open_cache(path, particles, reader, PreparationSpec())


def source(cache: CoefficientCache, kind: str, **options: float) -> ImageSource:
    settings = {"shift": 0.25, "scale": cache.rms} | options
    return open_images(cache, Residency(kind, "test"), CPU, **settings)  # type: ignore[arg-type]


def requests(n_images: int, seed: int = 0) -> Iterator[NDArray[np.int64]]:
    """Batches of ascending subsets, blocks, single rows and repeats."""
    rng = np.random.default_rng(seed)
    for size in (1, 7, 3, 0, 12, 40):
        picks = [np.sort(rng.choice(n_images, size, replace=False)) for _ in range(3)]
        yield np.concatenate([*picks, np.arange(5, 5 + size)])


def expected(cache: CoefficientCache, rows: NDArray[np.int64]) -> NDArray[np.float32]:
    with h5py.File(cache.path, "r", locking=False) as file:
        held = file["images/coefficients"][:].astype(np.float64) * cache.header.scale
    held[..., 0] -= 0.25
    return (held[rows] / cache.rms).astype(np.float32)


@pytest.mark.parametrize("kind", KINDS)
def test_batches_are_shifted_and_scaled_from_what_is_stored(
    many: CoefficientCache, kind: str
) -> None:
    got = list(source(many, kind).batches(requests(many.n_images)))
    for batch, rows in zip(got, requests(many.n_images), strict=True):
        assert batch.dtype == torch.float32
        np.testing.assert_allclose(batch.numpy(), expected(many, rows), rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("readers", [1, 3])
@pytest.mark.parametrize("prefetch", [1, 4])
def test_streaming_gives_the_tensors_of_memory_bit_for_bit(
    many: CoefficientCache, readers: int, prefetch: int
) -> None:
    streamed = source(many, "stream", readers=readers, prefetch=prefetch)
    held = source(many, "device")
    pairs = zip(
        streamed.batches(requests(many.n_images)),
        held.batches(requests(many.n_images)),
        strict=True,
    )
    assert all(torch.equal(one, other) for one, other in pairs)


def test_normalised_coefficients_have_unit_power(many: CoefficientCache) -> None:
    [batch] = source(many, "stream", shift=0).batches([np.arange(many.n_images)])
    assert float(batch.square().sum(-1).mean()) == pytest.approx(1, rel=1e-3)  # float16


def test_batches_belong_to_the_caller(many: CoefficientCache) -> None:
    batches = [batch.clone() for batch in source(many, "stream").batches(requests(many.n_images))]
    kept = list(source(many, "stream").batches(requests(many.n_images)))
    assert all(torch.equal(one, other) for one, other in zip(batches, kept, strict=True))


def test_requests_are_read_only_as_far_as_prefetch(many: CoefficientCache) -> None:
    asked: list[int] = []

    def endless() -> Iterator[NDArray[np.int64]]:
        while True:
            asked.append(len(asked))
            yield np.arange(4)

    batches = source(many, "stream", prefetch=3).batches(endless())
    next(batches)
    assert len(asked) <= 5
    batches.close()  # type: ignore[attr-defined]


def open_things() -> tuple[int, int]:
    """Open files and living threads of this process."""
    return len(list(Path("/proc/self/fd").iterdir())), threading.active_count()


def test_leaving_early_leaves_no_thread_and_no_open_file(many: CoefficientCache) -> None:
    before = open_things()
    batches = source(many, "stream").batches(requests(many.n_images))
    next(batches)
    batches.close()  # type: ignore[attr-defined]
    assert open_things() == before


def test_a_fault_of_the_requests_reaches_the_caller(many: CoefficientCache) -> None:
    def faulty() -> Iterator[NDArray[np.int64]]:
        yield np.arange(3)
        raise KeyError("sampler")

    before = threading.active_count()
    with pytest.raises(KeyError, match="sampler"):
        list(source(many, "stream").batches(faulty()))
    assert threading.active_count() == before


def test_a_file_that_ends_too_early_is_named(many: CoefficientCache) -> None:
    stat = many.path.stat()
    os.truncate(many.path, many.files[0].offset + 10 * many.header.image_bytes)
    os.utime(many.path, ns=(stat.st_atime_ns, stat.st_mtime_ns))
    with pytest.raises(CacheError, match=r"many.h5: reading at byte \d+ failed"):
        list(source(many, "stream").batches([np.arange(many.n_images)]))


def test_a_file_that_was_replaced_is_refused(many: CoefficientCache) -> None:
    os.utime(many.path)
    with pytest.raises(CacheError, match="replaced while it was in use"):
        list(source(many, "stream").batches([np.arange(3)]))


def test_a_row_beyond_the_cache_is_refused(many: CoefficientCache) -> None:
    with pytest.raises(IndexError):
        list(source(many, "stream").batches([np.array([many.n_images])]))


def test_a_source_survives_pickling(many: CoefficientCache) -> None:
    [one] = source(many, "stream").batches([np.arange(7)])
    [other] = pickle.loads(pickle.dumps(source(many, "stream"))).batches([np.arange(7)])  # noqa: S301
    assert torch.equal(one, other)


def _total(images: ImageSource, n_images: int, results: multiprocessing.Queue[float]) -> None:
    results.put(sum(float(batch.sum()) for batch in images.batches(requests(n_images))))


@pytest.mark.parametrize("many", ["float16"], indirect=True)
def test_a_spawned_process_reads_the_same_numbers(many: CoefficientCache) -> None:
    context = multiprocessing.get_context("spawn")
    results = context.Queue()
    images = source(many, "stream")
    list(images.batches(requests(many.n_images)))
    child = context.Process(target=_total, args=(images, many.n_images, results))
    child.start()
    got = results.get(timeout=60)
    child.join()
    assert got == sum(float(batch.sum()) for batch in images.batches(requests(many.n_images)))


@FORKS
def test_a_forked_process_reads_the_same_numbers(many: CoefficientCache) -> None:
    images = source(many, "stream")
    list(images.batches(requests(many.n_images)))
    [batch] = images.batches([np.arange(7)])
    ours, theirs = os.pipe()
    child = os.fork()
    if not child:  # pragma: no cover  (in the child)
        [same] = images.batches([np.arange(7)])
        os.write(theirs, same.numpy().tobytes()[:4096])
        os._exit(0)
    os.waitpid(child, 0)
    assert os.read(ours, 4096) == batch.numpy().tobytes()[:4096]
    os.close(ours)
    os.close(theirs)


@FORKS
def test_an_iteration_does_not_go_on_in_a_forked_process(many: CoefficientCache) -> None:
    batches = source(many, "stream", prefetch=1).batches(requests(many.n_images))
    next(batches)
    child = os.fork()
    if not child:  # pragma: no cover  (in the child)
        try:
            next(batches)
        except RuntimeError:
            os._exit(0)
        os._exit(1)
    assert os.waitpid(child, 0)[1] == 0
    list(batches)


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")
@pytest.mark.parametrize("kind", KINDS)
def test_a_gpu_receives_the_same_numbers(many: CoefficientCache, kind: str) -> None:
    images = open_images(
        many,
        Residency(kind, "test"),
        torch.device("cuda"),
        shift=0.25,
        scale=many.rms,  # type: ignore[arg-type]
    )
    got: list[Tensor] = list(images.batches(requests(many.n_images)))
    for batch, rows in zip(got, requests(many.n_images), strict=True):
        np.testing.assert_allclose(batch.cpu().numpy(), expected(many, rows), rtol=1e-5, atol=1e-6)
