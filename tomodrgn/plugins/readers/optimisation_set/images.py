"""The numbers of the tilt images of a set, from its particles, tomograms and optics groups."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from tomodrgn.core.errors import DataError
from tomodrgn.core.particles.tables import CtfTable, ImageTable
from tomodrgn.plugins.readers.upstream_files import set_columns as columns
from tomodrgn.plugins.readers.upstream_files.bounds import bounded_column
from tomodrgn.plugins.readers.upstream_files.fitted_ctf import (
    FittedCtf,
    check_fitted_ctf,
    check_phase_shifts,
    say_nanometers,
)
from tomodrgn.plugins.readers.upstream_files.refined_columns import REFINED_IMAGES

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray

    from tomodrgn.plugins.readers.optimisation_set.geometry import ImageGeometry
    from tomodrgn.plugins.readers.optimisation_set.packed_frames import PackedFrames
    from tomodrgn.plugins.readers.optimisation_set.particles import SetParticles
    from tomodrgn.plugins.readers.optimisation_set.tomograms import Tomograms

logger = logging.getLogger(__name__)

_ASSUMED_VOLTAGE_KV: Final = 300.0


def image_table(
    packed: PackedFrames,
    geometry: ImageGeometry,
    particles: SetParticles,
    tomograms: Tomograms,
    ctf: CtfTable[NDArray[Any]] | None,
) -> ImageTable[NDArray[Any]]:
    """All numbers of all images, columns (M,) and more; a voltage not stated is assumed."""
    frames, tilt = tomograms.frames, packed.tilt
    if np.isnan(frames.dose_e_per_a2).any():
        logger.warning(
            "%s: tilt images have no %s; their dose is taken to be 0, set it with --dose-override",
            particles.source, columns.DOSE,
        )  # fmt: skip
    voltage_kv = _microscope(packed, particles, tomograms).get("voltage_kv")
    if voltage_kv is None:
        voltage_kv = np.full(len(tilt), _ASSUMED_VOLTAGE_KV, np.float32)
    return ImageTable(
        rotation=geometry.rotation,
        shift_px=geometry.shift_a / np.float32(particles.pixel_size_a),
        dose_e_per_a2=np.nan_to_num(frames.dose_e_per_a2).astype(np.float32)[tilt],
        tilt_deg=frames.tilt_deg.astype(np.float32)[tilt],
        voltage_kv=voltage_kv if ctf is None else ctf.voltage_kv,
        optics=particles.optics.group[packed.particle],
        ctf=ctf,
        b_factor_a2=None if ctf is None else _b_factors_a2(packed, particles, tomograms),
        scale=_scales(packed, particles, tomograms),
    )


def refined_tilt_shifts_a(
    packed: PackedFrames, particles: SetParticles, tomograms: Tomograms
) -> NDArray[np.float64]:
    """(M, 2) by which refinement of tilts moved the content of images.

    Images that were extracted after tilts were refined lie where these lead.
    """
    moved_a: NDArray[np.float64] = tomograms.frames.moved_a[packed.tilt]
    takes = np.zeros(len(particles.table), dtype=bool)
    if particles.refined is not None:
        takes = particles.refined.takes_tilts
    is_later = ~takes[packed.particle] & moved_a.any(axis=1)
    if is_later.any():
        logger.info(
            "%s: %d images are taken to be extracted after the shifts of their tilts were refined, "
            "as other images are named beside these (%s)",
            particles.path, is_later.sum(), REFINED_IMAGES,
        )  # fmt: skip
    return np.where(is_later[:, None], 0.0, moved_a)


def _scales(
    packed: PackedFrames, particles: SetParticles, tomograms: Tomograms
) -> NDArray[np.float32] | None:
    """(M,) fitted factors of the signal; None where there are none."""
    log_scale = tomograms.frames.log_scale[packed.tilt]
    if particles.refined is not None:
        log_scale = log_scale + particles.refined.log_scale[packed.particle]
    return np.exp(log_scale).astype(np.float32) if log_scale.any() else None


def _b_factors_a2(
    packed: PackedFrames, particles: SetParticles, tomograms: Tomograms
) -> NDArray[np.float32] | None:
    """(M,) B-factors of RELION's transfer functions, None where all are 0.

    A negative one is no envelope but most likely a dose, as Warp writes it in image series.
    """
    frames = tomograms.frames
    if tomograms.is_warptools:
        return None
    per_dose = np.repeat(tomograms.dose_b_factor, np.diff(tomograms.starts))
    if per_dose.any() and not tomograms.has_dose_b_factors:
        logger.warning(
            "%s: %s says that images of %d of %d tomograms were damped by up to %g A^2 per e/A^2 "
            "and not by the usual curve of the dose, which is taken for all; extract all alike",
            particles.source, columns.DOSE_BFACTOR, (tomograms.dose_b_factor > 0).sum(),
            len(tomograms.names), per_dose.max(),
        )  # fmt: skip
        per_dose = np.zeros_like(per_dose)
    n_negative = int((frames.b_factor_a2 < 0).sum())
    if n_negative:
        logger.warning(
            "%s: %s of %d of %d tilt images is negative (down to %g A^2); RELION would amplify "
            "high frequencies by it, which is not undone; it is taken for a dose written as a "
            "B-factor: set it to 0 if it is none",
            particles.source, columns.BFACTOR, n_negative, len(frames), frames.b_factor_a2.min(),
        )  # fmt: skip
    of_frame = np.maximum(frames.b_factor_a2, 0) + per_dose * np.nan_to_num(frames.dose_e_per_a2)
    if not of_frame.any():
        return None
    logger.warning(
        "%s: B-factors of %g to %g A^2 (%s, %s) belong to the CTF of tilt images: images that were "
        "multiplied by it were damped by exp(-B k^2 / 4), down to %.2g at Nyquist, which is undone",
        particles.source, of_frame.min(), of_frame.max(), columns.BFACTOR, columns.DOSE_BFACTOR,
        np.exp(-of_frame.max() / (16 * particles.pixel_size_a**2)),
    )  # fmt: skip
    b_factor_a2: NDArray[np.float32] = of_frame.astype(np.float32)[packed.tilt]
    return b_factor_a2


def ctf_table(
    packed: PackedFrames,
    particles: SetParticles,
    tomograms: Tomograms,
    height_defocus_a: NDArray[np.float32] | None,
) -> CtfTable[NDArray[Any]] | None:
    """Contrast transfer parameters of M images, None where the tilt series have no defocus.

    Args:
        packed: the images.
        particles: B particles; a phase shift of theirs replaces those of tilt images.
        tomograms: their tomograms.
        height_defocus_a: (M,) what to add to the defocus of the tilt series, or None.

    Raises:
        DataError: some tilt series have a defocus and others do not, or the microscope is unknown.
    """
    path, defocus = particles.path, tomograms.frames.defocus
    if not tomograms.frames.has_defocus:
        logger.warning(
            "%s: tilt series have no defocus (%s); images are taken to be without a contrast "
            "transfer function", path, ", ".join(columns.DEFOCUS.values()),
        )  # fmt: skip
        return None
    _refuse_some_without_defocus(tomograms, path)
    microscope = _microscope(packed, particles, tomograms)
    missing = [name for field, name in columns.MICROSCOPE.items() if field not in microscope]
    if missing:
        raise DataError(
            f"{path}: {', '.join(missing)} missing from the optics groups and from the tomograms; "
            f"add them to data_optics"
        )
    phase_shift_deg = _phase_shift_deg(packed, particles, tomograms)
    fit = _fits(packed, tomograms)
    check_fitted_ctf(fit)
    check_phase_shifts(phase_shift_deg, path)
    say_nanometers(fit, phase_shift_deg)
    added = 0.0 if height_defocus_a is None else height_defocus_a
    u, v, angle = defocus[packed.tilt].T
    return CtfTable(
        defocus_u_a=(u + added).astype(np.float32),
        defocus_v_a=(v + added).astype(np.float32),
        defocus_angle_deg=angle.astype(np.float32),
        phase_shift_deg=phase_shift_deg.astype(np.float32),
        **microscope,
    )


def _fits(packed: PackedFrames, tomograms: Tomograms) -> FittedCtf:
    """The fits of the tilt images that are used, before heights add to their defocus."""
    used = np.unique(packed.tilt)
    of_frame = np.searchsorted(tomograms.starts, used, side="right") - 1
    return FittedCtf(
        path=tomograms.paths[0],
        defocus_u_a=tomograms.frames.defocus[used, 0],
        defocus_v_a=tomograms.frames.defocus[used, 1],
        tomogram=np.array(tomograms.names, dtype=object)[of_frame],
        row=used - tomograms.starts[of_frame] + 1,
    )


def _refuse_some_without_defocus(tomograms: Tomograms, path: Path) -> None:
    """Refuse tilt series without defocus beside others that have one."""
    lacking = np.flatnonzero(np.isnan(tomograms.frames.defocus).any(axis=1))
    if len(lacking):
        tomogram = np.searchsorted(tomograms.starts, lacking[0], side="right") - 1
        raise DataError(
            f"{path}: tilt images of tomogram {tomograms.names[tomogram]} have no defocus "
            f"({', '.join(columns.DEFOCUS.values())}), those of others have; estimate it for all"
        )


def _microscope(
    packed: PackedFrames, particles: SetParticles, tomograms: Tomograms
) -> dict[str, NDArray[np.float32]]:
    """Voltage, aberration and amplitude contrast of M images, as far as they are stated."""
    optics, particle = particles.optics, packed.particle
    rows_of_tables = (
        (tomograms.microscope, particles.tomogram_of[particle]),
        (optics.microscope, optics.group[particle]),  # these win
    )
    return {
        field: column.astype(np.float32)[rows]
        for table, rows in rows_of_tables
        for field, column in table.items()
    }


def _phase_shift_deg(
    packed: PackedFrames, particles: SetParticles, tomograms: Tomograms
) -> NDArray[np.float64]:
    """(M,) phase shifts of particles where the file has them, else those of tilt images."""
    if columns.PHASE_SHIFT not in particles.table:
        return tomograms.frames.phase_shift_deg[packed.tilt]
    table, path = particles.table, particles.path
    stated = bounded_column(table, columns.PHASE_SHIFT, path, "phase_shift_deg")
    return stated[packed.particle]
