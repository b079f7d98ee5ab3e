"""Several commands, one after the other in one process; a JSON file lists their words."""

from __future__ import annotations

import json
import sys
from pathlib import Path

from tomodrgn.core.cli.main import cli

if __name__ == "__main__":
    for arguments in json.loads(Path(sys.argv[1]).read_text()):
        cli.main(arguments, prog_name="tomodrgn", standalone_mode=False)
