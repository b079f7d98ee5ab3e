"""Which exposures have an image of something: a particle or a tomogram has one of each.

Where two tilt images of one name are of one exposure, the name stands for two things. Where doses
of tomograms differ, tilts tell: each is there once, or twice where its sign is not known.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np

from tomodrgn.plugins.readers import warp_columns as columns
from tomodrgn.plugins.readers.row_codes import (
    combined_codes,
    exposure_codes,
    first_rows,
    has_doses,
    tilt_codes,
)

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
        tilt: (n,) code of the tilt.
        most_of_a_tilt: images that one thing has at most of most of its tilts.
    """

    row: NDArray[np.int64]
    exposure: NDArray[np.int64]
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
        exposure, tilt = exposure_codes(table), tilt_codes(table)
        row = first_rows(combined_codes(seen, exposure))
        most = 1 if _has_signs(table) else _MOST_WITHOUT_SIGN
        return cls(row, exposure[row], tilt[row], most if np.ptp(tilt) else len(row))

    @property
    def n_exposures(self) -> int:
        """Distinct exposures."""
        return len(np.unique(self.exposure))

    def clashing(self, owner: NDArray[np.int64]) -> NDArray[np.bool_]:
        """(owners,) whether it has an exposure twice, or many tilts too often.

        Args:
            owner: (rows,) code of what owns each row that is looked at.
        """
        owner = owner[self.row]
        n_seen = np.bincount(owner)
        n_twice = np.bincount(owner, self._n_of(owner, self.exposure) > 1, len(n_seen))
        is_crowd = self._n_of(owner, self.tilt) > self.most_of_a_tilt
        n_crowded = np.bincount(owner, is_crowd, len(n_seen))
        return np.asarray((n_twice > 0) | (n_crowded > _MANY * n_seen), dtype=np.bool_)

    def fewest_owners(self, owner: NDArray[np.int64]) -> int:
        """How many things there must be, as one of each has no exposure twice."""
        owner = owner[self.row]
        n_times = np.zeros(int(owner.max()) + 1, dtype=np.int64)
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
    return not set(columns.STAGE_TILTS).isdisjoint(table.columns)
