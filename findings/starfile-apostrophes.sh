#!/usr/bin/env bash
# starfile: an apostrophe in a name becomes a double quote, or the file cannot be read.
#
# starfile 0.5.13, pandas 3.1.1.
#
# A good guess is that a name such as 5'-end_01 (of a tomogram, a file or a folder) is read as it stands: STAR
# (Hall 1991, and CIF after it) lets a quote inside a word be part of the word. Before it parses the rows of a
# loop, starfile replaces every ' by ": the name becomes 5"-end_01, in the data frame and in the file that is
# written from it, without a word. Names no longer match those of other files, and paths of stacks lead nowhere.
# Quoted as "it's one", it ends the reading with ValueError: Length mismatch; in a block without loop_ (optimisation
# set, job.star, one row of tomograms) 5'-end_01 does so with ValueError: No closing quotation.
#
# Seen: loop: 5'-end_01 -> 5"-end_01, also after writing; "it's one" and the simple block: ValueError.
# What to do: keep apostrophes out of names of tomograms and folders, or compare names after reading.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
python3 -m venv "$work/venv"
"$work/venv/bin/pip" install --quiet starfile==0.5.13 pandas==3.1.1 numpy==2.4.6
cd "$work"
venv/bin/python - <<'PY'
from pathlib import Path

import starfile


def read(text):
    """What starfile makes of a file, each time by another name."""
    path = Path(f"{read.calls}.star")
    read.calls += 1
    path.write_text(text)
    try:
        found = starfile.read(path, always_dict=True)[""]
    except ValueError as error:
        return f"ValueError: {error}"
    if isinstance(found, dict):
        return found["rlnTomoName"]
    starfile.write(found, "out.star", overwrite=True)
    return [line.split("\t")[0] for line in Path("out.star").read_text().splitlines() if "\t1@a" in line]


read.calls = 0
loop = "data_\n\nloop_\n_rlnTomoName #1\n_rlnImageName #2\n{} 1@a.mrcs\n"
simple = "data_\n\n_rlnTomoName {}\n_rlnTomoHand -1\n"
found = [
    read(form.format(name))
    for form in (loop, simple)
    for name in ("end_01", "5'-end_01", "\"two words\"", "\"it's one\"")
]
print(*found, sep="\n")
assert found[:4] == [
    ["end_01"], ["5\"-end_01"], ["\"two words\""],
    "ValueError: Length mismatch: Expected axis has 3 elements, new values have 2 elements",
]
assert found[4:6] == ["end_01", "ValueError: No closing quotation"]
PY
echo "as stated: apostrophes in names become double quotes, or end the reading"
