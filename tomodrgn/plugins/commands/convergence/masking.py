"""The mask that a spec asks for, its file read."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Final, cast

import numpy as np

from tomodrgn.core.analysis.masks import MaskKind, MaskRule
from tomodrgn.core.errors import DataError
from tomodrgn.core.files.mrc import read_volume

if TYPE_CHECKING:
    from tomodrgn.plugins.commands.convergence.spec import MaskSpec

_KINDS: Final = ("none", "sphere", "tight", "soft")


def mask_rule(spec: MaskSpec) -> MaskRule:
    """How volumes are masked.

    Raises:
        DataError: the mask is neither a kind of mask nor an MRC file, or not finite.
    """
    kind = spec.mask.lower()
    given = None
    if kind not in _KINDS:
        path = Path(spec.mask)
        if path.suffix not in {".mrc", ".map"}:
            raise DataError(
                f"mask: {spec.mask!r} is no mask; give {', '.join(_KINDS)}, or an MRC file"
            )
        given, kind = read_volume(path)[0], "file"
        if not np.isfinite(given).all():
            raise DataError(f"{path}: the mask holds values that are not finite; replace them")
    return MaskRule(
        kind=cast("MaskKind", kind),
        percentile=spec.thresh,
        dilate_px=spec.dilate,
        edge_px=spec.dist,
        given=given,
    )
