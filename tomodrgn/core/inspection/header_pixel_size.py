"""The pixel size that the headers of stacks state, where it contradicts the metadata.

Neither is trusted by itself: headers keep the size of unbinned images where a script bins them,
and detectors are in micrometers and magnified. What a program writes that does not know the size,
0 or 1 Å/px, states nothing.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Sequence

_SAME_PIXEL_SIZE: Final = 0.01
_OTHER_PIXEL_SIZE: Final = 1.5
"""Ratio of pixel sizes beyond which nothing that depends on them can be tried."""
_NOMINAL_PIXEL_SIZES_A: Final = (0.0, 1.0)
REMEDY: Final = "find out which is right, and give it with --Apix"


@dataclass(frozen=True, slots=True)
class HeaderConflict:
    """Two pixel sizes of one set, in angstrom.

    Attributes:
        header_a: of a header that differs.
        stated_a: of the metadata.
        is_gross: whether all headers that state one are beyond a factor of 1.5.
    """

    header_a: float
    stated_a: float
    is_gross: bool

    @property
    def sentence(self) -> str:
        """What contradicts what."""
        return f"stacks state {self.header_a:g} Å/px, the metadata {self.stated_a:g} Å/px"


def header_conflict(headers_a: Sequence[float], pixel_size_a: float) -> HeaderConflict | None:
    """Where headers are more than 1 % off; None where none is.

    Args:
        headers_a: distinct pixel sizes that headers state.
        pixel_size_a: of the metadata, or what the user says.
    """
    stated = [a for a in headers_a if a not in _NOMINAL_PIXEL_SIZES_A]
    off = [a for a in stated if abs(a / pixel_size_a - 1) > _SAME_PIXEL_SIZE]
    if not off:
        return None
    nearest = min(max(a / pixel_size_a, pixel_size_a / a) for a in stated)
    return HeaderConflict(off[0], pixel_size_a, is_gross=nearest > _OTHER_PIXEL_SIZE)
