#!/usr/bin/env bash
# recovar make_test_dataset --tilt-series states no pre-exposure, and doses at the middle of exposures.
#
# RECOVAR 1.0.5 (JAX on CPUs; the environment takes 1.5 GB for the time of the run).
#
# Its simulator writes both columns from which programs take the dose of a tilt image. A good guess is that
# rlnMicrographPreExposure is the dose, as in RELION and in what recovar parse_relion5_tomo writes, and
# rlnCtfBfactor a placeholder, as in what cryodrgn_utils parse_relion writes. Here it is the other way round:
# rlnMicrographPreExposure is 0 in every row, and rlnCtfBfactor is -4 times the dose (as in Warp) at the
# *middle* of each exposure, where Warp counts from the end and RELION from the start. rlnMicrographName is a
# running number of the image, and one stack holds everything. --n-images counts tilt images, not particles:
# the last particle gets the few that are left.
#
# Seen, --n-images 12 --n-tilts 5: rlnCtfBfactor -6 -18 -30 -42 -54 (3 e/A^2 per tilt), rlnMicrographPreExposure
# 0 0 0 0 0, rlnMicrographName 1 to 12, particles of 5, 5 and 2 images.
# What to do: take the dose from rlnMicrographPreExposure only if it is not 0 throughout, from rlnCtfBfactor
# only if that is not 0 throughout.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
python3 -m venv "$work/venv"
"$work/venv/bin/pip" install --quiet recovar==1.0.5
cd "$work"
export JAX_PLATFORMS=cpu
venv/bin/recovar make_test_dataset out --tilt-series --n-images 12 --n-tilts 5 --image-size 32 --seed 1
venv/bin/python - <<'PY'
import starfile

table = starfile.read("out/test_dataset/particles.star")["particles"]
columns = ["rlnImageName", "rlnMicrographName", "rlnGroupName", "rlnCtfScalefactor", "rlnCtfBfactor",
           "rlnMicrographPreExposure"]
print(table[columns].to_string(index=False))
assert (table.rlnMicrographPreExposure == 0).all()
assert list(table.groupby("rlnGroupName").size()) == [5, 5, 2]
for _, rows in table.groupby("rlnGroupName"):
    assert list(rows.rlnCtfBfactor) == [-6.0, -18.0, -30.0, -42.0, -54.0][: len(rows)]
assert list(table.rlnMicrographName.astype(int)) == list(range(1, 13))
PY
echo "as stated: dose of mid-exposures in rlnCtfBfactor, rlnMicrographPreExposure 0"
