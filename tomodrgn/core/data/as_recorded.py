"""The particles of a finished run, from the metadata of its input alone."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from tomodrgn.core.particles.downsampling import downsample_particles
from tomodrgn.core.particles.image_state import declare_state
from tomodrgn.core.particles.selection import select

if TYPE_CHECKING:
    from tomodrgn.core.data.run_directory import DatasetFacts
    from tomodrgn.core.interfaces import Reader
    from tomodrgn.core.particles.tables import ParticleSet
    from tomodrgn.core.specs.run import RunSpecBase


def select_as_recorded(everyone: ParticleSet, run: RunSpecBase, facts: DatasetFacts) -> ParticleSet:
    """The particles of a finished run, with the box that it made of their images.

    Args:
        everyone: all of its input, of which the box need not be known.
        run: its resolved spec.
        facts: what it recorded of its data.
    """
    original_px = round(facts.box_size_px * facts.pixel_size_a / everyone.pixel_size_a)
    groups = tuple(replace(group, box_size_px=original_px) for group in everyone.optics)
    everyone = declare_state(replace(everyone, optics=groups), run.image_state, run.contrast)
    particles = select(everyone, run.dataset, run.seed or 0)
    if original_px == facts.box_size_px:
        return particles
    return downsample_particles(particles, facts.box_size_px)


def innermost(reader: Reader) -> Reader:
    """The reader of the files themselves, below those that crop or normalize what it loads."""
    while getattr(reader, "wraps", False):
        reader = reader.reader  # type: ignore[attr-defined]
    return reader
