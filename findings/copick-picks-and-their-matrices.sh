#!/usr/bin/env bash
# copick: the positions of picks are not where picks are.
#
# copick 1.31.0.
#
# picks.numpy() returns positions and 4x4 matrices of a set of picks. A good guess is that positions are places
# and matrices orientations; the fourth column of a matrix is then taken for zero or for a copy. A place is
# the position *plus* the translation in the matrix: picks.df() adds it, full_positions adds it, numpy() and the
# "location" of the file do not. Two scripts of the same package on the same picks are apart by the refined
# shift, in angstrom, without a word.
#
# Seen, location (100, 200, 300) A, translation (10, 20, 30) A: numpy() (100, 200, 300); df() centered at
# (500, 500, 500) gives (-390, -280, -170), which is (110, 220, 330) - 500.
# What to do: read full_positions.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
python3 -m venv "$work/venv"
"$work/venv/bin/pip" install --quiet copick==1.31.0 numpy==2.4.6
cd "$work"
venv/bin/python - <<'PY'
import json
import os

import copick
import numpy as np

os.makedirs("overlay")
config = dict(
    config_type="filesystem", name="test", description="test", version="1.0.0", user_id="me", session_id="0",
    pickable_objects=[dict(name="ribosome", is_particle=True, label=1, color=[0, 1, 0, 1], radius=100)],
    overlay_root="local://" + os.path.abspath("overlay"), overlay_fs_args=dict(auto_mkdir=True),
)
json.dump(config, open("config.json", "w"))
run = copick.from_file("config.json").new_run("TS_1")
picks = run.new_picks("ribosome", "0", "me")
matrix = np.array([[0, -1, 0, 10], [1, 0, 0, 20], [0, 0, 1, 30], [0, 0, 0, 1]], dtype=float)
picks.from_numpy(np.array([[100.0, 200.0, 300.0]]), matrix[None])
picks.store()
again = copick.from_file("config.json").get_run("TS_1").get_picks("ribosome")[0]
positions, _ = again.numpy()
frame = again.df(format="relion", tomogram_center=(500, 500, 500))
centered = frame[[f"rlnCenteredCoordinate{axis}Angst" for axis in "XYZ"]].to_numpy()
full = again.full_positions() if callable(again.full_positions) else again.full_positions
print("numpy()", positions.tolist(), "full_positions", np.asarray(full).tolist(), "df()", centered.tolist())
np.testing.assert_allclose(positions, [[100, 200, 300]])
np.testing.assert_allclose(full, [[110, 220, 330]])
np.testing.assert_allclose(centered, [[110 - 500, 220 - 500, 330 - 500]])
PY
echo "as stated: numpy() leaves out the translation, df() and full_positions do not"
