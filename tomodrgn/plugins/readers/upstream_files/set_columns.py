"""What WarpTools and RELION call the columns and values of a set of particles and tomograms."""

from __future__ import annotations

from typing import Final

PARTICLES_FILE: Final = "rlnTomoParticlesFile"
TOMOGRAMS_FILE: Final = "rlnTomoTomogramsFile"
TRAJECTORIES_FILE: Final = "rlnTomoTrajectoriesFile"
ARE_2D_STACKS: Final = "rlnTomoSubTomosAre2DStacks"

TOMOGRAM: Final = "rlnTomoName"
PARTICLE: Final = "rlnTomoParticleName"
PARTICLE_NUMBER: Final = "rlnTomoParticleId"
STACK: Final = "rlnImageName"
VISIBLE_FRAMES: Final = "rlnTomoVisibleFrames"
HALF_SET: Final = "rlnRandomSubset"
FILAMENT: Final = "rlnHelicalTubeID"
EULER_ANGLES: Final = ("rlnAngleRot", "rlnAngleTilt", "rlnAnglePsi")
SUBTOMOGRAM_ANGLES: Final = (
    "rlnTomoSubtomogramRot", "rlnTomoSubtomogramTilt", "rlnTomoSubtomogramPsi",
)  # fmt: skip
ORIGIN_A: Final = ("rlnOriginXAngst", "rlnOriginYAngst", "rlnOriginZAngst")
ORIGIN_PX: Final = ("rlnOriginX", "rlnOriginY", "rlnOriginZ")
CENTRED_A: Final = (
    "rlnCenteredCoordinateXAngst", "rlnCenteredCoordinateYAngst", "rlnCenteredCoordinateZAngst",
)  # fmt: skip
COORDINATES_PX: Final = ("rlnCoordinateX", "rlnCoordinateY", "rlnCoordinateZ")
OPTICS_GROUP: Final = "rlnOpticsGroup"
PHASE_SHIFT: Final = "rlnPhaseShift"
CTF_VOLUME: Final = "rlnCtfImage"
PLACES: Final = (STACK, *CENTRED_A, *COORDINATES_PX)
"""Columns that say which images show a particle, or where it lies."""

PARTICLE_COLUMNS: Final = (
    *(TOMOGRAM, PARTICLE, STACK, VISIBLE_FRAMES, HALF_SET, OPTICS_GROUP, PHASE_SHIFT, CTF_VOLUME),
    *(*EULER_ANGLES, *SUBTOMOGRAM_ANGLES, *ORIGIN_A, *ORIGIN_PX, *CENTRED_A, *COORDINATES_PX),
    *(FILAMENT, PARTICLE_NUMBER),
)
"""Columns of particles that the reader looks at; others are carried along unread."""

OPTICS_NAME: Final = "rlnOpticsGroupName"
IMAGE_PIXEL_SIZE: Final = "rlnImagePixelSize"
SERIES_PIXEL_SIZE: Final = "rlnTomoTiltSeriesPixelSize"
ORIGINAL_PIXEL_SIZE: Final = "rlnMicrographOriginalPixelSize"
BINNING: Final = "rlnTomoSubtomogramBinning"
IMAGE_SIZE: Final = "rlnImageSize"
DIMENSIONS: Final = "rlnImageDimensionality"
MICROSCOPE: Final = {
    "voltage_kv": "rlnVoltage",
    "cs_mm": "rlnSphericalAberration",
    "amplitude_contrast": "rlnAmplitudeContrast",
}
"""Columns of optics groups, or of tomograms, by the field of ``CtfTable`` that they fill."""

TILT_SERIES: Final = "rlnTomoTiltSeriesName"
TILT_SERIES_FILE: Final = "rlnTomoTiltSeriesStarFile"
TOMOGRAM_SIZE: Final = ("rlnTomoSizeX", "rlnTomoSizeY", "rlnTomoSizeZ")
HAND: Final = "rlnTomoHand"
BFACTOR: Final = "rlnCtfBfactor"
DOSE_BFACTOR: Final = "rlnCtfBfactorPerElectronDose"
DEFOCUS_SLOPE: Final = "rlnTomoDefocusSlope"

MATRIX_ROWS: Final = ("rlnTomoProjX", "rlnTomoProjY", "rlnTomoProjZ")
STAGE_ANGLES: Final = ("rlnTomoXTilt", "rlnTomoYTilt", "rlnTomoZRot")
NOMINAL_TILT: Final = "rlnTomoNominalStageTiltAngle"
TILT_COSINE: Final = "rlnCtfScalefactor"
DOSE: Final = "rlnMicrographPreExposure"
DEFOCUS: Final = {
    "defocus_u_a": "rlnDefocusU",
    "defocus_v_a": "rlnDefocusV",
    "defocus_angle_deg": "rlnDefocusAngle",
}
"""Columns of tilt images by the field of ``CtfTable`` that they fill."""

FRAME_COLUMNS: Final = (
    *(*MATRIX_ROWS, *STAGE_ANGLES, NOMINAL_TILT, TILT_COSINE, DOSE, PHASE_SHIFT),
    BFACTOR,
    *DEFOCUS.values(),
)
"""Columns of tilt images that the reader looks at.

``rlnTomoXShiftAngst`` and ``rlnTomoYShiftAngst`` are not among them: they say where in a tilt image
a particle lies, and extracted images are already centred there.
"""
