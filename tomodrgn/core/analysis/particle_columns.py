"""Numbers known of each particle, beside its latent."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Final

import numpy as np

from tomodrgn.core.analysis.covariates import particle_covariates
from tomodrgn.core.errors import TomodrgnError
from tomodrgn.core.particles.outliers_file import outlier_covariates
from tomodrgn.core.placement.columns import read_numeric_columns

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from tomodrgn.core.interfaces import RunResults

logger = logging.getLogger(__name__)

_MAX_COLUMNS: Final = 60


def particle_columns(results: RunResults) -> dict[str, NDArray[np.floating]]:
    """Numbers (B,) known of each particle, not all equal: ours, then those of the STAR file."""
    particles = results.particles
    known = particle_covariates(particles) | outlier_covariates(results.directory, particles)
    found = {
        name: values
        for name, values in known.items()
        if values.ndim == 1 and values.dtype.kind == "f" and np.ptp(values) > 0
    }
    try:
        found |= read_numeric_columns(particles.source, particles)
    except (TomodrgnError, OSError) as error:
        logger.warning("columns of %s are not looked at: %s", particles.source, error)
    return dict(list(found.items())[:_MAX_COLUMNS])
