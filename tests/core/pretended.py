"""A device that is not there: tensors without numbers, which tell what makes the host wait.

Nothing is computed: what is read is 1, or true. Tensors of host and device do not mix. The device
is of type ``meta``, as ``cuda`` cannot do without a driver: it takes the paths of all devices other
than the CPU, but those of CUDA alone.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from importlib import import_module
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch
from torch._subclasses.fake_tensor import FakeTensor, FakeTensorMode
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_flatten

from tomodrgn.core.fourier.grids import grid_shells

DEVICE = torch.device("meta")

_ATEN = torch.ops.aten
_COPIES = (_ATEN._to_copy.default, _ATEN.copy_.default)


class Waits(TorchDispatchMode):
    """Notes what makes the host wait until the device has done all its work.

    Attributes:
        found: the operations that did.
    """

    def __init__(self) -> None:
        super().__init__()
        self.found: list[str] = []
        self._pinned: list[torch.UntypedStorage] = []

    def pin(self, tensor: torch.Tensor) -> None:
        """Count the memory of a tensor as pinned."""
        self._pinned.append(tensor.untyped_storage())

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        kwargs = kwargs or {}
        given = [each for each in tree_flatten((args, kwargs))[0] if torch.is_tensor(each)]
        is_pretended = func in _PRETENDED and (func is not _INDEX or _chooses(args))
        answer = (_PRETENDED[func] if is_pretended else func)(*args, **kwargs)
        if kwargs.get("pin_memory"):
            self.pin(answer)
        away = any(map(_is_away, given))
        if func in _COPIES:
            waits = self._copy_waits(func, args, kwargs, answer)
        elif is_pretended:
            waits = away
        else:  # an index, for example, that lies on the host
            waits = away and any(each.dim() and not _is_away(each) for each in given)
        if waits:
            self.found.append(str(func))
        return answer

    def _copy_waits(self, func: Any, args: Any, kwargs: Any, answer: torch.Tensor) -> bool:
        source = args[0] if func is _COPIES[0] else args[1]
        if _is_away(source) == _is_away(answer):
            return False
        if not (kwargs.get("non_blocking") or (func is _COPIES[1] and True in args[2:])):
            return True
        pinned = {storage._cdata for storage in self._pinned}
        return not _is_away(source) and source.untyped_storage()._cdata not in pinned


def _is_away(tensor: torch.Tensor) -> bool:
    return tensor.device.type != "cpu"


def _one(tensor: torch.Tensor) -> bool | int | float:
    number = 1.0 if tensor.is_floating_point() else 1
    return True if tensor.dtype == torch.bool else number


def _counts(
    values: torch.Tensor, weights: torch.Tensor | None = None, minlength: int = 0
) -> torch.Tensor:
    return values.new_ones(minlength, dtype=torch.int64 if weights is None else weights.dtype)


def _all_places(mask: torch.Tensor) -> torch.Tensor:
    return mask.new_zeros((mask.numel(), mask.dim()), dtype=torch.int64)


def _at(values: torch.Tensor, places: list[torch.Tensor | None]) -> torch.Tensor:
    """Values at places, all of them where a mask chooses."""
    chosen: list[torch.Tensor | None] = []
    for place in places:
        is_mask = place is not None and place.dtype == torch.bool
        chosen += _all_places(place).unbind(1) if is_mask else [place]
    return _INDEX(values, chosen)


def _chooses(args: Any) -> bool:
    return any(place is not None and place.dtype == torch.bool for place in args[1])


_INDEX = _ATEN.index.Tensor
_PRETENDED = {
    _ATEN._local_scalar_dense.default: _one,
    _ATEN.bincount.default: _counts,
    _ATEN.nonzero.default: _all_places,
    _INDEX: _at,
}
"""What cannot be known without numbers: the host has to wait for it."""


@contextlib.contextmanager
def pretending(monkeypatch: pytest.MonkeyPatch) -> Iterator[Waits]:
    """While the block runs, tensors have no numbers and devices need not exist."""
    waits = Waits()
    event = SimpleNamespace(record=lambda *_: None, synchronize=lambda: None)
    stream = SimpleNamespace(
        device=DEVICE, wait_event=lambda _: None, record_event=lambda: event, cuda_stream=0
    )
    numpy = torch.Tensor.numpy

    def pinned(tensor: torch.Tensor) -> torch.Tensor:
        waits.pin(tensor)
        return tensor

    def array(tensor: torch.Tensor) -> Any:
        if not isinstance(tensor, FakeTensor):
            return numpy(tensor)
        if _is_away(tensor):
            raise TypeError("numbers of a device have to be copied to the host")
        return np.ones(tensor.shape, str(tensor.dtype).split(".")[1])

    monkeypatch.setattr(torch.Tensor, "pin_memory", pinned)
    monkeypatch.setattr(torch.Tensor, "record_stream", lambda *_: None)
    monkeypatch.setattr(torch.Tensor, "numpy", array)
    monkeypatch.setattr(torch, "autocast", lambda *_, **__: contextlib.nullcontext())
    monkeypatch.setattr(torch.cuda, "Event", lambda **_: event)
    monkeypatch.setattr(torch.cuda, "Stream", lambda *_: stream)
    monkeypatch.setattr(torch.cuda, "current_stream", lambda *_: stream)
    monkeypatch.setattr(torch.cuda, "stream", lambda _: contextlib.nullcontext())
    fused = "_get_fused_kernels_supported_devices"
    monkeypatch.setattr(import_module("torch.optim.optimizer"), fused, lambda: ["meta"])
    try:
        with FakeTensorMode(allow_non_fake_inputs=True), waits:
            yield waits
    finally:
        grid_shells.cache_clear()  # the one function that keeps tensors
