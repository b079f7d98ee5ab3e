#!/usr/bin/env bash
# mrcfile reads the unsigned bytes of IMOD and SerialEM as signed: 200 becomes -56.
#
# mrcfile 1.5.4.
#
# Mode 0 is signed in the MRC2014 format. Programs of IMOD have written unsigned bytes in it for decades and say so
# in the header: "IMOD" stamp (1146047817) at word 39, and bit 0 of the flags in word 40 not set. Eight-bit tilt
# series and tomograms are often such files. A good guess is that the stamp is looked at, or that a warning is
# given; mrcfile opens the file without a word and wraps every value above 127, which turns the brightest pixels
# into the darkest. Only mrcfile.validate hints at it, by statistics that "appear to be inaccurate". Writing has its own turn: unsigned bytes are not written in mode 0 with the stamp, but widened to
# mode 6, 16 bits each.
#
# Seen: bytes 0 100 200 255 -> [0, 100, -56, -1], no warning; uint8 data -> mode 6.
# What to do: look at words 39 and 40, and view the data as uint8.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
python3 -m venv "$work/venv"
"$work/venv/bin/pip" install --quiet mrcfile==1.5.4 numpy==2.4.6
cd "$work"
venv/bin/python - <<'PY'
import struct
import warnings

import mrcfile
import numpy as np

header = bytearray(1024)
struct.pack_into("<10i", header, 0, 2, 2, 1, 0, 0, 0, 0, 2, 2, 1)
struct.pack_into("<6f", header, 40, 2, 2, 1, 90, 90, 90)
struct.pack_into("<3i", header, 64, 1, 2, 3)
struct.pack_into("<3f", header, 76, 0, 255, 138.75)  # minimum, maximum, mean; as unsigned
header[104:108], header[108:112] = b"\0\0\0\0", struct.pack("<i", 20140)
struct.pack_into("<2i", header, 152, 1146047817, 0)
struct.pack_into("<f", header, 216, 95.4)
header[208:216] = b"MAP \x44\x44\0\0"
open("imod.mrc", "wb").write(bytes(header) + bytes([0, 100, 200, 255]))
with warnings.catch_warnings():
    warnings.simplefilter("error")
    data = mrcfile.read("imod.mrc")
print("bytes 0 100 200 255 are read as", data.ravel().tolist(), data.dtype)
assert data.ravel().tolist() == [0, 100, -56, -1]
mrcfile.validate("imod.mrc")  # prints that minimum, maximum and mean are not those of the header
with mrcfile.new("ours.mrc", data=np.array([[0, 100], [200, 255]], dtype=np.uint8)) as file:
    print("uint8 is written in mode", int(file.header.mode))
    assert file.header.mode == 6
PY
echo "as stated: unsigned bytes wrap, and are written as 16-bit numbers"
