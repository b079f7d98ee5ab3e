"""``python -m tomodrgn``: the same command line as ``tomodrgn``."""

from __future__ import annotations

from tomodrgn.core.cli.main import cli

if __name__ == "__main__":
    cli(prog_name="tomodrgn")
