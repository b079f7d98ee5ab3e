"""Which frames of its tilt series each particle of a set can be seen in.

Every particle lists all frames of its tilt series, ``[0,1,...]``. The lists one after another
count the tilt images of a set, visible or not: that place is the ``source_image`` of an image.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from tomodrgn.core.errors import DataError
from tomodrgn.core.files.frame_lists import frame_flags, is_frame_list
from tomodrgn.plugins.readers.upstream_files.set_columns import VISIBLE_FRAMES

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray


@dataclass(frozen=True, kw_only=True)
class FrameLists:
    """Frames of B particles, one list after another.

    Attributes:
        starts: (B + 1,) first entry of each particle, then the number of entries.
        visible: (entries,) whether the particle is seen in the frame.
    """

    starts: NDArray[np.int64]
    visible: NDArray[np.bool_]

    @property
    def n_frames(self) -> NDArray[np.int64]:
        """(B,) entries of each particle."""
        return np.diff(self.starts)

    @property
    def n_visible(self) -> NDArray[np.int64]:
        """(B,) visible entries of each particle."""
        return np.diff(self._visible_before[self.starts])

    @cached_property
    def particle_of_entry(self) -> NDArray[np.int64]:
        """(entries,) the particle whose list each entry stands in."""
        return np.repeat(np.arange(len(self.starts) - 1), self.n_frames)

    def particle_of(self, entries: NDArray[np.int64]) -> NDArray[np.int64]:
        """The particle of each of some entries (M,)."""
        return np.asarray(np.searchsorted(self.starts, entries, side="right") - 1, dtype=np.int64)

    def visible_rank(self, entries: NDArray[np.int64]) -> NDArray[np.int64]:
        """Visible frames of the same particle before each of some entries (M,)."""
        first = self.starts[self.particle_of(entries)]
        return self._visible_before[entries] - self._visible_before[first]

    @cached_property
    def _visible_before(self) -> NDArray[np.int64]:
        return np.concatenate([[0], np.cumsum(self.visible)]).astype(np.int64)


def parse_frame_lists(texts: NDArray[np.object_], path: Path) -> FrameLists:
    """Lists of frames as arrays.

    Args:
        texts: (B,) lists as a particles file has them.
        path: that file, for the error.

    Raises:
        DataError: a list holds anything but 0 and 1.
    """
    which, distinct = pd.factorize(texts)
    for number, text in enumerate(distinct):
        if not is_frame_list(text):
            row = int(np.argmax(which == number)) + 1
            raise DataError(
                f"{path}: column {VISIBLE_FRAMES}, row {row}: {text[:60]!r} is no list of 0 and 1 "
                f"in brackets; export the particles again"
            )
    flags, lengths = frame_flags(distinct.tolist())
    n_frames = lengths[which]
    starts = np.concatenate([[0], np.cumsum(n_frames)]).astype(np.int64)
    flags_start = (np.cumsum(lengths) - lengths)[which]
    visible = flags[np.repeat(flags_start - starts[:-1], n_frames) + np.arange(starts[-1])]
    return FrameLists(starts=starts, visible=visible)
