"""What is said of the stacks of a set."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tests.plugins.readers import handmade_sets as made
from tomodrgn.core.inspection.contract import describe_set
from tomodrgn.core.interfaces import ReaderContext
from tomodrgn.plugins.readers import OptimisationSetSpec
from tomodrgn.plugins.readers.optimisation_set.reader import OptimisationSet

if TYPE_CHECKING:
    from pathlib import Path


def test_stacks_of_a_set_are_looked_at(tmp_path: Path) -> None:
    path = made.warptools_set().write(tmp_path)
    reader = OptimisationSet(OptimisationSetSpec(path=path), ReaderContext())
    stacks = describe_set(reader.read(), reader, "optimisation_set").stacks
    assert stacks is not None
    assert (stacks.n_stacks, stacks.n_images) == (5, 4 + 3 + 4 + 3 + 4)
    assert stacks.folders == (str(tmp_path / "stacks/TS_1"), str(tmp_path / "stacks/TS_10"))
    assert (stacks.pixel_size_a, stacks.dtypes) == ((1.0,), ("float32",))
