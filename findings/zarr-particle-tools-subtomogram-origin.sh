#!/usr/bin/env bash
# zarr-particle-extract folds offsets into coordinates without the orientation of the subtomogram.
#
# zarr-particle-tools 1.0.1, with starfile 0.5.13 and mrcfile 1.5.4.
#
# Offsets (rlnOriginX/Y/ZAngst) of RELION 5 tomography are stated in the frame of the subtomogram: the place of
# a particle is its coordinate minus A * offset, A the matrix of rlnTomoSubtomogramRot/Tilt/Psi. A good guess is
# that extraction, which follows RELION and folds offsets into coordinates by default, turns them by A. It
# subtracts them as they are, and writes offsets of 0: particles of every set that was picked with orientations
# (membranes, filaments) are cut off center, by up to twice the offset, and nothing in the result tells.
#
# Seen, offset (40, 0, 0) A, subtomogram angles rot 0, tilt 90, psi 0 degrees, coordinate (0, 0, 0):
#   written  rlnCenteredCoordinateX/Y/ZAngst -40 0 0, rlnOriginX/Y/ZAngst 0 0 0, angles of the subtomogram kept
#   RELION   the place is 40 A away along the beam: (0, 0, -40) or (0, 0, 40), whichever way A is read
# What to do: bake A into the offsets first (offset := A * offset, angles combined, subtomogram angles 0), or
# extract with --dont-apply-offsets.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
python3 -m venv "$work/venv"
"$work/venv/bin/pip" install --quiet zarr-particle-tools==1.0.1 starfile==0.5.13 mrcfile==1.5.4
cd "$work"
cat > make.py <<'PY'
"""A tilt series of noise, and one particle in it."""
import mrcfile
import numpy as np


def loop(name, columns, rows):
    head = "".join(f"_rln{column}\n" for column in columns.split())
    return f"data_{name}\n\nloop_\n{head}" + "".join(row + "\n" for row in rows) + "\n"


images = np.random.default_rng(0).normal(size=(3, 256, 256)).astype(np.float32)
with mrcfile.new("TS_1.mrcs") as stack:
    stack.set_data(images)
    stack.set_image_stack()
    stack.voxel_size = 4.0
open("TS_1.star", "w").write(
    loop("TS_1",
         "MicrographName MicrographPreExposure TomoNominalStageTiltAngle TomoXTilt TomoYTilt TomoZRot "
         "TomoXShiftAngst TomoYShiftAngst DefocusU DefocusV DefocusAngle CtfScalefactor",
         [f"{i + 1}@TS_1.mrcs {3 * i} {tilt} 0 {tilt} 0 0 0 30000 29500 40 1"
          for i, tilt in enumerate((0, 10, -10))]))
open("tomograms.star", "w").write(
    loop("global",
         "TomoName TomoTiltSeriesStarFile TomoSizeX TomoSizeY TomoSizeZ TomoHand OpticsGroupName "
         "TomoTiltSeriesPixelSize MicrographOriginalPixelSize Voltage SphericalAberration AmplitudeContrast "
         "TomoTomogramBinning",
         ["TS_1 TS_1.star 256 256 128 -1 opticsGroup1 4.0 4.0 300.0 2.7 0.1 8.0"]))
open("particles.star", "w").write(
    "data_general\n\n_rlnTomoSubTomosAre2DStacks 1\n\n"
    + loop("optics",
           "OpticsGroup OpticsGroupName SphericalAberration Voltage AmplitudeContrast TomoTiltSeriesPixelSize",
           ["1 opticsGroup1 2.7 300.0 0.1 4.0"])
    + loop("particles",
           "TomoName TomoParticleName TomoParticleId CenteredCoordinateXAngst CenteredCoordinateYAngst "
           "CenteredCoordinateZAngst AngleRot AngleTilt AnglePsi OriginXAngst OriginYAngst OriginZAngst "
           "TomoSubtomogramRot TomoSubtomogramTilt TomoSubtomogramPsi OpticsGroup RandomSubset",
           ["TS_1 TS_1/1 1 0.0 0.0 0.0 10.0 20.0 30.0 40.0 0.0 0.0 0.0 90.0 0.0 1 1",
            "TS_1 TS_1/2 2 0.0 0.0 0.0 10.0 20.0 30.0 40.0 0.0 0.0 0.0 0.0 0.0 1 2"]))
PY
venv/bin/python make.py
venv/bin/zarr-particle-extract local --particles-starfile particles.star --tomograms-starfile tomograms.star \
    --box-size 32 --bin 1 --output-dir Extract
venv/bin/python - <<'PY'
import starfile

table = starfile.read("Extract/particles.star")["particles"]
columns = [f"rln{name}{axis}{end}" for name, end in (("CenteredCoordinate", "Angst"), ("Origin", "Angst"))
           for axis in "XYZ"]
angles = [f"rlnTomoSubtomogram{name}" for name in ("Rot", "Tilt", "Psi")]
print(table[columns + angles].to_string(index=False))
assert table[columns].to_numpy().tolist() == [[-40, 0, 0, 0, 0, 0]] * 2
assert table[angles].to_numpy().tolist() == [[0, 90, 0], [0, 0, 0]]
PY
echo "as stated: coordinate - offset, with and without an orientation of the subtomogram"
