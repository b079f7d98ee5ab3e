"""A set of particles as the internal model, with its tilt images or without."""

from __future__ import annotations

import logging
from dataclasses import replace
from typing import TYPE_CHECKING, Literal

import numpy as np

from tomodrgn.core.particles.corrections import Corrections
from tomodrgn.core.particles.tables import ImageState, OpticsGroup, ParticleSet, no_images
from tomodrgn.plugins.readers.optimisation_set.geometry import height_signs, image_geometry
from tomodrgn.plugins.readers.optimisation_set.images import (
    ctf_table,
    image_table,
    refined_tilt_shifts_a,
)
from tomodrgn.plugins.readers.optimisation_set.packed_frames import pack_frames
from tomodrgn.plugins.readers.optimisation_set.particles import particle_names
from tomodrgn.plugins.readers.upstream_files import set_columns as columns
from tomodrgn.plugins.readers.upstream_files.bounds import check_shifts
from tomodrgn.plugins.readers.upstream_files.half_sets import filament_keys, row_half_sets

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from tomodrgn.plugins.readers.optimisation_set.packed_frames import PackedFrames
    from tomodrgn.plugins.readers.optimisation_set.particles import SetParticles
    from tomodrgn.plugins.readers.optimisation_set.tomograms import Tomograms
    from tomodrgn.plugins.readers.optimisation_set.visible_frames import FrameLists

logger = logging.getLogger(__name__)

DefocusSign = Literal["auto", "plus", "minus", "none"]


def set_with_images(
    particles: SetParticles,
    tomograms: Tomograms,
    frames: FrameLists,
    motion_a: NDArray[np.float32] | None,
    *,
    defocus_sign: DefocusSign,
    box_size_px: int | None,
) -> ParticleSet:
    """The particles that have visible tilt images, and these images.

    Args:
        particles: B particles.
        tomograms: the tomograms they lie in.
        frames: lists of their frames.
        motion_a: (entries, 3) their motion, or None.
        defocus_sign: with which their heights count.
        box_size_px: of their images; None for the one that the file states.
    """
    packed = pack_frames(frames, particles, tomograms)
    moved_a = refined_tilt_shifts_a(packed, particles, tomograms)
    geometry = image_geometry(packed, particles, tomograms.frames.rotation, motion_a)
    geometry = geometry.moved(moved_a)
    factor = _height_factors(particles, tomograms, defocus_sign)
    added_a = None
    if factor is not None and tomograms.frames.has_defocus:
        added_a = factor[particles.tomogram_of[packed.particle]] * geometry.height_a
    ctf = ctf_table(packed, particles, tomograms, added_a)
    _check_origins(particles, box_size_px)
    kept, counts = np.unique(packed.particle, return_counts=True)
    everyone = set_without_images(particles)
    fields = everyone.take_rows(kept, np.empty(0, dtype=np.int64)) | {
        "images": image_table(packed, geometry, particles, tomograms, ctf),
        "image_name": _image_names(particles, packed, frames),
        "source_image": packed.entry,
        "height_defocus_a": added_a,
        "corrections": _with_tilts(everyone.corrections, packed, particles, tomograms, moved_a),
    }
    return replace(
        everyone,
        counts=counts.astype(np.int64),
        optics=_optics_groups(particles, box_size_px, tomograms),
        rows_read=len(frames.visible),
        rejected=packed.rejected,
        exposure_doses=_exposure_doses(tomograms),
        **fields,
    )


def _check_origins(particles: SetParticles, box_size_px: int | None) -> None:
    """Refuse origins that lead out of the images."""
    check_shifts(
        particles.origin_a / particles.pixel_size_a,
        particles.optics.box_size_px if box_size_px is None else box_size_px,
        particles.path,
        particle_names(particles.table),
    )


def set_without_images(particles: SetParticles) -> ParticleSet:
    """All particles of the set, without tilt images."""
    n_particles = len(particles.table)
    tomogram = particles.table[columns.TOMOGRAM].to_numpy(dtype=object)
    name = particle_names(particles.table)
    return ParticleSet(
        source=particles.source,
        tomogram=tomogram,
        name=name,
        source_particle=np.arange(n_particles, dtype=np.int64),
        images=no_images(),
        counts=np.zeros(n_particles, dtype=np.int64),
        image_name=np.empty(0, dtype=object),
        source_image=np.empty(0, dtype=np.int64),
        optics=_optics_groups(particles, None, None),
        rows_read=n_particles,
        particles_read=n_particles,
        position_a=particles.places.position_a,
        orientation=particles.orientation if particles.has_poses else None,
        extraction=particles.extraction,
        half_set=row_half_sets(particles.table, columns.HALF_SET, particles.path),
        filament=filament_keys(particles.table, slice(None), tomogram, name),
        corrections=_corrections(particles),
    )


