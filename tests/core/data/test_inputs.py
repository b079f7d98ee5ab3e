"""Files and runs opened by their paths."""

from __future__ import annotations

from pathlib import Path

import pytest

from tomodrgn.core.data.inputs import Inputs
from tomodrgn.core.errors import SpecError
from tomodrgn.core.files.star import write_table
from tomodrgn.core.registry import Registry
from tomodrgn.core.testing.example_run import COUNTS, example_rows


def test_a_file_knows_its_reader_and_the_options_it_has(tmp_path: Path, registry: Registry) -> None:
    write_table(tmp_path / "in.star", example_rows())
    file = Inputs(registry).particles_file(tmp_path / "in.star")
    assert file.kind == "warp_particleseries"
    assert file.has_option("datadir")
    assert not file.has_option("tomograms")
    particles = file.reader(needs_images=False, datadir=tmp_path, tomograms=None).read()
    assert particles.n_images == sum(COUNTS)


def test_an_option_that_a_reader_lacks_is_refused(tmp_path: Path, registry: Registry) -> None:
    write_table(tmp_path / "in.star", example_rows())
    with pytest.raises(SpecError, match="tomograms"):
        Inputs(registry).particles_file(tmp_path / "in.star").reader(tomograms=tmp_path)
