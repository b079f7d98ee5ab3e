#!/usr/bin/env bash
# starfile: tomograms and particles whose names are digits get other names.
#
# starfile 0.5.13, pandas 3.1.1.
#
# A good guess is that reading a STAR file and writing it again keeps the names in it. A column all of whose
# values look like numbers becomes one: tomograms 0087 and 0088 become 87 and 88, names such as 5e12 (grid 5,
# square e12) become 5000000000000.000000, and a particle named 000012 becomes 12. The blocks of a RELION or
# WarpTools tomograms.star are named after the tomograms, and block names keep their zeros: the file that is
# written has rlnTomoName 87 and a table data_0087, and the pair no longer belongs together. As the rule looks
# at whole columns, one tomogram named TS_0090 in the same set hides the fault.
#
# Seen: rlnTomoName 0087 -> 87, table still 0087; 5e12 -> 5000000000000.000000; with TS_0090 beside it 0087 stays.
# What to do: starfile.read(path, parse_as_string=["rlnTomoName", "rlnTomoParticleName", "rlnGroupName", ...]).
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
python3 -m venv "$work/venv"
"$work/venv/bin/pip" install --quiet starfile==0.5.13 pandas==3.1.1 numpy==2.4.6
cd "$work"
venv/bin/python - <<'PY'
from pathlib import Path

import starfile


def rewritten(names, **options):
    """Values of rlnTomoName and block names after reading and writing once."""
    text = "data_global\n\nloop_\n_rlnTomoName\n_rlnTomoHand\n" + "".join(f"{n} -1\n" for n in names)
    for name in names:
        text += f"\ndata_{name}\n\nloop_\n_rlnDefocusU\n_rlnDefocusV\n30000.0 29500.0\n30100.0 29600.0\n"
    Path("in.star").write_text(text)
    starfile.write(starfile.read("in.star", always_dict=True, **options), "out.star", overwrite=True)
    lines = Path("out.star").read_text().splitlines()
    blocks = [line.removeprefix("data_") for line in lines if line.startswith("data_")]
    rows = [line.split("\t")[0] for line in lines if line.endswith("\t-1")]
    print(names, "-> rlnTomoName", rows, "tables", blocks[1:])
    return rows, blocks[1:]


assert rewritten(["0087", "0088"]) == (["87", "88"], ["0087", "0088"])
assert rewritten(["5e12", "6e12"]) == (["5000000000000.000000", "6000000000000.000000"], ["5e12", "6e12"])
assert rewritten(["0087", "TS_0090"]) == (["0087", "TS_0090"], ["0087", "TS_0090"])
assert rewritten(["0087", "0088"], parse_as_string=["rlnTomoName"]) == (["0087", "0088"], ["0087", "0088"])
PY
echo "as stated: names of digits lose their zeros, the tables named after them do not"
