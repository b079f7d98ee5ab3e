"""How fast this machine multiplies matrices of the network's shape, and copies memory."""

from __future__ import annotations

import statistics
import time

import torch

from benchmarks.report import Row, parser, report

ROWS, WIDTH = 6400, 256
"""(6400, 256) @ (256, 256): coefficients of a batch through a hidden layer."""

COPIED_BYTES = 2**28
"""More than fits the caches of most processors."""

_CALLS = 20
_WARM_UP = 2


def matmul_ceiling(device: torch.device, dtype: torch.dtype, *, repeats: int = 15) -> float:
    """FLOP/s of (6400, 256) @ (256, 256), the median of ``repeats`` series of 20 calls."""
    generator = torch.Generator().manual_seed(0)
    left = torch.randn(ROWS, WIDTH, generator=generator).to(device, dtype)
    right = torch.randn(WIDTH, WIDTH, generator=generator).to(device, dtype)
    product = left @ right
    seconds = []
    for _ in range(repeats + _WARM_UP):
        _wait(device)
        begun = time.perf_counter()
        for _ in range(_CALLS):
            torch.matmul(left, right, out=product)
        _wait(device)
        seconds.append(time.perf_counter() - begun)
    return _CALLS * 2 * ROWS * WIDTH * WIDTH / statistics.median(seconds[_WARM_UP:])


def copy_ceiling(device: torch.device, *, repeats: int = 5) -> float:
    """Bytes/s that a copy reads and writes, both counted, the median of some copies."""
    source = torch.ones(COPIED_BYTES // 4, device=device)
    target = torch.empty_like(source)
    seconds = []
    for _ in range(repeats + _WARM_UP):
        _wait(device)
        begun = time.perf_counter()
        target.copy_(source)
        _wait(device)
        seconds.append(time.perf_counter() - begun)
    return 2 * COPIED_BYTES / statistics.median(seconds[_WARM_UP:])


def _wait(device: torch.device) -> None:
    if device.type == "cuda":
        torch.cuda.synchronize(device)


def main(arguments: list[str]) -> None:
    """Measure every device and number type that training uses."""
    options = parser("ceiling", __doc__ or "").parse_args(arguments)
    cases = [(torch.device("cpu"), torch.float32)]
    if torch.cuda.is_available():
        cases += [(torch.device("cuda"), dtype) for dtype in (torch.float32, torch.bfloat16)]
    rows: list[Row] = [
        {
            "device": str(device),
            "dtype": str(dtype).removeprefix("torch."),
            "gflop_per_s": matmul_ceiling(device, dtype) / 1e9,
            "copied_gb_per_s": copy_ceiling(device) / 1e9,
        }
        for device, dtype in cases
    ]
    report("ceiling", rows, options.json)
