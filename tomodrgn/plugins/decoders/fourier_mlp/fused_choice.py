"""Whether the fused layers serve on a device: tried once, beside the plain ones, on real weights.

Kernels are compiled for a device when they are first used, and may turn out unable, wrong or slow
there. So the first sweep over layers of some widths compares gradients and speed of both paths;
the better one serves until the program ends, and the log says which and why.
"""

from __future__ import annotations

import importlib.util
import logging
import statistics
import time
from typing import TYPE_CHECKING, Final, NamedTuple

import torch

from tomodrgn.plugins.decoders.fourier_mlp.fused_sweep import FusedSweep, can_fuse

if TYPE_CHECKING:
    from collections.abc import Callable

    from torch import Tensor

    from tomodrgn.core.model.mlp import ResidualMlp

logger = logging.getLogger(__name__)

TRIAL_ROWS: Final = 1 << 17
_REPEATS: Final = 5
_MAX_DISTANCE: Final = 0.1
"""Between gradients of both paths, relative to their length: each rounds to eight binary digits."""


class Verdict(NamedTuple):
    """Which path serves."""

    fused: bool
    why: str
    fused_rows_per_s: float = 0.0
    plain_rows_per_s: float = 0.0


verdicts: Final[dict[tuple[object, ...], Verdict]] = {}
"""What was found so far, by device and widths."""


def fused_sweep(
    mlp: ResidualMlp, condition: Tensor | None, example: Callable[[], Tensor]
) -> FusedSweep | None:
    """A sweep by fused layers, or None where automatic differentiation serves.

    Args:
        mlp: the layers.
        condition: (B, C) last input columns, or None.
        example: gives features (N, F) for the trial, on the device.
    """
    device = next(mlp.parameters()).device
    is_short = torch.is_autocast_enabled(device.type)
    if not is_short or torch.get_autocast_dtype(device.type) != torch.bfloat16:
        return None
    widths = tuple(tuple(layer.weight.shape) for layer in mlp.layers())
    key = (device, widths, condition is None)
    if key not in verdicts:
        verdicts[key] = _judge(mlp, condition, example)
        logger.info("decoder on %s: %s", device, verdicts[key].why)
    return FusedSweep(mlp, condition) if verdicts[key].fused else None


def _judge(mlp: ResidualMlp, condition: Tensor | None, example: Callable[[], Tensor]) -> Verdict:
    """Try both paths, unless it is plain that one cannot serve."""
    n_conditions = 0 if condition is None else condition.shape[1]
    if not can_fuse(mlp, n_conditions):
        return Verdict(fused=False, why="layer by layer, as no kernel is made for these widths")
    if importlib.util.find_spec("triton") is None:
        return Verdict(fused=False, why="layer by layer, as Triton is not installed")
    try:
        return compared(mlp, condition, example())
    except Exception as error:  # noqa: BLE001  compilers and drivers fail in many ways
        reason = (str(error).strip() or type(error).__name__).splitlines()[0]
        return Verdict(fused=False, why=f"layer by layer, as fused layers failed: {reason}")


def compared(mlp: ResidualMlp, condition: Tensor | None, features: Tensor) -> Verdict:
    """Gradients and speed of both paths on the same rows (N, features), conditions (N, Z)."""
    n_particles = 1 if condition is None else len(condition)
    owner = torch.arange(len(features), device=features.device) * n_particles // len(features)
    counts = torch.bincount(owner, minlength=n_particles)

    def fused() -> list[Tensor]:
        sweep = FusedSweep(mlp, condition)
        sweep.add(features, owner, lambda _, answers: answers)
        found = sweep.finish()
        return [*found.parameters, *([] if found.latent is None else [found.latent])]

    def plain() -> list[Tensor]:
        leaf = None if condition is None else condition.detach().requires_grad_()
        with torch.enable_grad():
            loss = mlp(features, leaf, counts).float().square().sum() / 2
        asked = [*mlp.parameters(), *([] if leaf is None else [leaf])]
        with torch.autocast(features.device.type, enabled=False):
            return list(torch.autograd.grad(loss, asked))

    pairs = zip(fused(), plain(), strict=True)
    distance = max(float((one - other).norm() / other.norm()) for one, other in pairs)
    if not distance < _MAX_DISTANCE:
        why = f"layer by layer, as gradients of fused layers differ by {distance:.2g}"
        return Verdict(fused=False, why=why)
    rows_per_s = [len(features) / _seconds(work, features.device) for work in (fused, plain)]
    is_faster = rows_per_s[0] > rows_per_s[1]
    name = "fused layers" if is_faster else "layer by layer"
    why = f"{name}: fused {rows_per_s[0]:.3g} rows/s, layer by layer {rows_per_s[1]:.3g} rows/s"
    return Verdict(is_faster, why, *rows_per_s)


def _seconds(work: Callable[[], object], device: torch.device) -> float:
    """Median duration of some work, which has run before."""
    durations = []
    for _ in range(_REPEATS):
        _wait(device)
        begun = time.perf_counter()
        work()
        _wait(device)
        durations.append(time.perf_counter() - begun)
    return statistics.median(durations)


def _wait(device: torch.device) -> None:
    """Until a device has done what it was asked."""
    if device.type == "cuda":
        torch.cuda.synchronize(device)
