"""Devices, processes and precision of a run: one launch path from one CPU to many nodes."""

from __future__ import annotations

import contextlib
import logging
from typing import TYPE_CHECKING, cast

import torch

from tomodrgn.core.errors import RunError, TomodrgnError
from tomodrgn.core.training.workers import Workers

if TYPE_CHECKING:
    from collections.abc import Callable
    from contextlib import AbstractContextManager

    from lightning_fabric import Fabric
    from torch import Tensor

    from tomodrgn.core.specs.training import DevicesSpec

logger = logging.getLogger(__name__)


class Devices:
    """This process among those of the run, its device and its number types.

    Gradients are summed over processes by :meth:`sum_over_processes`; nothing is wrapped, so a
    run on one device takes the same path as a run on many.
    """

    def __init__(self, spec: DevicesSpec) -> None:
        self.fabric: Fabric = _launch(spec)
        if spec.threads:
            torch.set_num_threads(spec.threads)
        self.device: torch.device = self.fabric.device
        self.rank: int = self.fabric.global_rank
        self.n_ranks: int = self.fabric.world_size
        self.is_main = self.rank == 0
        self.workers = Workers(torch.get_num_threads() if self.device.type == "cpu" else 1)
        self.dtype = torch.float64 if spec.precision == "float64" else torch.float32
        self._autocast_dtype: torch.dtype | None = None
        if spec.precision == "mixed" and self.device.type == "cuda":
            has_bf16 = torch.cuda.is_bf16_supported(including_emulation=False)
            self._autocast_dtype = torch.bfloat16 if has_bf16 else torch.float16

    @property
    def needs_loss_scaling(self) -> bool:
        """Whether gradients are small enough to vanish in the number type of the networks."""
        return self._autocast_dtype is torch.float16

    def autocast(self) -> AbstractContextManager[object]:
        """Context in which the networks run."""
        if self._autocast_dtype is None:
            return contextlib.nullcontext()
        return torch.autocast(self.device.type, self._autocast_dtype)

    def lower_precision_risk(self) -> bool:
        """Leave mixed precision for float32; False when that is already the case."""
        had_mixed = self._autocast_dtype is not None
        self._autocast_dtype = None
        return had_mixed

    def sum_over_processes(self, tensors: list[Tensor]) -> None:
        """Replace each tensor by its sum over all processes, in one message."""
        if self.n_ranks == 1:
            return
        flat = torch.cat([tensor.reshape(-1) for tensor in tensors])
        flat = cast("Tensor", self.fabric.all_reduce(flat, reduce_op="sum"))
        for tensor, part in zip(tensors, flat.split([t.numel() for t in tensors]), strict=True):
            tensor.copy_(part.view_as(tensor))

    def wait_for_all(self) -> None:
        """Return when every process has come here."""
        self.fabric.barrier()

    def on_main(self, action: Callable[[], object]) -> None:
        """Run ``action`` in the main process while the others wait.

        Raises:
            TomodrgnError: what the action refused, in the main process.
            SystemExit: the action refused, in the other processes.
        """
        refusal: TomodrgnError | None = None
        if self.is_main:
            try:
                action()
            except TomodrgnError as error:
                refusal = error
        has_refused = self.fabric.broadcast(refusal is not None)
        if refusal is not None:
            raise refusal
        if has_refused:
            raise SystemExit(1)  # the main process says why

    def describe(self) -> str:
        """Where and how the run computes, in a few words."""
        name = "CPU"
        if self.device.type == "cuda":
            name = torch.cuda.get_device_name(self.device)
        number = self._autocast_dtype or self.dtype
        threads = f", {torch.get_num_threads()} threads" if self.device.type == "cpu" else ""
        return f"{self.n_ranks} x {name}{threads}, networks in {str(number).split('.')[-1]}"


def _launch(spec: DevicesSpec) -> Fabric:
    """Start the processes of the run, or join them."""
    from lightning_fabric import Fabric

    n_gpus = torch.cuda.device_count()
    accelerator = spec.accelerator
    if accelerator == "auto":
        accelerator = "gpu" if n_gpus else "cpu"
    if accelerator == "gpu" and not n_gpus:
        raise RunError("devices.accelerator: gpu is asked for but torch sees none; use cpu or auto")
    devices = spec.devices
    if spec.multigpu:
        if accelerator != "gpu":
            logger.warning("--multigpu: torch sees no GPU; going on with %d CPU process", devices)
        devices = max(n_gpus, 1) if accelerator == "gpu" else devices
    if accelerator == "gpu" and devices > n_gpus:
        raise RunError(f"devices.devices: {devices} GPUs are asked for, torch sees {n_gpus}")
    many = devices * spec.nodes > 1
    fabric = Fabric(
        accelerator="cuda" if accelerator == "gpu" else "cpu",
        devices=devices,
        num_nodes=spec.nodes,
        strategy="ddp" if many else "auto",
    )
    fabric.launch()
    return fabric
