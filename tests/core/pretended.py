"""A device that is not there: tensors without numbers, which tell what would make the host wait.

Nothing is computed, so that nothing can be read either; tensors of host and device do not mix. A
device of type ``cuda`` serves without gradients, which need a real one; ``meta`` stands for it
where gradients are asked for.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from importlib import import_module
from types import SimpleNamespace
from typing import Any

import pytest
import torch
from torch._subclasses.fake_tensor import FakeTensorMode
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_flatten

GPU = torch.device("cuda", 0)
LEARNING_GPU = torch.device("meta")

_COPIES = (torch.ops.aten._to_copy.default, torch.ops.aten.copy_.default)
_WAITING = (torch.ops.aten.bincount.default, torch.ops.aten.nonzero.default)


class HostWaitsError(AssertionError):
    """The host would wait until the device has done all its work."""


class NoWaits(TorchDispatchMode):
    """Refuses what makes the host wait while it is entered; remembers which memory is pinned."""

    def __init__(self) -> None:
        super().__init__()
        self._pinned: list[torch.UntypedStorage] = []

    def pin(self, tensor: torch.Tensor) -> None:
        """Count the memory of a tensor as pinned."""
        self._pinned.append(tensor.untyped_storage())

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        kwargs = kwargs or {}
        given = [each for each in tree_flatten((args, kwargs))[0] if torch.is_tensor(each)]
        if func in _WAITING and any(_is_away(each) for each in given):
            raise HostWaitsError(f"{func} counts on the host")
        answer = func(*args, **kwargs)
        if func in _COPIES:
            self._require_no_wait(func, args, kwargs, answer)
        elif any(map(_is_away, given)) and any(each.dim() and not _is_away(each) for each in given):
            raise HostWaitsError(f"{func} takes numbers of the host to the device")
        if kwargs.get("pin_memory"):
            self.pin(answer)
        return answer

    def _require_no_wait(self, func: Any, args: Any, kwargs: Any, answer: torch.Tensor) -> None:
        source = args[0] if func is _COPIES[0] else args[1]
        if _is_away(source) == _is_away(answer):
            return
        is_asked = kwargs.get("non_blocking") or (func is _COPIES[1] and True in args[2:])
        if not is_asked:
            raise HostWaitsError(f"{func} from {source.device} to {answer.device} waits")
        known = {storage._cdata for storage in self._pinned}
        if not _is_away(source) and source.untyped_storage()._cdata not in known:
            raise HostWaitsError(f"{func} from memory that is not pinned")


def _is_away(tensor: torch.Tensor) -> bool:
    return tensor.device.type != "cpu"


@contextlib.contextmanager
def pretending(monkeypatch: pytest.MonkeyPatch) -> Iterator[NoWaits]:
    """While the block runs, tensors have no numbers and devices need not exist."""
    watch = NoWaits()

    def pinned(tensor: torch.Tensor) -> torch.Tensor:
        watch.pin(tensor)
        return tensor

    event = SimpleNamespace(record=lambda *_: None, synchronize=lambda: None)
    stream = SimpleNamespace(
        device=GPU, wait_event=lambda _: None, record_event=lambda: event, cuda_stream=0
    )
    monkeypatch.setattr(torch.Tensor, "pin_memory", pinned)
    monkeypatch.setattr(torch.Tensor, "record_stream", lambda *_: None)
    monkeypatch.setattr(torch.cuda, "Event", lambda **_: event)
    monkeypatch.setattr(torch.cuda, "Stream", lambda *_: stream)
    monkeypatch.setattr(torch.cuda, "current_stream", lambda *_: stream)
    monkeypatch.setattr(torch.cuda, "stream", lambda _: contextlib.nullcontext())
    autocast = torch.autocast  # which refuses to know ``meta``
    monkeypatch.setattr(
        torch,
        "autocast",
        lambda kind, *given, **named: (
            contextlib.nullcontext() if kind == "meta" else autocast(kind, *given, **named)
        ),
    )
    fused = "_get_fused_kernels_supported_devices"
    monkeypatch.setattr(import_module("torch.optim.optimizer"), fused, lambda: ["cuda", "meta"])
    with FakeTensorMode(allow_non_fake_inputs=True):
        yield watch
