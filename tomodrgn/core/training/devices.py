"""Devices, processes and precision of a run: one launch path from one CPU to many nodes."""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING, TypeVar, cast

import torch

from tomodrgn.core.errors import RunError, TomodrgnError
from tomodrgn.core.model.workers import Workers
from tomodrgn.core.training.launching import Launch, plan_launch, require_one_process, start

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from contextlib import AbstractContextManager

    from lightning_fabric import Fabric
    from torch import Tensor

    from tomodrgn.core.specs.training import DevicesSpec


T = TypeVar("T")

_CPU = torch.device("cpu")


class Devices:
    """This process among those of the run, its device and its number types.

    Gradients are summed over processes by :meth:`sum_over_processes`; nothing is wrapped, so a
    run on one device takes the same path as a run on many. Processes meet in some calls, which all
    of them have to make in the same order; an error in one of them stops all (:meth:`agree`).

    Args:
        spec: what the user asks for.
        alone: for work of one process, also inside one of several; ``spec`` then says on what kind
            of device.

    Raises:
        RunError: there are no such devices, or several processes were started to work alone.
    """

    def __init__(self, spec: DevicesSpec, *, alone: bool = False) -> None:
        if alone:
            require_one_process()
        accelerator, launch = plan_launch(spec, torch.cuda.device_count())
        launch = Launch(1, 1) if alone else launch
        self._fabric: Fabric | None = None
        self.device: torch.device = torch.device("cuda", 0) if accelerator == "gpu" else _CPU
        self.rank: int = 0
        self.n_ranks: int = launch.n_processes
        self.n_on_node: int = launch.per_node
        self.is_first_on_node: bool = True
        if launch.n_processes > 1:  # what starts processes takes a second to import
            self._fabric = start(accelerator, launch)
            self.device, self.rank = self._fabric.device, self._fabric.global_rank
            self.is_first_on_node = self._fabric.local_rank == 0
        self.is_main = self.rank == 0
        if spec.threads:
            torch.set_num_threads(spec.threads)
        self.is_stopping = False
        self.workers = Workers(torch.get_num_threads() if self.device.type == "cpu" else 1)
        self.dtype = torch.float64 if spec.precision == "float64" else torch.float32
        self._autocast_dtype: torch.dtype | None = None
        if spec.precision == "mixed":
            self._autocast_dtype = _fast_number(self.device)

    @property
    def needs_loss_scaling(self) -> bool:
        """Whether gradients are small enough to vanish in the number type of the networks."""
        return self._autocast_dtype is torch.float16

    @property
    def network_dtype(self) -> torch.dtype:
        """Number type of the products of networks."""
        return self._autocast_dtype or self.dtype

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
        """Replace each tensor, of any shape, by its sum over all processes, in one message.

        Raises:
            RunError: another process has ended.
        """
        if self._fabric is None:
            return
        flat = torch.cat([tensor.reshape(-1) for tensor in tensors])
        with self._connection():
            flat = cast("Tensor", self._fabric.all_reduce(flat, reduce_op="sum"))
        for tensor, part in zip(tensors, flat.split([t.numel() for t in tensors]), strict=True):
            tensor.copy_(part.view_as(tensor))

    def broadcast(self, value: T) -> T:
        """What the main process gives, in all processes."""
        return value if self._fabric is None else self._fabric.broadcast(value)

    def gather(self, text: str) -> list[str]:
        """The texts of all processes, by their rank."""
        texts = [text] * self.n_ranks
        if self.n_ranks > 1:
            with self._connection():
                torch.distributed.all_gather_object(texts, text)
        return texts

    def on_main(self, action: Callable[[], object]) -> None:
        """Run ``action`` in the main process while the others wait.

        Raises:
            TomodrgnError: what the action refused, in the main process.
            SystemExit: the action refused, in the other processes.
        """
        with self.agreement():
            if self.is_main:
                action()

    @contextlib.contextmanager
    def agreement(self) -> Iterator[None]:
        """Go on after the block once it has succeeded in all processes; see :meth:`agree`.

        Processes do not meet inside the block.
        """
        try:
            yield
        except Exception as error:
            self.agree(error)
            raise
        self.agree()

    def agree(self, error: Exception | None = None) -> None:
        """Return once every process has come here without an error; otherwise stop all of them.

        Raises:
            TomodrgnError: in the main process: its own error, or what another process says.
            SystemExit: in the other processes, without a fault: the main process says why.
        """
        if self.is_stopping or self.n_ranks == 1:
            if error is not None:
                raise error
            return
        words = self.gather("" if error is None else _in_words(error))
        if not any(words):
            return
        self.is_stopping = True
        is_bug = error is not None and not isinstance(error, TomodrgnError)
        if error is not None and (self.is_main or is_bug):
            raise error
        if not self.is_main:
            raise SystemExit(0)
        rank, word = next((rank, word) for rank, word in enumerate(words) if word)
        raise RunError(f"process {rank} of {self.n_ranks}: {word}")

    def describe(self) -> str:
        """Where and how the run computes, in a few words."""
        name = "CPU"
        if self.device.type == "cuda":
            name = torch.cuda.get_device_name(self.device)
        number = str(self.network_dtype).removeprefix("torch.")
        threads = f", {torch.get_num_threads()} threads" if self.device.type == "cpu" else ""
        return f"{self.n_ranks} x {name}{threads}, networks in {number}"

    @contextlib.contextmanager
    def _connection(self) -> Iterator[None]:
        """Turn the loss of another process into a message."""
        try:
            yield
        except RuntimeError as error:
            self.is_stopping = True
            raise RunError(
                "another process of this run has ended; look for its message above or in its log, "
                "and go on with --load latest"
            ) from error


def _fast_number(device: torch.device) -> torch.dtype | None:
    """The short number type whose products a device makes fastest; None where it has none."""
    if device.type == "cuda":
        has_bf16 = torch.cuda.is_bf16_supported(including_emulation=False)
        return torch.bfloat16 if has_bf16 else torch.float16
    has_matrix_units = getattr(torch.cpu, "_is_amx_tile_supported", lambda: False)
    return torch.bfloat16 if has_matrix_units() else None


def _in_words(error: Exception) -> str:
    """What the main process says of an error elsewhere."""
    if isinstance(error, TomodrgnError):
        return "; ".join([str(error), *getattr(error, "__notes__", ())])
    return f"stopped by {type(error).__name__}, whose traceback it shows"
