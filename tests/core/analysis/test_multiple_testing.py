"""P values of several claims, corrected."""

from __future__ import annotations

import numpy as np

from tomodrgn.core.analysis.multiple_testing import holm


def test_holm_corrects_the_smallest_most_and_keeps_the_order() -> None:
    np.testing.assert_allclose(holm(np.array([0.04, 0.01, 0.03])), [0.06, 0.03, 0.06])
    assert holm(np.array([0.9, 0.8])).max() <= 1
