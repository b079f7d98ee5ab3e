"""Particles and tomograms of a set that are there twice: copies, symmetry mates, two sessions."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
import pytest

from tests.plugins.readers import handmade_sets as made
from tomodrgn.core.errors import DataError
from tomodrgn.core.interfaces import ReaderContext
from tomodrgn.plugins.readers import OptimisationSetSpec
from tomodrgn.plugins.readers.optimisation_set.reader import OptimisationSet

if TYPE_CHECKING:
    from pathlib import Path

NAMESAKES = r"rows 1 and 6 are two particles of one name \(rlnImageName 'stacks/TS_1/001.mrcs' and "
PARTICLES = {
    "copies": ({}, r"row 6 is a copy of row 1, equal in all columns \(5 such rows\); remove the"),
    "symmetry mates": (
        {"rlnAngleRot": "190.0"},
        r"row 6 is the particle of row 1 with other angles .*\(5 such rows\), .* before expansion",
    ),
    "two sessions": (
        {"rlnImageName": [f"b/stacks/{n:03d}.mrcs" for n in range(1, 6)]},
        NAMESAKES + r"'b/stacks/001.mrcs'\) \(5 such rows\); rename those of one",
    ),
    "two sessions with the same paths": (
        {"rlnCoordinateX": "77.0"},
        r"rows 1 and 6 are two particles of one name \(rlnCoordinateX .* and '77.0'\)",
    ),
    "symmetry mates with names of their own": (
        {"rlnAngleRot": "190.0", "rlnTomoParticleName": [f"x/{n}" for n in range(5)]},
        r"row 6 is the particle of row 1 with other angles",
    ),
}


def reader_of(path: Path, *, needs_images: bool) -> OptimisationSet:
    return OptimisationSet(OptimisationSetSpec(path=path), ReaderContext(needs_images=needs_images))


def message_of(path: Path) -> str:
    """What is said, whatever is asked for."""
    said = []
    for needs_images in (True, False):
        with pytest.raises(DataError) as error:
            reader_of(path, needs_images=needs_images).read()
        said.append(str(error.value))
    assert said[0] == said[1]
    return said[0]


@pytest.mark.parametrize("kind", PARTICLES)
def test_particles_that_are_there_twice_are_named_by_what_they_are(
    kind: str, tmp_path: Path
) -> None:
    changes, expected = PARTICLES[kind]
    written = made.warptools_set()
    path = written.write(tmp_path)
    again = written.particles.assign(**changes)
    written.particles = pd.concat([written.particles, again], ignore_index=True)
    (tmp_path / "particles.star").write_text(
        made.values_text(written.general, "general")
        + made.tables_text({"optics": written.optics, "particles": written.particles}, tmp_path)
    )
    message = message_of(path)
    assert pd.Series([message]).str.contains(expected).all(), message
    with pytest.raises(DataError, match=expected):  # also where rows are only chosen
        reader_of(path, needs_images=False).write_selection(np.arange(3), tmp_path / "out.star")


def twice(written: made.HandmadeSet, **changes: object) -> made.HandmadeSet:
    """The set with each tomogram there twice."""
    again = written.tomograms.assign(**changes)
    written.tomograms = pd.concat([written.tomograms, again], ignore_index=True)
    return written


def test_tomograms_in_equal_rows_are_copies(tmp_path: Path) -> None:
    path = twice(made.relion5_set()).write(tmp_path)
    assert "row 3 is a copy of row 1, equal in all columns (2 such rows); remove" in message_of(
        path
    )


def test_tomograms_of_one_name_with_other_tilt_series_are_two(tmp_path: Path) -> None:
    series = ["b/TS_1.star", "b/TS_10.star"]
    path = twice(made.relion5_set(), rlnTomoTiltSeriesStarFile=series)
    path.tilts |= {"b/TS_1": path.tilts["TS_1"], "b/TS_10": path.tilts["TS_10"]}
    (tmp_path / "b").mkdir()
    message = message_of(path.write(tmp_path))
    assert "rows 1 and 3 are two tomograms of one name" in message
    assert "rlnTomoTiltSeriesStarFile 'TS_1.star' and 'b/TS_1.star'" in message
    assert "rename" in message
    reader = reader_of(tmp_path / "run_it007.star", needs_images=False)
    with pytest.raises(DataError, match="two tomograms of one name"):
        reader.write_selection(np.arange(3), tmp_path / "out.star")


def test_equal_rows_of_tomograms_with_other_tilt_images_are_no_copies(tmp_path: Path) -> None:
    path = twice(made.warptools_set()).write(tmp_path)
    file = tmp_path / "tomograms.star"
    text = file.read_text()
    tables = text[text.index("data_TS_1.tomostar") :]
    file.write_text(text + "\n" + tables)
    assert "row 3 is a copy of row 1" in message_of(path)
    file.write_text(text + "\n" + tables.replace("29000.0", "28000.0"))
    message = message_of(path)
    assert "has two tables of tilt images of tomogram TS_1.tomostar that differ" in message
    assert "rename those of one session" in message