def _with_tilts(
    corrections: Corrections | None,
    packed: PackedFrames,
    particles: SetParticles,
    tomograms: Tomograms,
    moved_a: NDArray[np.float64],
) -> Corrections | None:
    """Corrections of the particles that have images, with those (M, 2) of their tilts."""
    if corrections is None:
        return None
    return replace(
        corrections.take(np.unique(packed.particle), np.empty(0, dtype=np.int64)),
        tilt_shift_px=moved_a / particles.pixel_size_a,
        tilt_log_scale=tomograms.frames.log_scale[packed.tilt],
    )


def _corrections(particles: SetParticles) -> Corrections | None:
    """Corrections of particles without images."""
    refined = particles.refined
    if refined is None:
        return None
    return Corrections(
        rotation=refined.rotation,
        shift_px=refined.shift_a / particles.pixel_size_a,
        log_scale=refined.log_scale,
        tilt_shift_px=np.empty((0, 2)),
        tilt_log_scale=np.empty(0),
    )


def _exposure_doses(tomograms: Tomograms) -> dict[str, NDArray[np.float64]]:
    """Doses of all exposures of each tilt series that states them, visible or not."""
    doses = np.split(tomograms.frames.dose_e_per_a2, tomograms.starts[1:-1])
    return {
        name: of_series
        for name, of_series in zip(tomograms.names, doses, strict=True)
        if not np.isnan(of_series).any()
    }


def _height_factors(
    particles: SetParticles, tomograms: Tomograms, choice: DefocusSign
) -> NDArray[np.float32] | None:
    """(T,) by which heights are multiplied before they add to the defocus; None for no heights."""
    if choice == "none":
        return None
    if particles.places.offset_a is None:
        logger.warning(
            "%s: heights of particles in their tomograms cannot be told, because coordinates or "
            "tomogram sizes (%s) are missing; all get the defocus of the tilt series",
            particles.source, ", ".join(columns.TOMOGRAM_SIZE),
        )  # fmt: skip
        return None
    factors, why = height_signs(choice, tomograms)
    logger.info(
        "%s: heights of particles are multiplied by %s and added to the defocus (%s)",
        particles.source, " or ".join(f"{factor:+g}" for factor in np.unique(factors)), why,
    )  # fmt: skip
    return factors.astype(np.float32)


def _optics_groups(
    particles: SetParticles, box_size_px: int | None, tomograms: Tomograms | None
) -> tuple[OpticsGroup, ...]:
    """The optics groups and what upstream did to their images.

    WarpTools always weights images by their dose, RELION where it multiplies them by their CTF. The
    scale factor of a tilt image, the cosine of its tilt, is part of that CTF, and so is a B-factor
    by which RELION may weight for dose instead of the usual curve. RELION makes particles bright,
    which shows where it does not multiply them: its CTF changes sign, too.
    """
    stated = particles.optics
    is_warptools = tomograms is not None and tomograms.is_warptools
    is_scaled = tomograms is not None and not np.isnan(tomograms.frames.cosine).any()
    has_curve = tomograms is None or is_warptools or not tomograms.has_dose_b_factors
    multiplied = ImageState(
        ctf_premultiplied=True,
        dose_weighted=has_curve or is_warptools,
        tilt_weighted=is_scaled,
    )
    untouched = ImageState(
        dose_weighted=is_warptools,
        tilt_weighted=is_warptools and is_scaled,
        inverted=not is_warptools,
    )
    unknown = replace(untouched, ctf_premultiplied=None)
    states = [
        unknown if is_open else multiplied if is_premultiplied else untouched
        for is_premultiplied, is_open in zip(stated.is_premultiplied, stated.is_open, strict=True)
    ]
    return tuple(
        OpticsGroup(
            name=name,
            pixel_size_a=particles.pixel_size_a,
            box_size_px=stated.box_size_px if box_size_px is None else box_size_px,
            state=state,
            premultiplied_state=multiplied if is_open else None,
        )
        for name, state, is_open in zip(stated.names, states, stated.is_open, strict=True)
    )


def _image_names(
    particles: SetParticles, packed: PackedFrames, frames: FrameLists
) -> NDArray[np.object_]:
    """(M,) ``N@stack`` with the number N of the frame in its tilt series, from 1."""
    table = particles.table
    stack = table.get(columns.STACK, table[columns.TOMOGRAM] + "/" + particle_names(table))
    number = packed.entry - frames.starts[packed.particle]
    prefixes = np.array([f"{n:06d}@" for n in range(1, number.max(initial=0) + 2)], dtype=object)
    names: NDArray[np.object_] = prefixes[number] + stack.to_numpy(dtype=object)[packed.particle]
    return names
