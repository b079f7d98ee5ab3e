#!/usr/bin/env bash
# cryodrgn_utils parse_warptools names the images of other tilts where stacks keep invisible frames.
#
# cryoDRGN 4.3.1, with starfile 0.5.13.
#
# WarpTools writes a stack of images and a list rlnTomoVisibleFrames for each particle. Until July 2026 stacks
# held every frame of the list, visible or not; since then, as in RELION, visible ones only. A good guess is
# that a command made for these files tells the two apart by the number of images in the stack. It numbers
# images by their rank among visible frames without looking: in stacks that hold every frame, each row from
# the first invisible frame on names the image of another tilt, beside the pose, dose and defocus of its own.
# No error, and no warning of it; the file that is written looks as it should.
#
# Seen, for frames [0,1,1,0,1], the same for a stack of five images and one of three:
#   frame 2  TS_1.tomostar_tilt_000001  000001@stack.mrcs      (of five, image 1 is the invisible frame 1)
#   frame 3  TS_1.tomostar_tilt_000002  000002@stack.mrcs
#   frame 5  TS_1.tomostar_tilt_000003  000003@stack.mrcs
# What to do: read the optimisation set itself. The mark of the fault is a stack with more images than its
# particle has rows.
#
# A second thing: defocus follows the rules of RELION. rlnTomoHand times the height is added, and coordinates are
# multiplied by rlnTomoTiltSeriesPixelSize, whatever the pixel size of the particles.
#
# Seen, 30000 A in the middle, tilts -20 to 20 degrees, particle pixels of 8 A, tilt-series pixels of 2 A:
#   hand -1   rlnDefocusU 30540.1 30436.7 30320.0 30193.6 30061.3
#   hand 1    rlnDefocusU 29459.9 29563.3 29680.0 29806.4 29938.7
# The public code of Warp (read, not run here) adds heights themselves for a series as recorded, of which it
# writes hand -1, and coordinates of exports of before July 2026 count pixels of the particles: by these rules
# hand -1 means 29993.2 29955.9 29920.0 29886.5 29856.4.
#
# Dependencies that the command does not use are left out.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
python3 -m venv "$work/venv"
"$work/venv/bin/pip" install --quiet torch==2.13.0 numpy==2.4.6 pandas==3.1.1 scipy==1.17.1 starfile==0.5.13 \
    pyyaml==6.0.3 igraph==1.0.0 matplotlib==3.11.2 plotly==6.9.0 tqdm==4.70.1 cloudpickle==3.1.2
"$work/venv/bin/pip" install --quiet --no-deps cryodrgn==4.3.1
cd "$work"
cat > make.py <<'PY'
"""A WarpTools set of one particle; arguments: images in its stack, rlnTomoHand, visible frames."""
import struct
import sys

import numpy as np

n = int(sys.argv[1])
header = bytearray(1024)
struct.pack_into("<10i", header, 0, 8, 8, n, 2, 0, 0, 0, 8, 8, n)
struct.pack_into("<6f", header, 40, 64, 64, 8 * n, 90, 90, 90)
struct.pack_into("<3i", header, 64, 1, 2, 3)
header[208:216] = b"MAP \x44\x44\0\0"
images = np.repeat(np.arange(n, dtype="<f4"), 64)
open("stack.mrcs", "wb").write(bytes(header) + images.tobytes())
open("particles.star", "w").write(
    "data_general\n\n_rlnTomoSubTomosAre2DStacks\t1\n\ndata_optics\n\nloop_\n"
    + "".join(f"_rln{c}\n" for c in (
        "OpticsGroup", "OpticsGroupName", "SphericalAberration", "Voltage", "TomoTiltSeriesPixelSize",
        "CtfDataAreCtfPremultiplied", "ImageDimensionality", "TomoSubtomogramBinning", "ImagePixelSize",
        "ImageSize", "AmplitudeContrast"))
    + "1 opticsGroup1 2.7 300 2.0 1 2 4.0 8.0 8 0.07\n\ndata_particles\n\nloop_\n"
    + "".join(f"_rln{c}\n" for c in (
        "TomoName", "TomoParticleId", "CoordinateX", "CoordinateY", "CoordinateZ", "AngleRot", "AngleTilt",
        "AnglePsi", "TomoParticleName", "OpticsGroup", "ImageName", "OriginXAngst", "OriginYAngst",
        "OriginZAngst", "TomoVisibleFrames"))
    + f"TS_1.tomostar 1 150 120 40 10 20 30 TS_1/1 1 stack.mrcs 0 0 0 {sys.argv[3]}\n")
