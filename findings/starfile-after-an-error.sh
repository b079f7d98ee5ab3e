#!/usr/bin/env bash
# starfile: a file that was refused once stays refused, also after it was corrected.
#
# starfile 0.5.13, pandas 3.1.1.
#
# A good guess is that reading a file again sees what it holds now. starfile takes lines from Python's linecache and
# empties it only at the end of a reading that succeeds. After an error (a row with one value too many, a quote that
# does not close) the lines stay: in the same process, such as a notebook, the corrected file at the same path gives
# the same error, and so does any other content. A file at another path is read as it is.
#
# Seen: 1 2 3 in two columns -> ValueError; corrected to 1 2 -> the same ValueError; after linecache.clearcache() read.
# What to do: linecache.clearcache() before starfile.read, or start the kernel again.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
python3 -m venv "$work/venv"
"$work/venv/bin/pip" install --quiet starfile==0.5.13 pandas==3.1.1 numpy==2.4.6
cd "$work"
venv/bin/python - <<'PY'
import linecache
from pathlib import Path

import starfile

head = "data_\n\nloop_\n_rlnA #1\n_rlnB #2\n"


def read(path):
    """Rows of a file, or why it is refused."""
    try:
        return starfile.read(path).to_numpy().tolist()
    except ValueError as error:
        return f"ValueError: {error}"


Path("a.star").write_text(head + "1 2 3\n")
refused = read("a.star")
Path("a.star").write_text(head + "1 2\n")
again = read("a.star")
Path("b.star").write_text(head + "1 2\n")
elsewhere = read("b.star")
Path("c.star").write_text(head + "1 2 3\n")
read("c.star")
Path("c.star").write_text(head + "1 2\n")
linecache.clearcache()
cleared = read("c.star")
print("refused:", refused, "corrected:", again, "elsewhere:", elsewhere, "cleared:", cleared, sep="\n")
assert refused.startswith("ValueError: Length mismatch")
assert again == refused
assert elsewhere == cleared == [[1, 2]]
PY
echo "as stated: a corrected file is refused as before in the same process"
