#!/usr/bin/env bash
# cryodrgn_utils parse_relion moves the defocus by refined offsets, and leaves the images off center.
#
# cryoDRGN 4.3.1, with starfile 0.5.13.
#
# It expands RELION 5 tomograms.star and particles.star to one row per tilt image. A good guess is that the
# offsets of a refinement (rlnOriginX/Y/ZAngst) become shifts of the images, as they must be for the particles
# of a Refine3D job, whose images were cut before it. Instead rlnOriginX and rlnOriginY are there and 0 in
# every row, while the same offset is taken into account for the height and so for the defocus. Two other
# statements are replaced or left out without a word: rlnPhaseShift is 0 whatever the tilt series says, and no
# column is left of rlnCtfDataAreCtfPremultiplied, so that the CTF would be applied a second time.
#
# Seen, tilts -20, 0, 20 degrees, hand 1, phase shifts 90, 91, 92 degrees, premultiplied 1:
#   offset (0, 0, 0) A     rlnOriginX 0 0 0   rlnDefocusU 30153.8 30100.0 30034.1   rlnPhaseShift 0 0 0
#   offset (60, 0, 80) A   rlnOriginX 0 0 0   rlnDefocusU 30058.1 30020.0 29979.5   rlnPhaseShift 0 0 0
#   the images need shifts of 29.0, 60.0 and 83.7 A along x; columns with "Premultiplied": none
# What to do: read the optimisation set, or extract again at the refined places before expanding.
#
# Dependencies that the command does not use are left out.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
python3 -m venv "$work/venv"
"$work/venv/bin/pip" install --quiet numpy==2.4.6 pandas==3.1.1 scipy==1.17.1 starfile==0.5.13 pyyaml==6.0.3
"$work/venv/bin/pip" install --quiet --no-deps cryodrgn==4.3.1
cd "$work"
cat > parse_relion.py <<'PY'
import argparse

from cryodrgn.commands_utils import parse_relion

parser = argparse.ArgumentParser()
parse_relion.add_args(parser)
parse_relion.main(parser.parse_args())
PY
cat > make.py <<'PY'
"""A RELION 5 set of one particle; arguments: its offset x, y and z in angstrom."""
import sys


def loop(name, columns, rows):
    head = "".join(f"_rln{column}\n" for column in columns.split())
    return f"data_{name}\n\nloop_\n{head}" + "".join(row + "\n" for row in rows) + "\n"


offset = " ".join(sys.argv[1:4])
open("particles.star", "w").write(
    "data_general\n\n_rlnTomoSubTomosAre2DStacks 1\n\n"
    + loop("optics",
           "OpticsGroup OpticsGroupName SphericalAberration Voltage TomoTiltSeriesPixelSize "
           "CtfDataAreCtfPremultiplied ImageDimensionality TomoSubtomogramBinning ImagePixelSize ImageSize "
           "AmplitudeContrast",
           ["1 opticsGroup1 2.7 300 2.0 1 2 4.0 8.0 32 0.1"])
    + loop("particles",
           "TomoName TomoParticleId CenteredCoordinateXAngst CenteredCoordinateYAngst "
           "CenteredCoordinateZAngst AngleRot AngleTilt AnglePsi OriginXAngst OriginYAngst OriginZAngst "
           "TomoParticleName OpticsGroup ImageName RandomSubset TomoVisibleFrames",
           [f"TS_1 1 175 50 100 10 20 30 {offset} TS_1/1 1 stack.mrcs 1 [1,1,1]"]))
open("tomograms.star", "w").write(
    loop("global",
         "TomoName TomoTiltSeriesStarFile TomoSizeX TomoSizeY TomoSizeZ TomoHand OpticsGroupName "
         "TomoTiltSeriesPixelSize Voltage SphericalAberration AmplitudeContrast",
         ["TS_1 TS_1.star 1000 1000 400 1 opticsGroup1 2.0 300 2.7 0.1"]))
open("TS_1.star", "w").write(
    loop("TS_1",
         "MicrographName TomoXTilt TomoYTilt TomoZRot TomoXShiftAngst TomoYShiftAngst DefocusU DefocusV "
         "DefocusAngle PhaseShift CtfScalefactor MicrographPreExposure",
         [f"{i + 1}@TS_1.mrcs 0 {tilt} 0 0 0 30000 29500 40 {90 + i} 1 {3 * i}"
          for i, tilt in enumerate((-20, 0, 20))]))
PY
for name in extracted refined; do
    venv/bin/python make.py $([ $name = refined ] && echo 60 0 80 || echo 0 0 0)
    venv/bin/python parse_relion.py -t tomograms.star -p particles.star --tilt-dim 1000 1000 -o $name.star
done
venv/bin/python - <<'PY'
import numpy as np
import starfile

tilts = np.deg2rad([-20.0, 0.0, 20.0])
depth = np.stack([-np.sin(tilts), 0 * tilts, np.cos(tilts)], axis=1)
across = np.stack([np.cos(tilts), 0 * tilts, np.sin(tilts)], axis=1)
for name, offset in (("extracted", (0, 0, 0)), ("refined", (60, 0, 80))):
    table = starfile.read(f"{name}.star").sort_values("rlnMicrographPreExposure")
    place = np.array([175.0, 50.0, 100.0]) - offset
    print(name, table[["rlnOriginX", "rlnOriginY", "rlnDefocusU", "rlnPhaseShift"]].to_numpy().tolist())
    print("shifts along x that the images need:", (across @ offset).round(1), "A")
    np.testing.assert_allclose(table.rlnDefocusU, 30000 + depth @ place, atol=0.1)
    assert (table[["rlnOriginX", "rlnOriginY", "rlnPhaseShift"]] == 0).all(axis=None)
    assert not [column for column in table if "Premultiplied" in column]
PY
echo "as stated: offsets move the defocus and not the images; phase shifts and the premultiplied flag are gone"
