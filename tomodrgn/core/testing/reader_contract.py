"""The promises of readers, as tests: subclass the contract for each reader."""

from __future__ import annotations

import json
import pickle
from dataclasses import replace
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np
import pytest

from tomodrgn.core.interfaces import PoseWriter, ReaderContext, SelectionWriter
from tomodrgn.core.particles.corrections import no_corrections
from tomodrgn.core.particles.possible import refuse_impossible
from tomodrgn.core.testing.component_contract import ComponentContract

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray

    from tomodrgn.core.components import Component
    from tomodrgn.core.interfaces import Reader
    from tomodrgn.core.particles.tables import ParticleSet
    from tomodrgn.core.specs.base import Spec


class ReaderContract(ComponentContract):
    """A reader yields packed metadata without pixels, and pixels on request.

    Override ``make_spec`` to write an input with at least two particles into the folder.
    """

    family: ClassVar[str] = "reader"

    @pytest.fixture
    def reader(self, component: Component, own_spec: Spec) -> Reader:
        reader: Reader = component.load()(own_spec, ReaderContext())
        return reader

    @pytest.fixture
    def particles(self, reader: Reader) -> ParticleSet:
        return reader.read()

    def test_reading_twice_gives_the_same_set(self, reader: Reader, particles: ParticleSet) -> None:
        again = reader.read()
        for name in ("tomogram", "name", "source_particle", "counts", "image_name", "source_image"):
            np.testing.assert_array_equal(getattr(again, name), getattr(particles, name))

    def test_particles_and_images_are_identified(self, particles: ParticleSet) -> None:
        keys = set(zip(particles.tomogram, particles.name, strict=True))
        assert len(keys) == particles.n_particles >= 2
        assert len(set(particles.image_name)) == particles.n_images

    def test_every_row_is_kept_or_rejected(self, reader: Reader, particles: ParticleSet) -> None:
        n_kept = particles.n_images if reader.has_images else particles.n_particles
        assert particles.rows_read == n_kept + sum(particles.rejected.values())

    def test_images_ascend_in_dose_within_a_particle(self, particles: ParticleSet) -> None:
        same = np.diff(particles.particle_of_image) == 0
        assert bool((np.diff(particles.images.dose_e_per_a2)[same] >= 0).all())

    def test_numbers_are_in_the_units_of_their_names(self, particles: ParticleSet) -> None:
        refuse_impossible(particles)

    def test_rotations_are_rotations(self, particles: ParticleSet) -> None:
        rotation = particles.images.rotation
        product = rotation @ rotation.transpose(0, 2, 1)
        np.testing.assert_allclose(product, np.broadcast_to(np.eye(3), product.shape), atol=1e-4)
        np.testing.assert_allclose(np.linalg.det(rotation), 1, atol=1e-4)

    def test_images_come_in_the_order_asked_for(
        self, reader: Reader, particles: ParticleSet
    ) -> None:
        if not reader.has_images:
            return
        rows = particles.source_image
        box = particles.box_size_px
        images = reader.load_images(rows)
        assert images.shape == (particles.n_images, box, box)
        assert images.dtype == np.float32
        np.testing.assert_array_equal(reader.load_images(rows[::-1]), images[::-1])
        np.testing.assert_array_equal(reader.load_images(rows[1:2]), images[1:2])

    def test_reader_survives_pickling(self, reader: Reader, particles: ParticleSet) -> None:
        twin = pickle.loads(pickle.dumps(reader))  # noqa: S301  our own pickle
        assert twin.read().n_images == particles.n_images

    def test_fingerprint_is_json_and_stable(self, reader: Reader) -> None:
        assert json.dumps(reader.fingerprint()) == json.dumps(reader.fingerprint())

    def write_and_read(
        self, component: Component, own_spec: Any, rows: NDArray[np.int64], out: Path
    ) -> ParticleSet:
        """What the reader finds in the selection of rows (M,) that it wrote."""
        context = ReaderContext(needs_images=False)
        writer = component.load()(own_spec, context)
        assert writer.write_selection(rows, out)[0] == out
        reader: Reader = component.load()(own_spec.model_copy(update={"path": out}), context)
        return reader.read()

    def test_selection_of_everything_reads_as_the_input(
        self, component: Component, own_spec: Any, reader: Reader
    ) -> None:
        if not isinstance(reader, SelectionWriter):
            return
        rows = np.arange(len(reader.source_rows().particle))
        out = own_spec.path.with_name("everything.star")
        assert_same_particles(self.write_and_read(component, own_spec, rows, out), reader.read())

    def test_selection_of_particles_reads_as_those_particles(
        self, component: Component, own_spec: Any, reader: Reader
    ) -> None:
        if not isinstance(reader, SelectionWriter):
            return
        everyone, source = reader.read(), reader.source_rows()
        chosen = np.arange(everyone.n_particles) % 2 == 1
        rows = np.flatnonzero(np.isin(source.particle, everyone.source_particle[chosen]))
        found = self.write_and_read(component, own_spec, rows, own_spec.path.with_name("some.star"))
        assert_same_particles(found, only(everyone, chosen))

    def test_refined_poses_are_read_as_they_were_written(
        self, component: Component, own_spec: Any, reader: Reader, particles: ParticleSet
    ) -> None:
        if not isinstance(reader, PoseWriter):
            return
        out = own_spec.path.with_name("refined.star")
        turned = np.array([[0.8, -0.6, 0.0], [0.6, 0.8, 0.0], [0.0, 0.0, 1.0]])
        found = replace(
            no_corrections(particles),
            rotation=np.tile(turned, (particles.n_particles, 1, 1)),
            shift_px=np.tile([0.5, -1.0, 0.25], (particles.n_particles, 1)),
        )
        written = reader.write_poses(particles, found, out)
        assert written.files[0] == out
        context = ReaderContext(needs_images=reader.has_images)
        again = component.load()(own_spec.model_copy(update={"path": out}), context).read()
        expected = found.of(particles)
        np.testing.assert_array_equal(again.name, particles.name)
        np.testing.assert_allclose(again.images.rotation, expected.images.rotation, atol=1e-6)
        further_px = expected.images.further_shift_px
        if further_px is not None:
            moved_px = again.images.shift_px - particles.images.shift_px
            np.testing.assert_allclose(moved_px, further_px, atol=1e-4)
        if again.orientation is not None and expected.orientation is not None:
            np.testing.assert_allclose(again.orientation, expected.orientation, atol=1e-6)
        assert again.corrections is not None
        np.testing.assert_allclose(again.corrections.rotation, found.rotation, atol=1e-5)

    def test_source_rows_are_those_of_the_set(self, reader: Reader, particles: ParticleSet) -> None:
        if not isinstance(reader, SelectionWriter):
            return
        source = reader.source_rows()
        assert len(source.particle) == particles.rows_read
        shown = particles.source_particle[particles.particle_of_image]
        np.testing.assert_array_equal(source.particle[particles.source_image], shown)
        np.testing.assert_array_equal(
            source.tomogram[particles.source_particle], particles.tomogram
        )


def only(particles: ParticleSet, chosen: NDArray[np.bool_]) -> ParticleSet:
    """Some particles of a set by a mask (B,), with or without images."""
    rows, images = np.flatnonzero(chosen), np.flatnonzero(chosen[particles.particle_of_image])
    return replace(particles, counts=particles.counts[rows], **particles.take_rows(rows, images))


def assert_same_particles(actual: ParticleSet, expected: ParticleSet) -> None:
    """The same particles with the same images; where they stand in a file may differ."""
    for name in ("tomogram", "name", "counts", "image_name", "position_a", "orientation"):
        np.testing.assert_array_equal(getattr(actual, name), getattr(expected, name))
    for name in ("rotation", "shift_px", "dose_e_per_a2", "tilt_deg"):
        np.testing.assert_array_equal(getattr(actual.images, name), getattr(expected.images, name))
