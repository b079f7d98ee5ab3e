"""Weights files: everything a run needs to go on exactly where it stood.

A file is a ``torch.save`` dictionary of tensors and plain numbers, read with ``weights_only``.
``epoch`` is the last one touched, counted from 0; ``batches_done`` says how many of its batches are
in, None for all of them. ``weights.N.pkl`` are whole epochs, ``interrupted.pkl`` is a stopped one.
"""

from __future__ import annotations

import io
import re
import warnings
import zipfile
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

import torch

from tomodrgn.core.errors import DataError, RunError
from tomodrgn.core.files.atomic import write_bytes_atomic
from tomodrgn.core.files.opening import open_to_read
from tomodrgn.core.files.unreadable import require_readable
from tomodrgn.core.products import INTERRUPTED

if TYPE_CHECKING:
    from pathlib import Path

_EPOCH_FILE = re.compile(r"weights\.(\d+)\.pkl")


@dataclass(frozen=True, slots=True, kw_only=True)
class Checkpoint:
    """State of a run after some batches."""

    epoch: int
    batches_done: int | None
    model: dict[str, Any]
    optimizer: dict[str, Any] | None
    scaler: dict[str, Any] | None
    sums: list[float]
    norm: tuple[float, float]

    @property
    def next_epoch(self) -> int:
        """Epoch in which the run goes on."""
        return self.epoch + 1 if self.batches_done is None else self.epoch


def save_checkpoint(path: Path, checkpoint: Checkpoint) -> None:
    """Write a weights file atomically."""
    content = {
        "epoch": checkpoint.epoch,
        "batches_done": checkpoint.batches_done,
        "norm": list(checkpoint.norm),
        "sums": checkpoint.sums,
        "model_state_dict": checkpoint.model,
        "optimizer_state_dict": checkpoint.optimizer,
        "scaler": checkpoint.scaler,
    }
    buffer = io.BytesIO()
    torch.save(content, buffer)
    write_bytes_atomic(path, buffer.getbuffer())


def load_checkpoint(path: Path) -> Checkpoint:
    """Read a weights file.

    Raises:
        RunError: the file is missing or no weights file of this program.
        DataError: it cannot be read.
    """
    if not path.exists():
        raise RunError(f"{path}: no such file; give the weights file of a run")
    try:
        _refuse_inflated(path)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # a foreign file is refused below
            content = torch.load(path, map_location="cpu", weights_only=True)
        return _checkpoint(content)
    except DataError:
        raise
    except Exception as error:
        require_readable(path, error)
        raise RunError(
            f"{path}: not a weights file of this program, or a damaged one; give weights.pkl or "
            "weights.N.pkl of a run"
        ) from error


def _refuse_inflated(path: Path) -> None:
    """Refuse what is no archive of ``torch.save``, which keeps its parts as they are.

    Raises:
        ValueError: it is none, or has parts that are larger than the file.
    """
    with open_to_read(path) as file, zipfile.ZipFile(file) as archive:
        parts = archive.infolist()
        n_bytes = sum(part.file_size for part in parts)
    if n_bytes > path.stat().st_size or any(part.compress_type for part in parts):
        raise ValueError("parts are compressed")


def _checkpoint(content: Any) -> Checkpoint:
    """What a file holds, where each part is of its kind."""
    batches_done, model = content["batches_done"], content["model_state_dict"]
    shift, scale = map(float, content["norm"])
    if not all(isinstance(each, torch.Tensor) for each in model.values()):
        raise TypeError("the model has parts that are no tensors")
    for name in ("optimizer_state_dict", "scaler"):
        if not isinstance(content[name], dict | type(None)):
            raise TypeError(f"{name} is no dictionary")
    return Checkpoint(
        epoch=int(content["epoch"]),
        batches_done=None if batches_done is None else int(batches_done),
        model=model,
        optimizer=content["optimizer_state_dict"],
        scaler=content["scaler"],
        sums=[float(each) for each in content["sums"]],
        norm=(shift, scale),
    )


def saved_epochs(outdir: Path) -> list[int]:
    """Epochs with a weights file in a run directory, ascending."""
    matches = (_EPOCH_FILE.fullmatch(path.name) for path in outdir.glob("weights.*.pkl"))
    return sorted(int(match[1]) for match in matches if match)


def find_checkpoint(outdir: Path, load: Path | Literal["latest"]) -> Path:
    """The file to go on from; ``latest`` is the one that has come furthest.

    Raises:
        RunError: latest is asked for in a directory without weights.
    """
    if load != "latest":
        return load
    epochs = saved_epochs(outdir)
    interrupted = outdir / INTERRUPTED
    if interrupted.exists():
        stopped = load_checkpoint(interrupted)
        if not epochs or stopped.epoch > epochs[-1]:
            return interrupted
    if not epochs:
        raise RunError(f"{outdir}: no weights.N.pkl to go on from; start without --load")
    return outdir / f"weights.{epochs[-1]}.pkl"
