"""Sets of every flavour are read or refused, whatever is done to any of their files."""

from __future__ import annotations

import time
import warnings
from pathlib import Path

import numpy as np
import pytest

from tests.plugins.readers.handmade_sets import FLAVOURS
from tests.plugins.readers.test_hostile_particles import _mutated
from tomodrgn.core.errors import DataError
from tomodrgn.core.interfaces import ReaderContext
from tomodrgn.plugins.readers import OptimisationSetSpec
from tomodrgn.plugins.readers.optimisation_set.reader import OptimisationSet

MOST_SECONDS = 2.0
N_FILES = 40


def _read_or_refuse(path: Path) -> bool:
    """Whether the set was read; what is read is finite, and refusals are in one line."""
    started = time.process_time()
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        try:
            reader = OptimisationSet(OptimisationSetSpec(path=path), ReaderContext())
            particles = reader.read()
            reader.load_images(particles.source_image)
        except DataError as error:
            refusal = str(error)
        else:
            refusal = ""
    assert "\n" not in refusal
    assert len(refusal) < 20_000
    if refusal:
        return False
    finite = particles.images.convert(np.isfinite)
    assert finite.rotation.all()
    assert finite.shift_px.all()
    assert finite.ctf is None or finite.ctf.defocus_u_a.all()
    assert particles.position_a is None or np.isfinite(particles.position_a).all()
    assert time.process_time() - started < MOST_SECONDS
    return True


@pytest.mark.parametrize("flavour", FLAVOURS)
def test_mutated_files_of_a_set_are_read_or_refused(flavour: str, tmp_path: Path) -> None:
    path = FLAVOURS[flavour]().write(tmp_path)
    assert _read_or_refuse(path)
    n_read = n_files = 0
    for file in sorted(tmp_path.glob("*.star")):
        text = file.read_text()
        for seed in range(N_FILES):
            file.write_text(_mutated(text, seed))
            n_read += _read_or_refuse(path)
            n_files += 1
        file.write_text(text)
    assert 0 < n_read < n_files  # the changes neither spare nor spoil every file


@pytest.mark.parametrize("flavour", FLAVOURS)
@pytest.mark.parametrize("value", ["1e39", "nan", "-1e30", "0"])
def test_any_number_of_a_set_may_be_out_of_range(flavour: str, value: str, tmp_path: Path) -> None:
    path = FLAVOURS[flavour]().write(tmp_path)
    for name in ("particles.star", "tomograms.star", "TS_1.star"):
        file = tmp_path / name
        if not file.exists():
            continue
        lines = file.read_text().split("\n")
        rows = [n for n, line in enumerate(lines) if "\t" in line]
        for row in (rows[0], rows[-1]):
            words = lines[row].split("\t")
            for column in range(len(words)):
                changed = "\t".join([*words[:column], value, *words[column + 1 :]])
                file.write_text("\n".join([*lines[:row], changed, *lines[row + 1 :]]))
                _read_or_refuse(path)
        file.write_text("\n".join(lines))
