"""How closely the input is checked, and where the report goes."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Final

from pydantic import Field

from tomodrgn.core.specs.base import Spec
from tomodrgn.core.specs.classic import Classic
from tomodrgn.core.specs.run_options import RUN_OPTIONS


class CheckSpec(Spec):
    """A check of particles, before any training."""

    outdir: Path = Path("check_report")
    """Folder for the report (report.md, check.json, pictures and a map)."""
    overwrite: bool = False
    """Replace files of the same names that exist; the inputs of the call are never replaced."""
    most_images: Annotated[int, Field(ge=64)] = 3000
    """About how many images the assumptions are tried on; more decide finer questions, in time
    that grows with them."""
    tests: bool = True
    """Try the assumptions on images; without it only the metadata are looked at."""
    json_output: bool = False
    """Print the report as JSON."""


CHECK_DATA_OPTIONS: Final = tuple(
    row
    for row in RUN_OPTIONS
    if row.places.split(".")[0] in {"reader", "dataset", "image_state", "seed"}
    or row.places in {"contrast.invert_data", "preparation.normalize"}
)


CHECK_OPTIONS: Final = (
    Classic("-o --outdir", "outdir"),
    Classic("--overwrite", "overwrite"),
    Classic("--most-images", "most_images"),
    Classic("--no-tests", "tests", constant=False),
    Classic("--json", "json_output"),
)
