"""Ways in which scripts write the files of a set: all read the same, and are written back."""

from __future__ import annotations

import logging
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
import pytest

from tests.plugins.readers import handmade_sets as made
from tomodrgn.core.errors import DataError
from tomodrgn.core.interfaces import ReaderContext
from tomodrgn.core.testing.reader_contract import assert_same_particles
from tomodrgn.plugins.readers import OptimisationSetSpec, tomodrgn_identify_reader
from tomodrgn.plugins.readers.optimisation_set.reader import OptimisationSet

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

FILES = ("particles.star", "tomograms.star", "run_it007.star")


def reader_of(path: Path) -> OptimisationSet:
    return OptimisationSet(OptimisationSetSpec(path=path), ReaderContext())


def one_of_each(kind: str) -> made.HandmadeSet:
    """A set of one particle in one tomogram, so that every table but that of tilts has one row."""
    written = made.FLAVOURS[kind]()
    written.particles = written.particles.iloc[:1]
    written.tomograms = written.tomograms.iloc[:1]
    written.optics = written.optics.iloc[:1]
    return written


def change(folder: Path, how: Callable[[str], str]) -> None:
    for name in FILES:
        path = folder / name
        path.write_text(how(path.read_text()), newline="")


def looped(text: str) -> str:
    """The file of a set with a loop for its names."""
    if "rlnTomoParticlesFile" not in text:
        return text
    pairs = [line.split() for line in text.splitlines() if line.startswith("_")]
    names, values = zip(*pairs, strict=True)
    return "\n".join(["data_", "", "loop_", *names, "\t".join(values), ""])


def spaced(text: str) -> str:
    lists = {shown: f'"{shown.replace(",", ", ")}"' for shown in made.VISIBLE}
    for shown, other in lists.items():
        text = text.replace(shown, other)
    return text


def floats(text: str) -> str:
    for shown in made.VISIBLE:
        text = text.replace(shown, shown.replace("1", "1.0"))
    return text


FORMS = {
    "no loops": made.without_loops,
    "a set in a loop": looped,
    "byte order marks": lambda text: "\ufeff" + text.lstrip(),
    "windows line ends": lambda text: text.replace("\n", "\r\n"),
    "frames with spaces": spaced,
    "frames in quotes": lambda text: text.replace("[1,1,0,1]", "'[1,1,0,1]'"),
    "frames as floats": floats,
}


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("kind", made.FLAVOURS)
def test_every_form_reads_the_same(kind: str, form: str, tmp_path: Path) -> None:
    path = one_of_each(kind).write(tmp_path / "set")
    expected = reader_of(path).read()
    before = [(path.parent / name).read_bytes() for name in FILES]
    change(path.parent, FORMS[form])
    assert [(path.parent / name).read_bytes() for name in FILES] != before
    assert tomodrgn_identify_reader(path) == "optimisation_set"
    assert_same_particles(reader_of(path).read(), expected)


@pytest.mark.parametrize("form", FORMS)
def test_every_form_is_written_back(form: str, tmp_path: Path) -> None:
    path = one_of_each("warptools").write(tmp_path / "set")
    change(path.parent, FORMS[form])
    reader = reader_of(path)
    everyone = reader.read()
    rows = np.arange(everyone.rows_read)
    written = reader.write_selection(rows, tmp_path / "set" / "out.star")
    assert_same_particles(reader_of(written[0]).read(), replace(everyone, source=written[0]))
    assert written[1].read_bytes() == (path.parent / "particles.star").read_bytes()
    some = everyone.source_image[1:]
    written = reader.write_selection(some, tmp_path / "set" / "some.star")
    assert reader_of(written[0]).read().source_image.tolist() == some.tolist()


def test_two_tables_of_particles_that_differ_are_refused(tmp_path: Path) -> None:
    path = made.relion5_set().write(tmp_path)
    particles = tmp_path / "particles.star"
    text = particles.read_text()
    table = text[text.index("data_particles") :]
    particles.write_text(text + "\n" + table.rstrip("\n").rpartition("\n")[0] + "\n")
    match = r"two tables of particles that differ, data_particles \(5 rows\) and .* \(4 rows\)"
    with pytest.raises(DataError, match=match):
        reader_of(path).read()


def test_two_tables_of_particles_alike_are_said(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    path = made.relion5_set().write(tmp_path)
    particles = tmp_path / "particles.star"
    text = particles.read_text()
    particles.write_text(text + "\n" + text[text.index("data_particles") :])
    with caplog.at_level(logging.WARNING):
        assert reader_of(path).read().n_particles == 5
    assert caplog.text.count("2 tables of particles with the same rows") == 1
