from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest

from tomodrgn.core.errors import DataError
from tomodrgn.core.files.mrc import read_mrc_header, read_mrc_slices
from tomodrgn.core.simulation.example import copy_example, example_spec
from tomodrgn.core.simulation.tilt_series import simulate
from tomodrgn.core.simulation.truth import read_truth

if TYPE_CHECKING:
    from pathlib import Path


def test_the_shipped_sample_is_what_the_simulator_writes(tmp_path: Path) -> None:
    shipped = copy_example(tmp_path / "shipped").parent
    fresh = simulate(example_spec(tmp_path / "fresh")).parent
    names = sorted(path.relative_to(fresh) for path in fresh.rglob("*") if path.is_file())
    assert names == sorted(p.relative_to(shipped) for p in shipped.rglob("*") if p.is_file())
    for name in names:
        if name.suffix in {".mrc", ".mrcs"}:
            rows = np.arange(read_mrc_header(fresh / name).shape[0])
            found, expected = (read_mrc_slices(f / name, rows) for f in (shipped, fresh))
            # float16 rounding may fall either way where processors differ in the last bit
            np.testing.assert_allclose(found, expected, rtol=2e-3, atol=1e-4)
    assert (shipped / "particles.star").read_text() == (fresh / "particles.star").read_text()
    shipped_truth, fresh_truth = read_truth(shipped), read_truth(fresh)
    np.testing.assert_array_equal(shipped_truth.labels, fresh_truth.labels)
    assert shipped_truth.spec.model_copy(update={"outdir": fresh}) == fresh_truth.spec


def test_a_sample_that_is_there_is_not_overwritten(tmp_path: Path) -> None:
    copy_example(tmp_path)
    with pytest.raises(DataError, match="exists; name another folder"):
        copy_example(tmp_path)


def test_the_shipped_sample_is_small(tmp_path: Path) -> None:
    shipped = copy_example(tmp_path).parent
    assert sum(path.stat().st_size for path in shipped.rglob("*") if path.is_file()) < 300_000
