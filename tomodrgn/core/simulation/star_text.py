"""STAR blocks as text."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from numpy.typing import NDArray


def table_block(columns: Mapping[str, Sequence[str]], name: str = "") -> str:
    """A block with a loop over rows."""
    header = "".join(f"_{column} #{i}\n" for i, column in enumerate(columns, start=1))
    rows = "\n".join("\t".join(row) for row in zip(*columns.values(), strict=True))
    return f"data_{name}\n\nloop_\n{header}{rows}\n\n"


def value_block(values: Mapping[str, str], name: str = "") -> str:
    """A block with one value per name."""
    lines = "".join(f"_{key}\t{value}\n" for key, value in values.items())
    return f"data_{name}\n\n{lines}\n"


def numbers(values: NDArray[Any], digits: int) -> list[str]:
    """Fixed-point text of values (n,); zero has no sign."""
    rounded = np.round(values, digits) + 0.0
    return [f"{value:.{digits}f}" for value in rounded.tolist()]


def axis_columns(pattern: str, vectors: NDArray[np.float64], digits: int) -> dict[str, list[str]]:
    """Columns of vectors (n, 2) or (n, 3); ``pattern`` has an asterisk where the axis stands."""
    axes = "XYZ"[: vectors.shape[1]]
    return {
        pattern.replace("*", axis): numbers(vectors[:, i], digits) for i, axis in enumerate(axes)
    }


def angle_columns(
    euler_deg: NDArray[np.float64], pattern: str = "rlnAngle*"
) -> dict[str, list[str]]:
    """Columns of Euler angles (n, 3) in degrees."""
    return {
        pattern.replace("*", angle): numbers(euler_deg[:, i], 6)
        for i, angle in enumerate(("Rot", "Tilt", "Psi"))
    }
