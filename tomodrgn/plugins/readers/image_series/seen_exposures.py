"""Which exposures have an image of something: a particle or a tomogram has one of each.

Where two tilt images of one name are of one exposure, the name stands for two things. Stages are
off by some hundredths of a degree, so that tilts of two tomograms differ where doses agree; and
doses of sessions differ where tilts agree. So a name also stands for two where many of its doses
come twice, or many of its tilts, in whole degrees: each is there once, or twice without its sign.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np

from tomodrgn.plugins.readers.image_series.row_codes import (
    column_numbers,
    combined_codes,
    exposure_codes,
    first_rows,
    has_doses,
)
from tomodrgn.plugins.readers.upstream_files import warp_columns as columns
from tomodrgn.plugins.readers.upstream_files.scale_factors import are_refined

if TYPE_CHECKING:
    import pandas as pd
    from numpy.typing import NDArray

_MOST_WITHOUT_SIGN: Final = 2  # images of a tilt: +3 and -3 degrees look alike
_MANY: Final = 0.25  # of the images of one name


@dataclass(frozen=True, slots=True)
class SeenExposures:
    """What was seen at which exposure.

    Attributes:
        row: (n,) a row of each, among those that are looked at.
        exposure: (n,) code of dose and tilt.
        dose: (n,) code of the dose; as the exposure where doses tell nothing.
        tilt: (n,) code of the tilt in whole degrees; as the exposure where tilts tell nothing.
        most_of_a_tilt: images that one thing has at most of most of its tilts.
    """

    row: NDArray[np.int64]
    exposure: NDArray[np.int64]
    dose: NDArray[np.int64]
    tilt: NDArray[np.int64]
    most_of_a_tilt: int

    @classmethod
    def in_rows(
        cls, table: pd.DataFrame, rows: NDArray[np.int64], seen: NDArray[np.int64]
    ) -> SeenExposures:
        """What some rows of a table show.

        Args:
            table: its columns of exposures are used.
            rows: (rows,) those that are looked at.
            seen: (rows,) code of what is seen in each, which has one image of an exposure.
        """
        table = table.loc[:, table.columns.isin(columns.EXPOSURE)].iloc[rows]
        exposure = exposure_codes(table)
        row = first_rows(combined_codes(seen, exposure))
        table, exposure = table.iloc[row], exposure[row]
        doses = [column_numbers(table, name) for name in columns.DOSES if name in table]
        dose = combined_codes(*doses) if has_doses(table) else exposure
        tilt_deg = _tilt_deg(table)
        tilt = exposure if tilt_deg is None else combined_codes(np.rint(tilt_deg))
        most = 1 if _has_signs(table) else _MOST_WITHOUT_SIGN
        return cls(row, exposure, dose, tilt, most)

    @property
    def n_exposures(self) -> int:
        """Distinct exposures of a tomogram, as doses tell them apart."""
        return len(np.unique(self.dose))

    def clashing(self, owner: NDArray[np.int64]) -> NDArray[np.bool_]:
        """(owners,) whether it has an exposure twice, or many doses or tilts too often.

        Args:
            owner: (rows,) code of what owns each row that is looked at.
        """
        owner = owner[self.row]
        n_seen = np.bincount(owner)

        def n_crowded(code: NDArray[np.int64], most: int) -> NDArray[np.float64]:
            counts = np.bincount(owner, self._n_of(owner, code) > most, len(n_seen))
            return counts.astype(np.float64)

        is_clash = n_crowded(self.exposure, 1) > 0
        is_clash |= n_crowded(self.dose, 1) > _MANY * n_seen
        is_clash |= n_crowded(self.tilt, self.most_of_a_tilt) > _MANY * n_seen
        return np.asarray(is_clash, dtype=np.bool_)

    def fewest_owners(self, owner: NDArray[np.int64]) -> int:
        """How many things (M,) there must be, as one of each has no exposure twice."""
        owner = owner[self.row]
        n_times = np.ones(int(owner.max()) + 1, dtype=np.int64)
        np.maximum.at(n_times, owner, self._n_of(owner, self.exposure))
        return int(n_times.sum())

    def _n_of(self, owner: NDArray[np.int64], code: NDArray[np.int64]) -> NDArray[np.int64]:
        """(n,) how often the owner of each has that code."""
        both = combined_codes(owner, code)
        return np.bincount(both)[both]


def tells_exposures(table: pd.DataFrame) -> bool:
    """Whether doses, or tilts with their signs, tell the exposures of a tomogram apart."""
    return has_doses(table) or _has_signs(table)


def _has_signs(table: pd.DataFrame) -> bool:
    return any(
        name in table and _tells(column_numbers(table, name)) for name in columns.STAGE_TILTS
    )


def _tilt_deg(table: pd.DataFrame) -> NDArray[np.float64] | None:
    """(rows,) tilts, without sign where only cosines are there; None where they tell nothing."""
    for name in columns.STAGE_TILTS:
        if name in table and _tells(tilt_deg := column_numbers(table, name)):
            return tilt_deg
    if columns.TILT_COSINE not in table:
        return None
    cosine = column_numbers(table, columns.TILT_COSINE)
    if not np.isfinite(cosine).all() or are_refined(cosine):
        return None
    tilt_deg = np.rad2deg(np.arccos(np.clip(cosine, 0, 1)))
    tilt_deg[cosine == 0] = 180 + np.arange(np.count_nonzero(cosine == 0))  # switched off
    return tilt_deg if _tells(tilt_deg) else None


def _tells(tilt_deg: NDArray[np.float64]) -> bool:
    return bool(np.isfinite(tilt_deg).all() and np.ptp(tilt_deg) >= 1)
