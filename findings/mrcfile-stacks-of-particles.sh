#!/usr/bin/env bash
# mrcfile: a stack of images is made by a call, not by .mrcs, and the call changes the pixel size along z.
#
# mrcfile 1.5.4.
#
# A good guess is that mrcfile.write("particles.mrcs", images, voxel_size=4) writes a stack of images. The ending
# says nothing to mrcfile: 3-D data are a volume (ISPG 1, MZ = number of images) until set_image_stack() is
# called. And that call, which only declares what the data are, changes voxel_size: it sets MZ to 1 and keeps
# the length of the cell, so that 64 images of 4 A/px state 256 A along z if voxel_size was set before. In the
# other order it is 4. A reader that takes voxel_size.z, or wants the three to be equal, refuses half of all
# stacks made this way.
#
# Seen: write("x.mrcs"): ISPG 1, MZ 64, is_image_stack() False; voxel_size then set_image_stack: (4, 4, 256);
# set_image_stack then voxel_size: (4, 4, 4).
# What to do: take the pixel size from x; call set_image_stack first.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
python3 -m venv "$work/venv"
"$work/venv/bin/pip" install --quiet mrcfile==1.5.4 numpy==2.4.6
cd "$work"
venv/bin/python - <<'PY'
import mrcfile
import numpy as np

images = np.zeros((64, 8, 8), dtype=np.float32)
mrcfile.write("particles.mrcs", images, voxel_size=4.0)
with mrcfile.open("particles.mrcs") as file:
    print("write to .mrcs: ISPG", int(file.header.ispg), "MZ", int(file.header.mz), file.is_image_stack())
    assert (file.header.ispg, file.header.mz, file.is_image_stack()) == (1, 64, False)


def sizes(*calls):
    with mrcfile.new("stack.mrcs", overwrite=True) as file:
        file.set_data(images)
        for call in calls:
            call(file)
    with mrcfile.open("stack.mrcs") as file:
        assert file.is_image_stack()
        return [float(file.voxel_size[axis]) for axis in "xyz"]


def declare(file):
    file.set_image_stack()


def measure(file):
    file.voxel_size = 4.0


print("voxel_size, then set_image_stack:", sizes(measure, declare))
print("set_image_stack, then voxel_size:", sizes(declare, measure))
assert sizes(measure, declare) == [4, 4, 256]
assert sizes(declare, measure) == [4, 4, 4]
PY
echo "as stated: volumes until declared, and the declaration changes z"
