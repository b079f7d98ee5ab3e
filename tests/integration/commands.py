"""Several commands, one after the other in one process; a JSON file lists their words."""

from __future__ import annotations

import atexit
import json
import sys
from pathlib import Path

import torch

from tomodrgn.core.cli.main import cli


def _say_what_is_left() -> None:
    if torch.distributed.is_initialized():
        sys.stderr.write("a process group outlives the commands\n")


if __name__ == "__main__":
    atexit.register(_say_what_is_left)  # after what the commands register, as it comes first
    for arguments in json.loads(Path(sys.argv[1]).read_text()):
        cli.main(arguments, prog_name="tomodrgn", standalone_mode=False)
