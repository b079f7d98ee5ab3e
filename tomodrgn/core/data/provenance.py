"""What made a result: versions, plugins, seed, host and inputs, as ``manifest.json``."""

from __future__ import annotations

import json
import platform
from datetime import UTC, datetime
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tomodrgn.core.data.run_directory import FORMAT
from tomodrgn.core.files.atomic import write_text_atomic
from tomodrgn.core.invocation import words_of_call
from tomodrgn.core.version import __version__

if TYPE_CHECKING:
    from collections.abc import Mapping


PACKAGES = ("torch", "numpy", "pandas", "h5py", "lightning-fabric", "pluggy", "pydantic")


def write_manifest(
    path: Path,
    *,
    parts: Mapping[str, str],
    seed: int,
    inputs: Mapping[str, Any],
    dataset: Mapping[str, Any],
    gray_levels: Mapping[str, Any] | None = None,
) -> None:
    """Write the manifest of a run.

    Args:
        path: where to.
        parts: package that offers each part of the model, by kind.
        seed: seed of the run.
        inputs: fingerprints of the files read.
        dataset: facts of the data set that later commands need.
        gray_levels: of its images, where they were looked at.
    """
    content = {
        "program": f"tomodrgn {__version__}",
        "format": FORMAT,
        "command": words_of_call(),
        "started_in": str(Path.cwd()),
        "made_in": str(path.parent.absolute()),
        "started": datetime.now(UTC).isoformat(timespec="seconds"),
        "seed": seed,
        "host": {"name": platform.node(), "system": platform.platform()},
        "python": platform.python_version(),
        "packages": {name: _version(name) for name in PACKAGES},
        "parts": dict(parts),
        "dataset": dict(dataset),
        "gray_levels": gray_levels,
        "inputs": dict(inputs),
    }
    write_text_atomic(path, json.dumps(content, indent=2, default=str) + "\n")


def _version(package: str) -> str | None:
    try:
        return version(package)
    except PackageNotFoundError:
        return None
