"""What tilt images of one tomogram may have in common that those of another have not.

Names of particles that stand in several tomograms are divided by it. Names of tilt images show the
tomogram as their beginning, as one of their numbers, as a run of numbers, or not at all.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

import numpy as np
import pandas as pd

from tomodrgn.plugins.readers.image_series.tilt_names import without_numbers

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from numpy.typing import NDArray

_MOST_NUMBERS: Final = 6  # in the name of a tilt image
_NUMBER: Final = re.compile(r"\d+")
_LONGEST_NUMBER: Final = 15  # digits; longer ones are no counts


def tomogram_keys(tilt_names: Sequence[str], n_exposures: int) -> Iterator[NDArray[np.int64]]:
    """(tilt images,) codes of what may be their tomogram, the likeliest first.

    Args:
        tilt_names: names of all tilt images.
        n_exposures: of a tomogram.
    """
    for n_numbers in range(_MOST_NUMBERS, 0, -1):
        yield _codes([without_numbers(name, n_numbers) for name in tilt_names])
    bare = [without_numbers(name, 0) for name in tilt_names]
    numbers = [_NUMBER.findall(name) for name in bare]
    for place in range(_MOST_NUMBERS):
        yield _codes([found[place] if place < len(found) else "" for found in numbers])
    last = np.array([found[-1][-_LONGEST_NUMBER:] if found else "-1" for found in numbers])
    text = _codes([without_numbers(name, 1) for name in bare])
    order = np.lexsort((last.astype(np.int64), text))
    is_other_text = np.diff(text[order], prepend=text[order[:1]]) != 0
    jumps = np.diff(last.astype(np.int64)[order], prepend=0) > n_exposures
    yield _in_order(is_other_text | jumps, order)
    if len(bare) % n_exposures == 0:  # no tilt image is missing, and numbers run through
        yield _in_order(np.arange(len(bare)) % n_exposures == 0, order)


def _codes(keys: Sequence[str]) -> NDArray[np.int64]:
    return pd.factorize(np.array(keys, dtype=object))[0].astype(np.int64)


def _in_order(begins: NDArray[np.bool_], order: NDArray[np.int64]) -> NDArray[np.int64]:
    """Codes of runs, of which each begins where it is said, in some order."""
    codes = np.empty(len(order), dtype=np.int64)
    codes[order] = np.cumsum(begins)
    return codes