rows = ""
for i, tilt in enumerate((-20, -10, 0, 10, 20)):
    c, s = np.cos(np.deg2rad(tilt)), np.sin(np.deg2rad(tilt))
    rows += f"[{c},0,{s},0] [0,1,0,0] [{-s},0,{c},0] [0,0,0,1] 30000 29000 40 {c:.6f} {3.0 * i}\n"
open("tomograms.star", "w").write(
    "data_global\n\nloop_\n"
    + "".join(f"_rln{c}\n" for c in (
        "TomoName", "TomoTiltSeriesName", "TomoFrameCount", "TomoSizeX", "TomoSizeY", "TomoSizeZ",
        "TomoHand", "OpticsGroupName", "TomoTiltSeriesPixelSize", "Voltage", "SphericalAberration",
        "AmplitudeContrast", "TomoImportFractionalDose"))
    + f"TS_1.tomostar dummy.mrc 5 1000 1000 400 {sys.argv[2]} opticsGroup1 2.0 300 2.7 0.07 3\n"
    + "\ndata_TS_1.tomostar\n\nloop_\n"
    + "".join(f"_rln{c}\n" for c in (
        "TomoProjX", "TomoProjY", "TomoProjZ", "TomoProjW", "DefocusU", "DefocusV", "DefocusAngle",
        "CtfScalefactor", "MicrographPreExposure"))
    + rows)
PY
cat > parse_warptools.py <<'PY'
import argparse

from cryodrgn.commands_utils import parse_warptools

parser = argparse.ArgumentParser()
parse_warptools.add_args(parser)
parse_warptools.main(parser.parse_args())
PY
expand() {  # images in the stack, hand, visible frames, name of the result
    venv/bin/python make.py "$1" "$2" "$3"
    venv/bin/python parse_warptools.py -t tomograms.star -p particles.star --tilt-dim 1000 1000 -o "$4"
}
expand 5 -1 '[0,1,1,0,1]' every.star
expand 3 -1 '[0,1,1,0,1]' visible.star
expand 5 -1 '[1,1,1,1,1]' recorded.star
expand 5 1 '[1,1,1,1,1]' inverted.star
venv/bin/python - <<'PY'
import numpy as np
import starfile


def read(name):
    return starfile.read(name).sort_values("rlnMicrographPreExposure")


for name in ("every.star", "visible.star"):
    table = read(name)
    print(name, table[["rlnMicrographName", "rlnImageName"]].to_numpy().tolist())
    assert list(table.rlnMicrographPreExposure) == [3, 6, 12]  # frames 2, 3 and 5
    assert list(table.rlnImageName) == [f"{n:06d}@stack.mrcs" for n in (1, 2, 3)]

tilts = np.deg2rad([-20.0, -10.0, 0.0, 10.0, 20.0])
depth = np.stack([-np.sin(tilts), 0 * tilts, np.cos(tilts)], axis=1)  # third rows of the matrices
coordinate, half_a = np.array([150, 120, 40]), np.array([1000, 1000, 400]) * 2.0 / 2
for name, hand in (("recorded.star", -1), ("inverted.star", 1)):
    stated = read(name).rlnDefocusU.to_numpy()
    relion = 30000 + hand * depth @ (coordinate * 2.0 - half_a)
    warp = 30000 - hand * depth @ (coordinate * 8.0 - half_a)
    print("hand", hand, "stated", stated.round(1), "by the rules of Warp", warp.round(1), "A")
    np.testing.assert_allclose(stated, relion, atol=0.1)
    assert abs(stated - warp).max() > 300
PY
echo "as stated: images by rank among visible frames, defocus + hand * height in pixels of the tilt series"
