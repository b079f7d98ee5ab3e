"""The contract of readers, and the same particles as those of another format."""

from __future__ import annotations

from dataclasses import fields
from pathlib import Path

import numpy as np
import pytest
from small_set import simulated, write_small_set
from tomodrgn_dynamo import DynamoReaderSpec, tomodrgn_identify_reader
from tomodrgn_dynamo.reader import DynamoReader

from tomodrgn.plugin import DataError, ReaderContext
from tomodrgn.testing import ReaderContract


class TestDynamoReader(ReaderContract):
    def make_spec(self, folder: Path) -> DynamoReaderSpec:
        return DynamoReaderSpec(path=write_small_set(folder))


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return write_small_set(tmp_path)


def read(path: Path, **options: object) -> DynamoReader:
    return DynamoReader(DynamoReaderSpec(path=path, **options), ReaderContext())


def test_particles_are_those_of_the_set_they_were_made_from(path: Path, tmp_path: Path) -> None:
    reader, original = read(path, amplitude_contrast=0.1), simulated(tmp_path / "again")
    found, expected = reader.read(), original.read()
    np.testing.assert_array_equal(found.counts, expected.counts)
    np.testing.assert_allclose(found.position_a, expected.position_a, atol=1e-4)
    np.testing.assert_allclose(found.orientation, expected.orientation, atol=1e-7)
    for column in fields(found.images):
        values = getattr(found.images, column.name), getattr(expected.images, column.name)
        if column.name == "ctf":
            for name in fields(values[0]):
                pair = (getattr(value, name.name) for value in values)
                np.testing.assert_allclose(*pair, rtol=1e-5, err_msg=name.name)
        elif not values[0] is values[1] is None:  # a column that may be absent
            np.testing.assert_allclose(*values, atol=1e-3, err_msg=column.name)  # digits of files
    np.testing.assert_array_equal(
        reader.load_images(found.source_image), original.load_images(expected.source_image)
    )


def test_shuffled_rows_are_the_same_particles(path: Path) -> None:
    before = read(path).read()
    rows = path.read_text().splitlines(keepends=True)
    order = np.random.default_rng(1).permutation(len(rows))
    path.write_text("".join(rows[i] for i in order))
    after = read(path).read()
    np.testing.assert_array_equal(after.name, before.name[order])
    np.testing.assert_array_equal(after.position_a, before.position_a[order])
    assert set(after.image_name) == set(before.image_name)


def test_metadata_need_no_stacks(path: Path) -> None:
    for stack in path.parent.glob("*.mrcs"):
        stack.unlink()
    reader = DynamoReader(DynamoReaderSpec(path=path), ReaderContext(needs_images=False))
    assert reader.read().n_particles == 6
    with pytest.raises(DataError, match=r"particle_00010\.mrcs"):
        read(path).read()


def test_tomogram_without_tilts_is_named(path: Path) -> None:
    tilts = path.with_name("tilts.csv")
    rows = tilts.read_text().splitlines(keepends=True)
    tilts.write_text("".join(row for row in rows if not row.endswith(",2\n")))
    with pytest.raises(DataError, match="has no tilt images of tomogram 2"):
        read(path).read()


def test_table_is_recognised() -> None:
    assert tomodrgn_identify_reader(Path("particles.tbl")) == "dynamo_table"
    assert tomodrgn_identify_reader(Path("particles.star")) is None
