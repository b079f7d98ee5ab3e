"""Lists of 0 and 1 as the text of a STAR column: ``[0,1,1]``, one number for each frame.

Scripts also write ``[0, 1, 1]``, ``[0 1 1]`` and ``[0.0,1.0,1.0]``.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

_FLAG: Final = r"[01](?:\.0*)?"
_LIST: Final = re.compile(rf"\[\s*{_FLAG}(?:(?:\s*,\s*|\s+){_FLAG})*\s*\]")
_ONE_FLAG: Final = re.compile(r"([01])(\.0*)?")


def is_frame_list(text: str) -> bool:
    """Whether a text is such a list."""
    return _LIST.fullmatch(text) is not None


def frame_flags(lists: Sequence[str]) -> tuple[NDArray[np.bool_], NDArray[np.int64]]:
    """The flags (F,) of all n lists one after another, and how many (n,) each has.

    Args:
        lists: texts of which :func:`is_frame_list` is true.
    """
    plain = [_ONE_FLAG.sub(r"\1", text) if "." in text else text for text in lists]
    letters = np.frombuffer("".join(plain).encode(), dtype=np.uint8)
    flags = letters[(letters == ord("0")) | (letters == ord("1"))] == ord("1")
    lengths = [text.count("0") + text.count("1") for text in plain]
    return flags, np.array(lengths, dtype=np.int64)


def with_flags(text: str, flags: NDArray[np.bool_]) -> str:
    """A list with other flags (F,), and otherwise as it is written."""
    digits = iter("01"[flag] for flag in flags.tolist())
    return _ONE_FLAG.sub(lambda found: next(digits) + (found[2] or ""), text)
