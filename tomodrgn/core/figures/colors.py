"""Color maps of matplotlib by name, as plain numbers: red, green and blue from 0 to 255."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from matplotlib import colormaps
from matplotlib.colors import ListedColormap

from tomodrgn.core.errors import DataError
from tomodrgn.core.specs.faults import suggest

if TYPE_CHECKING:
    from matplotlib.colors import Colormap
    from numpy.typing import NDArray

_MAX_IN_TURN = 20
"""Maps of at most this many listed colors are for telling things apart, not for measuring."""


@dataclass(frozen=True, slots=True)
class ColorMap:
    """A color map: a gradient, and for some maps a list of colors to take in turn."""

    map: Colormap

    @property
    def in_turn(self) -> NDArray[np.uint8] | None:
        """(p, 3) the colors of a qualitative map; None for a gradient."""
        if isinstance(self.map, ListedColormap) and self.map.N <= _MAX_IN_TURN:
            return self.gradient(np.arange(self.map.N) / self.map.N)
        return None

    def gradient(self, fractions: NDArray[np.float64]) -> NDArray[np.uint8]:
        """(n, 3) colors at fractions (n,) of the way from its first color to its last."""
        rgba: NDArray[np.uint8] = self.map(np.asarray(fractions, dtype=np.float64), bytes=True)
        return np.ascontiguousarray(rgba[:, :3])


def color_map(name: str) -> ColorMap:
    """The color map of that name.

    Raises:
        DataError: matplotlib has none.
    """
    if name not in colormaps:
        raise DataError(
            f"colormap: matplotlib knows no {name!r}.{suggest(name, colormaps)} Such as viridis, "
            f"coolwarm and tab20 are known; see matplotlib.org for all of them"
        )
    return ColorMap(colormaps[name])
