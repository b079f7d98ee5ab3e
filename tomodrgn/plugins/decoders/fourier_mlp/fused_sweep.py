"""The sweep of a residual MLP on a GPU, by kernels that keep a tile of rows on the chip.

Layer by layer, activations pass through memory about ten times per layer: rounded, multiplied,
biased, added, activated, each time written and read. Here a layer writes them once on the way up;
on the way down they are read once and their gradients written once; the gradients of weights are
products of the two. With 256 wide, 3 hidden layers, 288 features and bfloat16 this is, per row:

- up: 0.6 kB of features read, 2 kB of activations written;
- down: 2 kB of activations read, 2 kB of gradients written;
- gradients of weights: 4.6 kB read,

11 kB in all, 3.4 ns at 3.35 TB/s, while its 1.6 MFLOP take 1.6 ns at 1 PFLOP/s. Every tile reads
the weights from the cache of the GPU, 14 kB per row with tiles of 64 rows; larger ones would not
fit the registers. The plain twin is automatic differentiation of :meth:`ResidualMlp.forward` under
autocast.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

import torch
from torch.nn import functional

from tomodrgn.core.interfaces import SweepGradients

if TYPE_CHECKING:
    from torch import Tensor

    from tomodrgn.core.model.mlp import Layer, ResidualMlp
    from tomodrgn.plugins.decoders.fourier_mlp.sweep import AnswerGradient

WIDTHS = (64, 128, 256, 512)
"""Hidden widths that there are tiles for."""
_STEP, _WARPS = 32, 8
_PADDED_ANSWERS = 16
"""Columns of the least product that the matrix units take."""
_LARGEST_MARKS = 1 << 25
"""Most elements of the matrix that sums rows by particle."""


def tile_rows(width: int) -> int:
    """Rows per program: as many as leave the float32 stream of a tile in registers."""
    return min(128, 64 * 256 // width)


def can_fuse(mlp: ResidualMlp, n_conditions: int) -> bool:
    """Whether the kernels serve layers of these widths."""
    first, *inner, last = mlp.layers()
    width, n_inputs = first.weight.shape
    return (
        width in WIDTHS
        and not first.is_residual
        and all(layer.is_residual for layer in inner)
        and not last.is_residual
        and len(last.weight) <= _PADDED_ANSWERS
        and n_inputs > n_conditions
        and first.weight.dtype == torch.float32
    )


class FusedSweep:
    """Collects the gradients of a residual MLP over any number of rows, see ``MlpSweep``.

    Args:
        mlp: layers that :func:`can_fuse`; their weights are taken as they are now.
        condition: (B, C) last input columns, shared by the rows of a particle, or None.
        number: type in which products take their factors.
    """

    def __init__(
        self, mlp: ResidualMlp, condition: Tensor | None, number: torch.dtype = torch.bfloat16
    ) -> None:
        self._kernels: Any = importlib.import_module(
            "tomodrgn.plugins.decoders.fourier_mlp.fused_kernels"
        )
        self._number = number
        self._slope = mlp.slope
        first, *self._inner, last = mlp.layers()
        self._condition = None if condition is None else condition.float()
        n_features = first.weight.shape[1] - (0 if condition is None else condition.shape[1])
        self._of_condition = first.weight[:, n_features:]
        self._shared = first.bias[None]
        if self._condition is not None:
            with torch.autocast(first.bias.device.type, enabled=False):
                self._shared = functional.linear(self._condition, self._of_condition, first.bias)
        self._short = _ShortWeights(first.weight[:, :n_features], self._inner, last, number)
        layers = [first.weight[:, :n_features], *(layer.weight for layer in (*self._inner, last))]
        self._to_weights = [torch.zeros_like(weight) for weight in layers]
        self._to_shared = torch.zeros_like(self._shared)
        self._to_inner = first.bias.new_zeros((len(self._inner), len(first.bias)))
        self._to_last = torch.zeros_like(last.bias)

    def add(self, features: Tensor, owner: Tensor, answer_gradient: AnswerGradient) -> None:
        """Add the rows ``features`` (N, F), each with the condition of its ``owner`` (N,)."""
        if not len(features):
            return
        if self._condition is None:
            owner = torch.zeros_like(owner)
        device = features.device
        with torch.cuda.device_of(features), torch.autocast(device.type, enabled=False):
            rows = _padded(features, self._short.first.shape[0], 1, self._number)
            hidden, answers = self._climb(rows, owner)
            gradient = answer_gradient(slice(0, len(rows)), answers).contiguous()
            passed, sums = self._descend(gradient, hidden)
            n_features = self._to_weights[0].shape[1]
            self._to_weights[0] += (passed[0].t() @ rows)[:, :n_features]
            for layer in range(1, len(passed)):
                self._to_weights[layer] += passed[layer].t() @ hidden[layer - 1]
            self._to_weights[-1] += gradient.to(self._number).t() @ hidden[-1]
            self._to_inner += sums[1:]
            self._to_last += gradient.sum(0)
            self._add_by_owner(passed[0], owner, sums[0])

    def finish(self) -> SweepGradients:
        """The gradients of all rows that were added; the latent is the condition."""
        to_first, to_bias = self._to_weights[0], self._to_shared.sum(0)
        to_condition = None
        if self._condition is not None:
            with torch.autocast(to_first.device.type, enabled=False):
                of_condition = self._to_shared.t() @ self._condition
                to_condition = self._to_shared @ self._of_condition
            to_first = torch.cat([to_first, of_condition], dim=1)
        biases = [*self._to_inner.unbind(), self._to_last]
        pairs = zip(self._to_weights[1:], biases, strict=True)
        parameters = [to_first, to_bias, *(tensor for pair in pairs for tensor in pair)]
        return SweepGradients(parameters, to_condition)

    def _climb(self, rows: Tensor, owner: Tensor) -> tuple[Tensor, Tensor]:
        """(L + 1, N, H) activations and (N, out) answers."""
        short, width = self._short, self._shared.shape[1]
        n_answers = len(self._to_last)
        hidden = rows.new_empty((len(self._inner) + 1, len(rows), width))
        answers = self._shared.new_empty((len(rows), n_answers))
        n_tiles = _ceiling(len(rows), tile_rows(width))
        self._kernels.climb[(n_tiles,)](
            rows,
            owner,
            short.first,
            self._shared,
            short.inner_up,
            short.inner_biases,
            short.last_up,
            short.last_bias,
            hidden,
            answers,
            len(rows),
            self._slope,
            F=rows.shape[1],
            H=width,
            LAYERS=len(self._inner),
            OUT=n_answers,
            PADDED=_PADDED_ANSWERS,
            ROWS=tile_rows(width),
            STEP=_STEP,
            num_warps=_WARPS,
        )
        return hidden, answers

    def _descend(self, gradient: Tensor, hidden: Tensor) -> tuple[Tensor, Tensor]:
        """(L + 1, N, H) gradients of what enters the activations, and (L + 1, H) their sums."""
        width, n_rows = hidden.shape[2], len(gradient)
        n_tiles = _ceiling(n_rows, tile_rows(width))
        passed = torch.empty_like(hidden)
        sums = gradient.new_empty((n_tiles, len(hidden), width))
        self._kernels.descend[(n_tiles,)](
            gradient,
            self._short.last_down,
            self._short.inner_down,
            hidden,
            passed,
            sums,
            n_rows,
            self._slope,
            H=width,
            LAYERS=len(self._inner),
            OUT=gradient.shape[1],
            PADDED=_PADDED_ANSWERS,
            ROWS=tile_rows(width),
            STEP=_STEP,
            num_warps=_WARPS,
        )
        return passed, sums.sum(0)

    def _add_by_owner(self, passed: Tensor, owner: Tensor, total: Tensor) -> None:
        """Add the sums of rows by owner: a product with ones, which does the same each time."""
        if len(self._to_shared) == 1:
            self._to_shared += total
            return
        particles = torch.arange(len(self._to_shared), device=owner.device)[:, None]
        n_rows = max(1, _LARGEST_MARKS // len(particles))
        for rows, owners in zip(passed.split(n_rows), owner.split(n_rows), strict=True):
            self._to_shared += (owners == particles).to(self._number) @ rows


class _ShortWeights:
    """Weights in the number type of the products, laid out and padded for the kernels."""

    def __init__(self, first: Tensor, inner: list[Layer], last: Layer, number: torch.dtype) -> None:
        empty = first.new_zeros((0, len(first), len(first)))
        weights = torch.stack([layer.weight for layer in inner]) if inner else empty
        biases = torch.stack([layer.bias for layer in inner]) if inner else empty[:, 0]
        self.first = _padded(first.t(), _ceiling(first.shape[1], _STEP) * _STEP, 0, number)
        self.inner_down = weights.to(number).contiguous()
        self.inner_up = self.inner_down.transpose(1, 2).contiguous()
        self.inner_biases = biases.contiguous()
        self.last_down = _padded(last.weight, _PADDED_ANSWERS, 0, number)
        self.last_up = self.last_down.t().contiguous()
        self.last_bias = functional.pad(last.bias, (0, _PADDED_ANSWERS - len(last.bias)))


def _padded(matrix: Tensor, length: int, dim: int, number: torch.dtype) -> Tensor:
    """A matrix in short numbers with zeros behind its end, in one pass."""
    shape = list(matrix.shape)
    n_own, shape[dim] = shape[dim], length
    padded = matrix.new_empty(shape, dtype=number)
    padded.narrow(dim, 0, n_own).copy_(matrix)
    padded.narrow(dim, n_own, length - n_own).zero_()
    return padded


def _ceiling(number: int, divisor: int) -> int:
    """Their ratio, rounded up."""
    return -(-number // divisor)
