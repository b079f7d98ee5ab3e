"""Random numbers that belong to a particle, not to its place in a file, a batch or a process.

A number depends only on the seed, the name of the stream, the epoch, the key of the particle and
its column, so that shuffled rows, other batch sizes and more processes draw the same numbers. The
generator is SplitMix64 used as a counter: column j is the mix of a start plus j times the golden
ratio. Not for cryptography.

Source:
    Steele, Lea & Flood 2014, doi:10.1145/2660193.2660195 (SplitMix64).
"""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING, Final

import numpy as np
import pandas as pd

if TYPE_CHECKING:
    from numpy.typing import NDArray

_GOLDEN: Final = np.uint64(0x9E3779B97F4A7C15)
_FIRST_FACTOR: Final = np.uint64(0xBF58476D1CE4E5B9)
_SECOND_FACTOR: Final = np.uint64(0x94D049BB133111EB)
_HASH_KEY: Final = "tomodrgn-pkey-01"  # pandas takes a key of 16 bytes
_FRACTION_BITS: Final = 53  # of a float64


def text_keys(text: NDArray[np.object_]) -> NDArray[np.uint64]:
    """Stable hashes of strings.

    Args:
        text: (n,) strings.

    Returns:
        (n,) keys, the same on every machine.
    """
    return pd.util.hash_array(np.asarray(text, dtype=object), hash_key=_HASH_KEY)


def particle_keys(tomogram: NDArray[np.object_], name: NDArray[np.object_]) -> NDArray[np.uint64]:
    """Keys of (tomogram, name) pairs.

    Args:
        tomogram: (B,) tomogram names.
        name: (B,) particle names.

    Returns:
        (B,) keys, the same on every machine.
    """
    return join_keys(text_keys(tomogram), text_keys(name))


def join_keys(first: NDArray[np.uint64], second: NDArray[np.uint64]) -> NDArray[np.uint64]:
    """(n,) one key for each ordered pair of keys (n,)."""
    return _mix(_mix(first) + second)


def keyed_uniform(
    seed: int, stream: str | int, epoch: int, keys: NDArray[np.uint64], n: int
) -> NDArray[np.float64]:
    """Uniform random numbers in [0, 1).

    Args:
        seed: seed of the run, any integer.
        stream: what the numbers are for; other streams are independent.
        epoch: pass over the data; other epochs are independent.
        keys: (B,) keys of particles or images.
        n: numbers per key.

    Returns:
        (B, n) float64; more columns leave the first ones as they are.
    """
    start = np.uint64(_stream_word(seed, stream, epoch))
    starts = _mix(np.asarray(keys, dtype=np.uint64) ^ start)  # (B,)
    words = _mix(starts[:, None] + np.arange(1, n + 1, dtype=np.uint64) * _GOLDEN)
    high_bits = words >> np.uint64(64 - _FRACTION_BITS)
    return high_bits.astype(np.float64) * 2.0**-_FRACTION_BITS


def keyed_normal(
    seed: int, stream: str | int, epoch: int, keys: NDArray[np.uint64], n: int
) -> NDArray[np.float32]:
    """Standard normal random numbers; arguments as in :func:`keyed_uniform`.

    Returns:
        (B, n) float32; more columns leave the first ones as they are.

    Source:
        Box & Muller 1958, doi:10.1214/aoms/1177706645.
    """
    uniform = keyed_uniform(seed, stream, epoch, keys, 2 * -(-n // 2))
    radius = np.sqrt(-2.0 * np.log1p(-uniform[:, 0::2]))  # of numbers in (0, 1]
    angle = 2.0 * np.pi * uniform[:, 1::2]
    pairs = np.stack([radius * np.cos(angle), radius * np.sin(angle)], axis=-1)
    return pairs.reshape(uniform.shape)[:, :n].astype(np.float32)


def _mix(words: NDArray[np.uint64]) -> NDArray[np.uint64]:
    """The finaliser of SplitMix64: flips half of the bits for every bit that changes."""
    words = words + _GOLDEN
    words = (words ^ (words >> np.uint64(30))) * _FIRST_FACTOR
    words = (words ^ (words >> np.uint64(27))) * _SECOND_FACTOR
    return words ^ (words >> np.uint64(31))


def _stream_word(seed: int, stream: str | int, epoch: int) -> int:
    """64 bits that stand for a seed, a stream and an epoch."""
    digest = hashlib.blake2b(repr((int(seed), stream, int(epoch))).encode(), digest_size=8)
    return int.from_bytes(digest.digest(), "little")
