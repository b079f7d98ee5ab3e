"""Making room: removing files of epochs that nobody has looked at, and volumes."""

from __future__ import annotations

import logging
import re
from typing import TYPE_CHECKING, Final

from tomodrgn.core.errors import RunError, SpecError
from tomodrgn.core.files.atomic import writing
from tomodrgn.core.ownership.undamaged import is_not_of_others
from tomodrgn.core.products import CONFIG, RUN_SPEC, WEIGHTS

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tomodrgn.plugins.commands.cleanup.spec import CleanupSpec

logger = logging.getLogger(__name__)

_WEIGHTS: Final = re.compile(r"weights\.(\d+)\.pkl")
_LATENTS: Final = re.compile(r"z\.(\d+)(?:\.train|\.test)?\.pkl")
_CHECKPOINT_VOLUME: Final = re.compile(r"reconstruct\.(\d+)\.mrc")
_NUMBERED_VOLUME: Final = re.compile(r"vol_\d+\.mrc")
_FOLDER_OF_EPOCH: Final = re.compile(r".+\.(\d+)")


def cleanup(spec: CleanupSpec) -> list[Path]:
    """Remove what the spec names, or only list it; the files.

    Epochs that have a folder of their own, such as analyze.19, keep weights and latents; so does
    the last epoch of a run that has not ended. Final results stay, and so does every file that the
    record of its folder does not list, or that was changed since.

    Raises:
        RunError: the directory is not that of a run.
        SpecError: nothing is named.
        OutputError: a file cannot be removed.
    """
    if not (spec.weights or spec.zfiles or spec.volumes):
        raise SpecError("nothing is named to remove; give --weights, --zfiles or --volumes")
    if not any((spec.run / name).is_file() for name in (RUN_SPEC, CONFIG)):
        raise RunError(f"{spec.run}: holds neither {RUN_SPEC} nor {CONFIG}; give a run directory")
    named = sorted(_removable(spec))
    files = [path for path in named if is_not_of_others(path, spec.run)]
    n_bytes = sum(path.stat().st_size for path in files)
    if not spec.test:
        for path in files:
            with writing(path):
                path.unlink()
    done = "would be removed" if spec.test else "removed"
    logger.info("%d files of %.1f MB %s", len(files), n_bytes / 1e6, done)
    if len(files) < len(named):
        stays = next(path for path in named if path not in set(files))
        logger.info(
            "%d files of such names stay, as no record says that they are as tomodrgn made them: "
            "%s%s", len(named) - len(files), stays, " and others" * (len(named) - len(files) > 1),
        )  # fmt: skip
    return files


def _removable(spec: CleanupSpec) -> Iterator[Path]:
    kept = _epochs_with_folders(spec.run)
    if not (spec.run / WEIGHTS).exists():
        kept |= {max(_epochs_of(spec.run, _WEIGHTS), default=-1)}
    patterns = [(_WEIGHTS, spec.weights), (_LATENTS, spec.zfiles)]
    for pattern, is_wanted in patterns:
        for path in spec.run.iterdir() if is_wanted else ():
            match = pattern.fullmatch(path.name)
            if match and int(match[1]) not in kept and path.is_file():
                yield path
    if spec.volumes:
        for path in spec.run.rglob("*.mrc"):
            own = path.parent == spec.run and _CHECKPOINT_VOLUME.fullmatch(path.name)
            if (own or _NUMBERED_VOLUME.fullmatch(path.name)) and not path.is_symlink():
                yield path


def _epochs_with_folders(run: Path) -> set[int]:
    """Epochs that someone has looked at."""
    matches = (_FOLDER_OF_EPOCH.fullmatch(path.name) for path in run.iterdir() if path.is_dir())
    return {int(match[1]) for match in matches if match}


def _epochs_of(run: Path, pattern: re.Pattern[str]) -> set[int]:
    """Epochs with a file of some name."""
    matches = (pattern.fullmatch(path.name) for path in run.iterdir())
    return {int(match[1]) for match in matches if match}
