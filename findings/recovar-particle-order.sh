#!/usr/bin/env bash
# recovar parse_relion5_tomo sorts particles by the text of their names.
#
# RECOVAR 1.0.5, with starfile 0.5.11.
#
# It expands RELION 5 tomograms.star and particles.star to one row per tilt image. A good guess is that
# particles keep the order of particles.star, as they do in cryoDRGN's command of the same purpose, so that
# labels, index files and latents go by the number of a particle. They come in the order of their names as
# text: the tenth particle of a tomogram is the second of the result, from ten particles on.
# A second thing: offsets of a refinement are left out altogether. rlnOriginXAngst and rlnOriginYAngst are
# there and 0, and the defocus is that of the coordinate, not that of the refined place.
#
# Seen, for TS_1/1 ... TS_1/12 with an offset of 80 A along the beam each:
#   groups  TS_1/1 TS_1/10 TS_1/11 TS_1/12 TS_1/2 ... TS_1/9
#   rlnDefocusU of the untilted images 30100.0 (30020.0 at the refined place); rlnOriginX/YAngst 0
# What to do: match by rlnGroupName, never by number; extract at refined places before expanding.
#
# Dependencies that the command does not use, such as JAX, are left out.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
python3 -m venv "$work/venv"
"$work/venv/bin/pip" install --quiet numpy==2.2.6 pandas==2.2.3 scipy==1.15.2 starfile==0.5.11
"$work/venv/bin/pip" install --quiet --no-deps recovar==1.0.5
cd "$work"
cat > make.py <<'PY'
"""A RELION 5 set of twelve particles."""


def loop(name, columns, rows):
    head = "".join(f"_rln{column}\n" for column in columns.split())
    return f"data_{name}\n\nloop_\n{head}" + "".join(row + "\n" for row in rows) + "\n"


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
           [f"TS_1 {n} {10 * n} 50 100 10 20 30 0 0 80 TS_1/{n} 1 stack_{n}.mrcs 1 [1,1,1]"
            for n in range(1, 13)]))
open("tomograms.star", "w").write(
    loop("global",
         "TomoName TomoTiltSeriesStarFile TomoSizeX TomoSizeY TomoSizeZ TomoHand OpticsGroupName "
         "TomoTiltSeriesPixelSize Voltage SphericalAberration AmplitudeContrast",
         ["TS_1 TS_1.star 1000 1000 400 1 opticsGroup1 2.0 300 2.7 0.1"]))
open("TS_1.star", "w").write(
    loop("TS_1",
         "MicrographName TomoNominalStageTiltAngle TomoXTilt TomoYTilt TomoZRot TomoXShiftAngst "
         "TomoYShiftAngst DefocusU DefocusV DefocusAngle CtfScalefactor MicrographPreExposure",
         [f"{i + 1}@TS_1.mrcs {tilt} 0 {tilt} 0 0 0 30000 29500 40 1 {3 * i}"
          for i, tilt in enumerate((0, 20, -20))]))
PY
venv/bin/python make.py
venv/bin/recovar parse_relion5_tomo -t tomograms.star -p particles.star -o expanded.star
venv/bin/python - <<'PY'
import starfile

table = starfile.read("expanded.star")["particles"]
groups = list(table.rlnGroupName.unique())
print(*groups)
assert groups == sorted(f"TS_1/{n}" for n in range(1, 13)), groups
assert groups[1] == "TS_1/10"
untilted = table[table.rlnMicrographPreExposure == 0].rlnDefocusU
print("untilted:", sorted(set(untilted.round(3))), "A")
assert (abs(untilted - 30100) < 0.1).all()
assert (table[["rlnOriginXAngst", "rlnOriginYAngst"]] == 0).all(axis=None)
PY
echo "as stated: TS_1/10 is second; offsets are left out"
